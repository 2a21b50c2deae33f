"""What does one model cost during one stretch of time, and which of its prices is a call's?

Of each unit there may be several prices, each for the calls that meet its conditions. The choice
depends on few things of a call, so each combination that occurs is worked out once.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import (
    ROUND_CEILING,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from zoneinfo import ZoneInfo

import msgspec

from tollbridge.core.clock import EPOCH
from tollbridge.core.errors import ConfigurationError
from tollbridge.core.usage import PARENTS_OF, Unit
from tollbridge.rating.conditions import UTC_ZONE, Condition, in_hours, parse
from tollbridge.rating.prices import COST_USD_MAX, EXACT_PERS, PER_MAX, PriceRow, Source, read_rate

# For sums whose digits are not bounded by our own prices: it raises rather than round.
EXACT = Context(prec=80, traps=[DivisionByZero, Inexact, InvalidOperation, Overflow])
WIDE = Context(prec=80, traps=[DivisionByZero, InvalidOperation, Overflow])
AMOUNT_USD_STEP = Decimal("1e-18")
"""What a line is rounded to where its rate cannot be divided exactly."""
ATTO_PLACES = 18
"""Whole numbers of 1e-18 USD (atto-USD) are exact for each price and each sum of prices."""
NANO_ATTO = 10**9
"""Atto-USD of a nano-USD."""
COST_ATTO_MAX = int(COST_USD_MAX) * 10**ATTO_PLACES

INPUT = Unit.INPUT.value
OUTPUT = Unit.OUTPUT.value
REQUEST = Unit.REQUEST.value
SEED = Source.SEED.value
DATABASE = "database"
MINUTE_US = 60_000_000
DAY_MINUTES = 1440
CHOICES_MAX = 256
"""Combinations of one tariff that are remembered."""


def _ancestors(unit: Unit) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for parent in PARENTS_OF.get(unit, ()):
        found[parent.value] = None
        found.update(dict.fromkeys(_ancestors(parent)))
    return tuple(found)


ANCESTORS: Mapping[str, tuple[str, ...]] = {
    unit.value: found for unit in Unit if (found := _ancestors(unit))
}
"""All that a unit is counted in too."""


class UnitPrice(msgspec.Struct, frozen=True, gc=False):
    """The price of one unit, ready to be multiplied."""

    version_id: str
    rate_usd: str
    per: int
    usd_each: Decimal
    """rate_usd / per: exactly, or rounded up to AMOUNT_USD_STEP where `divisor` is given."""
    divisor: int = 0
    """`per`, where the rate cannot be divided by it exactly."""
    rate: Decimal = Decimal(0)
    quantity_min: int = 0
    quantity_step: int = 0
    is_seed: bool = False
    above: int = 0
    """Of a bracket: it begins beyond so many units."""

    @property
    def is_simple(self) -> bool:
        """Whether a line is just quantity times `usd_each`, in at most 18 decimal places."""
        odd = self.divisor or self.quantity_min or self.quantity_step
        return not odd and places_of(self.usd_each) <= ATTO_PLACES


WholePrice = tuple[int, int, int, str, int, str]
"""A price in whole numbers: what a unit costs is the first of them with so many decimal places as
the second says, and each of its last place is the third in atto-USD; then the rate as text, what
it is per, and the version's id."""


class Prices(msgspec.Struct, frozen=True, gc=False):
    """The prices that hold for one call: one of each unit."""

    units: dict[str, UnitPrice]
    whole: dict[str, WholePrice]
    """Likewise, ready for whole numbers; empty where that is not all: then `units` has more."""
    each_atto: dict[str, int]
    """Of `whole`, what one of a unit costs in atto-USD."""
    pairs: tuple[tuple[str, str], ...]
    """(part, whole) for each priced unit and all it is counted in, innermost wholes first."""
    brackets: dict[str, tuple[UnitPrice, ...]]
    """Of units that are priced by brackets: all of them, lowest first."""
    origin: str | None
    """seed or database; None where it depends on the lines."""


class Option(msgspec.Struct, frozen=True, gc=False):
    """One price of one unit with the calls that it is for."""

    condition: Condition
    price: UnitPrice
    text: str


