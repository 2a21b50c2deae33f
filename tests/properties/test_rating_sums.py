"""What must hold of every rating, whatever the counts and prices."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.evidence import a_book, price_rows
from tollbridge.core.account import CostOrigin
from tollbridge.core.money import NANO, to_nanousd, to_usd
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.core.usage import PARENTS_OF, Unit, Usage, UsageSource
from tollbridge.metering.extract import extract, merge_usage
from tollbridge.rating.book import PriceBook
from tollbridge.rating.ceiling import ATTACHMENT_TOKENS_MAX, ceiling
from tollbridge.rating.prices import PricePart, read_rate
from tollbridge.rating.rate import cost_of, rate
from tollbridge.rating.tariff import ANCESTORS
from tollbridge.rating.unit_names import TOKENS

UNITS = [unit.value for unit in Unit]
TREE = [unit for unit, parents in PARENTS_OF.items() if len(parents) == 1 and unit in TOKENS]
"""Parts of one whole each: what is left of that is what they do not take."""
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
@settings(deadline=None, max_examples=400)
def test_whole_numbers_say_digit_by_digit_what_decimals_say(
    counts: dict[str, int], rates: dict[str, str]
) -> None:
    """Each line, the sum, its rounding and what that added: as Decimal multiplies, adds, rounds."""
    rated = rate(Usage(counts, UsageSource.REPORTED), "p", ("m",), 5, a_book("p", "m", rates))
    if rated.cost_nanousd is None:
        return
    exact = Decimal(0)
    for line in rated.components:
        each = read_rate("rate", line.rate_usd).scaleb(1 - len(str(line.per)))
        assert line.amount_usd == f"{each * line.quantity:f}"
        exact += each * line.quantity
    assert rated.cost_nanousd == to_nanousd(exact)
    rounding = to_usd(rated.cost_nanousd) - exact
    assert rated.rounding_usd == (f"{rounding:f}" if rounding else "0")


@given(
    inner=st.dictionaries(st.sampled_from(TREE), st.integers(0, 10**6)),
    plain=st.integers(0, 10**6),
    priced=st.sets(st.sampled_from(sorted(TOKENS))),
)
@settings(deadline=None)
def test_each_token_is_billed_once(inner: dict[Unit, int], plain: int, priced: set[str]) -> None:
    """With every rate alike, splitting a whole into priced parts changes nothing."""
    counts = {"input": plain, "output": plain, "cache_write": 0}
    for unit, count in inner.items():
        for name in (unit.value, *ANCESTORS[unit.value]):
            counts[name] = counts.get(name, 0) + count
    flat = dict.fromkeys({*priced, "input", "output"}, "1")
    # Of two parts that may overlap nothing is known unless their common part is.
    counts.pop("cache_audio_read", None)
    rated = rate(Usage(counts, UsageSource.REPORTED), "p", ("m",), 5, a_book("p", "m", flat))
    assert rated.cost_nanousd == (counts["input"] + counts["output"]) * 1000


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
    for child, parents in PARENTS_OF.items():
        if child in TOKENS:
            least = min(counts[parent.value] for parent in parents)
            counts[child.value] = data.draw(st.integers(0, least))
    rated = rate(Usage(counts, UsageSource.REPORTED), "p", ("m",), 5, book)
    assert rated.cost_nanousd is None or rated.cost_nanousd <= most


PLAIN_RATES = st.fixed_dictionaries(
    dict.fromkeys(("input", "output", "cache_read"), RATE.map(lambda rate: f"{rate:f}"))
)
CONDITIONS = st.sampled_from(
    ["", '{"input_above":"1000"}', '{"graduated_above":"0"}', '{"service_tier":"flex"}']
)


USED = st.fixed_dictionaries(
    dict.fromkeys(("input", "output"), st.integers(5000, 99_999)),
    optional=dict.fromkeys(("cache_read", "reasoning", "image"), st.integers(0, 6000)),
)


@given(
    counts=USED | COUNTS,
    facts=st.sampled_from([{}, {"service_tier": "flex"}]),
    tariffs=st.lists(st.tuples(PLAIN_RATES | RATES, CONDITIONS), min_size=1, max_size=3),
    least=st.sampled_from([None, None, None, 10]),
)
@settings(deadline=None, max_examples=400)
def test_what_a_worker_takes_is_the_cost_of_the_bill_that_it_does_not_write(
    counts: dict[str, int],
    facts: dict[str, str],
    tariffs: list[tuple[dict[str, str], str]],
    least: int | None,
) -> None:
    rows = [
        row
        for rates, conditions in tariffs
        for row in price_rows("p", "m", rates, conditions=conditions, quantity_min=least)
    ]
    book = PriceBook(PricePart(rows=[*{(row.unit, row.conditions): row for row in rows}.values()]))
    usage = Usage(counts, UsageSource.REPORTED, (), None, facts)
    models = ("served", "m")
    assert cost_of(usage, "p", models, 5, book) == rate(usage, "p", models, 5, book).cost_nanousd


@given(source=st.sampled_from(UsageSource), charge=CHARGE, nothing_owed=st.booleans())
@settings(deadline=None)
def test_what_a_worker_takes_is_the_cost_whoever_says_it(
    source: UsageSource, charge: str | None, *, nothing_owed: bool
) -> None:
    book = a_book("p", "m", {"input": "0.15"})
    usage = Usage({"input": 10} if source is not UsageSource.NONE else {}, source, (), charge)
    rated = rate(usage, "p", ("m",), 5, book, nothing_owed=nothing_owed)
    assert cost_of(usage, "p", ("m",), 5, book, nothing_owed=nothing_owed) == rated.cost_nanousd


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
