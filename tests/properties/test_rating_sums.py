"""What must hold of every rating, whatever the counts and prices."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.evidence import a_book
from tollbridge.core.account import CostOrigin
from tollbridge.core.money import NANO
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.core.usage import PARENT_OF, Unit, Usage, UsageSource
from tollbridge.metering.extract import extract, merge_usage
from tollbridge.rating.book import PriceBook
from tollbridge.rating.ceiling import ATTACHMENT_TOKENS_MAX, ceiling
from tollbridge.rating.prices import PER_OF, PricePart, PriceRow
from tollbridge.rating.rate import rate

UNITS = [unit.value for unit in Unit]
COUNTS = st.dictionaries(st.sampled_from(UNITS), st.integers(0, 10**7) | st.integers(0, 10**12))
RATE = st.decimals(0, 2000, places=6, allow_nan=False) | st.decimals(0, 1, places=12)
RATES = st.dictionaries(st.sampled_from(UNITS), RATE.map(lambda rate: f"{rate:f}"), min_size=1)
CHARGE = st.none() | st.decimals(0, 100, places=12).map(lambda charge: f"{charge:f}")


@given(counts=COUNTS, rates=RATES, charge=CHARGE)
@settings(deadline=None)
def test_components_and_rounding_are_the_cost_exactly(
    counts: dict[str, int], rates: dict[str, str], charge: str | None
) -> None:
    usage = Usage(counts, UsageSource.REPORTED, (), charge)
    rated = rate(usage, "p", ("m",), 5, a_book("p", "m", rates))
    if rated.cost_nanousd is None:
        assert rated.unpriced_reason
        assert rated.components == ()
        return
    lines = [Fraction(component.amount_usd) for component in rated.components]
    assert sum(lines) + Fraction(rated.rounding_usd) == Fraction(rated.cost_nanousd, int(NANO))
    assert abs(Fraction(rated.rounding_usd)) <= Fraction(1, 2 * int(NANO))
    assert (rated.origin is CostOrigin.REPORTED) == (charge is not None)
    for component in rated.components:
        product = component.quantity * Fraction(component.rate_usd) / component.per
        assert Fraction(component.amount_usd) == product


@given(counts=COUNTS, rates=RATES)
@settings(deadline=None)
def test_each_token_is_billed_once(counts: dict[str, int], rates: dict[str, str]) -> None:
    """With every rate alike, splitting a whole into priced parts changes nothing."""
    flat = dict.fromkeys(rates, "1")
    flat |= {"input": "1", "output": "1"}
    flat.pop("request", None)
    counts = {unit: counts[unit] for unit in ("input", "output") if unit in counts} | {
        unit: count
        for unit, count in counts.items()
        if unit in PARENT_OF and PARENT_OF[Unit(unit)].value in counts
    }
    rated = rate(Usage(counts, UsageSource.REPORTED), "p", ("m",), 5, a_book("p", "m", flat))
    if rated.cost_nanousd is not None:
        whole = counts.get("input", 0) + counts.get("output", 0)
        assert rated.cost_nanousd == whole * 1000


@given(
    request_bytes=st.integers(0, 10**6),
    output_tokens=st.integers(0, 10**5),
    choices=st.integers(1, 4),
    attachments=st.integers(0, 3),
    rates=RATES,
    data=st.data(),
)
@settings(deadline=None)
def test_no_call_within_its_bounds_costs_more_than_its_ceiling(
    request_bytes: int,
    output_tokens: int,
    choices: int,
    attachments: int,
    rates: dict[str, str],
    data: st.DataObject,
) -> None:
    book = a_book("p", "m", rates)
    asked = Candidate(Endpoint("p", "p", "openai", ""), "m", "")
    most = ceiling([asked], request_bytes, output_tokens, choices, 5, book, attachments=attachments)
    if most is None:
        return
    counts = {
        "input": data.draw(
            st.integers(0, -(-request_bytes // 2) + attachments * ATTACHMENT_TOKENS_MAX)
        ),
        "output": data.draw(st.integers(0, output_tokens * choices)),
    }
    for child, parent in PARENT_OF.items():
        counts[child.value] = data.draw(st.integers(0, counts[parent.value]))
    rated = rate(Usage(counts, UsageSource.REPORTED), "p", ("m",), 5, book)
    assert rated.cost_nanousd is None or rated.cost_nanousd <= most


@st.composite
def a_row(draw: st.DrawFn) -> PriceRow:
    number = draw(st.integers(1, 10**6))
    unit = draw(st.sampled_from(["input", "output", "cache_read"]))
    since_us, length_us = draw(st.integers(0, 20)), draw(st.none() | st.integers(1, 20))
    withdrawn = draw(st.booleans())
    return PriceRow(
        id=str(number),
        provider="p",
        model="m",
        unit=unit,
        rate_usd=None if withdrawn else str(number),
        per=PER_OF[unit],
        valid_from_us=since_us,
        valid_to_us=None if length_us is None else since_us + length_us,
        recorded_at_us=draw(st.integers(0, 5)),
        source=draw(st.sampled_from(["seed", "file"])),
        status="withdrawn" if withdrawn else "active",
    )


ROWS = st.lists(a_row(), max_size=12, unique_by=lambda row: row.id)


def expected_at(rows: list[PriceRow], at_us: int) -> dict[str, str]:
    """Return version ids by unit, said again as plainly as can be."""
    holding = [
        row
        for row in rows
        if row.valid_from_us <= at_us and (row.valid_to_us is None or at_us < row.valid_to_us)
    ]
    for source in ("file", "seed"):
        found: dict[str, str] = {}
        for unit in ("input", "output", "cache_read"):
            mine = [row for row in holding if row.source == source and row.unit == unit]
            if mine:
                last = max(mine, key=lambda row: (row.recorded_at_us, row.valid_from_us, row.id))
                if last.status == "active":
                    found[unit] = last.id
        if found:
            return found
    return {}


@given(rows=ROWS)
@settings(deadline=None)
def test_at_any_instant_a_unit_has_exactly_one_price_or_none(rows: list[PriceRow]) -> None:
    book = PriceBook(PricePart(rows=rows))
    for at_us in range(-1, 45):
        tariff = book.find("p", "m", at_us)
        found = {} if tariff is None else {u: p.version_id for u, p in tariff.prices.items()}
        assert found == expected_at(rows, at_us)


@given(rows=ROWS, data=st.data())
@settings(deadline=None)
def test_the_order_of_the_rows_does_not_matter(rows: list[PriceRow], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    one, other = PriceBook(PricePart(rows=rows)), PriceBook(PricePart(rows=list(shuffled)))
    for at_us in range(45):
        tariffs = [book.find("p", "m", at_us) for book in (one, other)]
        assert len({str(tariff and sorted(tariff.prices.items())) for tariff in tariffs}) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "cost"]
)
RAW = st.dictionaries(FIELDS | st.text(max_size=5), JSON, max_size=6)


@given(frames=st.lists(RAW, min_size=1, max_size=4), has_output=st.booleans())
@settings(deadline=None)
def test_no_usage_object_however_odd_breaks_the_meter(
    frames: list[dict[str, object]], *, has_output: bool
) -> None:
    merged: dict[str, object] | None = None
    for frame in frames:
        merged = merge_usage(merged, frame)
    counts, _ = extract("openai", merged or {}, has_output=has_output)
    assert all(type(count) is int and 0 <= count <= 2 * 10**12 for count in counts.values())
