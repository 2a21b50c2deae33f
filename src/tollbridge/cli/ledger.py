"""What is granted to workers that nobody has heard of, and how does it fall free?"""

import asyncio
from typing import Annotated

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings, opened
from tollbridge.cli.output import money_text, note, print_json, print_line, print_table, time_text
from tollbridge.core.errors import NotFoundError
from tollbridge.core.money import usd_text
from tollbridge.ledger import store
from tollbridge.ledger.budgets import LeaseOutstanding
from tollbridge.settings import Settings
from tollbridge.storage import audit

commands = typer.Typer(help="Leases of budgets.", no_args_is_help=True)

Node = Annotated[str | None, typer.Option(help="Of this node only.", show_default="all")]


@commands.command()
def outstanding(*, node: Node = None, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the leases that still count: granted, and neither settled nor returned."""
    rows = asyncio.run(_outstanding(load_settings(data_dir=data_dir), node))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("node", "worker", "budget", "period since", "state", "outstanding"),
        [
            (
                row.node,
                row.worker,
                row.budget_name or row.budget_id,
                time_text(row.period_start_us),
                row.state,
                money_text(row.outstanding),
            )
            for row in rows
        ],
        right=("outstanding",),
    )


@commands.command()
def release(
    node: Annotated[str, typer.Argument(help="A node that is gone for good.", show_default=False)],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Give back what a node that is gone for good still holds of the budgets.

    If it lives after all, budgets may be overspent by what it held. The audit log keeps who did it.
    """
    settings = load_settings(data_dir=data_dir)
    rows = asyncio.run(_outstanding(settings, node))
    if not rows:
        raise NotFoundError(f"the node {node!r} holds nothing")
    total = sum(row.outstanding for row in rows)
    note(f"the node {node} holds {money_text(total)} in {len(rows)} leases")
    if not yes:
        typer.confirm("Is it gone for good?", abort=True, err=True)
    freed = asyncio.run(_release(settings, node, len(rows)))
    print_line(f"{money_text(freed)} of the node {node} fell free")


async def _outstanding(settings: Settings, node: str | None) -> list[LeaseOutstanding]:
    rows: list[LeaseOutstanding] = []
    async with opened(settings) as database, database.read() as unit:
        while True:
            after = rows[-1].lease_id if rows else ""
            page = await store.list_outstanding_leases(unit, node, after)
            rows += page
            if len(page) < store.PAGE_ROWS_MAX:
                return rows


async def _release(settings: Settings, node: str, leases: int) -> int:
    async with opened(settings) as database, database.write() as unit:
        freed = await store.release_node(unit, node)
        details = {"freed_usd": usd_text(freed), "leases": leases}
        await audit.record(unit, actor(), "ledger.release", f"node:{node}", details)
    return freed
