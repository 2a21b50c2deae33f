"""Wallets as both databases keep them: statements, what calls take, what may be leased."""

import random
from datetime import UTC

import msgspec
import pytest
from sqlalchemy import select

from tests.support.wallet_twin import KINDS, SECOND_US, START_US, Step, WalletTwin, move_of
from tests.support.wallets import (
    CLOCK,
    DAY_US,
    TERMS,
    balance,
    call_id,
    charge,
    do,
    room,
    statement,
    wallet,
)
from tollbridge.core.amounts import MICRO
from tollbridge.core.errors import (
    BudgetExceededError,
    ConflictError,
    TollbridgeError,
)
from tollbridge.core.limits import LimitKind
from tollbridge.ledger import credit_store
from tollbridge.ledger import wallet_store as store
from tollbridge.ledger.adjust import adjust
from tollbridge.ledger.books import books as ledger_books
from tollbridge.ledger.credits import CreditRate
from tollbridge.ledger.tables import budget_periods
from tollbridge.ledger.wallet_books import books
from tollbridge.ledger.wallet_moves import (
    Adjust,
    AnyMove,
    By,
    Deduct,
    Grant,
    Post,
    Purchase,
    Refund,
    SetAside,
    Void,
)
from tollbridge.ledger.wallet_moves_store import touch
from tollbridge.ledger.wallet_tables import wallet_entries, wallet_grants
from tollbridge.ledger.wallets import (
    Transaction,
    WalletDeduction,
    WalletEntry,
    WalletRoom,
    WalletTerms,
    WalletUnit,
)
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions


async def test_a_new_wallet_is_told_to_the_workers(database: Database) -> None:
    found = await wallet(database)
    async with database.write() as unit:
        usd = WalletTerms("ada usd", "user:ada", WalletUnit.USD)
        money = await store.create_wallet(unit, usd, actor="bob")
        assert set(await store.wallet_entries(unit)) == {
            WalletEntry(f"wallet:{found.wallet_id}", "user:ada", LimitKind.CREDITS, "ada"),
            WalletEntry(f"wallet:{money.wallet_id}", "user:ada", LimitKind.MONEY, "ada usd"),
        }
        before = (await read_versions(unit))["limits"]
        off = msgspec.structs.replace(usd, enabled=False)
        await store.change_wallet(unit, "ada usd", off, actor="bob")
        assert [one.name for one in await store.wallet_entries(unit)] == ["ada"]
        assert (await read_versions(unit))["limits"] == before + 1


async def test_a_walk_at_random_does_what_the_twin_in_memory_does(database: Database) -> None:
    """Every move twice: the second time under the same key changes nothing."""
    dice = random.Random(20_260_122)
    terms = msgspec.structs.replace(TERMS, overdraft=15)
    found = await wallet(database, terms)
    twin, now_us = WalletTwin(15, found.wallet_id), START_US
    for number in range(100):
        step = Step(
            dice.choice(KINDS), dice.randrange(40), dice.randrange(1000), dice.randrange(-9, 25)
        )
        now_us += step.seconds * SECOND_US
        if step.kind == "call":
            one = call_id()
            twin.charge(one, step.amount, now_us)
            for _ in range(2):
                await charge(database, found, step.amount, now_us, one)
        else:
            wanted = move_of(step, twin, max(now_us, twin.state.last_at_us))
            await _both(database, twin, wanted, f"key-{number}", now_us)
        async with database.write() as unit:
            # The database's clock is long past all of this: its wallet is touched at our instant.
            await touch(unit, [found.wallet_id], now_us)
            assert (await store.get_wallet(unit, "ada")).balance == twin.open(now_us).balance
        twin.keep(twin.open(now_us))
    twin.check()
    rows = await statement(database)
    assert [_plain(row) for row in rows] == [_plain(row) for row in twin.transactions]
    async with database.read() as unit:
        entries = await unit.connection.execute(
            select(wallet_entries).order_by(wallet_entries.c.number, wallet_entries.c.line)
        )
        assert [tuple(row) for row in entries] == [
            msgspec.structs.astuple(one) for one in twin.entries
        ]
        assert await books(unit) == []
        grants = await unit.connection.execute(select(wallet_grants))
        assert {row.number: row.remaining for row in grants} == {
            one.number: one.remaining for one in twin.grants.values()
        }


