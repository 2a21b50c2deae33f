"""In which order do a route's candidates stand, as it is written and for this very call?

What can be said beforehand is said when the table is made: priority and price. Chance, speed and
open breakers need work per call.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from operator import itemgetter
from typing import Protocol

import msgspec

from tollbridge.core.plan import Candidate, Endpoint, Plan
from tollbridge.routing.health import Breaker
from tollbridge.routing.part import CandidateEntry, Order, RouteEntry
from tollbridge.routing.vendor import vendor_of

OWN_FIRST = 2**40
"""Taken from the priority of a model's own provider, so that it stands before all others."""
EXPLORED_SHARE = 0.1
"""Of the calls of a fastest route: so many ask one first that is not the fastest known."""

PriceOf = Callable[[str, str, str], Decimal | None]
"""Provider, model and category → what a nominal call costs now in USD, None where unknown."""
Placed = tuple[Endpoint, CandidateEntry]
Ranked = tuple["Slot", Candidate]


def no_price(_provider: str, _model: str, _category: str) -> Decimal | None:
    """Know no price."""
    return None


class HealthView(Protocol):
    """What a plan needs to know of breakers and speeds."""

    @property
    def troubled(self) -> AbstractSet[str]:
        """The endpoints whose breaker is not closed."""
        ...

    def state(self, endpoint: str) -> Breaker:
        """Return where an endpoint's breaker stands."""
        ...

    def first_byte_s(self, endpoint: str, model: str) -> float | None:
        """Return about how long a first byte takes, None where nothing is known yet."""
        ...


class Slot(msgspec.Struct, frozen=True):
    """One candidate, as it stands in each state of its breaker."""

    priority: int
    weight: int
    closed: Candidate
    open: Candidate
    half_open: Candidate


class Route(msgspec.Struct, frozen=True):
    """A label's candidates: groups of equal priority, in order."""

    groups: tuple[tuple[Slot, ...], ...]
    endpoints: frozenset[str]
    is_dealt: bool
    """Whether chance or speed have a say, so that each call is dealt its own order."""
    by_speed: bool
    plan: Plan
    """What a call gets where chance, speed and breakers have no say."""


def make_route(entry: RouteEntry, placed: Sequence[Placed], price_of: PriceOf) -> Route:
    """Return the route of one label over at least one candidate."""
    slots = _slots(entry, placed, price_of)
    by_priority: dict[int, list[Slot]] = {}
    for slot in slots:
        by_priority.setdefault(slot.priority, []).append(slot)
    groups = tuple(tuple(by_priority[priority]) for priority in sorted(by_priority))
    candidates = tuple(slot.closed for group in groups for slot in group)
    hedge_ms = entry.hedge_after_ms
    return Route(
        groups=groups,
        endpoints=frozenset(candidate.endpoint.name for candidate in candidates),
        is_dealt=any(len(group) > 1 for group in groups),
        by_speed=entry.order == Order.FASTEST,
        plan=Plan(
            entry.model,
            candidates,
            vendor_of(entry.model),
            entry.keep_content,
            None if hedge_ms is None else hedge_ms / 1000,
            entry.bucket,
            entry.on_content_filtered,
        ),
    )


def deal(route: Route, health: HealthView, draw: Callable[[], float]) -> Plan:
    """Deal one call its order: chance among equals, open breakers behind all others."""
    troubled = health.troubled
    front: list[Candidate] = []
    behind: list[Candidate] = []
    for group in route.groups:
        if len(group) == 1:
            ranked: Iterable[Ranked] = ((group[0], group[0].closed),)
        elif route.by_speed:
            ranked = _by_speed(group, health, draw)
        else:
            ranked = ((slot, slot.closed) for slot in _shuffled(group, draw))
        for slot, candidate in ranked:
            name = candidate.endpoint.name
            state = health.state(name) if name in troubled else Breaker.CLOSED
            if state is Breaker.CLOSED:
                front.append(candidate)
            elif state is Breaker.HALF_OPEN:
                front.append(slot.half_open)
            else:
                behind.append(slot.open)
    plan = route.plan
    return Plan(
        plan.label,
        (*front, *behind),
        plan.vendor,
        plan.keep_content,
        plan.hedge_after_s,
        plan.bucket,
        plan.on_content_filtered,
    )


def priority_of(endpoint: Endpoint, category: str) -> int:
    """Return an endpoint's place in a category."""
    return endpoint.category_priority.get(category, endpoint.priority)


