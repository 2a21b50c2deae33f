"""What does a model cost at a moment, as the catalogue shows it, and how is that changed?

A model's prices are the unconditional ones of its provider and name in the price book. To change
one is to record a new price version; nothing is kept twice.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from tollbridge.core.errors import ConfigurationError, InvalidRequestError
from tollbridge.core.usage import Unit as Counted
from tollbridge.rating import store
from tollbridge.rating.book import PriceBook
from tollbridge.rating.conditions import NONE
from tollbridge.rating.models import EXACT, Costs, Model
from tollbridge.rating.prices import DeclaredPrice, PriceRow, Source
from tollbridge.storage.unit import Unit
from tollbridge.storage.versions import read_versions

MILLION = 1_000_000
# Field → what it prices, and for how many of them.
UNIT_OF: Mapping[str, tuple[Counted, int]] = {
    "input_cost_per_1m": (Counted.INPUT, MILLION),
    "output_cost_per_1m": (Counted.OUTPUT, MILLION),
    "cost_per_image": (Counted.IMAGE, 1),
}


class PriceBooks:
    """The book of all prices, made anew when the database says that a price has changed."""

    def __init__(self) -> None:
        self._version = -1
        self._book: PriceBook | None = None

    async def current(self, unit: Unit) -> PriceBook:
        """Return the prices as they stand in this unit."""
        version = (await read_versions(unit)).get(store.PART, 0)
        book = self._book
        if book is None or version != self._version:
            book = PriceBook(await store.load_part(unit))
            self._book, self._version = book, version
        return book


class Prices:
    """What models cost at one instant, in one unit; a provider's prices are read once."""

    def __init__(self, unit: Unit, at_us: int) -> None:
        self._unit = unit
        self.at_us = at_us
        self._books: dict[str, PriceBook] = {}

    async def of(self, provider: str, model: str) -> Costs:
        """Return the plain prices of a provider's model."""
        book = self._books.get(provider)
        if book is None:
            book = PriceBook(await store.load_part(self._unit, provider))
            self._books[provider] = book
        return _costs(book.rows_at(provider, model, self.at_us))

    async def record(self, model: Model, current: Costs, actor: str) -> None:
        """Make the model's prices hold from this instant on, where they are not the current ones.

        Raises InvalidRequestError for a price that is refused.
        """
        stated: list[DeclaredPrice] = []
        for field, (counted, per) in UNIT_OF.items():
            wanted: Decimal | None = getattr(model, field)
            if wanted == getattr(current, field):
                continue
            if wanted is None:
                await store.withdraw(
                    self._unit,
                    model.provider,
                    model.model_name,
                    counted.value,
                    {},
                    self.at_us,
                    actor,
                    now_us=self.at_us,
                )
                continue
            stated.append(
                DeclaredPrice(
                    provider=model.provider,
                    model=model.model_name,
                    unit=counted.value,
                    rate_usd=wanted,
                    per=per,
                    valid_from_us=self.at_us,
                )
            )
        try:
            await store.record_versions(
                self._unit,
                stated,
                source=Source.OPERATOR,
                actor=actor,
                now_us=self.at_us,
                disputes=False,
            )
        except ConfigurationError as error:
            raise InvalidRequestError(error.message) from error
        self._books.pop(model.provider, None)


def priced(model: Model, book: PriceBook, at_us: int) -> Model:
    """Return a model with its prices at an instant."""
    return with_costs(model, _costs(book.rows_at(model.provider, model.model_name, at_us)))


def with_costs(model: Model, costs: Costs) -> Model:
    """Return a model with these prices."""
    return msgspec.structs.replace(model, **msgspec.structs.asdict(costs))


def _costs(rows: Iterable[PriceRow]) -> Costs:
    plain = {row.unit: row for row in rows if row.conditions == NONE and row.rate_usd is not None}
    costs: dict[str, Decimal] = {}
    for field, (counted, per) in UNIT_OF.items():
        row = plain.get(counted.value)
        if row is not None and row.rate_usd is not None:
            rate = EXACT.multiply(Decimal(row.rate_usd), Decimal(per))
            costs[field] = EXACT.divide(rate, Decimal(row.per))
    return Costs(**costs)
