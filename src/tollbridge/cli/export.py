"""How does the usage log leave whole, for a spreadsheet or for another system?"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from tollbridge.cli.environment import DataDir, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import note
from tollbridge.cli.usage_filter import Where, read_filter
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import InvalidRequestError
from tollbridge.insight.export import Export, ExportForm, bounded, check_form, check_size, export
from tollbridge.insight.filter_queries import require_provider
from tollbridge.insight.log_filter import named_providers
from tollbridge.providers.names import load_names
from tollbridge.settings import Settings


def export_usage(
    *,
    form: Annotated[
        ExportForm, typer.Option("--format", help="focus: FOCUS 1.2 cost and usage rows, as CSV.")
    ] = ExportForm.CSV,
    output: Annotated[
        Path | None, typer.Option(help="A file, instead of the terminal.", show_default=False)
    ] = None,
    where: Where = None,
    data_dir: DataDir = None,
) -> None:
    """Write all calls that a filter lets by, the newest first.

    A file is there when it is whole; until then it has .part behind its name.
    """
    check_form(form)
    if form is ExportForm.PARQUET and output is None:
        raise InvalidRequestError("Parquet is no text for a terminal: say which file with --output")
    settings, names = load_settings(data_dir=data_dir), load_names()
    zone = ZoneInfo(settings.billing_time_zone)
    order = Export(
        form=form,
        wanted=bounded(read_filter({}, where, names, zone), SystemClock().now_us()),
        zone=zone,
        names=names,
        rows_max=settings.export_calls_max,
    )
    if output is None:
        asyncio.run(_write(settings, order, lambda lines: sys.stdout.write(lines.decode())))
        return
    part = output.with_name(f"{output.name}.part")
    with part.open("wb") as file:
        asyncio.run(_write(settings, order, file.write))
    part.replace(output)
    note(f"written to {output}")


async def _write(settings: Settings, order: Export, write: Callable[[bytes], object]) -> None:
    async with opened(settings) as database:
        async with database.read() as unit:
            for provider in named_providers(order.wanted):
                await require_provider(unit, order.names, provider)
            await check_size(unit, order)
        async for lines in export(database, order):
            write(lines)
