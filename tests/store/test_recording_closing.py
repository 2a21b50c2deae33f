"""Calls that cannot be closed together are closed one by one, and the one at fault is named."""

from collections.abc import Sequence
from datetime import UTC

from tests.support.drained import rows
from tests.support.recorded import NOON_US, CallSpec, a_close, a_closer, ended_calls
from tollbridge.core.account import CallAccount
from tollbridge.core.evidence import CallEvidence
from tollbridge.recording.closing import Close
from tollbridge.recording.rebuild import rebuild_rollups
from tollbridge.recording.record import UnitBooks
from tollbridge.storage.unit import Database

CALLS = "SELECT user_name FROM call_details ORDER BY user_name"


async def close_one_by_one(
    database: Database, close: Close, users: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return whose calls came into the books, and whose did not, by what they were told."""
    closer = a_closer(database, close)
    calls = ended_calls([CallSpec(user=user) for user in users])
    async with database.write() as unit:
        books, culprits = await closer.one_by_one(unit, calls, NOON_US)
    assert [row[0] for row in await rows(database, CALLS)] == sorted(
        account.evidence.opened.caller.user for account in books.added
    )
    async with database.read() as unit:
        assert await rebuild_rollups(unit, UTC) == []
    return sorted(row[0] for row in await rows(database, CALLS)), [one.error for one in culprits]


async def test_the_one_at_fault_is_put_aside_and_the_others_are_closed(database: Database) -> None:
    inner = await a_close(database)

    async def close(batch: Sequence[CallEvidence], books: UnitBooks) -> Sequence[CallAccount]:
        added = await inner(batch, books)
        if any(one.opened.caller.user == "bob" for one in batch):
            raise ValueError("bob")
        return added

    closed = await close_one_by_one(database, close, ["cid", "bob", "ada"])
    assert closed == (["ada", "cid"], ["ValueError: bob"])


async def test_of_calls_that_can_only_be_closed_without_each_other_the_first_is(
    database: Database,
) -> None:
    """Such as those that together would take a sum over what the database can hold."""
    inner = await a_close(database)

    async def close(batch: Sequence[CallEvidence], books: UnitBooks) -> Sequence[CallAccount]:
        if len(batch) + len(books.added) > 1:
            raise ValueError("too much")
        return await inner(batch, books)

    closed = await close_one_by_one(database, close, ["bob", "ada"])
    assert closed == (["bob"], ["ValueError: too much"])
