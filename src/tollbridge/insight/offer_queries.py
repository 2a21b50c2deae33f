"""All SQL of offers: what else could have served, and which usage would it have to be priced by?

Read-only. A provider's name of a model may have its author before it: openai/gpt-4o-mini.
"""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

import msgspec
from sqlalchemy import func, or_, select

from tollbridge.insight.axes import Axis, Slice, offsets
from tollbridge.insight.cube_detail_queries import calls_in
from tollbridge.insight.cube_queries import place_of
from tollbridge.rating.tables import price_intervals
from tollbridge.recording.archive_tables import TIERS
from tollbridge.routing.tables import endpoints, route_candidates, routes
from tollbridge.storage.unit import Unit

LIKE_MAX = 50
COMBINATIONS_MAX = 20_000
CALLS_MAX = 50_000
"""Calls whose usage is read one by one, where no roll-up knows their units: the newest."""

Offer = tuple[str, str]
"""Provider, and that provider's name of a model."""


class UsedAlike(msgspec.Struct, frozen=True):
    """Calls of one day that used the same."""

    day: int
    """Its number, as axes.label shows it."""
    usage: dict[str, int]
    facts: dict[str, str]
    calls: int
    cost_nanousd: int | None
    """None: of some of them it is not known."""
    offer: Offer
    """By whom they were served, and by which model."""


async def models_like(unit: Unit, model: str) -> list[Offer]:
    """Return which providers have prices for a model of this name, whoever stands before it."""
    bare = model.rsplit("/", 1)[-1].lower()
    columns = price_intervals.c
    name = func.lower(columns.model)
    query = (
        select(columns.provider, columns.model)
        .where(or_(name == bare, name.endswith(f"/{bare}", autoescape=True)))
        .distinct()
        .order_by(columns.provider, columns.model)
        .limit(LIKE_MAX)
    )
    return [(str(row[0]), str(row[1])) for row in await unit.connection.execute(query)]


async def candidates_of(unit: Unit, route: str, category: str) -> list[Offer]:
    """Return the candidates of a written route, in their order."""
    columns = route_candidates.c
    query = (
        select(func.coalesce(endpoints.c.provider, columns.endpoint), columns.model)
        .join_from(
            route_candidates,
            routes,
            (routes.c.model == columns.route_model) & (routes.c.category == columns.route_category),
        )
        .join(endpoints, endpoints.c.name == columns.endpoint, isouter=True)
        .where(
            columns.route_model == route,
            columns.route_category == category,
            routes.c.withdrawn_at_us.is_(None),
        )
        .order_by(columns.priority, columns.position)
        .limit(LIKE_MAX)
    )
    return [(str(row[0]), str(row[1])) for row in await unit.connection.execute(query)]


async def used_alike(unit: Unit, wanted: Slice, zone: tzinfo) -> tuple[list[UsedAlike], bool]:
    """Return what the newest 50,000 calls of a time used, by whom, and whether these are all.

    Calls without usage are left out.
    """
    found: list[UsedAlike] = []
    left = CALLS_MAX
    for tier in TIERS:
        if left <= 0:
            break
        columns = tier.details.c
        names = (
            "accounted_at_us",
            "actual_provider_name",
            "usage",
            "attempt_facts",
            "request_count",
            "cost_nanousd",
        )
        model = func.coalesce(columns.requested_model, "").label("model")
        newest = (
            select(*(columns[name] for name in names), model)
            .where(*calls_in(tier.details, wanted), columns.usage.is_not(None))
            .order_by(columns.accounted_at_us.desc())
            .limit(left)
            .subquery()
        )
        day = place_of(
            Axis.DAY, newest.c.accounted_at_us, offsets(zone, wanted.from_us, wanted.to_us)
        )
        told = (newest.c[name] for name in (*names[1:], "model"))
        part = select(day.label("day"), *told).subquery()
        alike = (
            part.c.day,
            part.c.actual_provider_name,
            part.c.model,
            part.c.usage,
            part.c.attempt_facts,
        )
        query = (
            select(
                *alike,
                func.sum(part.c.request_count),
                func.sum(part.c.cost_nanousd),
                func.count(),
                func.count(part.c.cost_nanousd),
            )
            .group_by(*alike)
            .limit(COMBINATIONS_MAX)
        )
        for row in await unit.connection.execute(query):
            found.append(_used(row))
            left -= int(row[-2])
    return found, left > 0 and len(found) < COMBINATIONS_MAX


def _used(row: Sequence[Any]) -> UsedAlike:
    day, provider, model, usage, facts, calls, cost, rows, priced = row
    return UsedAlike(
        int(day),
        usage,
        facts or {},
        int(calls),
        int(cost) if rows == priced and cost is not None else None,
        (str(provider), str(model)),
    )
