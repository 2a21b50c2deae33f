"""Which candidates does a call get, in which order, and why does each stand where it stands?

All of it is worked out once, when the table is made. A call whose candidates are all well and
stand in one order gets the ready-made plan; only chance, speed and open breakers need work per
call (`ordering`).
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence

from tollbridge.core.call import Caller, Category, Operation
from tollbridge.core.errors import InvalidRequestError, ModelInactiveError, ModelNotFoundError
from tollbridge.core.models import ModelEntry, ModelPart
from tollbridge.core.plan import Endpoint, Plan
from tollbridge.routing.ordering import (
    OWN_FIRST,
    HealthView,
    Placed,
    PriceOf,
    Route,
    deal,
    make_route,
    no_price,
    priority_of,
)
from tollbridge.routing.part import CandidateEntry, ModelListing, Order, RouteEntry, RoutingPart
from tollbridge.routing.trials import make_trial, plan_in_trial

NEAR_NAMES_MAX = 3
# Above these, looking for near names would cost the worker more than it helps the caller.
COMPARED_LENGTH_MAX = 128
COMPARED_NAMES_MAX = 64
REMEMBERED_MISSES_MAX = 256
LISTED_NAMES_MAX = 50
APART: Mapping[str, str] = {
    Operation.AUDIO_TRANSCRIPTION.value: Category.AUDIO.value,
    Operation.IMAGE_EDIT.value: Category.IMAGE.value,
}
"""Operations that other models serve than the rest of their category. An endpoint's default model
may be given for them too."""
NO_MODELS = ModelPart()


class RouteTable:
    """All routes of one snapshot, and what the catalogue says of the names; immutable."""

    __slots__ = (
        "_apart",
        "_defaults_of",
        "_endpoints",
        "_models",
        "_near_of",
        "_price_of",
        "_routes",
        "_trials",
        "orders_by_price",
    )

    def __init__(
        self, part: RoutingPart, models: ModelPart = NO_MODELS, price_of: PriceOf = no_price
    ) -> None:
        """Make the table; `price_of` says what a nominal call costs at this moment."""
        self._endpoints = {one.name: one for one in part.endpoints}
        self._price_of = price_of
        self._routes: dict[tuple[str, str], Route] = {}
        self._apart: dict[tuple[str, str], Route] = {}
        self._models = {(one.name, one.model_type): one for one in models.models}
        self._defaults_of = {one.model_type: one.name for one in models.models if one.is_default}
        # An application with a wrong name asks for it again and again.
        self._near_of: dict[tuple[str, str], list[str]] = {}
        self.orders_by_price = any(entry.order == Order.CHEAPEST for entry in part.routes)
        """Whether another price would change an order: then the table is made anew at times."""
        for entry in part.routes:
            if not (entry.is_implicit and self._is_switched_off(entry.model, entry.category)):
                self._add(entry)
        for one in models.models:
            if one.is_active:
                self._add_model(one)
        for category in Category:
            self._add(RouteEntry(model=category.value, category=category.value))
        self._add_by_own_names()
        self._trials = {
            (one.model, one.category): make_trial(one, self._routes[one.model, one.category])
            for one in part.trials
            if (one.model, one.category) in self._routes
        }

    def plan(
        self,
        label: str,
        category: str,
        health: HealthView,
        draw: Callable[[], float],
        operation: str = "",
        caller: Caller | None = None,
    ) -> Plan:
        """Return the candidates of one call, in order; never empty.

        Without a label ("") it is the default model's. `draw` gives numbers in [0, 1); `operation`
        matters where it is one of `APART`. Endpoints whose breaker is open stand at the end.
        `caller` decides the arm where there is an experiment on the route; None: outside of it.
        Raises InvalidRequestError where no model was given and there is no default,
        ModelNotFoundError, which names near ones, where nobody serves `label` in `category`,
        ModelInactiveError where the catalogue has it switched off.
        """
        if not label:
            label = self._default(category)
        route = self._routes.get((label, category))
        if operation in APART:
            route = self._apart.get((label, operation), route)
        if route is None:
            raise self._not_found(label, category)
        if self._trials and caller is not None and operation not in APART:
            trial = self._trials.get((label, category))
            if trial is not None:
                return plan_in_trial(trial, route, caller, health, draw)
        troubled = health.troubled
        if not route.is_dealt and (not troubled or troubled.isdisjoint(route.endpoints)):
            return route.plan
        return deal(route, health, draw)

    def endpoint(self, name: str) -> Endpoint | None:
        """Return an endpoint that may be asked, None where there is none of that name."""
        endpoint = self._endpoints.get(name)
        return endpoint if endpoint is not None and endpoint.enabled else None

    def serves(self, label: str, category: str) -> bool:
        """Return whether a label can be asked for in a category."""
        return (label, category) in self._routes

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
        self._plan(entry, entry.candidates or self._defaults(entry.category))
        if not entry.candidates:
            self._plan_apart(entry, ())

    def _add_model(self, model: ModelEntry) -> None:
        """Plan an active model without a route: its own provider, then the category's others."""
        category = model.model_type
        if (model.name, category) in self._routes:
            return
        own = [
            CandidateEntry(one.name, model.name, priority_of(one, category) - OWN_FIRST)
            for one in self._endpoints.values()
            if one.provider == model.provider
        ]
        entry = RouteEntry(model.name, category)
        self._plan(entry, _with_others(own, self._defaults(category)))
        self._plan_apart(entry, own)

    def _add_by_own_names(self) -> None:
        """Plan endpoints' default models that can be asked for by no name yet, by their own."""
        found: dict[tuple[str, str], list[CandidateEntry]] = {}
        for one in self._endpoints.values():
            for kind, model in one.default_models.items():
                category = APART.get(kind, kind)
                entry = CandidateEntry(one.name, model, priority_of(one, category))
                found.setdefault((model, category), []).append(entry)
        for (model, category), candidates in found.items():
            name = (model, category)
            if name not in self._routes and not self._is_switched_off(*name):
                entry = RouteEntry(model, category, candidates=_once_each(candidates))
                self._plan(entry, entry.candidates)

    def _plan_apart(self, entry: RouteEntry, own: Sequence[CandidateEntry]) -> None:
        """Plan the operations that have default models of their own, where any endpoint does."""
        for operation, category in APART.items():
            if category == entry.category and (defaults := self._defaults(category, operation)):
                placed = self._placed(_with_others(own, defaults), category)
                if placed:
                    route = make_route(entry, placed, self._price_of)
                    self._apart[entry.model, operation] = route

    def _plan(self, entry: RouteEntry, candidates: Iterable[CandidateEntry]) -> None:
        placed = self._placed(candidates, entry.category)
        if placed:
            route = make_route(entry, placed, self._price_of)
            self._routes[entry.model, entry.category] = route

    def _placed(self, candidates: Iterable[CandidateEntry], category: str) -> list[Placed]:
        return [
            (endpoint, one)
            for one in candidates
            if (endpoint := self._enabled(one.endpoint, category)) is not None
        ]

    def _enabled(self, name: str, category: str) -> Endpoint | None:
        endpoint = self._endpoints.get(name)
        if endpoint is None or not endpoint.enabled or category in endpoint.disabled_categories:
            return None
        return endpoint

    def _defaults(self, category: str, operation: str = "") -> tuple[CandidateEntry, ...]:
        """Return the endpoints with a default model for a category, or one of its operations."""
        wanted = operation or category
        return tuple(
            CandidateEntry(
                endpoint=one.name,
                model=one.default_models[wanted],
                priority=priority_of(one, category),
            )
            for one in self._endpoints.values()
            if wanted in one.default_models
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


def _with_others(
    own: Sequence[CandidateEntry], others: Iterable[CandidateEntry]
) -> list[CandidateEntry]:
    """Return a model's own provider's candidates, and of the others those of other endpoints."""
    names = {one.endpoint for one in own}
    return [*own, *(one for one in others if one.endpoint not in names)]


def _once_each(candidates: Iterable[CandidateEntry]) -> tuple[CandidateEntry, ...]:
    """Return one candidate per endpoint: a model may be its default for several operations."""
    return tuple({one.endpoint: one for one in candidates}.values())


def _shown(name: str) -> str:
    return repr(name if len(name) <= COMPARED_LENGTH_MAX else f"{name[:COMPARED_LENGTH_MAX]}…")


def _listed(names: Sequence[str]) -> str:
    """Return the end of a sentence that says which names there are."""
    if not names:
        return "; none is active here"
    more = len(names) - LISTED_NAMES_MAX
    end = f" and {more} more" if more > 0 else ""
    return f"; active are {', '.join(names[:LISTED_NAMES_MAX])}{end}"
