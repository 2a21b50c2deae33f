"""Which prices are known?"""

import asyncio
from typing import Annotated

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, load_settings, opened
from tollbridge.cli.output import print_json, print_table, time_text
from tollbridge.insight.resource_queries import PriceFilter, PriceVersion, list_prices
from tollbridge.settings import Settings

commands = typer.Typer(help="The catalogue of prices.", no_args_is_help=True)
PAGE_ROWS = 1000


@commands.command("list")
def list_all(
    *,
    provider: Annotated[str | None, typer.Option(help="Of this provider only.")] = None,
    model: Annotated[str | None, typer.Option(help="Of this model only.")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List all price versions by provider, model, unit and time."""
    wanted = PriceFilter(provider=provider, model=model)
    rows = asyncio.run(_list(load_settings(data_dir=data_dir), wanted))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("provider", "model", "unit", "USD", "per", "from", "until", "source", "status"),
        [
            (
                row.provider,
                row.model,
                row.unit,
                row.rate_usd or "-",
                f"{row.per:,}",
                time_text(row.valid_from_us) if row.valid_from_us else "always",
                time_text(row.valid_to_us),
                row.source,
                row.status,
            )
            for row in rows
        ],
        right=("USD", "per"),
    )


async def _list(settings: Settings, wanted: PriceFilter) -> list[PriceVersion]:
    rows: list[PriceVersion] = []
    async with opened(settings) as database, database.read() as unit:
        while True:
            page = await list_prices(unit, wanted, rows[-1].place if rows else None, PAGE_ROWS)
            rows += page
            if len(page) < PAGE_ROWS:
                return rows
