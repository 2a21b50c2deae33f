"""What becomes of a hold where its worker cannot say what the call has cost?"""

import asyncio
import contextlib
from pathlib import Path

import httpx
import msgspec

from tests.support.node import BUDGET, WAIT_MAX_S, Node, chat, config_of, running_node
from tests.support.sandbox_server import running_sandbox
from tollbridge.core.errors import BugError
from tollbridge.ledger import store
from tollbridge.rating.book import PriceBook
from tollbridge.rating.tariff import Tariff, UnitPrice


class Unratable(PriceBook):
    """Prices that say what a call may cost, and fail over what it has cost."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book

    def find_first(self, provider: str, models: tuple[str, ...], at_us: int) -> Tariff | None:
        tariff = self._book.find_first(provider, models, at_us)
        assert tariff is not None
        assert tariff.plain is not None
        plain = msgspec.structs.replace(tariff.plain, whole={}, units=Failing(tariff.plain.units))
        return msgspec.structs.replace(tariff, plain=plain)


class Failing(dict[str, UnitPrice]):
    """What each unit costs, and nobody can read it."""

    def __getitem__(self, unit: str) -> UnitPrice:
        raise BugError(f"no price of {unit}")

    def __contains__(self, unit: object) -> bool:
        raise BugError(f"no price of {unit}")


def break_rating(node: Node) -> None:
    """Let the worker fail over what calls have cost; the office goes on as before."""
    known = node.worker.gateway.known
    assert known is not None
    told = known.conclusions
    broken = msgspec.structs.replace(told, book=Unratable(told.book))
    node.worker.gateway.known = msgspec.structs.replace(known, conclusions=broken)


async def test_what_was_charged_too_much_comes_back_with_the_books(tmp_path: Path) -> None:
    """All that was held is charged and journaled, so that the drain finds the difference."""
    config_extra = BUDGET.format(limit="1.00")
    async with (
        running_sandbox() as sandbox,
        running_node(tmp_path, config_of(sandbox.url, extra=config_extra)) as node,
        node.client() as client,
    ):
        break_rating(node)
        with contextlib.suppress(httpx.HTTPError):
            await client.post("/v1/chat/completions", json=chat(max_tokens=20))
        [call] = await node.ended(1)
        [hold] = call.opened.holds
        assert call.closed.taken == (hold.amount,)
        assert call.closed.charge_nanousd is None
        posted = await spent(node)
        assert 0 < posted < hold.amount
        async with asyncio.timeout(WAIT_MAX_S):
            while taken(node, hold.budget_id) != posted:
                await asyncio.sleep(0.01)


async def spent(node: Node) -> int:
    """Wait until the budget has counted something; return how much."""
    async with asyncio.timeout(WAIT_MAX_S):
        while True:
            async with node.database.read() as unit:
                row = await store.get_budget(unit, "ci-month")
                if found := (await store.period_state(unit, row)).spent:
                    return found
            await asyncio.sleep(0.01)


def taken(node: Node, limit_id: str) -> int:
    """Return what the worker has taken from its purse of a limit."""
    return sum(one.spent for one in node.worker._purses.states() if one.limit_id == limit_id)
