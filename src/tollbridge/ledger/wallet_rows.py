"""Which rows does a book of a wallet need, locked, and how is it written down?

Statements of the drivers, for any number of wallets at once: one for each table. On SQLite a
writing unit is alone; on PostgreSQL the rows of the wallets are locked first, in the order of
their ids, and only then is the rest read, and the clock.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Self

import msgspec

from tollbridge.ledger.rows import SqliteConnection, columns
from tollbridge.ledger.wallet_book import Book
from tollbridge.ledger.wallets import Entry, Grant, Hold, State, Transaction
from tollbridge.storage.unit import Unit

_WALLETS = """
SELECT wallet_id, overdraft, balance, held, transaction_count, last_at_us
FROM wallets WHERE wallet_id
"""
_GRANTS = """
SELECT wallet_id, number, kind, amount, remaining, priority, granted_at_us, expires_at_us
FROM wallet_grants WHERE wallet_id
"""
_LIVE = """
SELECT wallet_id, number, kind, amount, remaining, priority, granted_at_us, expires_at_us
FROM wallet_grants WHERE remaining <> 0 AND wallet_id
"""
_OPEN = """
SELECT wallet_id, number, amount, expires_at_us, is_open
FROM wallet_holds WHERE is_open AND wallet_id
"""
_KNOWN = "SELECT call_id, wallet_id FROM wallet_transactions WHERE kind = 'deduction' AND call_id"

_LOCK_POSTGRESQL = """
WITH locked AS MATERIALIZED (
    SELECT wallet_id, overdraft, balance, held, transaction_count, last_at_us
    FROM wallets WHERE wallet_id = ANY($1::text[]) ORDER BY wallet_id COLLATE "C" FOR UPDATE
)
SELECT wallet_id, overdraft, balance, held, transaction_count, last_at_us,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
FROM locked
"""
_WALLET_SQLITE = """
UPDATE wallets SET balance = ?, held = ?, transaction_count = ?, last_at_us = ? WHERE wallet_id = ?
"""
_WALLET_POSTGRESQL = """
UPDATE wallets AS w
SET balance = n.balance, held = n.held, transaction_count = n.count, last_at_us = n.last_at_us
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
     AS n (balance, held, count, last_at_us, wallet_id)
