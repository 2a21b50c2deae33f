"""What others got wrong with limits: a budget, some calls, and what must come of them.

The cases are defects of the original provider tracking and reports of users of other gateways.
"""

import asyncio
import re
import tomllib
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import pytest
import pytest_asyncio

from tests.support.calendar_time import QUARTER_S, room_in
from tests.support.node import MODEL, WAIT_MAX_S, Node, chat, config_of, running_node
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tollbridge.access.keys import KeyTerms
from tollbridge.access.store import create_key
from tollbridge.configuration.budgets import read_budget
from tollbridge.configuration.table import TableReader
from tollbridge.core.amounts import MICRO
from tollbridge.core.limits import LimitKind
from tollbridge.ledger import credit_store, store, wallet_moves_store, wallet_store
from tollbridge.ledger import subscription_store as subscriptions
from tollbridge.ledger.books import books
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.credits import CreditRate
from tollbridge.ledger.plans import PlanTerms, Tier
from tollbridge.ledger.plans_store import create_plan
from tollbridge.ledger.subscriptions import Cycle
from tollbridge.ledger.wallet_moves import By, Purchase
from tollbridge.ledger.wallets import WalletTerms

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
ROOM_S = 30.0


class Case(NamedTuple):
    """Budgets in the configuration file, calls one after the other, and their statuses."""

    budgets: tuple[str, ...]
    statuses: tuple[int, ...]
    output_tokens: tuple[int | None, ...] = (20,)
    """What each call asks for at most; the last holds for the rest."""
    as_customer: bool = False
    kind: str | None = None
    """Of the limit that the last refusal names."""


def budget(limit: str, subject: str = "key:{key}", **more: str | bool) -> str:
    """Return a [[budget]] of the configuration file."""
    lines = [f'subject = "{subject}"', limit, 'period = "total"']
    for name, value in more.items():
        lines.append(f"{name} = {str(value).lower()}" if value is False else f'{name} = "{value}"')
    return "\n".join(lines)


CASES: dict[str, Case] = {
    # origins 1.10: zero was enforced nowhere; here it allows none, and absent is unlimited.
    "zero calls allow none": Case((budget("limit_calls = 0"),), (429,), kind="calls"),
    "zero dollars allow none": Case((budget('limit_usd = "0"'),), (402,), kind="money"),
    "no budget is no limit": Case((), (200, 200, 200)),
    "the first call needs no row that is not there yet": Case((budget("limit_calls = 2"),), (200,)),
    "calls are counted one by one and no cache serves more": Case(
        (budget("limit_calls = 2"),), (200, 200, 429, 429), kind="calls"
    ),
    # The 30 s cache that ignored how much was asked for.
    "the size of the request decides, not an answer given before": Case(
        (budget("limit_tokens = 3000"),),
        (200, 429),
        (20, 4000),
        kind="tokens",
    ),
    "a call that names no output is held for what it may say": Case(
        (budget("limit_tokens = 1000"),), (429,), (None,), kind="tokens"
    ),
    # Budgets that cover some calls only.
    "a bucket's budget binds its bucket": Case(
        (budget("limit_calls = 1", bucket="openai"),), (200, 429), kind="calls"
    ),
    "another bucket's budget binds nothing": Case(
        (budget("limit_calls = 0", bucket="gemini"),), (200, 200)
    ),
    "a model's budget binds that name": Case(
        (budget("limit_calls = 1", model=MODEL),), (200, 429), kind="calls"
    ),
    "a category's budget binds no other": Case(
        (budget("limit_calls = 0", category="image"),), (200,)
    ),
    "images are no text": Case((budget("limit_images = 0"),), (200,)),
    # #37110: no price, and so no budget ever applied.
    "every subject binds: user": Case((budget("limit_calls = 1", "user:{user}"),), (200, 429)),
    "every subject binds: customer": Case(
        (budget("limit_calls = 1", "customer:{customer}"),), (200, 429), as_customer=True
    ),
    "who is no customer is not bound by one's budget": Case(
        (budget("limit_calls = 0", "customer:{customer}"),), (200, 200)
    ),
    "all that apply must have room": Case(
        (budget("limit_calls = 5"), budget('limit_usd = "0.000001"', "user:{user}")),
        (402, 402),
        kind="money",
    ),
    # A soft budget counts and refuses nothing.
    "a soft budget refuses nothing": Case((budget("limit_calls = 0", hard=False),), (200, 200)),
    # A provider's budget counts at the attempt: the other candidates serve.
    "a provider's used up budget lets others serve": Case(
        (budget("limit_calls = 1", provider="p1"),), (200, 200, 200)
    ),
    "with no candidate left a provider's budget refuses": Case(
        (
            budget("limit_calls = 1", provider="p1"),
            budget("limit_calls = 1", provider="p2"),
        ),
        (200, 200, 429),
        kind="calls",
    ),
}


