"""Which price holds for a model of a provider at an instant?

Built once from all price versions, then only read: a dictionary and a bisection per look-up.
At any instant there is exactly one price for a unit, or none.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

import msgspec

from tollbridge.core.errors import ConfigurationError
from tollbridge.core.usage import Unit
from tollbridge.rating.prices import PARENT, PricePart, PriceRow, Source, Status, read_rate

# For sums whose digits are not bounded by our own prices: it raises rather than round.
EXACT = Context(prec=80, traps=[DivisionByZero, Inexact, InvalidOperation, Overflow])

RANK: Mapping[str, int] = {source.value: rank for rank, source in enumerate(Source)}
ACTIVE = Status.ACTIVE.value


class UnitPrice(msgspec.Struct, frozen=True, gc=False):
    """The price of one unit, ready to be multiplied."""

    version_id: str
    rate_usd: str
    per: int
    usd_each: Decimal
    """Exactly rate_usd / per."""


class Tariff(msgspec.Struct, frozen=True, gc=False):
    """All prices of one model during one stretch of time."""

    prices: dict[str, UnitPrice]
    children: tuple[tuple[str, str], ...]
    """(child, parent) of the units that are priced apart from what contains them."""
    input_usd_max: Decimal | None
    """The dearest that one input token can be; None where plain input has no price."""
    output_usd_max: Decimal | None
    request_usd: Decimal
    origin: str
    """seed, or database for what somebody has stated since: `Rated.source`."""


class Timeline(msgspec.Struct, frozen=True, gc=False):
    """The tariffs of one model: tariff i holds from start i until before start i + 1."""

    starts: tuple[int, ...]
    tariffs: tuple[Tariff | None, ...]


class PriceBook:
    """All prices, by provider and model."""

    def __init__(self, part: PricePart) -> None:
        """Build the book. Raises ConfigurationError, naming the row, for a price that is none."""
        rows_of: dict[tuple[str, str], list[PriceRow]] = {}
        for row in part.rows:
            rows_of.setdefault((row.provider, row.model), []).append(row)
        build = _Builder()
        self._timelines = {key: build.timeline(rows) for key, rows in rows_of.items()}

    def __len__(self) -> int:
        return len(self._timelines)

    def find(self, provider: str, model: str, at_us: int) -> Tariff | None:
        """Return the prices of that provider's model at that instant; None where there is none.

        The names must match exactly; a price of another provider is never used instead.
        """
        timeline = self._timelines.get((provider, model))
        if timeline is None:
            return None
        place = bisect_right(timeline.starts, at_us)
        return timeline.tariffs[place - 1] if place else None


class _Builder:
    """Shares equal values between rows while a book is built: most prices are repeated."""

    def __init__(self) -> None:
        self._each: dict[tuple[str, int], Decimal] = {}
        self._texts: dict[str, str] = {}

    def timeline(self, rows: Sequence[PriceRow]) -> Timeline:
        first = rows[0]
        if all(_plain(row, first) for row in rows) and len({row.unit for row in rows}) == len(rows):
            # By far the most models: each unit has one version, and all begin together.
            starts, tariffs = [first.valid_from_us], [self._tariff(rows)]
            return Timeline(tuple(starts), tuple(tariffs))
        borders = {row.valid_from_us for row in rows}
        borders.update(row.valid_to_us for row in rows if row.valid_to_us is not None)
        starts = sorted(borders)
        return Timeline(tuple(starts), tuple(self._tariff(_effective(rows, at)) for at in starts))

    def _tariff(self, rows: Sequence[PriceRow]) -> Tariff | None:
        """Return the prices of one stretch of time, all of one source."""
        prices = {self._share(row.unit): self._price(row) for row in rows}
        if not prices:
            return None
        request = prices.get(Unit.REQUEST.value)
        return Tariff(
            prices=prices,
            children=tuple(pair for pair in PARENT.items() if pair[0] in prices),
            input_usd_max=_dearest(prices, Unit.INPUT.value),
            output_usd_max=_dearest(prices, Unit.OUTPUT.value),
            request_usd=request.usd_each if request is not None else Decimal(0),
            origin="seed" if rows[0].source == Source.SEED.value else "database",
        )

    def _price(self, row: PriceRow) -> UnitPrice:
        text = self._share(row.rate_usd or "")
        each = self._each.get((text, row.per))
        if each is None:
            each = self._each[text, row.per] = _usd_each(row)
        return UnitPrice(row.id, text, row.per, each)

    def _share(self, text: str) -> str:
        return self._texts.setdefault(text, text)


def _plain(row: PriceRow, first: PriceRow) -> bool:
    return (
        row.valid_to_us is None
        and row.valid_from_us == first.valid_from_us
        and row.source == first.source
        and row.status == ACTIVE
    )


def latest_recorded(rows: Iterable[PriceRow], at_us: int) -> dict[tuple[str, str], PriceRow]:
    """Return by (source, unit) the row of one model that holds at an instant: the last recorded.

    Withdrawn ones too: they say that there is no price.
    """
    latest: dict[tuple[str, str], PriceRow] = {}
    for row in rows:
        if row.valid_from_us <= at_us and (row.valid_to_us is None or at_us < row.valid_to_us):
            before = latest.get((row.source, row.unit))
            if before is None or _order(before) < _order(row):
                latest[row.source, row.unit] = row
    return latest


def _order(row: PriceRow) -> tuple[int, int, str]:
    return row.recorded_at_us, row.valid_from_us, row.id


def _effective(rows: Sequence[PriceRow], at_us: int) -> list[PriceRow]:
    """Return the rows that price one model at an instant, all of one source.

    A model's tariff is taken whole from its highest source, so that a negotiated price is never
    mixed with the list price of a part that it does not mention.
    """
    active = [row for row in latest_recorded(rows, at_us).values() if row.status == ACTIVE]
    if not active:
        return []
    best = max((RANK.get(row.source, -1), row.source) for row in active)[1]
    return [row for row in active if row.source == best]


def _usd_each(row: PriceRow) -> Decimal:
    where = f"price version {row.id} of {row.provider}/{row.model}: {row.unit}"
    rate = read_rate(where, row.rate_usd)
    digits = str(row.per)
    if digits.rstrip("0") != "1":
        # Another divisor would make a component that no decimal can hold exactly.
        raise ConfigurationError(f"{where}: a rate per {row.per} is not carried")
    return rate.scaleb(1 - len(digits), EXACT)


def _dearest(prices: Mapping[str, UnitPrice], whole: str) -> Decimal | None:
    if whole not in prices:
        return None
    return max(
        price.usd_each for unit, price in prices.items() if whole in {unit, PARENT.get(unit)}
    )
