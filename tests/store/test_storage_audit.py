import pytest
from sqlalchemy import Delete, Update, delete, select, update
from sqlalchemy.exc import DBAPIError

from tollbridge.storage.audit import audit_entries, record
from tollbridge.storage.unit import Database


async def test_an_entry_tells_who_did_what_to_whom_and_when(database: Database) -> None:
    async with database.write() as unit:
        before_us = await unit.now_us()
        await record(unit, "cli:ana", "ledger.release", "node:n", {"freed_usd": "1.5"})
    async with database.read() as unit:
        [entry] = (await unit.connection.execute(select(audit_entries))).all()
        assert before_us <= entry.at_us <= await unit.now_us()
    assert (entry.actor, entry.action, entry.subject) == ("cli:ana", "ledger.release", "node:n")
    assert entry.details == {"freed_usd": "1.5"}


async def test_what_is_undone_is_not_told(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as unit:
            await record(unit, "cli:ana", "ledger.release", "node:n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.read() as unit:
        assert (await unit.connection.execute(select(audit_entries))).all() == []


@pytest.mark.parametrize("change", [update(audit_entries).values(actor="x"), delete(audit_entries)])
async def test_nobody_changes_an_entry(database: Database, change: Update | Delete) -> None:
    async with database.write() as unit:
        await record(unit, "cli:ana", "ledger.release", "node:n")
    with pytest.raises(DBAPIError, match="audit_entries are never changed"):
        async with database.write() as unit:
            await unit.connection.execute(change)
