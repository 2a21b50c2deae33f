"""All SQL of fallback: who was expected to serve, and who did?

A call for which one candidate was tried went where it was expected to go: those are in the
roll-ups. The others have an index of their own, so that they are found without the rest.
"""

import msgspec
from sqlalchemy import case, func, literal_column, select
from sqlalchemy import text as sql_text

from tollbridge.insight.axes import Slice
from tollbridge.insight.cube_detail_queries import calls_in
from tollbridge.insight.filter_queries import fell_back
from tollbridge.ledger.wallet_tables import wallet_transactions, wallets
from tollbridge.recording.archive_tables import TIERS
from tollbridge.storage.unit import Unit

CALLS_MAX = 200_000
"""Calls that fell back which one answer looks at: the newest."""
CREDITED_MAX = 50_000
NOBODY = ""


class Flow(msgspec.Struct, frozen=True):
    """Calls that were expected at one provider and served by another, or by it after all."""

    expected: str
    actual: str
    calls: int
    completed: int


class Fallbacks(msgspec.Struct, frozen=True):
    """The calls of a time for which more than one candidate was tried."""

    flows: tuple[Flow, ...]
    is_complete: bool
    """False: only the newest were looked at."""


class Credits(msgspec.Struct, frozen=True):
    """Micro-credits that calls took from wallets, by route and actual provider."""

    by_route: dict[tuple[str, str], int]
    is_complete: bool
    """False: only the newest calls were looked at."""


async def nominal_providers(unit: Unit) -> dict[str, str]:
    """Return model → the provider that users see beside it, as the view `ai_models` has it."""
    named = sql_text("SELECT slug, provider FROM ai_models LIMIT 20000")
    return {str(row[0]): str(row[1]) for row in await unit.connection.execute(named)}


async def credits_taken(unit: Unit, wanted: Slice) -> Credits:
    """Return the credits that the newest 50,000 calls of a time took; nothing without wallets."""
    in_credits = select(wallets.c.wallet_id).where(wallets.c.unit == "credits")
    if (await unit.connection.execute(in_credits.limit(1))).first() is None:
        return Credits({}, is_complete=True)
    found: dict[tuple[str, str], int] = {}
    left = CREDITED_MAX
    for tier in TIERS:
        columns = tier.details.c
        newest = (
            select(columns.call_id, columns.label, columns.actual_provider_name)
            .where(*calls_in(tier.details, wanted))
            .order_by(columns.accounted_at_us.desc())
            .limit(left)
            .subquery()
        )
        seen = await unit.connection.execute(select(func.count()).select_from(newest))
        left -= int(seen.scalar_one())
        taken = wallet_transactions.c
        query = (
            select(newest.c.label, newest.c.actual_provider_name, func.sum(-taken.amount))
            .join_from(newest, wallet_transactions, taken.call_id == newest.c.call_id)
            # As the index of deductions has it.
            .where(taken.kind == literal_column("'deduction'"), taken.wallet_id.in_(in_credits))
            .group_by(newest.c.label, newest.c.actual_provider_name)
        )
        for label, provider, amount in await unit.connection.execute(query):
            found[label, provider] = found.get((label, provider), 0) + int(amount)
        if left <= 0:
            break
    return Credits(found, is_complete=left > 0)


async def fallbacks(unit: Unit, wanted: Slice) -> Fallbacks:
    """Return by expected and actual provider the calls that more than one was tried for."""
    sums: dict[tuple[str, str], list[int]] = {}
    left = CALLS_MAX
    for tier in TIERS:
        columns = tier.details.c
        newest = (
            select(
                func.coalesce(columns.expected_provider, NOBODY).label("expected"),
                columns.actual_provider_name.label("actual"),
                columns.status,
                columns.request_count,
            )
            .where(*calls_in(tier.details, wanted), fell_back(tier.details))
            .order_by(columns.accounted_at_us.desc())
            .limit(left)
            .subquery()
        )
        done = case((newest.c.status == "COMPLETED", newest.c.request_count), else_=0)
        query = select(
            newest.c.expected,
            newest.c.actual,
            func.sum(newest.c.request_count),
            func.sum(done),
            func.count(),
        ).group_by(newest.c.expected, newest.c.actual)
        for expected, actual, calls, completed, rows in await unit.connection.execute(query):
            of_flow = sums.setdefault((expected, actual), [0, 0])
            of_flow[0] += int(calls)
            of_flow[1] += int(completed)
            left -= int(rows)
        if left <= 0:
            break
    flows = tuple(Flow(*names, *counts) for names, counts in sorted(sums.items()))
    return Fallbacks(flows, is_complete=left > 0)
