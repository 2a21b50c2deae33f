"""What lines say of instants and money is what the rest of the program says of them."""

import csv
import json
from datetime import UTC
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.clock import to_text
from tollbridge.core.money import usd_text
from tollbridge.insight.export_lines import COLUMNS, CSV, JSON, NAMES, RUNS, Correction, LineMaker

INSTANTS = st.integers(0, 4 * 10**15)
AMOUNTS = st.integers(-(10**19), 10**19)


def a_row(runs: list[str], *booked: Any) -> list[Any]:
    """Return a row: when it was accounted, its id, what is booked, and what the database wrote."""
    accounted_at_us, *others = booked
    return [accounted_at_us, "id", *others, *runs]


@given(
    instants=st.lists(st.tuples(INSTANTS, INSTANTS), min_size=1, max_size=4),
    amounts=st.tuples(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS),
)
def test_a_line_says_it_as_everybody_does(
    instants: list[tuple[int, int]], amounts: tuple[int, ...]
) -> None:
    cost, charge, difference, more = amounts
    corrections = {"id": Correction(difference, more, is_priced=False)}
    runs = [dict.fromkeys(run, "x") for run in RUNS]
    for style in (CSV, JSON):
        maker = LineMaker(style, UTC)
        written = [",".join(run.values()) if style is CSV else json.dumps(run) for run in runs]
        for accounted_at_us, received_at_us in instants:
            row = a_row(written, accounted_at_us, received_at_us, cost, cost, None, None, charge)
            text = maker.lines([row], corrections).decode()
            if style is CSV:
                [cells] = csv.reader([text.removesuffix("\r\n")])
                line = {name: cell or None for name, cell in zip(NAMES, cells, strict=True)}
            else:
                line = json.loads(text)
            assert list(line) == list(NAMES)
            assert line["accounted_at"] == to_text(accounted_at_us)
            assert line["received_at"] == to_text(received_at_us)
            assert line["billing_period"] == to_text(accounted_at_us)[:7]
            assert line["cost_usd"] == usd_text(cost)
            assert line["adjustment_usd"] == usd_text(difference)
            assert line["cost_now_usd"] == usd_text(cost + difference)
            assert line["charge_now_usd"] == usd_text(charge + more)
            assert line["computed_usd"] is None


def test_each_column_says_what_it_is() -> None:
    assert all(column.description for column in COLUMNS.values())
