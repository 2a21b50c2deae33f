"""What is granted to workers that nobody has heard of, and how does it fall free?"""

import asyncio
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import money_text, note, print_json, print_line, print_table, time_text
from tollbridge.core.amounts import UNIT_NAMES, amount_text
from tollbridge.core.errors import NotFoundError
from tollbridge.core.limits import LimitKind
from tollbridge.insight.lease_queries import LeaseNow, leases_now
from tollbridge.insight.pages import ROWS_MAX
from tollbridge.ledger import store
from tollbridge.ledger.budgets import LeaseOutstanding
from tollbridge.ledger.periods import period_bounds
from tollbridge.ledger.wallet_store import TOTAL_START_US, get_wallet
from tollbridge.ledger.wallets import limit_id_of
from tollbridge.settings import Settings
from tollbridge.storage import audit

commands = typer.Typer(help="Leases of budgets.", no_args_is_help=True)

_SAID: Mapping[LimitKind | None, str] = MappingProxyType({LimitKind.MONEY: "usd", None: "unknown"})
"""How the audit log says what of a kind fell free, where not by the kind's name."""
Node = Annotated[str | None, typer.Option(help="Of this node only.", show_default="all")]


@commands.command()
def outstanding(*, node: Node = None, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the leases that still count: granted, and neither settled nor returned."""
    rows = asyncio.run(_outstanding(load_settings(data_dir=data_dir), node))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("node", "worker", "limit", "period since", "state", "outstanding"),
        [
            (
                row.node,
                row.worker,
                row.budget_name or row.budget_id,
                time_text(row.period_start_us),
                row.state,
                _amount(row.kind, row.outstanding),
            )
            for row in rows
        ],
        right=("outstanding",),
    )


@commands.command()
def leases(
    name: Annotated[str, typer.Argument(help="A budget, or a wallet.", show_default=False)],
    *,
    wallet: Annotated[bool, typer.Option("--wallet", help="It is a wallet's name.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List who holds how much of one budget or wallet now."""
    settings = load_settings(data_dir=data_dir)
    kind, rows = asyncio.run(_leases(settings, name, is_wallet=wallet))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("node", "worker", "since", "state", "leased", "drawn", "left"),
        [
            (
                row.node,
                row.worker,
                time_text(row.since_us),
                row.state,
                *(_amount(kind, one) for one in (row.leased, row.drawn, row.outstanding)),
            )
            for row in rows
        ],
        right=("leased", "drawn", "left"),
    )


@commands.command()
def release(
    node: Annotated[str, typer.Argument(help="A node that is gone for good.", show_default=False)],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Give back what a node that is gone for good still holds of limits.

    If it lives after all, limits may be overspent by what it held. The audit log keeps who did it.
    """
    settings = load_settings(data_dir=data_dir)
    rows = asyncio.run(_outstanding(settings, node))
    if not rows:
        raise NotFoundError(f"the node {node!r} holds nothing")
    held = _by_kind((row.kind, row.outstanding) for row in rows)
    note(f"the node {node} holds {_amounts(held)} in {len(rows)} leases")
    if not yes:
        typer.confirm("Is it gone for good?", abort=True, err=True)
    freed = asyncio.run(_release(settings, node, len(rows)))
    print_line(f"{_amounts(freed)} of the node {node} fell free")


def _amount(kind: LimitKind | None, amount: int) -> str:
    if kind is LimitKind.MONEY:
        return money_text(amount)
    unit = "of what nobody knows" if kind is None else UNIT_NAMES.get(kind, kind.value)
    return f"{_plain(kind, amount)} {unit}"


def _plain(kind: LimitKind | None, amount: int) -> str:
    return str(amount) if kind is None else amount_text(kind, amount)


def _amounts(by_kind: Mapping[LimitKind | None, int]) -> str:
    return ", ".join([_amount(kind, amount) for kind, amount in by_kind.items()]) or "nothing"


def _by_kind(amounts: Iterable[tuple[LimitKind | None, int]]) -> dict[LimitKind | None, int]:
    totals: dict[LimitKind | None, int] = {}
    for kind, amount in sorted(amounts, key=lambda one: one[0] or ""):
        totals[kind] = totals.get(kind, 0) + amount
    return totals


async def _outstanding(settings: Settings, node: str | None) -> list[LeaseOutstanding]:
    rows: list[LeaseOutstanding] = []
    async with opened(settings) as database, database.read() as unit:
        while True:
            after = rows[-1].lease_id if rows else ""
            page = await store.list_outstanding_leases(unit, node, after)
            rows += page
            if len(page) < store.PAGE_ROWS_MAX:
                return rows


async def _leases(
    settings: Settings, name: str, *, is_wallet: bool
) -> tuple[LimitKind, list[LeaseNow]]:
    async with opened(settings) as database, database.read() as unit:
        if is_wallet:
            found = await get_wallet(unit, name)
            kind, limit_id = found.terms.unit.limit_kind, limit_id_of(found.wallet_id)
            start_us = TOTAL_START_US
        else:
            budget = await store.get_budget(unit, name)
            kind, limit_id = LimitKind(budget.terms.kind), budget.budget_id
            now_us, zone = await unit.now_us(), ZoneInfo(settings.billing_time_zone)
            start_us, _ = period_bounds(budget.terms.period, now_us, zone)
        rows: list[LeaseNow] = []
        while True:
            after = rows[-1].lease_id if rows else ""
            page = await leases_now(unit, [limit_id], start_us, after, ROWS_MAX)
            rows += page
            if len(page) < ROWS_MAX:
                return kind, rows


async def _release(settings: Settings, node: str, leases: int) -> dict[LimitKind | None, int]:
    async with opened(settings) as database, database.write() as unit:
        amounts = await store.release_node(unit, node)
        named = await store.limits_named(unit, amounts)
        freed = _by_kind((named[one].kind, amount) for one, amount in amounts.items())
        details: dict[str, object] = {
            f"freed_{_SAID.get(kind, kind)}": _plain(kind, amount) for kind, amount in freed.items()
        }
        details["leases"] = leases
        await audit.record(unit, actor(), "ledger.release", f"node:{node}", details)
    return freed