async def _both(
    database: Database, twin: WalletTwin, wanted: AnyMove, key: str, now_us: int
) -> None:
    try:
        expected = twin.move(wanted, By("bob", key), now_us)
    except TollbridgeError as error:
        with pytest.raises(type(error)):
            await do(database, wanted, key, now_us)
        return
    first = await do(database, wanted, key, now_us)
    again = await do(database, wanted, key, now_us)
    assert (first.replayed, again.replayed) == (False, True)
    assert _plain(first.transaction) == _plain(again.transaction) == _plain(expected)


def _plain(done: Transaction) -> dict[str, object]:
    # The instant of writing is each database's own.
    fields = {**msgspec.structs.asdict(done), "recorded_at_us": 0}
    return {name: str(value) if name == "call_id" else value for name, value in fields.items()}


async def test_a_call_is_paid_for_once_however_often_its_record_is_read(
    database: Database,
) -> None:
    found = await wallet(database)
    await do(database, Purchase(amount=100))
    one = call_id()
    for _ in range(3):
        await charge(database, found, 30, call=one)
    assert await balance(database) == 70
    last = (await statement(database))[-1]
    assert (str(last.call_id), last.operation, last.model, last.tokens) == (
        one,
        "chat_completion",
        "m",
        7,
    )


async def test_a_call_that_cost_more_than_there_is_is_posted_and_flagged(
    database: Database,
) -> None:
    found = await wallet(database)
    await do(database, Purchase(amount=10))
    await charge(database, found, 25)
    last = (await statement(database))[-1]
    assert (last.balance_after, last.is_overrun) == (-15, True)
    assert (await room(database, found)).available == -15
    await do(database, Purchase(amount=20))
    assert (await room(database, found)).available == 5


async def test_many_calls_of_many_wallets_are_charged_in_one_go(database: Database) -> None:
    found = [
        await wallet(database, WalletTerms(f"w{n}", f"user:u{n}", overdraft=1000)) for n in range(3)
    ]
    calls = [
        WalletDeduction(call_id(), found[n % 3].wallet_id, n, "chat_completion", "m")
        for n in range(60)
    ]
    async with database.write() as unit:
        gone = WalletDeduction(call_id(), "nobody's", 5, "chat_completion", "m")
        await store.deduct(unit, [*calls, gone], CLOCK.now_us())
        await store.deduct(unit, calls, CLOCK.now_us())
        states = await store.state_now(unit, found)
    assert [states[one.wallet_id].balance for one in found] == [-570, -590, -610]


async def test_what_expires_is_gone_at_that_moment_and_not_before(database: Database) -> None:
    """Nothing runs, nobody looks: what may be leased knows of it all the same."""
    found = await wallet(database)
    end_us = START_US + DAY_US
    await do(database, Purchase(amount=10), at_us=START_US)
    await do(database, Grant(amount=5, expires_at_us=end_us), at_us=START_US)
    assert await room(database, found, end_us - 1) == WalletRoom(15, end_us)
    assert await room(database, found, end_us) == WalletRoom(10, None)
    assert await balance(database, end_us - 1) == 15
    assert await balance(database, end_us) == 10
    last = (await statement(database))[-1]
    assert (last.kind, last.amount, last.posted_at_us) == ("expiry", -5, end_us)


async def test_a_balance_of_the_past_stays_what_was_told(database: Database) -> None:
    await wallet(database)
    await do(database, Purchase(amount=10), at_us=START_US)
    told_us = START_US + DAY_US
    assert await balance(database, told_us) == 10
    # Somebody whose clock is behind cannot change it any more.
    done = await do(database, Purchase(amount=5), at_us=START_US + 1)
    assert done.transaction.posted_at_us > told_us
    assert await balance(database, told_us) == 10
    assert await balance(database) == 15


