"""FOCUS rows of any bill keep the rules of the standard; rows that break one are found."""

import csv
import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.account import CostComponent
from tollbridge.core.money import to_nanousd, to_usd, usd_text
from tollbridge.core.usage import Unit
from tollbridge.insight.export_focus import AdjustmentPart, AttemptPart, FocusMaker, focus_head
from tollbridge.insight.export_focus_rules import COLUMNS, faults
from tollbridge.insight.usage import Bill
from tollbridge.providers.names import load_names
from tollbridge.rating.rate import REPORTED_DIFFERENCE

NAMES = load_names()
CALL_ID = "01940000-0000-7000-8000-000000000001"
MONTH_END_US = 1_769_904_000_000_000
"""2026-02-01T00:00:00Z."""
ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe")
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
INSTANTS = st.integers(10**12, 4 * 10**15)


@st.composite
def lines(draw: st.DrawFn) -> CostComponent:
    """Return a line of a bill, or one that leads to the provider's own figure."""
    if draw(st.integers(0, 5)) == 0:
        text = f"{Decimal(draw(st.integers(-(10**6), 10**6))).scaleb(-9):f}"
        return CostComponent(REPORTED_DIFFERENCE, 1, text, 1, text, "")
    unit = draw(st.sampled_from(list(Unit)))
    quantity, per = draw(st.integers(1, 10**8)), draw(st.sampled_from((1, 1000, 10**6)))
    rate = Decimal(draw(st.integers(0, 10**5))).scaleb(-draw(st.integers(0, 6)))
    amount = rate * quantity / per
    return CostComponent(unit.value, quantity, f"{rate:f}", per, f"{amount:f}", draw(WORDS))


@st.composite
def bills(draw: st.DrawFn) -> tuple[list[Bill], int]:
    """Return the bills of a call, and their sum in nano-USD."""
    made: list[Bill] = []
    total = 0
    for attempt in range(1, draw(st.integers(0, 3)) + 1):
        components = tuple(draw(st.lists(lines(), min_size=1, max_size=4)))
        exact = sum((Decimal(one.amount_usd) for one in components), Decimal(0))
        nanousd = to_nanousd(exact)
        made.append(Bill(attempt, components, f"{to_usd(nanousd) - exact:f}"))
        total += nanousd
    return made, total


def rows_of(
    row: tuple[Any, ...],
    attempts: Mapping[tuple[str, int], AttemptPart],
    adjustments: list[AdjustmentPart],
    zone: str = "UTC",
) -> list[dict[str, str]]:
    maker = FocusMaker(ZoneInfo(zone), NAMES)
    text = focus_head() + maker.csv([row], attempts, {CALL_ID: adjustments} if adjustments else {})
    return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline="")))


def a_row(at_us: int = 0, components: str | None = None, cost: int = 0, **fields: Any) -> Any:
    values = {
        "provider": "openai",
        "upstream": None,
        "endpoint": "openai",
        "model": "gpt-4o",
        "label": "gpt-4o",
        "project": "main",
        "tags": None,
        **fields,
    }
    return (
        at_us,
        CALL_ID,
        values["provider"],
        values["upstream"],
        values["endpoint"],
        values["model"],
        values["label"],
        "text",
        "openai",
        values["project"],
        values["tags"],
        components,
        cost,
        1,
    )


@given(
    billed=bills(),
    at_us=INSTANTS,
    zone=st.sampled_from(ZONES),
    words=st.tuples(WORDS, WORDS, WORDS, WORDS),
    tags=st.lists(WORDS, max_size=3),
    corrections=st.lists(
        st.builds(AdjustmentPart, st.integers(1, 3), INSTANTS, st.integers(-(10**9), 10**9), WORDS),
        max_size=3,
    ),
)
def test_any_call_keeps_the_rules_and_its_sum(
    billed: tuple[list[Bill], int],
    at_us: int,
    zone: str,
    words: tuple[str, ...],
    tags: list[str],
    corrections: list[AdjustmentPart],
) -> None:
    made, cost_nanousd = billed
    row = a_row(
        at_us,
        msgspec.json.encode(made).decode() if made else None,
        cost_nanousd,
        provider=words[0] or "unknown",
        upstream=words[1] or None,
        endpoint=words[2] or None,
        model=words[3] or None,
        project=words[1],
        tags=msgspec.json.encode(tags).decode() if tags else None,
    )
    attempts = {(CALL_ID, 2): AttemptPart("groq", None, "groq", "llama")}
    rows = rows_of(row, attempts, corrections, zone)
    assert [fault for one in rows for fault in faults(one)] == []
    expected = cost_nanousd + sum(one.difference_nanousd for one in corrections)
    assert sum((Decimal(one["BilledCost"]) for one in rows), Decimal(0)) == to_usd(expected)


@pytest.mark.parametrize(("months_later", "charge_class"), [(0, ""), (1, "Correction")])
def test_only_what_corrects_a_month_that_was_over_is_of_the_class_correction(
    months_later: int, charge_class: str
) -> None:
    at_us = MONTH_END_US - 1
    later = AdjustmentPart(1, at_us + months_later, 5, "the list was wrong")
    [row] = rows_of(a_row(at_us), {}, [later])
    assert row["ChargeClass"] == charge_class
    assert row["BillingPeriodStart"] == f"2026-0{1 + months_later}-01T00:00:00Z"
    assert row["ChargePeriodStart"] == "2026-01-31T23:00:00Z"
    assert (row["BilledCost"], row["ChargeCategory"]) == (usd_text(5), "Adjustment")
    assert faults(row) == []


def a_good_row() -> dict[str, str]:
    line = CostComponent("input", 1000, "0.15", 1_000_000, "0.00015", "v-1")
    components = msgspec.json.encode([Bill(1, (line,))]).decode()
    [row] = rows_of(a_row(0, components, 150_000), {}, [])
    assert faults(row) == []
    return row


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("BilledCost", "", "must not be null"),
        ("BilledCost", "1e-9", "is no decimal"),
        ("BilledCost", "$1", "is no decimal"),
        ("BillingCurrency", "EUR", "is none of USD"),
        ("BillingPeriodStart", "2026-01-01", "is no date/time"),
        ("BillingPeriodEnd", "1970-01-01T00:00:00Z", "is not before"),
        ("ChargeCategory", "Purchase", "is none of"),
        ("ChargeClass", "Correction", "adjustment"),
        ("ChargePeriodStart", "1969-12-31T00:00:00Z", "lies in its billing period"),
        ("ConsumedQuantity", "", "in rows of usage"),
        ("ConsumedUnit", "", "in rows of usage"),
        ("ListUnitPrice", "-1", "is less than 0"),
        ("ListCost", "3", "ListUnitPrice times PricingQuantity is not ListCost"),
        ("PricingUnit", "", "in rows of usage"),
        ("RegionName", "here", "only there"),
        ("ServiceCategory", "AI", "is none of"),
        ("SkuPriceId", "", "in rows of usage"),
        ("SubAccountName", "", "only there"),
        ("Tags", '["red"]', "is no JSON object"),
        ("x_CallId", "", "must not be null"),
    ],
)
def test_a_row_that_breaks_a_rule_is_found(column: str, value: str, says: str) -> None:
    found = faults({**a_good_row(), column: value})
    assert any(says in fault for fault in found), found


def test_each_column_must_be_there_and_no_other() -> None:
    good = a_good_row()
    for column in COLUMNS:
        assert faults({name: value for name, value in good.items() if name != column})
    assert faults({**good, "Other": ""})
    assert faults({**good, "own": ""})