def _slots(entry: RouteEntry, placed: Sequence[Placed], price_of: PriceOf) -> list[Slot]:
    if entry.order == Order.CHEAPEST:
        return _by_price(entry.category, placed, price_of)
    if entry.order == Order.WEIGHTED:
        return [_slot(one, 0, f"weight {one[1].weight}") for one in placed]
    if entry.order == Order.FASTEST:
        in_order = sorted(placed, key=lambda one: one[1].priority)
        return [_slot(one, 0, "not measured yet") for one in in_order]
    return [_slot(one, one[1].priority, _priority_words(one[1].priority)) for one in placed]


def _priority_words(priority: int) -> str:
    if priority < OWN_FIRST // -2:
        return f"the model's own provider, priority {priority + OWN_FIRST}"
    return f"priority {priority}"


def _by_price(category: str, placed: Iterable[Placed], price_of: PriceOf) -> list[Slot]:
    """Return the candidates with the cheapest first; those of one price stand by priority."""
    found: list[tuple[tuple[bool, Decimal, int], str, Placed]] = []
    for endpoint, entry in placed:
        price, words = _price(endpoint, entry.model, category, price_of)
        key = (price is None, price or Decimal(0), entry.priority)
        found.append((key, words, (endpoint, entry)))
    ranks = {key: rank for rank, key in enumerate(sorted({one[0] for one in found}))}
    return [_slot(one, ranks[key], words) for key, words, one in found]


def _price(
    endpoint: Endpoint, model: str, category: str, price_of: PriceOf
) -> tuple[Decimal | None, str]:
    """Return what a nominal call costs, and where that is known from."""
    price = price_of(endpoint.provider, model, category)
    if price is not None:
        return price, f"about ${_usd(price)} a call by the catalogue"
    planned = endpoint.planning_price.get(category)
    if planned is not None:
        price = Decimal(planned)
        return price, f"about ${_usd(price)} a call by its planning price"
    return None, "its price is not known"


def _usd(price: Decimal) -> str:
    text = f"{price:.6f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _slot(placed: Placed, priority: int, reason: str) -> Slot:
    endpoint, entry = placed
    return Slot(
        priority=priority,
        weight=entry.weight,
        closed=Candidate(endpoint, entry.model, reason),
        open=Candidate(endpoint, entry.model, f"breaker open, else {reason}"),
        half_open=Candidate(endpoint, entry.model, f"{reason}, probing after failures"),
    )


def _by_speed(slots: Sequence[Slot], health: HealthView, draw: Callable[[], float]) -> list[Ranked]:
    """Return the fastest first, then those that are not measured yet.

    Now and then one of the others goes first, so that those not known are measured, and one that
    has become faster is found out.
    """
    measured: list[tuple[float, Slot]] = []
    others: list[Ranked] = []
    for slot in slots:
        candidate = slot.closed
        took_s = health.first_byte_s(candidate.endpoint.name, candidate.model)
        if took_s is None:
            others.append((slot, candidate))
        else:
            measured.append((took_s, slot))
    measured.sort(key=itemgetter(0))
    ranked = [(slot, _fast(slot, took_s)) for took_s, slot in measured]
    chance = draw()
    unmeasured = len(others)
    ranked += others
    if measured and len(ranked) > 1 and chance < EXPLORED_SHARE:
        first = len(measured) if unmeasured else 1
        place = first + int(chance / EXPLORED_SHARE * (len(ranked) - first))
        slot, candidate = ranked.pop(place)
        why = f"{candidate.reason}; first, to measure it"
        ranked.insert(0, (slot, Candidate(candidate.endpoint, candidate.model, why)))
    return ranked


def _fast(slot: Slot, took_s: float) -> Candidate:
    candidate = slot.closed
    reason = f"about {took_s * 1000:.0f} ms to its first byte"
    return Candidate(candidate.endpoint, candidate.model, reason)


def _shuffled(slots: Sequence[Slot], draw: Callable[[], float]) -> Iterator[Slot]:
    """Yield all slots, each time drawing one in proportion to the weights of those left."""
    left = list(slots)
    while len(left) > 1:
        total = sum(slot.weight for slot in left)
        if total == 0:
            break
        at = draw() * total
        chosen = 0
        for index, slot in enumerate(left):
            if slot.weight:
                chosen = index
                at -= slot.weight
                if at < 0:
                    break
        yield left.pop(chosen)
    yield from left
