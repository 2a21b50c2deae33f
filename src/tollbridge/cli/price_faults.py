"""Which calls have no price, and for which does the provider charge something else?"""

import asyncio
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.instants import read_instant
from tollbridge.cli.opening import opened
from tollbridge.cli.output import money_text, note, print_json, print_table, time_text
from tollbridge.core.clock import SECOND_US, SystemClock
from tollbridge.insight.prices import ChargeDifference, Tolerance, UnpricedGap, Whose
from tollbridge.insight.unpriced_queries import list_differences, list_unpriced
from tollbridge.rating.prices import read_rate
from tollbridge.settings import Settings

ROWS_MAX = 500
LOOKED_BACK_US = 30 * 86_400 * SECOND_US

Provider = Annotated[str | None, typer.Option(help="Of this provider only.", show_default=False)]


def unpriced(
    *,
    provider: Provider = None,
    limit: Annotated[int, typer.Option(min=1, max=ROWS_MAX, help="How many.")] = 100,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List what was called and has no price, the largest first.

    State a price, then `prices rerate`: it leaves this list.
    """

    async def read(settings: Settings) -> list[UnpricedGap]:
        async with opened(settings) as database, database.read() as unit:
            return await list_unpriced(unit, Whose(provider=provider), None, limit)

    rows = asyncio.run(read(load_settings(data_dir=data_dir)))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("provider", "model", "category", "attempts", "first (UTC)", "last (UTC)", "why"),
        [
            (
                row.provider,
                row.model,
                row.category,
                f"{row.count:,}",
                time_text(row.first_seen_us),
                time_text(row.last_seen_us),
                row.reason or "-",
            )
            for row in rows
        ],
        right=("attempts",),
    )


def differences(
    *,
    provider: Provider = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", help="First day, or an instant.", show_default="30 days ago"),
    ] = None,
    to: Annotated[str | None, typer.Option(help="Not included.", show_default="now")] = None,
    percent: Annotated[
        str, typer.Option("--tolerance-percent", help="Of what was reported.")
    ] = "1",
    amount_usd: Annotated[
        str, typer.Option("--tolerance-usd", help="A smaller difference is none.")
    ] = "0.000001",
    limit: Annotated[int, typer.Option(min=1, max=ROWS_MAX, help="How many.")] = 100,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List calls whose reported charge is not what our prices give, the newest first."""
    settings = load_settings(data_dir=data_dir)
    zone = ZoneInfo(settings.billing_time_zone)
    now_us = SystemClock().now_us()
    end_us = now_us if to is None else read_instant("--to", to, zone)
    from_us = end_us - LOOKED_BACK_US if from_ is None else read_instant("--from", from_, zone)
    tolerance = Tolerance(
        read_rate("--tolerance-percent", percent) / 100,
        int(read_rate("--tolerance-usd", amount_usd).scaleb(9)),
    )
    found, more = asyncio.run(
        _differences(settings, Whose(provider=provider), (from_us, end_us), tolerance, limit)
    )
    if as_json:
        print_json([msgspec.to_builtins(row) for row in found])
    else:
        print_table(
            ("call", "time (UTC)", "provider", "model", "reported", "computed", "difference"),
            [
                (
                    row.call_id,
                    time_text(row.accounted_at_us),
                    row.provider,
                    row.model or "-",
                    money_text(row.reported_nanousd),
                    money_text(row.computed_nanousd),
                    money_text(row.difference_nanousd),
                )
                for row in found
            ],
            right=("reported", "computed", "difference"),
        )
    if more:
        note("there may be more")


async def _differences(
    settings: Settings,
    wanted: Whose,
    window: tuple[int, int],
    tolerance: Tolerance,
    limit: int,
) -> tuple[list[ChargeDifference], bool]:
    """Return the newest differences, however many calls lie between them."""
    rows: list[ChargeDifference] = []
    after: tuple[int, str] | None = None
    async with opened(settings) as database:
        while True:
            async with database.read() as unit:
                page = await list_differences(
                    unit, wanted, window, tolerance, after, limit - len(rows)
                )
            rows += page.differences
            after = page.next_place
            if after is None or len(rows) == limit:
                return rows, after is not None