def terms_of(text: str, name: str) -> BudgetTerms:
    """Return what a [[budget]] of the configuration file declares."""
    return read_budget(TableReader("test", {"name": name, **tomllib.loads(text)}))


def configuration(sandbox: RunningSandbox, budgets: tuple[str, ...]) -> str:
    extra = "".join(
        f'[[budget]]\nname = "b{number}"\n{one}\n' for number, one in enumerate(budgets, 1)
    )
    return config_of(sandbox.url, sandbox.url, extra=extra)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared(
    sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Node]:
    """A node without budgets; each case makes its own, for a key of its own."""
    folder = tmp_path_factory.mktemp("node")
    async with running_node(folder, configuration(sandbox, ())) as node:
        yield node


@pytest.mark.parametrize("name", CASES)
async def test_a_case_that_others_got_wrong(shared: Node, name: str) -> None:
    case, number = CASES[name], list(CASES).index(name)
    user, customer = f"user-{number}", f"acme-{number}"
    pepper = shared.pepper
    async with shared.database.write() as unit:
        made = await create_key(unit, KeyTerms(f"key-{number}", user), pepper)
        for place, one in enumerate(case.budgets, 1):
            said = one.format(key=f"key-{number}", user=user, customer=customer)
            await store.create_budget(unit, terms_of(said, f"b{place} of {number}"))
    await shared.caught_up()
    headers = {"authorization": f"Bearer {made.key}"}
    if case.as_customer:
        headers["x-tollbridge-customer"] = customer
    answers: list[httpx.Response] = []
    async with httpx.AsyncClient(base_url=shared.url, headers=headers, timeout=15) as client:
        for call in range(len(case.statuses)):
            output_tokens = case.output_tokens[min(call, len(case.output_tokens) - 1)]
            fields = {} if output_tokens is None else {"max_tokens": output_tokens}
            answers.append(await client.post(CHAT, json=chat(f"n {call}", **fields)))
    assert tuple(one.status_code for one in answers) == case.statuses, answers[-1].text
    if case.kind is not None:
        _says_what_refused(answers[-1], case.kind)


def _says_what_refused(answer: httpx.Response, kind: str) -> None:
    """A refusal names the limit and says how much of it is used."""
    said = answer.json()["error"]["message"]
    assert re.search(
        r"the budget 'b[12] of [0-9]+' has no room for this call: [0-9.]+ of [0-9.]+", said
    )
    assert ("USD" if kind == "money" else kind) in said


async def settled(node: Node, name: str, spent: int) -> None:
    """Wait until a budget has counted so much."""
    async with asyncio.timeout(WAIT_MAX_S):
        while await _spent(node, name) != spent:
            await asyncio.sleep(0.01)


async def _spent(node: Node, name: str) -> int:
    async with node.database.read() as unit:
        row = await store.get_budget(unit, name)
        return (await store.period_state(unit, row)).spent


