"""How sure is it who served, and which calls is it least sure of? All SQL of that.

No roll-up knows how sure we are: the newest calls of a time are counted, up to a bound.
"""

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import func, select

from tollbridge.insight.axes import Slice
from tollbridge.insight.cube_detail_queries import calls_in
from tollbridge.recording.archive_tables import TIERS
from tollbridge.storage.unit import Unit

CALLS_MAX = 50_000
"""Calls that one answer looks at: the newest."""


class Sureness(msgspec.Struct, frozen=True):
    """Calls of one kind that were attributed by the same rule, with the same confidence."""

    confidence: str
    rule_id: str
    provider: str
    bucket: str
    label: str
    calls: int


class Surenesses(msgspec.Struct, frozen=True):
    """What was found in a time."""

    groups: Sequence[Sureness]
    is_complete: bool
    """False: only the newest were looked at."""


async def surenesses(unit: Unit, wanted: Slice) -> Surenesses:
    """Return the calls of a time by how sure it is who served them, in no order."""
    sums: dict[tuple[str, str, str, str, str], int] = {}
    left = CALLS_MAX
    for tier in TIERS:
        columns = tier.details.c
        newest = (
            select(
                columns.attribution_confidence,
                columns.attribution_rule,
                columns.actual_provider_name,
                columns.bucket,
                columns.label,
                columns.request_count,
            )
            .where(*calls_in(tier.details, wanted))
            .order_by(columns.accounted_at_us.desc())
            .limit(left)
            .subquery()
        )
        names = tuple(newest.c)[:5]
        query = select(*names, func.sum(newest.c.request_count), func.count()).group_by(*names)
        for row in await unit.connection.execute(query):
            confidence, rule, provider, bucket, label, calls, rows = cast("Sequence[Any]", row)
            key = (str(confidence), str(rule), str(provider), str(bucket), str(label))
            sums[key] = sums.get(key, 0) + int(calls)
            left -= int(rows)
        if left <= 0:
            break
    return Surenesses([Sureness(*key, calls) for key, calls in sums.items()], left > 0)
