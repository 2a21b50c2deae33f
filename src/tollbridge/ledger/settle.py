"""What was spent, and what falls back? The drain's part, in the transaction that records calls.

Only charges of calls that the batch really inserted are passed, so that a call is posted once.
A batch does spent += charge and leased -= its part, and writes both sides of each entry.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tollbridge.core.limits import LimitKind
from tollbridge.core.settlement import CallUse, Settlement
from tollbridge.ledger.allot import Changes
from tollbridge.ledger.postings import entries
from tollbridge.ledger.rows import SqliteConnection, columns, leases_by_id, lock, write
from tollbridge.ledger.wallet_store import deduct
from tollbridge.ledger.wallets import WalletDeduction, wallet_id_of
from tollbridge.storage.unit import Unit

# A lease's part in `leased` is max(0, granted - settled - returned); a charge lessens it. A lease
# that is unknown (the database was cut back by a power failure) has no part; its charge counts.
# Usually a period is charged through one lease only: its spending and its part then move in one
# statement; the parts of further leases follow.
_SPEND_SQLITE = """
INSERT INTO budget_periods (budget_id, period_start_us, spent, leased)
VALUES (?1, ?2, ?3, 0)
ON CONFLICT DO UPDATE SET
    spent = spent + ?3,
    leased = leased + coalesce((
        SELECT max(0, granted - settled - returned - ?5) - max(0, granted - settled - returned)
        FROM leases WHERE lease_id = ?4 AND budget_id = ?1 AND period_start_us = ?2), 0)
"""
_UNLEASE_SQLITE = """
UPDATE budget_periods SET leased = leased + coalesce((
    SELECT max(0, granted - settled - returned - ?1) - max(0, granted - settled - returned)
    FROM leases WHERE lease_id = ?2 AND budget_id = ?3 AND period_start_us = ?4), 0)
WHERE budget_id = ?3 AND period_start_us = ?4
"""
_SETTLE_SQLITE = """
UPDATE leases SET settled = settled + ?1
WHERE lease_id = ?2 AND budget_id = ?3 AND period_start_us = ?4
"""
_POST_SQLITE = "INSERT INTO postings (batch_id, account, amount, posted_at_us) VALUES (?, ?, ?, ?)"

# In key order, and before any lease is read: whoever changes leases holds these rows.
_SPEND_POSTGRESQL = """
INSERT INTO budget_periods AS p (budget_id, period_start_us, spent, leased)
SELECT s.budget_id, s.start_us, s.spent, 0
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS s (budget_id, start_us, spent)
ORDER BY s.budget_id COLLATE "C", s.start_us
ON CONFLICT (budget_id, period_start_us)
DO UPDATE SET spent = p.spent + excluded.spent
"""
_POST_POSTGRESQL = """
INSERT INTO postings (batch_id, account, amount, posted_at_us)
SELECT $1::uuid, p.account, p.amount, $4::bigint
FROM unnest($2::text[], $3::bigint[]) AS p (account, amount)
"""


async def settle(
    unit: Unit,
    batch_id: str,
    settlements: Iterable[Settlement],
    provider_costs: Mapping[str, int],
    posted_at_us: int,
    *,
    also: Collection[str] = (),
) -> None:
    """Post a batch: what counts in limits, and what providers bill (name → nano-USD).

    `batch_id` is a UUID that was never posted before; posting it again raises the driver's
    integrity error, and the unit fails. `also` names workers whose leases the same unit ends
    later: their rows are locked together with those of the charges.
    """
    charges: dict[tuple[str, int], int] = {}
    leases: dict[tuple[str, int, str], int] = {}
    kinds: dict[str, LimitKind] = {}
    deductions: list[WalletDeduction] = []
    for one in settlements:
        kinds[one.budget_id] = one.kind
        wallet_id = None if one.use is None else wallet_id_of(one.budget_id)
        if one.use is not None and wallet_id is not None:
            deductions.append(_deduction(wallet_id, one.amount, one.use))
        period = (one.budget_id, one.period_start_us)
        charges[period] = charges.get(period, 0) + one.amount
        lease = (one.budget_id, one.period_start_us, one.lease_id)
        leases[lease] = leases.get(lease, 0) + one.amount
    spent = sorted((*key, amount) for key, amount in charges.items())
    settled = sorted((*key, amount) for key, amount in leases.items())
    posted = entries(charges, provider_costs, kinds)
    if unit.dialect == "postgresql":
        if also:
            await lock(unit, charges, also)
        await _settle_postgresql(unit, (batch_id, posted_at_us), spent, settled, posted)
        await deduct(unit, deductions, posted_at_us)
        return

    first = {(budget, start): (lease, charge) for budget, start, lease, charge in settled}
    each = [(charge, lease, budget, start) for budget, start, lease, charge in settled]
    others = [row for row in each if first[row[2], row[3]][0] != row[1]]

    def run(connection: SqliteConnection) -> None:
        connection.executemany(
            _SPEND_SQLITE,
            [(budget, start, amount, *first[budget, start]) for budget, start, amount in spent],
        )
        connection.executemany(_UNLEASE_SQLITE, others)
        connection.executemany(_SETTLE_SQLITE, each)
        connection.executemany(
            _POST_SQLITE,
            [(batch_id, account, amount, posted_at_us) for account, amount in posted],
        )

    await unit.run_script_sync(run)
    await deduct(unit, deductions, posted_at_us)


def _deduction(wallet_id: str, amount: int, use: CallUse) -> WalletDeduction:
    return WalletDeduction(
        call_id=use.call_id,
        wallet_id=wallet_id,
        amount=amount,
        operation=use.operation,
        model=use.model,
        tokens=use.tokens,
        images=use.images,
    )


async def _settle_postgresql(
    unit: Unit,
    batch: tuple[str, int],
    spent: Sequence[tuple[Any, ...]],
    settled: Sequence[tuple[str, int, str, int]],
    posted: Sequence[tuple[str, int]],
) -> None:
    driver = await unit.postgres_driver()
    if spent:
        await driver.execute(_SPEND_POSTGRESQL, *columns(spent))
        leases = await leases_by_id(driver, sorted({row[2] for row in settled}))
        changes = Changes()
        for budget_id, start_us, lease_id, charge in settled:
            lease = leases.get(lease_id)
            if lease is not None and lease.key == (budget_id, start_us):
                before = lease.part
                lease.settled += charge
                changes.leases[lease_id] = lease
                if lease.part != before:
                    moved = changes.leased
                    moved[lease.key] = moved.get(lease.key, 0) + lease.part - before
        await write(unit, batch[1], changes)
    if posted:
        batch_id, posted_at_us = batch
        await driver.execute(_POST_POSTGRESQL, batch_id, *columns(posted), posted_at_us)