class Tariff(msgspec.Struct, frozen=True, gc=False):
    """All prices of one model during one stretch of time."""

    plain: Prices | None
    """What holds for every call; None where it depends on the call."""
    options: dict[str, tuple[Option, ...]]
    facts: tuple[tuple[str, frozenset[str]], ...]
    """The facts that are asked for, each with the values that make a difference."""
    tiers: tuple[int, ...]
    """The numbers of input tokens beyond which another price holds."""
    hours: tuple[tuple[tuple[int, int], str], ...]
    """The windows of the day with their zones."""
    is_by_tier: bool
    """Whether the number of input tokens decides alone."""
    input_usd_max: Decimal | None
    """The dearest that one input token can be; None where plain input has no price."""
    output_usd_max: Decimal | None
    request_usd: Decimal
    """The most that a request costs besides."""
    input_atto_max: int | None
    """`input_usd_max` in atto-USD, rounded up; the next two likewise."""
    output_atto_max: int | None
    request_atto: int
    origin: str
    """seed, or database where anybody has stated any of it since: `Rated.source`."""
    chosen: dict[object, Prices]

    @property
    def prices(self) -> dict[str, UnitPrice]:
        """What a call costs of which nothing is known but that it was made."""
        return self.of({}, 0, 0).units

    def of(self, facts: Mapping[str, str], input_tokens: int, at_us: int) -> Prices:
        """Return the prices for a call with these facts at that instant."""
        if self.plain is not None:
            return self.plain
        place: object = bisect_left(self.tiers, input_tokens)
        now: tuple[bool, ...] = ()
        if not self.is_by_tier:
            known = tuple(
                [
                    value if (value := facts.get(key)) in values else None
                    for key, values in self.facts
                ]
            )
            now = tuple([in_hours(one, minute_of(at_us, zone)) for one, zone in self.hours])
            place = (known, place, now)
        found = self.chosen.get(place)
        if found is None:
            if len(self.chosen) >= CHOICES_MAX:
                self.chosen.clear()
            found = self.chosen[place] = self._choose(facts, input_tokens, now)
        return found

    def _choose(self, facts: Mapping[str, str], input_tokens: int, now: tuple[bool, ...]) -> Prices:
        holding = {window for window, holds in zip(self.hours, now, strict=True) if holds}
        found = {
            unit: chosen
            for unit, options in self.options.items()
            if (chosen := _choose(options, facts, input_tokens, holding))
        }
        return prices_of(found)


def places_of(amount: Decimal) -> int:
    """Return how many decimal places an amount is written with: 8 of 0.00037770."""
    exponent = amount.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def minute_of(at_us: int, zone: str) -> int:
    """Return the minute of the day that a zone's clocks showed at an instant."""
    if zone == UTC_ZONE:
        return at_us // MINUTE_US % DAY_MINUTES
    local = (EPOCH + timedelta(microseconds=at_us)).astimezone(ZoneInfo(zone))
    return local.hour * 60 + local.minute


def _choose(
    options: Sequence[Option],
    facts: Mapping[str, str],
    input_tokens: int,
    holding: set[tuple[tuple[int, int], str]],
) -> list[UnitPrice]:
    """Return the price of a unit for a call; several are its brackets.

    The group with the most facts that match; in it a price of the hour before one of any hour;
    of these the highest tier that is passed.
    """
    groups: dict[str, list[Option]] = {}
    for option in options:
        condition = option.condition
        if condition.hours is not None and (condition.hours, condition.zone) not in holding:
            continue
        if condition.input_above is not None and input_tokens <= condition.input_above:
            continue
        if all(facts.get(key) == value for key, value in condition.facts):
            groups.setdefault(condition.group, []).append(option)
    if not groups:
        return []
    group = min(groups.values(), key=_fewest_facts_last)
    best = min(group, key=_sharpest_first).condition
    place = (best.hours, best.zone, best.input_above)
    same = [
        option
        for option in group
        if (option.condition.hours, option.condition.zone, option.condition.input_above) == place
    ]
    return [option.price for option in sorted(same, key=lambda option: option.price.above)]


def _fewest_facts_last(group: Sequence[Option]) -> tuple[int, str]:
    condition = group[0].condition
    return -len(condition.facts), condition.group


def _sharpest_first(option: Option) -> tuple[bool, int, str]:
    condition = option.condition
    tier = -1 if condition.input_above is None else condition.input_above
    return condition.hours is None, -tier, option.text


def prices_of(found: Mapping[str, Sequence[UnitPrice]]) -> Prices:
    """Return chosen prices, one or the brackets of each unit, ready for rating."""
    units = {unit: prices[0] for unit, prices in found.items()}
    brackets = {
        unit: tuple(prices) for unit, prices in found.items() if len(prices) > 1 or prices[0].above
    }
    seeds = {price.is_seed for prices in found.values() for price in prices}
    whole = {unit: _whole(price) for unit, price in units.items() if price.is_simple}
    if brackets or len(whole) < len(units):
        whole = {}
    return Prices(
        units=units,
        whole=whole,
        each_atto={unit: price[0] * price[2] for unit, price in whole.items()},
        pairs=_pairs(units),
        brackets=brackets,
        origin=None if len(seeds) > 1 else SEED if seeds == {True} else DATABASE,
    )


def _whole(price: UnitPrice) -> WholePrice:
    places = places_of(price.usd_each)
    each = int(EXACT.scaleb(price.usd_each, places))
    step_atto = 10 ** (ATTO_PLACES - places)
    return each, places, step_atto, price.rate_usd, price.per, price.version_id