async def test_calls_that_were_priced_again_change_the_wallet_now(database: Database) -> None:
    """What they cost more is taken even where it is not there; what they cost less comes back."""
    found = await wallet(database, WalletTerms("ada", "user:ada", WalletUnit.USD))
    await do(database, Purchase(amount=10))
    limit_id = f"wallet:{found.wallet_id}"
    for difference, balance_then, overrun in ((13, -3, True), (-8, 5, False)):
        async with database.write() as unit:
            await adjust(unit, call_id(), {limit_id: difference}, {}, UTC)
            assert await books(unit) == []
        last = (await statement(database))[-1]
        assert (last.kind, last.amount, last.balance_after) == (
            "adjustment",
            -difference,
            balance_then,
        )
        assert last.is_overrun is overrun
    async with database.read() as unit:
        assert await ledger_books(unit) == []


async def test_what_is_set_aside_is_not_leased_and_ends_by_itself(database: Database) -> None:
    found = await wallet(database)
    await do(database, Purchase(amount=10), at_us=START_US)
    first = await do(database, SetAside(amount=6, lasts_s=60), at_us=START_US)
    second = await do(database, SetAside(amount=4, lasts_s=10), at_us=START_US)
    assert (await room(database, found, START_US + 1)).available == 0
    assert (await room(database, found, START_US + 10 * SECOND_US)).available == 4
    number = first.transaction.number
    posted = await do(database, Post(number=number, amount=5), at_us=START_US + 20 * SECOND_US)
    assert (posted.transaction.amount, posted.transaction.about_number) == (-5, number)
    for wanted in (Void(number=number), Post(number=second.transaction.number)):
        with pytest.raises(ConflictError, match="sets nothing aside"):
            await do(database, wanted, at_us=START_US + 21 * SECOND_US)
    phases = [(one.phase, one.about_number) for one in await statement(database)]
    assert phases == [
        ("single", None),
        ("pending", None),
        ("pending", None),
        ("expire", 3),
        ("post", 2),
    ]


async def test_what_is_leased_to_workers_cannot_be_taken(database: Database) -> None:
    found = await wallet(database)
    await do(database, Purchase(amount=10))
    async with database.write() as unit:
        await unit.connection.execute(
            budget_periods.insert().values(
                budget_id=f"wallet:{found.wallet_id}", period_start_us=0, spent=0, leased=8
            )
        )
    with pytest.raises(BudgetExceededError) as refusal:
        await do(database, Deduct(amount=3))
    assert refusal.value.code == "insufficient_credits"
    assert refusal.value.details == {
        "wallet": "ada",
        "unit": "credits",
        "available": "0.000002",
        "asked": "0.000003",
        "leased": "0.000008",
    }
    await do(database, Deduct(amount=2))
    with pytest.raises(BudgetExceededError):
        await do(database, Adjust(amount=-1))


async def test_a_refund_goes_back_to_where_it_came_from(database: Database) -> None:
    await wallet(database)
    await do(database, Grant(amount=10, priority=1))
    await do(database, Purchase(amount=10))
    taken = (await do(database, Deduct(amount=15))).transaction
    await do(database, Refund(number=taken.number, amount=7))
    async with database.read() as unit:
        rows = await unit.connection.execute(
            select(wallet_grants.c.remaining).order_by(wallet_grants.c.number)
        )
        assert list(rows.scalars()) == [2, 10]
    with pytest.raises(ConflictError, match="at most what is left"):
        await do(database, Refund(number=taken.number, amount=9))
    await do(database, Refund(number=taken.number))
    assert await balance(database) == 20


async def test_images_that_failed_are_given_back_at_what_they_cost(database: Database) -> None:
    """Three at five are fifteen; later rates change nothing of it."""
    await wallet(database)
    await do(database, Purchase(amount=100 * MICRO))
    taken = await do(
        database, Deduct(operation="image_generation", model="dall-e-3", images=3), "call"
    )
    assert taken.transaction.amount == -15 * MICRO
    async with database.write() as unit:
        rate = CreditRate("image_generation", "dall-e-3", microcredits_per_image=9 * MICRO)
        await credit_store.put_rate(unit, rate, actor="bob")
    back = await do(database, Refund(number=taken.transaction.number, images=1))
    assert back.transaction.amount == 5 * MICRO
    again = await do(
        database, Deduct(operation="image_generation", model="dall-e-3", images=3), "call"
    )
    assert again.replayed
    assert again.transaction.amount == -15 * MICRO