async def test_soft_and_hard_budgets_count_the_same_from_the_drain(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """And what the workers took agrees with what is posted: nothing has to be corrected."""
    budgets = tuple(
        one.format(key="ci")
        for one in (
            budget("limit_calls = 0", hard=False),
            budget("limit_tokens = 100000", hard=False),
            budget("limit_calls = 100"),
            budget("limit_tokens = 100000"),
            budget("limit_calls = 100", provider="p1"),
            budget("limit_calls = 100", provider="p2"),
        )
    )
    async with running_node(tmp_path, configuration(sandbox, budgets)) as node:
        async with node.client() as client:
            answers = [await client.post(CHAT, json=chat(max_tokens=20)) for _ in range(3)]
        tokens = sum(one.json()["usage"]["total_tokens"] for one in answers)
        await settled(node, "b1", 3)
        found = [await _spent(node, f"b{number}") for number in range(1, 7)]
        assert found == [3, tokens, 3, tokens, 3, 0]
        assert all(
            len(one.opened.holds) == 6 and len(one.closed.taken) == 4 for one in node.calls()
        )


async def test_a_limit_below_what_is_spent_stops_at_once(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    config = config_of(sandbox.url)
    async with running_node(tmp_path, config) as node, node.client() as client:
        terms = BudgetTerms("b", "user:ana", 100, "total", kind=LimitKind.CALLS)
        async with node.database.write() as unit:
            await store.create_budget(unit, terms)
        await node.caught_up()
        assert (await client.post(CHAT, json=chat(max_tokens=9))).status_code == 200
        await settled(node, "b", 1)
        async with node.database.write() as unit:
            lowered = msgspec.structs.replace(terms, limit_amount=0)
            await store.change_budget(unit, lowered)
        await node.caught_up()
        # What the worker was granted before may still be used: at most that.
        statuses = [
            (await client.post(CHAT, json=chat(max_tokens=9))).status_code for _ in range(60)
        ]
        assert statuses[-1] == 429


async def test_a_plan_refuses_its_users_calls_and_begins_anew_with_another_plan(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """And the answers about the plan say the same as the refusal."""
    config = config_of(sandbox.url)
    async with running_node(tmp_path, config) as node, node.client() as client:

        async def subscribe(plan: str) -> None:
            async with node.database.write() as unit:
                order = subscriptions.Order(user="ana", plan=plan, cycle=Cycle.MONTHLY)
                await subscriptions.subscribe(unit, order, actor="test", zone=UTC)
            await node.caught_up()

        async def statuses(count: int) -> list[int]:
            return [
                (await client.post(CHAT, json=chat(max_tokens=9))).status_code for _ in range(count)
            ]

        await room_in(QUARTER_S, ROOM_S)
        assert await statuses(2) == [200, 200]  # no subscription, no plan, no limit
        for name, calls, price in (("Small", 2, 1), ("Large", 3, 2)):
            terms = PlanTerms(
                name=name,
                tier=Tier.BASIC,
                price_monthly_nanousd=price,
                price_yearly_nanousd=price,
                limits={"text_calls": calls, "video_calls": 0},
            )
            async with node.database.write() as unit:
                await create_plan(unit, terms, actor="test")
        await _drained(node, 2)
        await subscribe("Small")
        # The quarter hour counts whole: what was called in it before is used of the plan.
        assert await statuses(2) == [429, 429]
        refused = await client.post(CHAT, json=chat(max_tokens=9))
        assert refused.json()["error"]["code"] == "quota_exceeded"
        assert "2 of 2 calls" in refused.json()["error"]["message"]
        assert int(refused.headers["retry-after"]) > 0
        await subscribe("Large")
        assert await statuses(2) == [200, 429]


async def test_a_wallet_pays_in_credits_what_its_calls_take_and_no_more_than_it_holds(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """At least 10 credits a call, of 25: two are served, and the wallet says what they were."""
    async with running_node(tmp_path, config_of(sandbox.url)) as node, node.client() as client:
        rate = CreditRate(
            "chat_completion", MODEL, tokens_per_credit=150, min_microcredits=10 * MICRO
        )
        async with node.database.write() as unit:
            await credit_store.put_rate(unit, rate, actor="test")
            terms = WalletTerms("ana", "user:ana")
            wallet = await wallet_store.create_wallet(unit, terms, actor="test")
            paid = Purchase(amount=25 * MICRO)
            await wallet_moves_store.move(unit, "ana", paid, By("test", "one"))
        await node.caught_up()
        body = chat(max_tokens=20)
        answers = [await client.post(CHAT, json=body) for _ in range(4)]
        assert [one.status_code for one in answers] == [200, 200, 402, 402]
        assert answers[-1].json()["error"]["code"] == "insufficient_credits"
        await _drained(node, 4)
        async with node.database.read() as unit:
            left = await wallet_store.rooms(unit, [wallet.wallet_id], await unit.now_us())
            assert await books(unit) == []
        assert left[wallet.wallet_id].available == 5 * MICRO
        assert [one.closed.taken for one in node.calls()[:2]] == [(10 * MICRO,)] * 2


async def _drained(node: Node, calls: int) -> None:
    async with asyncio.timeout(WAIT_MAX_S):
        while True:
            async with node.database.read() as unit:
                found = await unit.connection.exec_driver_sql("SELECT count(*) FROM call_details")
                if found.scalar_one() >= calls:
                    return
            await asyncio.sleep(0.01)