def _pairs(units: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Return (part, whole) of the priced units; wholes that neither count nor cost are left out."""
    pairs = [
        (unit, whole)
        for unit in units
        for whole in ANCESTORS.get(unit, ())
        if whole in units or whole not in ANCESTORS
    ]
    # What a whole is in turn a part of comes after it: its own part must be known by then.
    return tuple(sorted(pairs, key=lambda pair: -len(ANCESTORS.get(pair[1], ()))))


class TariffBuilder:
    """Makes tariffs; shares equal values between them, as most prices are repeated."""

    def __init__(self) -> None:
        self._each: dict[tuple[str | None, int], tuple[Decimal, Decimal, int]] = {}
        self._texts: dict[str, str] = {}

    def check(self, row: PriceRow) -> None:
        """Raise ConfigurationError, naming the row, for a price that is none."""
        if row.rate_usd is None:
            return
        self._divided(row)
        parse(row.conditions)

    def tariff(self, rows: Sequence[PriceRow]) -> Tariff | None:
        """Return the tariff of rows that hold at one time, each a unit's under its conditions."""
        if not rows:
            return None
        options: dict[str, list[Option]] = {}
        for row in rows:
            condition = parse(row.conditions)
            option = Option(condition, self._price(row, condition), row.conditions)
            options.setdefault(self._share(row.unit), []).append(option)
        every = [option for same in options.values() for option in same]
        conditions = [option.condition for option in every]
        values: dict[str, set[str]] = {}
        for condition in conditions:
            for key, value in condition.facts:
                values.setdefault(key, set()).add(value)
        tiers = {one.input_above for one in conditions if one.input_above is not None}
        hours = {(one.hours, one.zone) for one in conditions if one.hours is not None}
        plain = None
        if not (values or tiers or hours):
            plain = prices_of(
                {
                    unit: sorted((one.price for one in same), key=lambda price: price.above)
                    for unit, same in options.items()
                }
            )
        input_usd, output_usd = _dearest(options, INPUT), _dearest(options, OUTPUT)
        request_usd = _besides(options)
        return Tariff(
            plain=plain,
            options={unit: tuple(same) for unit, same in options.items()},
            facts=tuple((key, frozenset(found)) for key, found in sorted(values.items())),
            tiers=tuple(sorted(tiers)),
            hours=tuple(sorted(hours)),
            is_by_tier=not (values or hours),
            input_usd_max=input_usd,
            output_usd_max=output_usd,
            request_usd=request_usd,
            input_atto_max=None if input_usd is None else _atto(input_usd),
            output_atto_max=None if output_usd is None else _atto(output_usd),
            request_atto=_atto(request_usd),
            origin=SEED if all(option.price.is_seed for option in every) else DATABASE,
            chosen={},
        )

    def _price(self, row: PriceRow, condition: Condition) -> UnitPrice:
        rate, each, divisor = self._divided(row)
        return UnitPrice(
            row.id,
            self._share(row.rate_usd or ""),
            row.per,
            each,
            divisor,
            rate,
            row.quantity_min or 0,
            row.quantity_step or 0,
            row.source == SEED,
            condition.graduated_above or 0,
        )

    def _divided(self, row: PriceRow) -> tuple[Decimal, Decimal, int]:
        """Return the rate, what one unit costs, and what the rate cannot be divided by."""
        found = self._each.get((row.rate_usd, row.per))
        if found is not None:
            return found
        where = f"price version {row.id} of {row.provider}/{row.model}: {row.unit}"
        rate = read_rate(where, row.rate_usd)
        if not 0 < row.per <= PER_MAX:
            raise ConfigurationError(f"{where}: a rate per {row.per} is not carried")
        if row.per in EXACT_PERS:
            each, divisor = rate.scaleb(1 - len(str(row.per)), EXACT), 0
        else:
            each = WIDE.divide(rate, Decimal(row.per)).quantize(AMOUNT_USD_STEP, ROUND_CEILING)
            divisor = row.per
        return self._each.setdefault((row.rate_usd, row.per), (rate, each, divisor))

    def _share(self, text: str) -> str:
        return self._texts.setdefault(text, text)


def _atto(amount_usd: Decimal) -> int:
    """Return an amount in atto-USD, rounded up."""
    return int(WIDE.scaleb(amount_usd, ATTO_PLACES).to_integral_value(ROUND_CEILING))


def _dearest(options: Mapping[str, Iterable[Option]], whole: str) -> Decimal | None:
    if whole not in options:
        return None
    return max(
        option.price.usd_each
        for unit, same in options.items()
        if unit == whole or whole in ANCESTORS.get(unit, ())
        for option in same
    )


def _besides(options: Mapping[str, Iterable[Option]]) -> Decimal:
    """Return the most that comes on top of what is counted: a request, and what is rounded up."""
    request = max((one.price.usd_each for one in options.get(REQUEST, ())), default=Decimal(0))
    rounded = [
        max(
            one.price.usd_each * max(one.price.quantity_min, one.price.quantity_step)
            for one in same
        )
        for same in options.values()
    ]
    return request + sum(rounded, Decimal(0))
