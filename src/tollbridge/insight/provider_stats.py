"""Which provider serves a category, how well, for how much, and which is the one to take? Pure.

The figures of a provider are those of the attempts at it: what failed counts for whom it failed
with, whoever served the call in the end.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from tollbridge.core.call import CATEGORY_OF, Category, Operation
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import to_usd
from tollbridge.insight.axes import Group, Sums
from tollbridge.routing.part import EndpointRow, Source

SUCCESS_PERCENT_ABOVE = 80
"""A provider is recommended that serves more than this share; exactly this is not enough."""
AVERAGE_STEP = Decimal("1e-12")


class Place(msgspec.Struct, frozen=True):
    """Where a provider stands in the order of a category."""

    priority: int
    """Lower is tried first: the least of its endpoints that are enabled."""
    enabled: bool


class ProviderStat(msgspec.Struct, frozen=True):
    """One provider in one category."""

    category: str
    provider: str
    place: Place | None
    """None: no endpoint of it serves this category by now."""
    sums: Sums

    @property
    def enabled(self) -> bool:
        """Whether calls go there."""
        return self.place is not None and self.place.enabled

    @property
    def requests(self) -> int:
        """Attempts at it."""
        return self.sums.attempts

    @property
    def successes(self) -> int:
        """Attempts that it answered."""
        return self.sums.successes

    @property
    def failures(self) -> int:
        """Attempts that it refused, broke off or never answered."""
        return self.sums.attempts - self.sums.successes

    @property
    def cost_is_known(self) -> bool:
        """Whether each attempt at it has a cost, be it nothing."""
        return self.sums.unpriced == 0

    @property
    def average_cost_usd(self) -> Decimal | None:
        """Total cost by requests, as the document has it; None where a part of it is unknown."""
        return None if not self.cost_is_known else self._per(self.requests)

    @property
    def cost_per_success_usd(self) -> Decimal | None:
        """Total cost by successes: what one answer really costs; None where that is unknown."""
        if not self.cost_is_known or self.successes == 0:
            return None
        return self._per(self.successes)

    def _per(self, count: int) -> Decimal:
        if count == 0:
            return Decimal(0)
        return (to_usd(self.sums.cost_nanousd) / count).quantize(AVERAGE_STEP).normalize()

    @property
    def is_good(self) -> bool:
        """Whether it serves more than 80 % of at least one request."""
        return self.successes * 100 > SUCCESS_PERCENT_ABOVE * self.requests


def places(rows: Iterable[EndpointRow], here: Mapping[str, object]) -> dict[tuple[str, str], Place]:
    """Return (category, provider) → its place, of the endpoints as they are configured.

    `here`: the built-in endpoints that this node's environment has the keys of.
    """
    found: dict[tuple[str, str], Place] = {}
    for row in rows:
        endpoint = row.declared.endpoint
        if row.withdrawn_at_us is not None:
            continue
        has_key = row.source != Source.BUILTIN or row.has_key or endpoint.name in here
        for category in _categories(row):
            place = Place(
                endpoint.category_priority.get(category, endpoint.priority),
                endpoint.enabled and has_key and category not in endpoint.disabled_categories,
            )
            other = found.get((category, endpoint.provider))
            if other is None or (not place.enabled, place.priority) < (
                not other.enabled,
                other.priority,
            ):
                found[category, endpoint.provider] = place
    return found


def _categories(row: EndpointRow) -> list[str]:
    """Return the categories that an endpoint says something of, in their order."""
    endpoint = row.declared.endpoint
    operations = {one.value: category.value for one, category in CATEGORY_OF.items()}
    named = {
        *endpoint.default_models,
        *row.declared.models,
        *endpoint.category_priority,
        *endpoint.planning_price,
    }
    known = {
        name if name in set(Category) else operations[name]
        for name in named
        if name in set(Category) or name in set(Operation)
    }
    return [one.value for one in Category if one.value in known]


def statistics(
    groups: Mapping[Group, Sums], configured: Mapping[tuple[str, str], Place]
) -> list[ProviderStat]:
    """Return all providers, those too that were never asked, in the order they are tried in.

    `groups`: (category, provider) → the sums of the attempts.
    """
    order = {one.value: number for number, one in enumerate(Category)}
    keys = {*configured, *((group[0], group[1]) for group in groups if groups[group].attempts)}
    found = [
        ProviderStat(category, provider, configured.get((category, provider)), sums)
        for category, provider in keys
        for sums in [groups.get((category, provider), Sums())]
    ]
    found.sort(key=lambda one: (order.get(one.category, len(order)), *_rank(one)))
    return found


def _rank(one: ProviderStat) -> tuple[int, int, str]:
    place = one.place
    return (2, 0, one.provider) if place is None else (0, place.priority, one.provider)


def by_cost(found: Iterable[ProviderStat]) -> list[ProviderStat]:
    """Return those that were asked at all, the cheapest first; unknown costs at the end."""
    asked = [one for one in found if one.requests]
    return sorted(asked, key=_cheapest_first)


def _cheapest_first(one: ProviderStat) -> tuple[bool, Decimal, str]:
    average = one.average_cost_usd
    return average is None, average or Decimal(0), one.provider


def recommended(found: Sequence[ProviderStat]) -> tuple[str | None, str | None]:
    """Return the cheapest provider that serves more than 80 %, or None and why there is none."""
    enabled = [one for one in found if one.enabled]
    asked = [one for one in enabled if one.requests]
    good = [one for one in asked if one.is_good]
    known = [one for one in good if one.cost_is_known]
    if known:
        return by_cost(known)[0].provider, None
    if not enabled:
        return None, "no provider of this category is enabled"
    if not asked:
        return None, "no enabled provider was asked in this time"
    if not good:
        return None, f"none served more than {SUCCESS_PERCENT_ABOVE} % of its requests"
    return None, "of those that served well, some cost is unknown"


def category_of(text: str) -> Category:
    """Return a category by its name, in any case. Raises InvalidRequestError that lists them."""
    try:
        return Category(text.strip().lower())
    except ValueError:
        *names, last = [one.value.upper() for one in Category]
        raise InvalidRequestError(
            f"Invalid category. Must be {', '.join(names)} or {last}",
            details={"param": "category", "categories": [*names, last]},
        ) from None
