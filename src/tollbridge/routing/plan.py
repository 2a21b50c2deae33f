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
from tollbridge.core.errors import InvalidRequestError, ModelInactiveError, ModelNotFoundError
from tollbridge.core.models import ModelEntry, ModelPart
from tollbridge.core.plan import Candidate, Endpoint, Plan
from tollbridge.routing.health import Breaker
from tollbridge.routing.part import CandidateEntry, ModelListing, Order, RouteEntry, RoutingPart
from tollbridge.routing.vendor import vendor_of

NEAR_NAMES_MAX = 3
# Above these, looking for near names would cost the worker more than it helps the caller.
COMPARED_LENGTH_MAX = 128
COMPARED_NAMES_MAX = 64
REMEMBERED_MISSES_MAX = 256
LISTED_NAMES_MAX = 50
OWN_FIRST = 2**40
"""Taken from the priority of a model's own provider, so that it stands before all others."""
NO_MODELS = ModelPart()


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
    """All routes of one snapshot, and what the catalogue says of the names; immutable."""

    __slots__ = ("_defaults_of", "_endpoints", "_models", "_near_of", "_routes")

    def __init__(self, part: RoutingPart, models: ModelPart = NO_MODELS) -> None:
        self._endpoints = {one.name: one for one in part.endpoints}
        self._routes: dict[tuple[str, str], _Route] = {}
        self._models = {(one.name, one.model_type): one for one in models.models}
        self._defaults_of = {one.model_type: one.name for one in models.models if one.is_default}
        # An application with a wrong name asks for it again and again.
        self._near_of: dict[tuple[str, str], list[str]] = {}
        for entry in part.routes:
            if not (entry.is_implicit and self._is_switched_off(entry.model, entry.category)):
                self._add(entry)
        for one in models.models:
            if one.is_active:
                self._add_model(one)
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

        Without a label ("") it is the default model's. `draw` gives numbers in [0, 1). Endpoints
        whose breaker is open stand at the end. Raises InvalidRequestError where no model was
        given and there is no default, ModelNotFoundError, which names near ones, where nobody
        serves `label` in `category`, ModelInactiveError where the catalogue has it switched off.
        """
        if not label:
            label = self._default(category)
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

    def check_size(self, label: str, category: str, size: str) -> None:
        """Raise InvalidRequestError for an image size that the catalogue's model does not make.

        The error lists those that it makes. A name that the catalogue does not have, or one
        whose sizes are not known, takes any size. Call it before a provider is asked.
        """
        model = self._models.get((label or self._default(category), category))
        if model is None or model.valid_sizes is None or size in model.valid_sizes:
            return
        raise InvalidRequestError(
            f"{model.name} does not make images of the size {_shown(size)}; "
            f"its sizes are {', '.join(model.valid_sizes)}",
            details={"param": "size", "valid_sizes": list(model.valid_sizes)},
        )

    def _default(self, category: str) -> str:
        name = self._defaults_of.get(category)
        if name is not None:
            return name
        active = self._active(category)
        raise InvalidRequestError(
            f"no model was given, and none is the default for {category}{_listed(active)}",
            details={"param": "model", "active": active[:LISTED_NAMES_MAX]},
        )

    def _is_switched_off(self, model: str, category: str) -> bool:
        """Return whether somebody has decided that the model is not to be used."""
        found = self._models.get((model, category))
        return found is not None and not found.is_active and found.is_decided

    def _add(self, entry: RouteEntry) -> None:
        # The first of a name wins: routes that were written before those that follow by themselves.
        if (entry.model, entry.category) in self._routes:
            return
        slots = self._slots(entry.candidates or self._defaults(entry.category), entry)
        if slots:
            route = _route(entry.model, slots, keep_content=entry.keep_content)
            self._routes[entry.model, entry.category] = route

    def _add_model(self, model: ModelEntry) -> None:
        """Plan an active model without a route: its own provider, then the category's others."""
        category = model.model_type
        if (model.name, category) in self._routes:
            return
        own = [
            CandidateEntry(one.name, model.name, _priority(one, category) - OWN_FIRST)
            for one in self._endpoints.values()
            if one.provider == model.provider
        ]
        names = {one.endpoint for one in own}
        others = [one for one in self._defaults(category) if one.endpoint not in names]
        slots = self._slots([*own, *others], RouteEntry(model.name, category))
        if slots:
            self._routes[model.name, category] = _route(model.name, slots)

    def _slots(self, candidates: Iterable[CandidateEntry], entry: RouteEntry) -> list[_Slot]:
        return [
            _slot(endpoint, one, entry.order)
            for one in candidates
            if (endpoint := self._enabled(one.endpoint, entry.category)) is not None
        ]

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
                priority=_priority(one, category),
            )
            for one in self._endpoints.values()
            if category in one.default_models
        )

    def _not_found(self, label: str, category: str) -> ModelNotFoundError:
        shown = _shown(label)
        known = self._models.get((label, category))
        if known is not None and not known.is_active:
            active = self._active(category)
            return ModelInactiveError(
                f"the model {shown} is inactive{_listed(active)}",
                details={"param": "model", "active": active[:LISTED_NAMES_MAX]},
            )
        others = sorted(known for name, known in self._routes if name == label)
        if others:
            return ModelNotFoundError(
                f"the model {shown} does {' and '.join(others)}, not {category}",
                details={"param": "model", "near": []},
            )
        near = self._near(label, category)
        hint = f"; near it: {', '.join(near)}" if near else ""
        return ModelNotFoundError(
            f"there is no model {shown} for {category} here{hint}",
            details={"param": "model", "near": list(near)},
        )

    def _active(self, category: str) -> list[str]:
        """Return the names of the active models of one type that are served, sorted."""
        return sorted(
            name
            for (name, its_type), model in self._models.items()
            if its_type == category and model.is_active and (name, its_type) in self._routes
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


def _priority(endpoint: Endpoint, category: str) -> int:
    return endpoint.category_priority.get(category, endpoint.priority)


def _shown(name: str) -> str:
    return repr(name if len(name) <= COMPARED_LENGTH_MAX else f"{name[:COMPARED_LENGTH_MAX]}…")


def _listed(names: Sequence[str]) -> str:
    """Return the end of a sentence that says which names there are."""
    if not names:
        return "; none is active here"
    more = len(names) - LISTED_NAMES_MAX
    end = f" and {more} more" if more > 0 else ""
    return f"; active are {', '.join(names[:LISTED_NAMES_MAX])}{end}"


def _slot(endpoint: Endpoint, entry: CandidateEntry, order: str) -> _Slot:
    weighted = order == Order.WEIGHTED
    if weighted:
        reason = f"weight {entry.weight}"
    elif entry.priority < OWN_FIRST // -2:
        reason = f"the model's own provider, priority {entry.priority + OWN_FIRST}"
    else:
        reason = f"priority {entry.priority}"
    return _Slot(
        priority=0 if weighted else entry.priority,
        weight=entry.weight,
        closed=Candidate(endpoint, entry.model, reason),
        open=Candidate(endpoint, entry.model, f"breaker open, else {reason}"),
        half_open=Candidate(endpoint, entry.model, f"{reason}, probing after failures"),
    )


def _route(label: str, slots: Iterable[_Slot], *, keep_content: bool = False) -> _Route:
    by_priority: dict[int, list[_Slot]] = {}
    for slot in slots:
        by_priority.setdefault(slot.priority, []).append(slot)
    groups = tuple(tuple(by_priority[priority]) for priority in sorted(by_priority))
    candidates = tuple(slot.closed for group in groups for slot in group)
    return _Route(
        groups=groups,
        endpoints=frozenset(candidate.endpoint.name for candidate in candidates),
        by_chance=any(len(group) > 1 for group in groups),
        plan=Plan(label, candidates, vendor_of(label), keep_content),
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
    plan = route.plan
    return Plan(plan.label, (*front, *behind), plan.vendor, plan.keep_content)


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