WHERE w.wallet_id = n.wallet_id
"""
_PUT_GRANT = """
INSERT INTO wallet_grants (wallet_id, number, kind, amount, remaining, priority,
                           granted_at_us, expires_at_us)
{values}
ON CONFLICT (wallet_id, number) DO UPDATE SET remaining = excluded.remaining
"""
_PUT_GRANT_SQLITE = _PUT_GRANT.format(values="VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
_PUT_GRANT_POSTGRESQL = _PUT_GRANT.format(
    values="SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], "
    "$5::bigint[], $6::integer[], $7::bigint[], $8::bigint[])"
)
_PUT_HOLD = """
INSERT INTO wallet_holds (wallet_id, number, amount, expires_at_us, is_open)
{values}
ON CONFLICT (wallet_id, number) DO UPDATE SET is_open = excluded.is_open
"""
_PUT_HOLD_SQLITE = _PUT_HOLD.format(values="VALUES (?, ?, ?, ?, ?)")
_PUT_HOLD_POSTGRESQL = _PUT_HOLD.format(
    values="SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], "
    "$5::boolean[])"
)
_TRANSACTION = tuple(Transaction.__struct_fields__)
_ENTRY = tuple(Entry.__struct_fields__)


_ADD_TRANSACTION_SQLITE = """
INSERT INTO wallet_transactions (
    wallet_id, number, kind, phase, amount, held, balance_after, held_after, is_overrun,
    about_number, posted_at_us, recorded_at_us, call_id, operation, model, tokens, images,
    price_nanousd, actor, note, idempotency_key, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ADD_ENTRY_SQLITE = """
INSERT INTO wallet_entries (wallet_id, number, line, source, target, amount)
VALUES (?, ?, ?, ?, ?, ?)
"""


class Loaded(msgspec.Struct, frozen=True):
    """What is kept of some wallets."""

    states: dict[str, State]
    grants: dict[str, list[Grant]]
    """Those with something left."""
    holds: dict[str, list[Hold]]
    """Those that are open."""
    now_us: dict[str, int]
    """The database's clock, read once each wallet was locked."""

    @classmethod
    def of(
        cls, states: Iterable[Any], grants: Iterable[Any], holds: Iterable[Any], now_us: int | None
    ) -> Self:
        """Return rows of the drivers by wallet; without `now_us` it is the states' last column."""
        found = cls({}, {}, {}, {})
        for row in states:
            one = tuple(row)
            found.states[one[0]] = State(*one[:6])
            found.now_us[one[0]] = one[6] if now_us is None else now_us
        for row in grants:
            grant = _grant(row)
            found.grants.setdefault(grant.wallet_id, []).append(grant)
        for row in holds:
            hold = Hold(
                wallet_id=row[0],
                number=row[1],
                amount=row[2],
                expires_at_us=row[3],
                is_open=bool(row[4]),
            )
            found.holds.setdefault(hold.wallet_id, []).append(hold)
        return found

    def books(self, at_us: int | None, more: Iterable[Grant] = ()) -> dict[str, Book]:
        """Open a book of each wallet, at an instant: never later than the database's now."""
        extra = list(more)
        return {
            one: Book(
                state,
                [*(grant for grant in extra if grant.wallet_id == one), *self.grants.get(one, ())],
                self.holds.get(one, ()),
                self.now_us[one] if at_us is None else min(at_us, self.now_us[one]),
            )
            for one, state in self.states.items()
        }


async def lock(unit: Unit, wallet_ids: Collection[str]) -> Loaded:
    """Lock wallets, and read what is open of them; those that are not there are not in it."""
    ids = sorted(set(wallet_ids))
    if unit.dialect == "postgresql":
        driver = await unit.postgres_driver()
        states = await driver.fetch(_LOCK_POSTGRESQL, ids)
        # In statements of their own: they see what others wrote before the lock was ours.
        grants = await driver.fetch(f"{_LIVE} = ANY($1::text[])", ids)
        holds = await driver.fetch(f"{_OPEN} = ANY($1::text[])", ids)
        return Loaded.of(states, grants, holds, None)
    now_us = await unit.now_us()
    rows = await unit.run_script_sync(lambda connection: _read_sqlite(connection, ids))
    return Loaded.of(*rows, now_us)


async def read(unit: Unit, wallet_ids: Collection[str], now_us: int) -> Loaded:
    """Read what is open of some wallets, without a lock; nothing may be written from it."""
    ids = sorted(set(wallet_ids))
    if unit.dialect == "postgresql":
        driver = await unit.postgres_driver()
        states, grants, holds = [
            await driver.fetch(f"{sql} = ANY($1::text[])", ids) for sql in (_WALLETS, _LIVE, _OPEN)
        ]
    else:
        states, grants, holds = await unit.run_script_sync(
            lambda connection: _read_sqlite(connection, ids)
        )
    return Loaded.of(states, grants, holds, now_us)


async def grants_of(unit: Unit, wallet_id: str, numbers: Collection[int]) -> list[Grant]:
    """Return grants of a wallet by number, with something left or not."""
    if unit.dialect == "postgresql":
        driver = await unit.postgres_driver()
        found = await driver.fetch(
            f"{_GRANTS} = $1 AND number = ANY($2::bigint[])", wallet_id, list(numbers)
        )
        return [_grant(row) for row in found]

    def run(connection: SqliteConnection) -> list[Grant]:
        return [
            _grant(row)
            for number in numbers
            for row in connection.execute(f"{_GRANTS} = ? AND number = ?", (wallet_id, number))
        ]

    return await unit.run_script_sync(run)


async def known_calls(unit: Unit, call_ids: Sequence[str]) -> set[tuple[str, str]]:
    """Return which calls were paid for already: (call id, wallet id)."""
    if unit.dialect == "postgresql":
        driver = await unit.postgres_driver()
        found = await driver.fetch(f"{_KNOWN} = ANY($1::uuid[])", call_ids)
        return {(str(row[0]), row[1]) for row in found}

    def run(connection: SqliteConnection) -> set[tuple[str, str]]:
        rows: set[tuple[str, str]] = set()
        for call_id in call_ids:
            rows.update(connection.execute(f"{_KNOWN} = ?", (call_id,)))
        return rows

    return await unit.run_script_sync(run)


async def write(unit: Unit, books: Iterable[Book]) -> None:
    """Write down what was added to some books."""
    changed = [book for book in books if book.transactions]
    if not changed:
        return
    states = [
        (book.balance, book.held, book.count, book.at_us, book.state.wallet_id) for book in changed
    ]
    done = [msgspec.structs.astuple(one) for book in changed for one in book.transactions]
    entries = [msgspec.structs.astuple(one) for book in changed for one in book.entries]
    grants = [
        msgspec.structs.astuple(one) for book in changed for one in book.moved_grants.values()
    ]
    holds = [msgspec.structs.astuple(one) for book in changed for one in book.moved_holds.values()]
    if unit.dialect == "postgresql":
        driver = await unit.postgres_driver()
        await driver.copy_records_to_table(
            "wallet_transactions", records=done, columns=_TRANSACTION
        )
        await driver.copy_records_to_table("wallet_entries", records=entries, columns=_ENTRY)
        for sql, rows in (
            (_PUT_GRANT_POSTGRESQL, grants),
            (_PUT_HOLD_POSTGRESQL, holds),
            (_WALLET_POSTGRESQL, states),
        ):
            if rows:
                await driver.execute(sql, *columns(rows))
        return

    def run(connection: SqliteConnection) -> None:
        connection.executemany(_ADD_TRANSACTION_SQLITE, done)
        connection.executemany(_ADD_ENTRY_SQLITE, entries)
        connection.executemany(_PUT_GRANT_SQLITE, grants)
        connection.executemany(_PUT_HOLD_SQLITE, holds)
        connection.executemany(_WALLET_SQLITE, states)

    await unit.run_script_sync(run)


def _read_sqlite(
    connection: SqliteConnection, ids: Sequence[str]
) -> tuple[list[Any], list[Any], list[Any]]:
    def each(sql: str) -> list[Any]:
        return [row for one in ids for row in connection.execute(sql, (one,))]

    return (
        each(f"{_WALLETS} = ?"),
        each(f"{_LIVE} = ?"),
        each(f"{_OPEN} = ?"),
    )


def _grant(row: Sequence[Any]) -> Grant:
    return Grant(**dict(zip(Grant.__struct_fields__, row, strict=True)))
