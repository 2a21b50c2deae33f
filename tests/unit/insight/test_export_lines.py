"""What lines say of instants and money is what the rest of the program says of them."""

from datetime import UTC
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.clock import to_text
from tollbridge.core.money import usd_text
from tollbridge.core.sheets import guarded
from tollbridge.insight.export_lines import COLUMNS, NAMES, SOURCES, Correction, LineMaker

INSTANTS = st.integers(0, 4 * 10**15)
AMOUNTS = st.integers(-(10**19), 10**19)


def a_row(**columns: Any) -> list[Any]:
    """Return a row whose columns are those of the books; what is not said is unknown."""
    values = {"attempt_count": 1, "stream": True, "known_cost_nanousd": 0, **columns}
    return [columns["accounted_at_us"], "id", *(values.get(source) for source in SOURCES)]


@given(
    instants=st.lists(st.tuples(INSTANTS, INSTANTS), min_size=1, max_size=4),
    amounts=st.tuples(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS),
    text=st.text(min_size=1, max_size=4),
)
def test_a_line_says_it_as_everybody_does(
    instants: list[tuple[int, int]], amounts: tuple[int, ...], text: str
) -> None:
    maker = LineMaker(UTC)
    cost, charge, difference, more = amounts
    corrections = {"id": Correction(difference, more, is_priced=False)}
    for accounted_at_us, received_at_us in instants:
        row = a_row(
            accounted_at_us=accounted_at_us,
            received_at_us=received_at_us,
            cost_nanousd=cost,
            known_cost_nanousd=cost,
            charge_nanousd=charge,
            label=text,
        )
        line = dict(zip(NAMES, maker.values(row, corrections), strict=True))
        assert line["accounted_at"] == to_text(accounted_at_us)
        assert line["received_at"] == to_text(received_at_us)
        assert line["billing_period"] == to_text(accounted_at_us)[:7]
        assert line["cost_usd"] == usd_text(cost)
        assert line["cost_now_usd"] == usd_text(cost + difference)
        assert line["charge_now_usd"] == usd_text(charge + more)
        assert line["computed_usd"] is None
        csv = maker.csv([row], corrections).decode()
        assert ("'" in csv) == (guarded(text) != text or "'" in text)


def test_each_column_says_what_it_is() -> None:
    assert all(column.description for column in COLUMNS.values())
