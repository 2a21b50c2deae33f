"""How much of a limit is there, and over which period, where no budget's row says it?

A plan's limits follow from the user's subscription as it stands, over its month. A wallet's is what
may be spent of it at this moment, until the first of its grants expires.
"""

from collections.abc import Iterable
from datetime import tzinfo

import msgspec

from tollbridge.ledger import wallet_store
from tollbridge.ledger.allot import BudgetBound, Snapshot
from tollbridge.ledger.applying import PLAN, plan_limit_id, user_and_rule
from tollbridge.ledger.periods import END_OF_TIME_US
from tollbridge.ledger.subscription_store import standing
from tollbridge.ledger.subscriptions import Standing
from tollbridge.ledger.wallets import wallet_id_of
from tollbridge.storage.unit import Unit


async def plan_bounds(
    unit: Unit, limit_ids: Iterable[str], now_us: int, zone: tzinfo
) -> dict[str, BudgetBound]:
    """Return the bounds of those of some limits that are a plan's."""
    found: dict[str, BudgetBound] = {}
    standings: dict[str, Standing] = {}
    for user, rule in sorted(user_and_rule(one) for one in limit_ids if one.startswith(PLAN)):
        if user not in standings:
            standings[user] = await standing(unit, user, zone, now_us)
        holds = standings[user]
        amount = None if holds.plan is None else holds.plan.terms.limit(rule)
        limit_id = plan_limit_id(user, rule)
        month = (holds.month.start_us, holds.month.end_us)
        found[limit_id] = BudgetBound(limit_id, amount, window=month)
    return found


async def fill(unit: Unit, snapshot: Snapshot, zone: tzinfo, asked: Iterable[str] = ()) -> None:
    """Put into a snapshot, whose rows are locked, the bounds that no row of its own says.

    `asked` are the limits that a decision is about: nothing may be leased of them so far.
    """
    ids = {*asked, *snapshot.budgets, *(lease.budget_id for lease in snapshot.leases.values())}
    missing = [one for one in ids if one.startswith(PLAN) and one not in snapshot.budgets]
    snapshot.budgets |= await plan_bounds(unit, missing, snapshot.now_us, zone)
    wallets = {wallet_id: one for one in ids if (wallet_id := wallet_id_of(one)) is not None}
    if not wallets:
        return
    # Read now that the wallets' periods are locked: who takes from a wallet holds them too.
    rooms = await wallet_store.rooms(unit, sorted(wallets), snapshot.now_us)
    for wallet_id, limit_id in wallets.items():
        period = snapshot.periods.get((limit_id, 0))
        spent = 0 if period is None else period.spent
        room = rooms.get(wallet_id)
        bound = BudgetBound(limit_id, spent, window=(0, END_OF_TIME_US))
        if room is not None:
            # What was spent is in the balance already.
            end_us = END_OF_TIME_US if room.expires_at_us is None else room.expires_at_us
            bound = msgspec.structs.replace(bound, limit=spent + room.available, window=(0, end_us))
        snapshot.budgets[limit_id] = bound
