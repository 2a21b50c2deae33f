"""Who really served the calls in somebody else's table?"""

import asyncio
from typing import Annotated

import typer

from tollbridge.attribution import foreign_store
from tollbridge.attribution.foreign_store import COLUMN, add_column, count_missing, find_table
from tollbridge.cli.environment import AsJson
from tollbridge.cli.opening import require_database
from tollbridge.cli.output import print_json, print_line, print_table, progress_bar
from tollbridge.storage.engine import EngineSettings
from tollbridge.storage.unit import Database


def attribute_table(
    *,
    database_url: Annotated[
        str, typer.Option(help="sqlite:///path or postgresql://…", show_default=False)
    ],
    table: Annotated[str, typer.Option(help="Its name, or schema.name.")] = "api_usage_logs",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fill `actual_provider_name` of another application's table; adds the column if missing.

    From the columns provider, model_used and endpoint, by the built-in rules. Rows that have a
    provider are left. It can be interrupted and repeated at any time.
    """
    require_database(database_url)
    found, added = asyncio.run(_work(database_url, table, is_dry=dry_run))
    if as_json:
        print_json({"rows": sum(found.values()), "column_added": added, "providers": found})
        return
    if added:
        print_line(f"{table}: column {COLUMN} added")
    print_line(f"{sum(found.values()):,} rows {'would be' if dry_run else 'were'} filled")
    if found:
        most = sorted(found.items(), key=lambda one: (-one[1], one[0]))
        print_table(
            ("provider", "rows"), [(name, f"{count:,}") for name, count in most], right=("rows",)
        )


async def _work(url: str, name: str, *, is_dry: bool) -> tuple[dict[str, int], bool]:
    """Return provider → rows, and whether the column was added."""
    database = Database.open(url, EngineSettings(sqlite_wal=False))
    try:
        added = False if is_dry else await add_column(database, name)
        async with database.read() as unit:
            table = await find_table(unit, name)
        with progress_bar("rows", await count_missing(database, table)) as advance:
            work = foreign_store.preview if is_dry else foreign_store.fill
            return await work(database, table, advance), added
    finally:
        await database.close()
