"""All SQL behind advice: what did failures cost, and which calls had long prompts? Read-only."""

import msgspec
from sqlalchemy import func, select

from tollbridge.insight.axes import Slice
from tollbridge.insight.cube_detail_queries import attempts_in, calls_in
from tollbridge.insight.provider_queries import ERRORS_MAX, LONGEST_CALL_US, WELL, id_at
from tollbridge.recording.archive_tables import TIERS
from tollbridge.storage.unit import Unit

CALLS_MAX = 50_000
LONG_TOKENS = 10_000
LONG_COST_NANOUSD = 10_000_000
"""One cent: a long prompt that costs less is not worth a word."""


class PaidFailures(msgspec.Struct, frozen=True):
    """What attempts that failed at one provider cost all the same."""

    provider: str
    attempts: int
    cost_nanousd: int


class LongPrompts(msgspec.Struct, frozen=True):
    """Calls of one provider's model with many tokens that cost more than a cent each."""

    provider: str
    model: str
    calls: int
    cost_nanousd: int
    uncached_tokens: int
    """Input that was not read from the provider's cache."""


async def paid_failures(unit: Unit, wanted: Slice) -> list[PaidFailures]:
    """Return what failed attempts cost, by provider, of the newest 20,000 of them."""
    found: dict[str, list[int]] = {}
    for tier in TIERS:
        details, rows = tier.details, tier.rows.c
        newest = (
            select(
                rows.call_id,
                rows.provider,
                rows.upstream_provider_name,
                rows.model,
                rows.usage_source,
                rows.http_status,
                rows.cost_nanousd,
            )
            .where(
                rows.call_id >= id_at(wanted.from_us - LONGEST_CALL_US),
                rows.call_id < id_at(wanted.to_us),
                rows.outcome.not_in(WELL),
                rows.cost_nanousd > 0,
            )
            .order_by(rows.call_id.desc())
            .limit(ERRORS_MAX)
            .subquery("newest")
        )
        query = (
            select(
                newest.c.provider,
                func.sum(details.c.request_count),
                func.sum(newest.c.cost_nanousd),
            )
            .join_from(newest, details, details.c.call_id == newest.c.call_id)
            .where(*attempts_in(details, newest.name, wanted))
            .group_by(newest.c.provider)
        )
        for provider, attempts, cost in await unit.connection.execute(query):
            sums = found.setdefault(str(provider), [0, 0])
            sums[0] += int(attempts)
            sums[1] += int(cost)
    return [PaidFailures(name, *sums) for name, sums in sorted(found.items())]


async def long_prompts(unit: Unit, wanted: Slice) -> list[LongPrompts]:
    """Return the calls with over 10,000 tokens and over a cent, among the newest 50,000."""
    found: dict[tuple[str, str], list[int]] = {}
    for tier in TIERS:
        columns = tier.details.c
        names = (
            "actual_provider_name",
            "requested_model",
            "total_tokens",
            "known_cost_nanousd",
            "input_tokens",
            "cache_read_tokens",
            "request_count",
        )
        newest = (
            select(*(columns[name] for name in names))
            .where(*calls_in(tier.details, wanted))
            .order_by(columns.accounted_at_us.desc())
            .limit(CALLS_MAX)
            .subquery()
        )
        uncached = func.coalesce(newest.c.input_tokens, 0) - func.coalesce(
            newest.c.cache_read_tokens, 0
        )
        query = (
            select(
                newest.c.actual_provider_name,
                func.coalesce(newest.c.requested_model, "").label("of_model"),
                func.sum(newest.c.request_count),
                func.sum(newest.c.known_cost_nanousd),
                func.sum(uncached),
            )
            .where(
                newest.c.total_tokens > LONG_TOKENS,
                newest.c.known_cost_nanousd > LONG_COST_NANOUSD,
                newest.c.request_count == 1,
            )
            .group_by(newest.c.actual_provider_name, newest.c.requested_model)
        )
        for provider, model, *counts in await unit.connection.execute(query):
            sums = found.setdefault((str(provider), str(model)), [0, 0, 0])
            for place, count in enumerate(counts):
                sums[place] += int(count)
    return [LongPrompts(*of, *sums) for of, sums in sorted(found.items())]
