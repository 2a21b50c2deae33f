"""What does an attempt cost, line by line?

Pure and exact, one rounding at the end, and what that rounding added or took is a line of its own.
Where a price or a count is missing the cost is None, with the reason.

Every price is a multiple of 1e-18 USD (prices.py). A plain bill is summed in whole numbers of
that: they are exact, and half as dear as Decimal. Where there is more to a line (brackets, a least
quantity, an odd divisor), it is Decimal: any sum below 1e10 USD has at most the 28 digits of
Decimal's own context, and what would be more is refused. A rate for a number that divides into no
decimal (3,600,000 ms of an hour) is multiplied first, and its line rounded half-even to 1e-18 USD.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from tollbridge.core.account import CostComponent, CostOrigin, Rated
from tollbridge.core.money import to_nanousd, to_usd
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.rating.book import PriceBook
from tollbridge.rating.measures import MEASURED, chosen
from tollbridge.rating.prices import COST_USD_MAX
from tollbridge.rating.tariff import (
    AMOUNT_USD_STEP,
    ANCESTORS,
    ATTO_PLACES,
    COST_ATTO_MAX,
    DATABASE,
    EXACT,
    INPUT,
    NANO_ATTO,
    REQUEST,
    SEED,
    WIDE,
    Prices,
    UnitPrice,
)

NOTHING_OWED = Rated(cost_nanousd=0, origin=CostOrigin.NOTHING_OWED)
NO_USAGE = Rated(cost_nanousd=None, unpriced_reason="no usage")
REPORTED_DIFFERENCE = "reported_difference"
"""The line that leads from what our prices give to what the provider says it charged."""
ZERO = Decimal(0)

NANO_PLACES = 9
HALF_NANO_ATTO = NANO_ATTO // 2
TOO_MUCH = f"absurd cost: over {COST_USD_MAX} USD"
ONLY_WHOLE: Mapping[str, str] = {
    unit: wholes[0] for unit, wholes in ANCESTORS.items() if len(wholes) == 1
}
"""Of units that are counted in just one other: that one."""

Bill = tuple[list[CostComponent], int, str]
"""Lines, their sum in nano-USD, and what the rounding added, as decimal text in USD."""


def rate(
    usage: Usage,
    provider: str,
    models: tuple[str, ...],
    at_us: int,
    book: PriceBook,
    *,
    nothing_owed: bool = False,
) -> Rated:
    """Return the cost of one attempt.

    `models` are that provider's names in order of preference, as a rule the served one and the
    requested one: the first that has a price at `at_us`, the attempt's beginning, is used. A
    charge that the provider reported is the cost; what our prices give is kept beside it.
    """
    if nothing_owed:
        return NOTHING_OWED
    computed = _compute(usage, provider, models, at_us, book)
    if usage.reported_charge_usd is None:
        return computed
    return _as_reported(computed, Decimal(usage.reported_charge_usd))


def cost_of(
    usage: Usage,
    provider: str,
    models: tuple[str, ...],
    at_us: int,
    book: PriceBook,
    *,
    nothing_owed: bool = False,
) -> int | None:
    """Return the `cost_nanousd` of what `rate` returns, at half its price: no line is written."""
    if nothing_owed:
        return 0
    if usage.reported_charge_usd is not None:
        return to_nanousd(Decimal(usage.reported_charge_usd))
    if usage.source is UsageSource.NONE:
        return None
    tariff = book.find_first(provider, models, at_us)
    if tariff is None:
        return None
    counts = usage.counts
    prices = tariff.plain
    if prices is None:
        prices = tariff.of(usage.facts, counts.get(INPUT, 0), at_us)
    if not MEASURED.isdisjoint(counts):
        counts = chosen(counts, prices)
    if prices.whole:
        total_atto = _total_atto(counts, prices)
        return None if total_atto is None else _rounded(total_atto)
    bill = _bill(counts, prices)
    return None if isinstance(bill, str) else bill[1]


def _compute(
    usage: Usage, provider: str, models: tuple[str, ...], at_us: int, book: PriceBook
) -> Rated:
    if usage.source is UsageSource.NONE:
        return NO_USAGE
    tariff = book.find_first(provider, models, at_us)
    if tariff is None:
        return _unpriced(_why_none(provider, models, at_us, book))
    counts = usage.counts
    prices = tariff.plain
    if prices is None:
        prices = tariff.of(usage.facts, counts.get(INPUT, 0), at_us)
    if not MEASURED.isdisjoint(counts):
        counts = chosen(counts, prices)
    bill = _bill(counts, prices)
    if isinstance(bill, str):
        model = next(one for one in models if book.find(provider, one, at_us) is not None)
        return _unpriced(f"{bill} ({provider}/{model})")
    components, nanousd, rounding = bill
    return Rated(
        nanousd,
        CostOrigin.COMPUTED,
        nanousd,
        None,
        tuple(components),
        rounding,
        None,
        prices.origin or _origin(components, prices),
    )


def _bill(counts: dict[str, int], prices: Prices) -> Bill | str:
    """Return the lines of the bill, their rounded sum and the rounding, or why there is none."""
    billable = _billable(counts, prices)
    if isinstance(billable, str):
        return billable
    if not prices.whole:
        return _odd_bill(billable, counts, prices)
    components: list[CostComponent] = []
    total_atto = _add_lines(components, billable, counts, prices)
    if isinstance(total_atto, str):
        return total_atto
    if total_atto > COST_ATTO_MAX:
        return TOO_MUCH
    nanousd = _rounded(total_atto)
    rounding_atto = nanousd * NANO_ATTO - total_atto
    return components, nanousd, _rounding(rounding_atto, components) if rounding_atto else "0"


def _rounded(total_atto: int) -> int:
    """Return an amount in nano-USD, rounded half-even."""
    nanousd, rest = divmod(total_atto, NANO_ATTO)
    if rest > HALF_NANO_ATTO or (rest == HALF_NANO_ATTO and nanousd & 1):
        nanousd += 1
    return nanousd


def _total_atto(counts: dict[str, int], prices: Prices) -> int | None:
    """Return the sum of a plain bill in atto-USD, without its lines; None where there is none."""
    billable = _billable(counts, prices)
    if isinstance(billable, str):
        return None
    each_atto, total_atto = prices.each_atto, 0
    for unit, quantity in billable.items():
        if not quantity:
            continue
        if quantity > 0:
            each = each_atto.get(unit)
            if each is not None:
                total_atto += each * quantity
                continue
            if ONLY_WHOLE.get(unit) in counts:
                continue
        if _why_unbilled(unit, quantity, counts, prices.units) is not None:
            return None
    return total_atto if total_atto <= COST_ATTO_MAX else None


def _add_lines(
    components: list[CostComponent],
    billable: Mapping[str, int],
    counts: Mapping[str, int],
    prices: Prices,
) -> int | str:
    """Add the lines of a plain bill; return their sum in atto-USD, or why there is none."""
    total_atto = 0
    for unit, quantity in billable.items():
        if not quantity:
            continue
        price = prices.whole.get(unit)
        if price is None or quantity < 0:
            if quantity > 0 and ONLY_WHOLE.get(unit) in counts:
                continue
            reason = _why_unbilled(unit, quantity, counts, prices.units)
            if reason is None:
                continue
            return reason
        each, places, step_atto, rate_usd, per, version_id = price
        amount = each * quantity
        total_atto += amount * step_atto
        digits = str(amount)
        if len(digits) <= places:
            digits = "0." + digits.zfill(places)
        elif places:
            digits = f"{digits[:-places]}.{digits[-places:]}"
        components.append(CostComponent(unit, quantity, rate_usd, per, digits, version_id))
    return total_atto


def _odd_bill(billable: dict[str, int], counts: dict[str, int], prices: Prices) -> Bill | str:
    """Return the bill where a line is more than quantity times rate."""
    units = prices.units
    components: list[CostComponent] = []
    exact = ZERO
    for unit, quantity in billable.items():
        if quantity == 0:
            continue
        price = units.get(unit)
        if price is None or quantity < 0:
            reason = _why_unbilled(unit, quantity, counts, units)
            if reason is None:
                continue
            return reason
        lines = _odd_lines(unit, quantity, price, prices)
        if isinstance(lines, str):
            return lines
        components += lines
        exact += sum([Decimal(line.amount_usd) for line in lines])
    if exact > COST_USD_MAX:
        return TOO_MUCH
    nanousd = to_nanousd(exact)
    rounding = to_usd(nanousd) - exact
    return components, nanousd, _text(rounding) if rounding else "0"


def _rounding(rounding_atto: int, components: list[CostComponent]) -> str:
    """Return what the rounding added or took, with the places of the finest line."""
    places = max([NANO_PLACES, *[len(one.amount_usd.partition(".")[2]) for one in components]])
    digits = str(abs(rounding_atto) // 10 ** (ATTO_PLACES - places)).zfill(places)
    return f"-0.{digits}" if rounding_atto < 0 else f"0.{digits}"


def _billable(counts: dict[str, int], prices: Prices) -> dict[str, int] | str:
    """Return the quantity to bill of each unit, or why that cannot be said.

    A quantity is itself minus those of its parts that have a price of their own.
    """
    billable = counts
    for part, whole in prices.pairs:
        quantity = billable.get(part)
        if not quantity:
            continue
        if whole not in counts:
            return f"{part} without {whole}"
        if billable is counts:
            billable = dict(counts)
        billable[whole] -= quantity
    if REQUEST in prices.units and REQUEST not in counts:
        billable = {**billable, REQUEST: 1}
    return billable


def _why_unbilled(
    unit: str, quantity: int, counts: Mapping[str, int], units: Mapping[str, UnitPrice]
) -> str | None:
    """Return why a quantity cannot be billed; None: it is billed in what contains it."""
    if quantity < 0:
        return f"negative part: {unit} {quantity}"
    if unit == REQUEST and len(counts) > 1:
        return None  # of a report of several requests: most models bill only what these used
    is_contained = False
    for whole in ANCESTORS.get(unit, ()):
        if whole in counts:
            is_contained = True
        elif whole in units:
            return f"{unit} without {whole}"
    return None if is_contained else f"no price for {unit}"


def _odd_lines(
    unit: str, quantity: int, price: UnitPrice, prices: Prices
) -> list[CostComponent] | str:
    """Return the lines of a unit with brackets, with a least quantity, or of an odd divisor."""
    brackets = prices.brackets.get(unit)
    if brackets is None:
        quantity = max(quantity, price.quantity_min)
        if price.quantity_step:
            quantity = -(-quantity // price.quantity_step) * price.quantity_step
        return [_line(unit, quantity, price)]
    if brackets[0].above:
        return f"no price for the first {brackets[0].above} of {unit}"
    ends = [*(bracket.above for bracket in brackets[1:]), quantity]
    return [
        _line(unit, min(quantity, end) - bracket.above, bracket)
        for bracket, end in zip(brackets, ends, strict=True)
        if quantity > bracket.above
    ]


def _line(unit: str, quantity: int, price: UnitPrice) -> CostComponent:
    if price.divisor:
        amount = WIDE.divide(price.rate * quantity, Decimal(price.divisor)).quantize(
            AMOUNT_USD_STEP, ROUND_HALF_EVEN, WIDE
        )
        amount = amount.normalize()
    else:
        amount = price.usd_each * quantity
    return CostComponent(unit, quantity, price.rate_usd, price.per, _text(amount), price.version_id)


def _origin(components: list[CostComponent], prices: Prices) -> str:
    """Return where the prices come from: the seed, if any line does."""
    seeds = {
        price.version_id
        for same in ([*prices.units.values()], *prices.brackets.values())
        for price in same
        if price.is_seed
    }
    return SEED if any(one.price_version_id in seeds for one in components) else DATABASE


def _why_none(provider: str, models: tuple[str, ...], at_us: int, book: PriceBook) -> str:
    names = list(dict.fromkeys(models))
    for model in names:
        if book.is_ambiguous(provider, model, at_us):
            return f"ambiguous price for {provider}/{model}"
    shown = " or ".join(f"{provider}/{model}" for model in names)
    return f"no price for {shown or provider}"


def _as_reported(computed: Rated, charge: Decimal) -> Rated:
    """Return the rating with the provider's own figure as the cost; the components lead to it."""
    nanousd = to_nanousd(charge)
    # The provider's figure may have any number of digits.
    difference = charge
    for component in computed.components:
        difference = EXACT.subtract(difference, Decimal(component.amount_usd))
    components = computed.components
    if difference:
        text = _text(difference)
        components = (*components, CostComponent(REPORTED_DIFFERENCE, 1, text, 1, text, ""))
    rounding = EXACT.subtract(to_usd(nanousd), charge)
    return Rated(
        cost_nanousd=nanousd,
        origin=CostOrigin.REPORTED,
        computed_nanousd=computed.cost_nanousd,
        reported_nanousd=nanousd,
        components=components,
        rounding_usd=_text(rounding) if rounding else "0",
        source=computed.source,
    )


def _unpriced(reason: str) -> Rated:
    return Rated(cost_nanousd=None, unpriced_reason=reason)


def _text(amount: Decimal) -> str:
    # str() is much faster than format(), and says the same but for very small amounts.
    text = str(amount)
    return f"{amount:f}" if "E" in text else text
