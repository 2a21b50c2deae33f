"""Which rows does a decision need, locked, and how is it written down?

Statements of the drivers, for any number of rows at once. On SQLite a writing unit is alone; on
PostgreSQL the rows of the budget periods are locked first, in key order, by everyone who changes
leases: so two nodes decide one after the other, and never wait in a circle.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, Protocol, Self

import msgspec

from tollbridge.core.errors import BugError
from tollbridge.ledger.allot import (
    ENDED,
    BudgetBound,
    Changes,
    LeaseRow,
    PeriodKey,
    PeriodRow,
    Snapshot,
)
from tollbridge.storage.unit import PostgresDriver, Unit

_BUDGET = "SELECT budget_id, limit_amount, period, enabled FROM budgets WHERE budget_id "
_LEASE = (
    "SELECT lease_id, budget_id, period_start_us, worker, node, granted, settled, returned, state "
    "FROM leases WHERE "
)
# OFFSET 0: one index look-up per row, whatever the planner believes about the sizes.
_LEASES_OF_PAIRS_POSTGRESQL = """
SELECT l.* FROM unnest($1::text[], $2::text[]) AS p (worker, budget_id)
CROSS JOIN LATERAL (
    SELECT lease_id, budget_id, period_start_us, worker, node, granted, settled, returned, state
    FROM leases WHERE worker = p.worker AND budget_id = p.budget_id OFFSET 0
) AS l
"""
_LEASES_BY_ID_POSTGRESQL = """
SELECT l.* FROM unnest($1::text[]) AS p (lease_id)
CROSS JOIN LATERAL (
    SELECT lease_id, budget_id, period_start_us, worker, node, granted, settled, returned, state
    FROM leases WHERE lease_id = p.lease_id OFFSET 0
) AS l
"""
_KEYS_OF_WORKERS_POSTGRESQL = (
    "SELECT DISTINCT budget_id, period_start_us FROM leases WHERE worker = ANY($1::text[])"
)
_OUTSTANDING = "granted - settled - returned > 0"

# Inserts what is missing and locks what is there, in one pass in key order.
_LOCK_POSTGRESQL = """
INSERT INTO budget_periods AS p (budget_id, period_start_us, spent, leased)
SELECT k.budget_id, k.start_us, 0, 0
FROM unnest($1::text[], $2::bigint[]) AS k (budget_id, start_us)
ORDER BY k.budget_id COLLATE "C", k.start_us
ON CONFLICT (budget_id, period_start_us) DO UPDATE SET leased = p.leased
RETURNING p.budget_id, p.period_start_us, p.spent, p.leased
"""
_ADD_PERIOD_SQLITE = """
INSERT INTO budget_periods (budget_id, period_start_us, spent, leased)
VALUES (?, ?, 0, 0) ON CONFLICT DO NOTHING
"""
# The limit once more, in the database's own words: should a decision ever be wrong, no row
# matches and the unit fails.
_MOVE_SQLITE = """
UPDATE budget_periods
SET leased = leased + ?1, recalled_at_us = coalesce(?3, recalled_at_us)
WHERE budget_id = ?4 AND period_start_us = ?5
AND (?1 <= 0 OR ?2 IS NULL OR spent + leased + ?1 <= ?2)
"""
# As an insert whose rows are all there (they are locked), since that needs no join: the column
# spent carries the limit, and is not written.
_MOVE_POSTGRESQL = """
INSERT INTO budget_periods AS p
    (leased, spent, recalled_at_us, budget_id, period_start_us)
SELECT m.moved, coalesce(m.ceiling, 9223372036854775807), m.recalled_at_us, m.budget_id, m.start_us
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[])
     AS m (moved, ceiling, recalled_at_us, budget_id, start_us)
ORDER BY m.budget_id COLLATE "C", m.start_us
ON CONFLICT (budget_id, period_start_us) DO UPDATE
SET leased = p.leased + excluded.leased,
    recalled_at_us = coalesce(excluded.recalled_at_us, p.recalled_at_us)
WHERE excluded.leased <= 0
   OR p.spent + p.leased + excluded.leased <= excluded.spent
"""
_PUT_LEASE_SQLITE = """
INSERT INTO leases (lease_id, budget_id, period_start_us, worker, node,
                    granted, settled, returned, state, ended_at_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (lease_id) DO UPDATE
SET granted = excluded.granted, settled = excluded.settled, returned = excluded.returned,
    state = excluded.state,
    ended_at_us = CASE WHEN excluded.ended_at_us IS NOT NULL
                       THEN coalesce(leases.ended_at_us, excluded.ended_at_us) END
"""
_PUT_LEASE_POSTGRESQL = """
INSERT INTO leases (lease_id, budget_id, period_start_us, worker, node,
                    granted, settled, returned, state, ended_at_us)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[],
                     $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::bigint[])
