"""Wallets as both databases keep them: statements, races, what calls take, what may be leased."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from tests.support.wallet_twin import KINDS, SECOND_US, START_US, Step, WalletTwin, move_of
from tollbridge.core.amounts import MICRO
from tollbridge.core.call import new_id
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import (
    BudgetExceededError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    TollbridgeError,
)
from tollbridge.core.limits import LimitKind, Need
from tollbridge.ledger import credit_store
from tollbridge.ledger import wallet_store as store
from tollbridge.ledger.adjust import adjust
from tollbridge.ledger.agreed import AgreedLeases
from tollbridge.ledger.allot import MoneyAsk, Shortage, Turn
from tollbridge.ledger.books import books as ledger_books
from tollbridge.ledger.credits import CreditRate, credits_of
from tollbridge.ledger.lease_store import DatabaseLedger
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
from tollbridge.ledger.wallet_moves_store import Done, move, touch
from tollbridge.ledger.wallet_tables import wallet_entries, wallet_grants, wallet_transactions
from tollbridge.ledger.wallets import (
    Transaction,
    Wallet,
    WalletDeduction,
    WalletEntry,
    WalletRoom,
    WalletTerms,
    WalletUnit,
)
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions

CLOCK = SystemClock()
TERMS = WalletTerms("ada", "user:ada")
DAY_US = 86_400 * SECOND_US


def call_id() -> str:
    return new_id(CLOCK.now_us())


async def wallet(database: Database, terms: WalletTerms = TERMS) -> Wallet:
    async with database.write() as unit:
        return await store.create_wallet(unit, terms, actor="bob")


async def do(
    database: Database, wanted: AnyMove, key: str | None = None, at_us: int | None = None
) -> Done:
    async with database.write() as unit:
        return await move(unit, "ada", wanted, By("bob", key or call_id()), at_us)


async def charge(
    database: Database, found: Wallet, amount: int, at_us: int | None = None, call: str = ""
) -> None:
    one = WalletDeduction(call or call_id(), found.wallet_id, amount, "chat_completion", "m", 7)
    async with database.write() as unit:
        await store.deduct(unit, [one], CLOCK.now_us() if at_us is None else at_us)


async def statement(database: Database) -> list[Transaction]:
    async with database.read() as unit:
        found = await unit.connection.execute(
            select(wallet_transactions).order_by(wallet_transactions.c.number)
        )
        return [store.transaction_of(row) for row in found]


async def balance(database: Database, at_us: int | None = None) -> int:
    async with database.write() as unit:
        return await store.balance_at(unit, "ada", at_us or await unit.now_us())


async def room(database: Database, found: Wallet, now_us: int | None = None) -> WalletRoom:
    async with database.read() as unit:
        rooms = await store.rooms(unit, [found.wallet_id], now_us or await unit.now_us())
    return rooms[found.wallet_id]


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


async def test_the_database_itself_refuses_to_change_a_statement(database: Database) -> None:
    await wallet(database)
    await do(database, Purchase(amount=5))
    for sql in (
        "UPDATE wallet_transactions SET amount = 6",
        "DELETE FROM wallet_transactions",
        "UPDATE wallet_entries SET amount = 6",
        "DELETE FROM wallet_entries",
    ):
        with pytest.raises(DBAPIError, match="never changed"):
            async with database.write() as unit:
                await unit.connection.exec_driver_sql(sql)


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        ("UPDATE wallets SET balance = balance + 1", {"wallet balance", "wallet entries"}),
        ("UPDATE wallets SET held = 1", {"wallet held"}),
        ("UPDATE wallets SET transaction_count = 9", {"wallet statement"}),
        ("UPDATE wallet_grants SET remaining = 1", {"wallet grant"}),
        (
            """
            INSERT INTO wallet_transactions
            SELECT wallet_id, 2, kind, phase, 1, held, 9, 0, is_overrun, NULL, posted_at_us,
                   recorded_at_us, NULL, NULL, NULL, NULL, NULL, NULL, actor, note, NULL, NULL
            FROM wallet_transactions
            """,
            {"wallet balance", "wallet statement", "wallet running balance"},
        ),
    ],
)
async def test_the_doctor_finds_what_does_not_agree(
    database: Database, sql: str, kinds: set[str]
) -> None:
    await wallet(database)
    await do(database, Purchase(amount=10))
    async with database.write() as unit:
        assert await books(unit) == []
        await unit.connection.exec_driver_sql(sql)
        assert {one.kind for one in await books(unit)} == kinds


async def test_of_two_deductions_of_the_last_credit_one_is_made(database: Database) -> None:
    await wallet(database)
    await do(database, Purchase(amount=10))
    ended = await asyncio.gather(
        *(do(database, Deduct(amount=7)) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(one, Done) for one in ended) == 1
    assert sum(isinstance(one, BudgetExceededError) for one in ended) == 3
    assert await balance(database) == 3


async def test_of_purchases_under_one_key_one_is_made_and_all_answer_the_same(
    database: Database,
) -> None:
    await wallet(database)
    ended = await asyncio.gather(*(do(database, Purchase(amount=10), "order-7") for _ in range(4)))
    assert {one.transaction.number for one in ended} == {1}
    assert sorted(one.replayed for one in ended) == [False, True, True, True]
    assert await balance(database) == 10


async def test_a_key_that_was_used_for_something_else_is_an_error(database: Database) -> None:
    await wallet(database)
    await do(database, Purchase(amount=10), "order-7")
    for other in (Purchase(amount=11), Purchase(amount=10, note="x"), Grant(amount=10)):
        with pytest.raises(ConflictError, match="idempotency key"):
            await do(database, other, "order-7")
    assert await balance(database) == 10


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


@pytest.mark.parametrize(
    "wanted",
    [
        Purchase(amount=0),
        Purchase(amount=-5),
        Purchase(amount=2**64),
        Purchase(amount=1, price_nanousd=-1),
        Purchase(amount=1, note="n" * 10_000),
        Purchase(amount=1, note="n\x00"),
        Grant(amount=1, expires_at_us=START_US - 1),
        Grant(amount=1, priority=-1),
        Grant(amount=1, priority=10**9),
        Deduct(),
        Deduct(amount=-1),
        Deduct(operation="chat_completion", tokens=-1),
        Deduct(operation="no_such_operation", tokens=1),
        Deduct(operation="chat_completion"),
        Deduct(operation="o" * 10_000, tokens=1),
        Adjust(amount=0),
        SetAside(amount=1, lasts_s=0),
        SetAside(amount=1, lasts_s=10**12),
        Refund(number=1),
        Refund(number=1, amount=1, images=1),
    ],
)
@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_what_makes_no_sense_is_refused_by_its_field_and_not_written(
    database: Database, wanted: AnyMove
) -> None:
    await wallet(database)
    await do(database, Purchase(amount=10), at_us=START_US)
    with pytest.raises(InvalidRequestError) as refusal:
        await do(database, wanted, at_us=START_US)
    assert "param" in refusal.value.details
    assert len(await statement(database)) == 1


@pytest.mark.parametrize(
    "terms",
    [
        WalletTerms("", "user:ada"),
        WalletTerms("x" * 10_000, "user:ada"),
        WalletTerms("a/b", "user:ada"),
        WalletTerms("x\ud800", "user:ada"),
        WalletTerms("x", "ada"),
        WalletTerms("x", "robot:ada"),
        WalletTerms("x", "user:"),
        WalletTerms("x", "user:" + "a" * 10_000),
        WalletTerms("x", "user:ada", overdraft=-1),
        WalletTerms("x", "user:ada", overdraft=2**64),
    ],
)
@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_a_wallet_that_makes_no_sense_is_refused(
    database: Database, terms: WalletTerms
) -> None:
    with pytest.raises(InvalidRequestError):
        await wallet(database, terms)
    async with database.read() as unit:
        assert await store.wallet_entries(unit) == []


async def test_a_subject_has_one_wallet_of_a_unit_and_a_name_is_taken_once(
    database: Database,
) -> None:
    await wallet(database)
    for terms in (WalletTerms("ada", "user:bob"), WalletTerms("other", "user:ada")):
        with pytest.raises(ConflictError, match="'ada'"):
            await wallet(database, terms)
    with pytest.raises(NotFoundError):
        async with database.write() as unit:
            await move(unit, "nobody", Purchase(amount=1), By("bob", "k"))


async def test_a_wallet_holds_no_more_than_can_be_counted(database: Database) -> None:
    await wallet(database)
    for _ in range(4):
        await do(database, Purchase(amount=10**18))
    with pytest.raises(InvalidRequestError, match="counted"):
        await do(database, Purchase(amount=1))
    assert await balance(database) == 4 * 10**18


async def test_rates_are_kept_and_removed_and_the_workers_are_told(database: Database) -> None:
    async with database.write() as unit:
        before = (await read_versions(unit)).get("limits", 0)
        rate = CreditRate(
            "chat_completion", "m", tokens_per_credit=150, min_microcredits=10 * MICRO
        )
        await credit_store.put_rate(unit, rate, actor="bob")
        await credit_store.put_rate(unit, rate, actor="bob")
        rates = await credit_store.load_rates(unit)
        assert credits_of(rates, "chat_completion", "m", 2760, 0, 0) == 19 * MICRO
        await credit_store.remove_rate(unit, "chat_completion", "m", actor="bob")
        with pytest.raises(NotFoundError):
            await credit_store.remove_rate(unit, "chat_completion", "m", actor="bob")
        rates = await credit_store.load_rates(unit)
        assert credits_of(rates, "chat_completion", "m", 2760, 0, 0) == 28 * MICRO
        assert (await read_versions(unit))["limits"] == before + 3


async def test_the_file_s_rates_are_the_file_s_alone_until_it_no_longer_has_them(
    database: Database,
) -> None:
    """Applying it twice is applying it once; a rate of the seed is taken over."""
    mine = CreditRate("image_generation", "dall-e-3", microcredits_per_image=7 * MICRO)
    new = CreditRate("clustering", tokens_per_credit=150)
    async with database.write() as unit:
        await credit_store.apply(unit, [mine, new], actor="file")
        told = (await read_versions(unit))["limits"]
        await credit_store.apply(unit, [mine, new], actor="file")
        assert (await read_versions(unit))["limits"] == told
        for wanted in (
            credit_store.put_rate(unit, mine, actor="bob"),
            credit_store.remove_rate(unit, "clustering", "", actor="bob"),
        ):
            with pytest.raises(ConflictError, match="configuration file"):
                await wanted
        await credit_store.apply(unit, [mine], actor="file")
        rates = await credit_store.load_rates(unit)
        assert rates.find("clustering", "") is None
        assert rates.find("image_generation", "dall-e-3") == mine
        assert rates.find("image_generation", "google:4@2") is not None


async def test_the_brief_s_views_show_statement_and_usage_with_running_balance(
    database: Database,
) -> None:
    await wallet(database)
    await do(database, Purchase(amount=30 * MICRO))
    await do(database, Deduct(operation="chat_completion", model="gpt-4o", tokens=2760))
    await do(database, Refund(number=2, amount=MICRO))
    async with database.read() as unit:
        rows = await unit.connection.exec_driver_sql(
            "SELECT account, transaction_type, amount, balance_after FROM credit_transactions "
            "ORDER BY created_at"
        )
        assert [tuple(row) for row in rows] == [
            ("user:ada", "purchase", 30, 30),
            ("user:ada", "deduction", -3, 27),
            ("user:ada", "refund", 1, 28),
        ]
        rows = await unit.connection.exec_driver_sql(
            "SELECT operation_type, credits_used, balance_after, model_used, tokens_total "
            "FROM credit_usage_logs"
        )
        assert [tuple(row) for row in rows] == [("chat_completion", 3, 27, "gpt-4o", 2760)]


async def in_a_loop(work: Callable[[], Awaitable[object]], count: int) -> None:
    for _ in range(count):
        await work()


async def test_calls_and_people_at_the_same_wallet_lose_nothing(database: Database) -> None:
    found = await wallet(database, msgspec.structs.replace(TERMS, overdraft=10**6))
    await asyncio.gather(
        in_a_loop(lambda: charge(database, found, 3), 10),
        in_a_loop(lambda: do(database, Purchase(amount=5)), 10),
        in_a_loop(lambda: do(database, Deduct(amount=1)), 10),
        in_a_loop(lambda: balance(database), 10),
    )
    assert await balance(database) == -30 + 50 - 10
    assert [one.number for one in await statement(database)] == list(range(1, 31))


async def test_what_workers_are_granted_and_what_people_take_is_never_more_than_there_is(
    database: Database,
) -> None:
    found = await wallet(database)
    limit_id = f"wallet:{found.wallet_id}"
    await do(database, Purchase(amount=30))
    ledger = DatabaseLedger(database, "node")
    agreed = AgreedLeases(call_id)

    async def lease(worker: str) -> int:
        turn = Turn((MoneyAsk(worker, (Need(limit_id, 7, 7),)),), (), 1)
        (outcome,) = await ledger.allot(turn, agreed.lease_of)
        return 0 if isinstance(outcome, Shortage) else outcome[0].amount

    async def take() -> int:
        try:
            return -(await do(database, Deduct(amount=7))).transaction.amount
        except BudgetExceededError:
            return 0

    amounts = await asyncio.gather(*(lease(f"w{n}") for n in range(5)), *(take() for _ in range(5)))
    assert sum(amounts) == 28
    async with database.read() as unit:
        assert await books(unit) == []
        assert await ledger_books(unit) == []
