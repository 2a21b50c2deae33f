"""Which leases does nobody need any more?

A lease that has ended and leases nothing has no part in any sum: its charges are in the postings,
and a charge that comes late counts without it. What a call in quarantine holds is still leased.
"""

from tollbridge.ledger.rows import SqliteConnection, columns, lock
from tollbridge.storage.unit import Unit

PIECE_ROWS_MAX = 1000

_PRUNE_SQLITE = """
DELETE FROM leases WHERE lease_id IN (
    SELECT lease_id FROM leases
    WHERE ended_at_us < ?1 AND state = 'ended' AND granted - settled - returned <= 0
    ORDER BY ended_at_us LIMIT ?2)
"""
_FIND_POSTGRESQL = """
SELECT lease_id, budget_id, period_start_us FROM leases
WHERE ended_at_us < $1::bigint AND state = 'ended' AND granted - settled - returned <= 0
ORDER BY ended_at_us LIMIT $2
"""
_PRUNE_POSTGRESQL = """
DELETE FROM leases WHERE lease_id = ANY($2::text[])
AND ended_at_us < $1::bigint AND state = 'ended' AND granted - settled - returned <= 0
"""


async def prune(unit: Unit, before_us: int, rows_max: int = PIECE_ROWS_MAX) -> int:
    """Delete leases that ended before an instant and lease nothing; return how many.

    At most `rows_max`: where it returns as many, there may be more.
    """
    if unit.dialect != "postgresql":

        def run(connection: SqliteConnection) -> int:
            return connection.execute(_PRUNE_SQLITE, (before_us, rows_max)).rowcount

        return await unit.run_script_sync(run)
    driver = await unit.postgres_driver()
    found = await driver.fetch(_FIND_POSTGRESQL, before_us, rows_max)
    if not found:
        return 0
    lease_ids, budget_ids, starts_us = columns(found)
    # Whoever changes leases holds their periods; then looked at again.
    await lock(unit, zip(budget_ids, starts_us, strict=True), ())
    status = await driver.execute(_PRUNE_POSTGRESQL, before_us, lease_ids)
    return int(status.rpartition(" ")[2])