ON CONFLICT (lease_id) DO UPDATE
SET granted = excluded.granted, settled = excluded.settled, returned = excluded.returned,
    state = excluded.state,
    ended_at_us = CASE WHEN excluded.ended_at_us IS NOT NULL
                       THEN coalesce(leases.ended_at_us, excluded.ended_at_us) END
"""


class SqliteCursor(Protocol):
    """What a statement answers on SQLite."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        ...

    def __iter__(self) -> Self: ...

    def __next__(self) -> Any: ...


class SqliteConnection(Protocol):
    """The part of the SQLite driver's connection that is used inside a unit."""

    def execute(self, sql: str, parameters: Sequence[Any], /) -> SqliteCursor:
        """Run a statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> SqliteCursor:
        """Run a statement once for each row."""
        ...


class Scope(msgspec.Struct, frozen=True):
    """Which rows are needed."""

    budget_ids: tuple[str, ...] = ()
    """Budgets, with their running period."""
    pairs: tuple[tuple[str, str], ...] = ()
    """(worker, budget id): leases of one worker."""
    lease_ids: tuple[str, ...] = ()
    keys: tuple[PeriodKey, ...] = ()
    """Budget periods of leases that the database may not know."""
    worker: str | None = None
    """All leases of one worker."""
    node: str | None = None
    """All leases of one node that still lease something."""


async def load(
    unit: Unit, scope: Scope, zone: tzinfo, bounds: Mapping[str, BudgetBound] | None = None
) -> Snapshot:
    """Return the rows of a scope as they stand; nobody else changes them until the unit ends.

    `bounds` are those of limits that have no row among the budgets.
    """
    now_us = await unit.now_us()
    known = dict(bounds or {})
    if unit.dialect == "postgresql":
        return await _load_postgresql(await unit.postgres_driver(), scope, known, now_us, zone)
    return await unit.run_script_sync(
        lambda connection: _load_sqlite(connection, scope, known, now_us, zone),
    )


async def lock(unit: Unit, keys: Iterable[PeriodKey], workers: Collection[str]) -> None:
    """Lock some budget periods and all in which some workers have leases, in key order.

    For a unit that takes more than one step on them: each step by itself would be in order, and
    two of them not. On SQLite a writing unit is alone already.
    """
    if unit.dialect != "postgresql":
        return
    driver = await unit.postgres_driver()
    found = await driver.fetch(_KEYS_OF_WORKERS_POSTGRESQL, sorted(workers))
    wanted = sorted({*keys, *((row[0], row[1]) for row in found)})
    if wanted:
        await driver.fetch(_LOCK_POSTGRESQL, *columns(wanted))


async def write(unit: Unit, now_us: int, changes: Changes) -> None:
    """Write what was decided on locked rows. Raises BugError where it breaks a limit."""
    moves = [
        (
            changes.leased.get(key, 0),
            changes.ceilings.get(key),
            now_us if key in changes.recalled else None,
            *key,
        )
        for key in sorted(changes.leased.keys() | changes.recalled)
    ]
    leases = [
        (
            row.lease_id,
            row.budget_id,
            row.period_start_us,
            row.worker,
            row.node,
            row.granted,
            row.settled,
            row.returned,
            row.state,
            now_us if row.state == ENDED else None,
        )
        for row in sorted(changes.leases.values(), key=lambda row: row.lease_id)
    ]
    if not moves and not leases:
        return
    if unit.dialect == "postgresql":
        moved = await _write_postgresql(await unit.postgres_driver(), moves, leases)
    else:
        moved = await unit.run_script_sync(
            lambda connection: _write_sqlite(connection, moves, leases),
        )
    if moved != len(moves):
        raise BugError("a grant would have broken a budget's limit; it was not made")


def _keys(
    budgets: dict[str, BudgetBound],
    scope: Scope,
    more: Iterable[PeriodKey],
    now_us: int,
    zone: tzinfo,
) -> set[PeriodKey]:
    """Return the period keys of a scope: the running ones of its budgets, and `more`."""
    keys = {*scope.keys, *more}
    for budget_id in scope.budget_ids:
        bound = budgets.get(budget_id) or BudgetBound(budget_id, None)
        keys.add((budget_id, bound.running(now_us, zone)[0]))
    return keys


def _bounds(rows: Iterable[Sequence[Any]]) -> dict[str, BudgetBound]:
    return {row[0]: BudgetBound(row[0], row[1] if row[3] else None, row[2]) for row in rows}


def _load_sqlite(
    connection: SqliteConnection,
    scope: Scope,
    known: dict[str, BudgetBound],
    now_us: int,
    zone: tzinfo,
) -> Snapshot:
    def each(sql: str, parameters: Iterable[Sequence[Any]]) -> list[Any]:
        return [row for one in parameters for row in connection.execute(sql, one)]

    found = each(f"{_LEASE} worker = ? AND budget_id = ?", scope.pairs)
    found += each(f"{_LEASE} lease_id = ?", [(one,) for one in scope.lease_ids])
    if scope.worker is not None:
        found += each(f"{_LEASE} worker = ?", [(scope.worker,)])
    if scope.node is not None:
        found += each(f"{_LEASE} node = ? AND {_OUTSTANDING}", [(scope.node,)])
    leases = {row[0]: LeaseRow(*row) for row in found}
    budget_ids = {*scope.budget_ids, *(lease.budget_id for lease in leases.values())}
    budgets = _bounds(each(f"{_BUDGET} = ?", [(one,) for one in sorted(budget_ids)])) | known
    keys = _keys(budgets, scope, (lease.key for lease in leases.values()), now_us, zone)
    counters = each(
        "SELECT budget_id, period_start_us, spent, leased FROM budget_periods "
        "WHERE budget_id = ? AND period_start_us = ?",
        sorted(keys),
    )
    periods = {(row[0], row[1]): PeriodRow(row[2], row[3]) for row in counters}
    return Snapshot(now_us, budgets, periods, leases)


def _write_sqlite(
    connection: SqliteConnection,
    moves: list[tuple[Any, ...]],
    leases: list[tuple[Any, ...]],
) -> int:
    connection.executemany(_ADD_PERIOD_SQLITE, [move[3:] for move in moves])
    moved = connection.executemany(_MOVE_SQLITE, moves).rowcount if moves else 0
    connection.executemany(_PUT_LEASE_SQLITE, leases)
    return moved


async def _load_postgresql(
    driver: PostgresDriver,
    scope: Scope,
    known: dict[str, BudgetBound],
    now_us: int,
    zone: tzinfo,
) -> Snapshot:
    found = await _leases_postgresql(driver, scope)
    budget_ids = {*scope.budget_ids, *(lease.budget_id for lease in found)}
    rows = await driver.fetch(f"{_BUDGET} = ANY($1::text[])", sorted(budget_ids))
    budgets = _bounds(rows) | known
    wanted = _keys(budgets, scope, (lease.key for lease in found), now_us, zone)
    keys = sorted(wanted)
    locked = await driver.fetch(_LOCK_POSTGRESQL, [k[0] for k in keys], [k[1] for k in keys])
    periods = {(row[0], row[1]): PeriodRow(row[2], row[3]) for row in locked}
    # Read again now that nobody else can change them.
    leases = await _leases_postgresql(driver, scope)
    return Snapshot(
        now_us,
        budgets,
        periods,
        {lease.lease_id: lease for lease in leases if lease.key in periods},
    )


async def _leases_postgresql(driver: PostgresDriver, scope: Scope) -> list[LeaseRow]:
    rows: list[Any] = []
    if scope.pairs:
        rows += await driver.fetch(
            _LEASES_OF_PAIRS_POSTGRESQL,
            [pair[0] for pair in scope.pairs],
            [pair[1] for pair in scope.pairs],
        )
    if scope.lease_ids:
        rows += await driver.fetch(_LEASES_BY_ID_POSTGRESQL, list(scope.lease_ids))
    if scope.worker is not None:
        rows += await driver.fetch(f"{_LEASE} worker = $1", scope.worker)
    if scope.node is not None:
        rows += await driver.fetch(f"{_LEASE} node = $1 AND {_OUTSTANDING}", scope.node)
    return [LeaseRow(*row) for row in rows]


async def leases_by_id(driver: PostgresDriver, lease_ids: Sequence[str]) -> dict[str, LeaseRow]:
    """Return those of some leases that there are, on PostgreSQL."""
    found = await driver.fetch(_LEASES_BY_ID_POSTGRESQL, list(lease_ids))
    return {row[0]: LeaseRow(*row) for row in found}


async def _write_postgresql(
    driver: PostgresDriver,
    moves: list[tuple[Any, ...]],
    leases: list[tuple[Any, ...]],
) -> int:
    moved = 0
    if moves:
        status = await driver.execute(_MOVE_POSTGRESQL, *columns(moves))
        moved = int(status.rpartition(" ")[2])
    if leases:
        await driver.execute(_PUT_LEASE_POSTGRESQL, *columns(leases))
    return moved


def columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Turn rows into one array per column, as `unnest` takes them."""
    return [list(column) for column in zip(*rows, strict=True)]
