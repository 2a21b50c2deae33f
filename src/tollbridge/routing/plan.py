"""Which candidates does a call get, in which order, and why does each stand where it stands?

All of it is worked out once, when the table is made. A call whose candidates are all well and
stand in one order gets the ready-made plan; only chance and open breakers need work per call.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

import msgspec

from tollbridge.core.call import Category
from tollbridge.core.errors import ModelNotFoundError
from tollbridge.core.plan import Candidate, Endpoint, Plan
from tollbridge.routing.health import Breaker
from tollbridge.routing.part import CandidateEntry, ModelListing, Order, RouteEntry, RoutingPart
from tollbridge.routing.vendor import vendor_of

NEAR_NAMES_MAX = 3
# Above these, looking for near names would cost the worker more than it helps the caller.
COMPARED_LENGTH_MAX = 128
COMPARED_NAMES_MAX = 64
REMEMBERED_MISSES_MAX = 256


class HealthView(Protocol):
    """What a plan needs to know of breakers."""

    @property
    def troubled(self) -> AbstractSet[str]:
        """The endpoints whose breaker is not closed."""
        ...

    def state(self, endpoint: str) -> Breaker:
        """Return where an endpoint's breaker stands."""
        ...


class _Slot(msgspec.Struct, frozen=True):
    """One candidate, as it stands in each state of its breaker."""

    priority: int
    weight: int
    closed: Candidate
    open: Candidate
    half_open: Candidate


class _Route(msgspec.Struct, frozen=True):
    """A label's candidates: groups of equal priority, in order."""

    groups: tuple[tuple[_Slot, ...], ...]
    endpoints: frozenset[str]
    by_chance: bool
    """Whether any group has more than one slot, so that each call is dealt its own order."""
    plan: Plan
    """What a call gets where chance and breakers have no say."""


class RouteTable:
    """All routes of one snapshot; immutable."""

    __slots__ = ("_endpoints", "_near_of", "_routes")

    def __init__(self, part: RoutingPart) -> None:
        self._endpoints = {one.name: one for one in part.endpoints}
        self._routes: dict[tuple[str, str], _Route] = {}
        # An application with a wrong name asks for it again and again.
        self._near_of: dict[tuple[str, str], list[str]] = {}
        for entry in part.routes:
            self._add(entry)
        for category in Category:
            self._add(RouteEntry(model=category.value, category=category.value))

    def plan(
        self,
        label: str,
        category: str,
        health: HealthView,
        draw: Callable[[], float],
    ) -> Plan:
        """Return the candidates of one call, in order; never empty.

        `draw` gives numbers in [0, 1). Endpoints whose breaker is open stand at the end. Raises
        ModelNotFoundError, which names near ones, where nobody serves `label` in `category`.
        """
        route = self._routes.get((label, category))
        if route is None:
            raise self._not_found(label, category)
        troubled = health.troubled
        if not route.by_chance and (not troubled or troubled.isdisjoint(route.endpoints)):
            return route.plan
        return _dealt(route, health, draw)

    def models(self) -> list[ModelListing]:
        """Return all labels that can be asked for, sorted."""
        return [
            ModelListing(label, category, route.plan.candidates[0].endpoint.provider)
            for (label, category), route in sorted(self._routes.items())
        ]

    def _add(self, entry: RouteEntry) -> None:
        # The first of a name wins: routes that were written before those that follow by themselves.
        if (entry.model, entry.category) in self._routes:
            return
        entries = entry.candidates or self._defaults(entry.category)
        slots = [
            _slot(endpoint, one, entry.order)
            for one in entries
            if (endpoint := self._enabled(one.endpoint, entry.category)) is not None
        ]
        if slots:
            self._routes[entry.model, entry.category] = _route(entry.model, slots)

    def _enabled(self, name: str, category: str) -> Endpoint | None:
        endpoint = self._endpoints.get(name)
        if endpoint is None or not endpoint.enabled or category in endpoint.disabled_categories:
            return None
        return endpoint

    def _defaults(self, category: str) -> tuple[CandidateEntry, ...]:
        return tuple(
            CandidateEntry(
                endpoint=one.name,
                model=one.default_models[category],
                priority=one.category_priority.get(category, one.priority),
            )
            for one in self._endpoints.values()
            if category in one.default_models
        )

    def _not_found(self, label: str, category: str) -> ModelNotFoundError:
        shown = label if len(label) <= COMPARED_LENGTH_MAX else f"{label[:COMPARED_LENGTH_MAX]}…"
        others = sorted(known for name, known in self._routes if name == label)
        if others:
            return ModelNotFoundError(
                f"the model {shown!r} does {' and '.join(others)}, not {category}",
                details={"param": "model", "near": []},
            )
        near = self._near(label, category)
        hint = f"; near it: {', '.join(near)}" if near else ""
        return ModelNotFoundError(
            f"there is no model {shown!r} for {category} here{hint}",
            details={"param": "model", "near": list(near)},
        )

    def _near(self, label: str, category: str) -> list[str]:
        if len(label) > COMPARED_LENGTH_MAX:
            return []
        near = self._near_of.get((label, category))
        if near is None:
            known = sorted(
                (name for name, its_category in self._routes if its_category == category),
                key=lambda name: (name[:1] != label[:1], abs(len(name) - len(label)), name),
            )
            near = difflib.get_close_matches(label, known[:COMPARED_NAMES_MAX], NEAR_NAMES_MAX)
            if len(self._near_of) >= REMEMBERED_MISSES_MAX:
                self._near_of.clear()
            self._near_of[label, category] = near
        return near


def _slot(endpoint: Endpoint, entry: CandidateEntry, order: str) -> _Slot:
    weighted = order == Order.WEIGHTED
    reason = f"weight {entry.weight}" if weighted else f"priority {entry.priority}"
    return _Slot(
        priority=0 if weighted else entry.priority,
        weight=entry.weight,
        closed=Candidate(endpoint, entry.model, reason),
        open=Candidate(endpoint, entry.model, f"breaker open, else {reason}"),
        half_open=Candidate(endpoint, entry.model, f"{reason}, probing after failures"),
    )


def _route(label: str, slots: Iterable[_Slot]) -> _Route:
    by_priority: dict[int, list[_Slot]] = {}
    for slot in slots:
        by_priority.setdefault(slot.priority, []).append(slot)
    groups = tuple(tuple(by_priority[priority]) for priority in sorted(by_priority))
    candidates = tuple(slot.closed for group in groups for slot in group)
    return _Route(
        groups=groups,
        endpoints=frozenset(candidate.endpoint.name for candidate in candidates),
        by_chance=any(len(group) > 1 for group in groups),
        plan=Plan(label, candidates, vendor_of(label)),
    )


def _dealt(route: _Route, health: HealthView, draw: Callable[[], float]) -> Plan:
    """Deal one call its order: chance among equals, open breakers behind all others."""
    troubled = health.troubled
    front: list[Candidate] = []
    behind: list[Candidate] = []
    for group in route.groups:
        for slot in group if len(group) == 1 else _shuffled(group, draw):
            name = slot.closed.endpoint.name
            state = health.state(name) if name in troubled else Breaker.CLOSED
            if state is Breaker.CLOSED:
                front.append(slot.closed)
            elif state is Breaker.HALF_OPEN:
                front.append(slot.half_open)
            else:
                behind.append(slot.open)
    return Plan(route.plan.label, (*front, *behind), route.plan.vendor)


def _shuffled(slots: Sequence[_Slot], draw: Callable[[], float]) -> Iterator[_Slot]:
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
