"""What would all of this look like with usage in it?"""

import asyncio
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from tollbridge.cli.demo_books import DemoBooks
from tollbridge.cli.demo_budgets_store import empty_wallet
from tollbridge.cli.demo_experiment_store import remove_experiment
from tollbridge.cli.demo_store import count_calls, remove_calls
from tollbridge.cli.demo_usage import Plan
from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import print_json, print_line, progress_bar
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import ConflictError
from tollbridge.settings import Settings

CALLS_DEFAULT = 20_000
CALLS_MAX = 1_000_000


def demo(
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take the demo's usage out of the books again.")
    ] = False,
    calls: Annotated[
        int, typer.Option(min=1, max=CALLS_MAX, help="How many calls, over 30 days.")
    ] = CALLS_DEFAULT,
    seed: Annotated[int, typer.Option(help="The same seed makes the same usage.")] = 1,
    beside_real_usage: Annotated[
        bool, typer.Option("--beside-real-usage", help="Also where there is real usage already.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Fill an empty installation with 30 days of made-up usage, to look around in.

    It takes the way of real usage: checked, attributed, priced and summed up like that. All of it
    is of the node and source `demo`, its budgets, wallet and experiment begin with that; --remove
    takes it out, and every sum follows. The wallet's lines stay, as all of a ledger do: it is
    emptied and switched off.
    """
    settings = load_settings(data_dir=data_dir)
    if remove:
        removed = asyncio.run(_remove(settings))
        if as_json:
            print_json({"removed": removed})
        else:
            print_line(f"{removed} demo calls are out of the books")
        return
    plan = Plan(calls, seed, SystemClock().now_us())
    counted = asyncio.run(_fill(settings, plan, beside=beside_real_usage))
    if as_json:
        print_json({"calls": counted})
    else:
        print_line(f"{counted} demo calls are in the books; `tollbridge demo --remove` ends it")


async def _fill(settings: Settings, plan: Plan, *, beside: bool) -> int:
    async with opened(settings) as database:
        async with database.read() as unit:
            known, real = await count_calls(unit, demo=True), await count_calls(unit, demo=False)
        if known:
            raise ConflictError(
                f"there are {known} demo calls already; `tollbridge demo --remove` takes them out"
            )
        if real and not beside:
            raise ConflictError(
                f"this installation has {real} real calls; to mix made-up ones among them, until "
                "`tollbridge demo --remove`: --beside-real-usage"
            )
        books = await DemoBooks.open(database, settings, plan, actor=actor())
        with progress_bar("demo calls", plan.calls) as tell:
            return await books.fill(tell)


async def _remove(settings: Settings) -> int:
    now_us = SystemClock().now_us()
    async with opened(settings) as database, database.write() as unit:
        await empty_wallet(unit, now_us, actor=actor())
        await remove_experiment(unit)
        return await remove_calls(unit, ZoneInfo(settings.billing_time_zone), now_us)
