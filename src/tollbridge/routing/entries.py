"""Which routes follow from what endpoints offer, and does each candidate name a known endpoint?"""

import difflib
from collections.abc import Collection, Iterable

from tollbridge.core.errors import ConfigurationError
from tollbridge.routing.part import CandidateEntry, DeclaredEndpoint, RouteEntry, RouteName


def implicit_routes(
    declared: Iterable[DeclaredEndpoint],
    written: Collection[RouteName],
) -> list[RouteEntry]:
    """Return a route for each model that endpoints offer and no written route names."""
    found: dict[RouteName, list[CandidateEntry]] = {}
    for one in declared:
        endpoint = one.endpoint
        for category, models in one.models.items():
            priority = endpoint.category_priority.get(category, endpoint.priority)
            for model in models:
                entry = CandidateEntry(endpoint.name, model, priority)
                found.setdefault((model, category), []).append(entry)
    return [
        RouteEntry(model, category, candidates=tuple(candidates), is_implicit=True)
        for (model, category), candidates in found.items()
        if (model, category) not in written
    ]


def check_candidates(entries: Iterable[RouteEntry], known: Collection[str]) -> None:
    """Raise ConfigurationError for a candidate on an endpoint that is not among the known ones."""
    for entry in entries:
        for candidate in entry.candidates:
            if candidate.endpoint not in known:
                near = difflib.get_close_matches(candidate.endpoint, sorted(known), 3)
                hint = f"; near it: {', '.join(near)}" if near else ""
                raise ConfigurationError(
                    f"the route {entry.model!r} has a candidate on the endpoint "
                    f"{candidate.endpoint!r}, which is not known{hint}",
                )
