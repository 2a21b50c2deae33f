"""What workers hold of a wallet and do not use keeps nobody from taking it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.support.node import MODEL, WAIT_MAX_S, Node, chat, config_of, running_node
from tests.support.sandbox_server import running_sandbox
from tollbridge.access.keys import KeyTerms, Scope
from tollbridge.access.store import create_key
from tollbridge.core.amounts import MICRO
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import InsufficientCreditsError
from tollbridge.ledger import credit_store, wallet_moves_store, wallet_store
from tollbridge.ledger.books import books
from tollbridge.ledger.credits import CreditRate
from tollbridge.ledger.wallet_moves import Adjust, By, Purchase
from tollbridge.ledger.wallet_moves_store import Recalling, move_in_time
from tollbridge.ledger.wallet_tables import wallet_transactions
from tollbridge.ledger.wallets import WalletTerms

CHAT = "/v1/chat/completions"
PAID, TAKEN = 100, 10
"""Credits that the wallet holds at first, and that a call takes."""
CLOCK = SystemClock()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    """A node whose worker has served one call, and holds more of the caller's wallet in stock."""
    async with running_sandbox() as sandbox, running_node(tmp_path, config_of(sandbox.url)) as one:
        rate = CreditRate(
            "chat_completion", MODEL, tokens_per_credit=10_000, min_microcredits=TAKEN * MICRO
        )
        async with one.database.write() as unit:
            await credit_store.put_rate(unit, rate, actor="test")
            await wallet_store.create_wallet(unit, WalletTerms("ana", "user:ana"), actor="test")
            paid = Purchase(amount=PAID * MICRO)
            await wallet_moves_store.move(unit, "ana", paid, By("test", "paid"))
        await one.caught_up()
        async with one.client() as client:
            assert (await client.post(CHAT, json=chat(max_tokens=9))).status_code == 200
        await charged(one, 1)
        assert await leased(one) >= TAKEN * MICRO
        yield one


async def charged(node: Node, calls: int) -> None:
    """Wait until so many calls are paid for."""
    query = select(wallet_transactions.c.number).where(wallet_transactions.c.call_id.is_not(None))
    async with asyncio.timeout(WAIT_MAX_S):
        while True:
            async with node.database.read() as unit:
                if len((await unit.connection.execute(query)).all()) >= calls:
                    return
            await asyncio.sleep(0.01)


async def leased(node: Node) -> int:
    async with node.database.read() as unit:
        wallet = await wallet_store.get_wallet(unit, "ana")
        return (await wallet_store.leased_of(unit, [wallet.wallet_id]))[wallet.wallet_id]


async def ask(node: Node, address: str, amount: int, **more: Any) -> httpx.Response:
    """Move something in the wallet through the control plane."""
    async with node.database.write() as unit:
        terms = KeyTerms(address, "root", scopes=(Scope.ADMIN,))
        key = (await create_key(unit, terms, node.pepper)).key
    headers = {"authorization": f"Bearer {key}", "idempotency-key": address}
    async with httpx.AsyncClient(base_url=node.url, headers=headers, timeout=15) as client:
        return await client.post(
            f"/api/v1/wallets/ana/{address}", json={"amount": str(amount), **more}
        )


async def test_a_deduction_of_all_that_is_there_is_made_and_the_next_call_refused(
    node: Node,
) -> None:
    answer = await ask(node, "deductions", PAID - TAKEN)
    assert answer.status_code == 201, answer.text
    assert answer.json()["balance_after"] == "0"
    async with node.client() as client:
        assert (await client.post(CHAT, json=chat(max_tokens=9))).status_code == 402
    async with node.database.read() as unit:
        assert await books(unit) == []


async def test_a_hold_of_all_that_is_there_is_made(node: Node) -> None:
    answer = await ask(node, "holds", PAID - TAKEN, expires_in_s=60)
    assert answer.status_code == 201, answer.text


async def test_a_command_that_knows_no_worker_has_them_asked_through_the_database(
    node: Node,
) -> None:
    wanted = Adjust(amount=-(PAID - TAKEN) * MICRO, note="closed")
    with pytest.raises(InsufficientCreditsError):
        await move_in_time(node.database, "ana", wanted, By("cli", "none"), Recalling(0.0))
    done = await move_in_time(node.database, "ana", wanted, By("cli", "some"), Recalling(5.0))
    assert done.transaction.balance_after == 0


async def test_more_than_there_is_is_refused_at_once_and_nobody_is_asked(node: Node) -> None:
    before, began_s = await leased(node), CLOCK.monotonic_s()
    wanted = Adjust(amount=-(PAID - TAKEN + 1) * MICRO, note="too much")
    with pytest.raises(InsufficientCreditsError):
        await move_in_time(node.database, "ana", wanted, By("cli", "one"), Recalling(30.0))
    assert CLOCK.monotonic_s() - began_s < 10
    assert await leased(node) == before
