"""Leases that have long ended go, and no figure changes by it."""

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select

from tests.support.ledger import KeptInDatabase
from tollbridge.core.call import new_id
from tollbridge.core.clock import SystemClock
from tollbridge.core.limits import Granted, Need
from tollbridge.core.settlement import Settlement
from tollbridge.ledger.agreed import AgreedLeases
from tollbridge.ledger.allot import LeaseTotals, MoneyAsk, Shortage, Turn
from tollbridge.ledger.prune import prune
from tollbridge.ledger.tables import leases
from tollbridge.processes.pruning import PIECES_MAX, prune_leases
from tollbridge.storage import migrate
from tollbridge.storage.unit import Database

CLOCK = SystemClock()
LATER_US = 3600 * 1_000_000


@pytest.fixture
async def kept(database: Database) -> KeptInDatabase:
    made = KeptInDatabase(database)
    await made.budget("b", 1_000_000)
    return made


async def granted(kept: KeptInDatabase, worker: str, amount: int = 100) -> Granted:
    agreed = AgreedLeases(lambda: new_id(CLOCK.now_us()))
    ask = MoneyAsk(worker, (Need("b", amount, amount),))
    (outcome,) = await kept.ledger.allot(Turn((ask,)), agreed.lease_of)
    assert not isinstance(outcome, Shortage)
    return outcome[0]


async def charge(kept: KeptInDatabase, lease: Granted, amount: int) -> None:
    one = Settlement(lease.lease_id, "b", lease.period_start_us, amount)
    await kept.settle(new_id(CLOCK.now_us()), [one], {"p": amount})


async def pruned(kept: KeptInDatabase, later_us: int = LATER_US, rows_max: int = 1000) -> int:
    async with kept.database.write() as unit:
        return await prune(unit, await unit.now_us() + later_us, rows_max)


async def left(kept: KeptInDatabase) -> set[str]:
    async with kept.database.read() as unit:
        return set((await unit.connection.execute(select(leases.c.worker))).scalars())


async def test_what_has_ended_goes_and_the_books_balance_before_and_after(
    kept: KeptInDatabase,
) -> None:
    """Spent in part, overrun, and not at all: none of them has a part in any sum."""
    for worker, amount in (("part", 40), ("overrun", 170), ("nothing", 0)):
        await charge(kept, await granted(kept, worker), amount)
        await kept.remainder(worker)
    before = (await kept.counters("b"), await kept.posted())
    assert await kept.books() == []
    assert await pruned(kept) == 3
    assert await left(kept) == set()
    assert (await kept.counters("b"), await kept.posted()) == before == ((210, 0), before[1])
    assert await kept.books() == []


async def test_what_is_active_young_or_still_leased_stays(kept: KeptInDatabase) -> None:
    await charge(kept, await granted(kept, "active"), 100)
    held = await granted(kept, "held in quarantine")
    await kept.remainder("held in quarantine", {held.lease_id: 30})
    await granted(kept, "ended")
    await kept.remainder("ended")
    assert await pruned(kept, later_us=-LATER_US) == 0
    assert await pruned(kept) == 1
    assert await left(kept) == {"active", "held in quarantine"}
    # Its hold falls free, and now it may go; it ended when its worker did.
    await kept.remainder("held in quarantine")
    assert await pruned(kept) == 1
    assert await kept.books() == []


async def test_a_charge_that_comes_after_its_lease_is_gone_counts_all_the_same(
    kept: KeptInDatabase,
) -> None:
    lease = await granted(kept, "w")
    await kept.remainder("w")
    await pruned(kept)
    await charge(kept, lease, 25)
    assert await kept.counters("b") == (25, 0)
    assert await kept.books() == []


async def test_a_lease_whose_worker_says_that_it_lives_is_not_pruned(kept: KeptInDatabase) -> None:
    lease = await granted(kept, "w")
    await kept.release("node")
    told = LeaseTotals(lease.lease_id, "b", lease.period_start_us, "w", 100, 0)
    await kept.ledger.greet("w", [told])
    await charge(kept, lease, 100)
    assert await pruned(kept) == 0


async def test_one_go_is_bounded_and_the_next_goes_on(kept: KeptInDatabase) -> None:
    many = 2 * PIECES_MAX + 3
    row = {"budget_id": "b", "period_start_us": 0, "node": "n", "granted": 5, "settled": 5}
    rows = [
        {**row, "lease_id": f"l{n}", "worker": f"w{n}", "returned": 0, "state": "ended"}
        for n in range(many)
    ]
    async with kept.database.write() as unit:
        await unit.connection.execute(insert(leases).values(ended_at_us=0), rows)
    assert await prune_leases(kept.database, 1, piece_rows_max=2) == 2 * PIECES_MAX
    assert await prune_leases(kept.database, 1, piece_rows_max=2) == 3
    assert await prune_leases(kept.database, 1) == 0


async def test_what_had_ended_before_the_upgrade_is_kept_from_then_on(
    kept: KeptInDatabase, database_url: str
) -> None:
    await granted(kept, "ended")
    await kept.remainder("ended")
    await granted(kept, "active")
    scripts = ScriptDirectory(str(migrate.scripts_path()))
    step = scripts.get_revision("0005_lease_ends")
    assert step is not None
    await migrate.downgrade(database_url, str(step.down_revision))
    await migrate.upgrade(database_url)
    assert await pruned(kept, later_us=-LATER_US) == 0
    assert await pruned(kept) == 1
    assert await left(kept) == {"active"}
