"""What does an attempt cost, line by line?

Pure and exact: Decimal throughout, one rounding at the end, and what that rounding added or took
is a line of its own. Where a price or a count is missing the cost is None, with the reason.

Why plain operators are exact here: every price is a multiple of 1e-18 USD (prices.py), so that
any sum below 1e10 USD has at most the 28 digits of Decimal's own context. What would be more is
refused.
"""

from decimal import Decimal

from tollbridge.core.account import CostComponent, CostOrigin, Rated
from tollbridge.core.money import to_nanousd, to_usd
from tollbridge.core.usage import Unit, Usage, UsageSource
from tollbridge.rating.book import EXACT, PriceBook, Tariff
from tollbridge.rating.prices import COST_USD_MAX, PARENT

NOTHING_OWED = Rated(cost_nanousd=0, origin=CostOrigin.NOTHING_OWED)
NO_USAGE = Rated(cost_nanousd=None, unpriced_reason="no usage")
REPORTED_DIFFERENCE = "reported_difference"
"""The line that leads from what our prices give to what the provider says it charged."""
REQUEST = Unit.REQUEST.value
ZERO = Decimal(0)


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


def _compute(
    usage: Usage, provider: str, models: tuple[str, ...], at_us: int, book: PriceBook
) -> Rated:
    if usage.source is UsageSource.NONE:
        return NO_USAGE
    for model in models:
        tariff = book.find(provider, model, at_us)
        if tariff is not None:
            break
    else:
        names = " or ".join(f"{provider}/{model}" for model in dict.fromkeys(models))
        return _unpriced(f"no price for {names or provider}")
    lines = _lines(usage.counts, tariff)
    if isinstance(lines, str):
        return _unpriced(f"{lines} ({provider}/{model})")
    components, exact = lines
    nanousd = to_nanousd(exact)
    rounding = to_usd(nanousd) - exact
    return Rated(
        nanousd,
        CostOrigin.COMPUTED,
        nanousd,
        None,
        tuple(components),
        _text(rounding) if rounding else "0",
        None,
        tariff.origin,
    )


def _lines(counts: dict[str, int], tariff: Tariff) -> tuple[list[CostComponent], Decimal] | str:
    """Return the lines of the bill and their exact sum, or why there is none."""
    billable = _billable(counts, tariff)
    if isinstance(billable, str):
        return billable
    prices = tariff.prices
    components: list[CostComponent] = []
    exact = ZERO
    for unit, quantity in billable.items():
        if quantity == 0:
            continue
        if quantity < 0:
            return f"negative part: {unit} {quantity}"
        price = prices.get(unit)
        if price is None:
            if PARENT.get(unit) in billable:
                continue  # billed in what contains it
            return f"no price for {unit}"
        amount = price.usd_each * quantity
        exact += amount
        components.append(
            CostComponent(
                unit, quantity, price.rate_usd, price.per, _text(amount), price.version_id
            )
        )
    if exact > COST_USD_MAX:
        return f"absurd cost: over {COST_USD_MAX} USD"
    return components, exact


def _billable(counts: dict[str, int], tariff: Tariff) -> dict[str, int] | str:
    """Return the quantity to bill of each unit, or why that cannot be said.

    A parent's quantity is itself minus its children that have a price of their own.
    """
    billable = counts
    for child, parent in tariff.children:
        part = counts.get(child)
        if not part:
            continue
        if parent not in counts:
            return f"{child} without {parent}"
        if billable is counts:
            billable = dict(counts)
        billable[parent] -= part
    if REQUEST in tariff.prices and REQUEST not in counts:
        billable = {**billable, REQUEST: 1}
    return billable


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
