"""All SQL of how providers did: how long did attempts take, and why did they fail? Read-only."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

import msgspec
from sqlalchemy import func, select

from tollbridge.insight.axes import Axis, Group, Slice, Times
from tollbridge.insight.cube_detail_queries import attempts_in
from tollbridge.insight.cube_queries import COLUMN_OF, conditions_of
from tollbridge.insight.cube_source_queries import spans
from tollbridge.recording.archive_tables import TIERS
from tollbridge.recording.tables import dimensions, rollup_latency, rollup_latency_daily
from tollbridge.storage.unit import Unit

ERRORS_MAX = 20_000
"""Attempts that are looked at for the reasons of failures: the newest."""
LONGEST_CALL_US = 24 * 3600 * 1_000_000
"""A call is accounted when it ends, and has its id from when it began."""
WELL = ("succeeded", "abandoned")
"""How attempts end that say nothing against their provider."""

MEASURED = ("count", "first_byte_count")


class FailureReason(msgspec.Struct, frozen=True):
    """Why attempts at a provider failed."""

    error_class: str | None
    outcome: str
    http_status: int | None
    count: int


class Failures(msgspec.Struct, frozen=True):
    """Why the attempts of a time failed, by provider."""

    by_provider: dict[Group, list[FailureReason]]
    """By category and provider, the most frequent first."""
    is_complete: bool
    """False: only the newest were looked at."""


async def latencies(
    unit: Unit, wanted: Slice, axes: Sequence[Axis], zone: tzinfo
) -> dict[Group, Times]:
    """Return how long attempts took, by group. Without users and keys: no histogram has those."""
    days, edges = spans(wanted, axes, zone)
    found: dict[Group, Times] = {}
    for table, (start_us, end_us) in [
        *((rollup_latency_daily, one) for one in days),
        *((rollup_latency, one) for one in edges),
    ]:
        columns = [COLUMN_OF[axis] for axis in axes]
        start = next(iter(table.primary_key.columns))
        query = (
            select(*columns, table.c.bucket_index, *(func.sum(table.c[one]) for one in MEASURED))
            .join_from(table, dimensions, dimensions.c.dimension_id == table.c.dimension_id)
            .where(start >= start_us, start < end_us, *conditions_of(wanted))
            .group_by(*columns, table.c.bucket_index)
        )
        rows: Sequence[Any] = (await unit.connection.execute(query)).all()
        for row in rows:
            times = found.setdefault(tuple(row[: len(axes)]), Times({}, {}))
            index, took, first = row[len(axes) :]
            for histogram, count in ((times.latency, took), (times.first_byte, first)):
                if count:
                    histogram[index] = histogram.get(index, 0) + int(count)
    return found


async def failures(unit: Unit, wanted: Slice) -> Failures:
    """Return why attempts failed, of the newest 20,000 that did not go well in a time.

    Ids of calls are sorted by time, so that the newest are the last of the primary key.
    """
    by_provider: dict[Group, list[FailureReason]] = {}
    is_complete = True
    for tier in TIERS:
        details, rows = tier.details.c, tier.rows.c
        newest = (
            select(
                rows.call_id,
                rows.provider,
                rows.upstream_provider_name,
                rows.model,
                rows.usage_source,
                rows.error_class,
                rows.outcome,
                rows.http_status,
            )
            .where(
                rows.call_id >= id_at(wanted.from_us - LONGEST_CALL_US),
                rows.call_id < id_at(wanted.to_us),
                rows.outcome.not_in(WELL),
            )
            .order_by(rows.call_id.desc())
            .limit(ERRORS_MAX)
            .subquery("newest")
        )
        seen = await unit.connection.execute(select(func.count()).select_from(newest))
        is_complete = is_complete and int(seen.scalar_one()) < ERRORS_MAX
        kinds = newest.c.provider, newest.c.error_class, newest.c.outcome, newest.c.http_status
        query = (
            select(details.category, *kinds, func.sum(details.request_count))
            .join_from(newest, tier.details, details.call_id == newest.c.call_id)
            .where(*attempts_in(tier.details, newest.name, wanted))
            .group_by(details.category, *kinds)
        )
        for category, provider, *why, count in await unit.connection.execute(query):
            reason = FailureReason(why[0], why[1], why[2], int(count))
            by_provider.setdefault((category, provider), []).append(reason)
    for reasons in by_provider.values():
        reasons.sort(key=lambda one: (-one.count, one.error_class or "", one.outcome))
    return Failures(by_provider, is_complete)


def id_at(at_us: int) -> str:
    """Return the least id that a call of an instant can have."""
    digits = f"{max(0, at_us // 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"
