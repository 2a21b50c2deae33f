import pytest

from tollbridge.access.keys import KeyTerms
from tollbridge.access.store import create_key, revoke_key
from tollbridge.core.errors import OverloadedError
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.store import create_budget
from tollbridge.processes.broadcast import Broadcast
from tollbridge.processes.link import Part
from tollbridge.processes.secrets import Secrets
from tollbridge.processes.snapshot import PartName
from tollbridge.storage.unit import Database

SECRETS = Secrets(pepper=b"p" * 32, signing=b"s" * 32, master=b"m" * 32)
SQLITE = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)


@SQLITE
async def test_only_what_has_changed_is_sent_again_and_keys_go_after_their_limits(
    database: Database,
) -> None:
    sent: list[Part] = []
    broadcast = Broadcast(database, SECRETS, sent.append)
    await broadcast.renew()
    assert {part.name for part in sent} == set(PartName)
    sent.clear()
    assert await broadcast.renew() == []
    async with database.write() as unit:
        await create_key(unit, KeyTerms("guest", "ana"), SECRETS.pepper)
    await broadcast.renew()
    assert [part.name for part in sent] == [PartName.LIMITS, PartName.ACCESS]


@SQLITE
async def test_a_part_that_could_not_be_handed_on_is_handed_on_the_next_time(
    database: Database,
) -> None:
    refused = [PartName.LIMITS.value]
    sent: list[str] = []

    def take(part: Part) -> None:
        if part.name in refused:
            refused.remove(part.name)
            raise OverloadedError("not now")
        sent.append(part.name)

    broadcast = Broadcast(database, SECRETS, take)
    with pytest.raises(OverloadedError):
        await broadcast.renew()
    await broadcast.renew()
    assert set(sent) == set(PartName)


@SQLITE
async def test_a_budget_binds_the_keys_of_its_subject_and_no_revoked_one(
    database: Database,
) -> None:
    async with database.write() as unit:
        for name, user, project in (("a", "ana", "web"), ("b", "ben", "web"), ("c", "ana", "app")):
            await create_key(unit, KeyTerms(name, user, project), SECRETS.pepper)
        await create_key(unit, KeyTerms("gone", "ana", "web"), SECRETS.pepper)
        await revoke_key(unit, "gone")
        for subject in ("organisation:default", "project:web", "user:ana", "key:b"):
            await create_budget(unit, BudgetTerms(subject, subject, 10))
    broadcast = Broadcast(database, SECRETS, lambda _: None)
    await broadcast.renew()
    bound = {
        caller.key_name: {limit.name for limit in broadcast.limits.limits_of(caller)}
        for caller in broadcast.callers
    }
    assert bound == {
        "a": {"organisation:default", "project:web", "user:ana"},
        "b": {"organisation:default", "project:web", "key:b"},
        "c": {"organisation:default", "user:ana"},
    }
