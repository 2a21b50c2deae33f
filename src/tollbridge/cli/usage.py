"""What were the last calls, and what did they cost?"""

import asyncio
from typing import Annotated

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, load_settings, opened
from tollbridge.cli.output import count_text, money_text, print_json, print_table, time_text
from tollbridge.core.usage import UsageSource
from tollbridge.insight.queries import list_calls
from tollbridge.insight.usage import CallFilter, CallRow
from tollbridge.settings import Settings

COLUMNS = (
    "time (UTC)",
    "provider",
    "model",
    "in",
    "out",
    "cost",
    "latency",
    "attempts",
    "status",
)
NUMBERS = ("in", "out", "cost", "latency", "attempts")


def usage(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many calls.")] = 20,
    provider: Annotated[
        str | None, typer.Option(help="Of this actual provider or bucket.", show_default=False)
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Of this key, by name or id.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show the last calls, the newest first."""
    wanted = CallFilter(provider=provider, key=key)
    rows = asyncio.run(_list(load_settings(data_dir=data_dir), wanted, limit))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(COLUMNS, [_shown(row) for row in rows], right=NUMBERS)


async def _list(settings: Settings, wanted: CallFilter, limit: int) -> list[CallRow]:
    async with opened(settings) as database, database.read() as unit:
        return await list_calls(unit, wanted, None, limit)


def _shown(row: CallRow) -> tuple[str, ...]:
    # An estimate stays visible as one.
    about = "~" if row.usage_source == UsageSource.ESTIMATED else ""
    provider = row.actual_provider_name or "-"
    if provider != row.bucket:
        provider = f"{provider} ({row.bucket})"
    served = row.served_model or row.requested_model
    model = row.label if served in {None, row.label} else f"{row.label} → {served}"
    latency = "-" if row.latency_ms is None else f"{row.latency_ms} ms"
    ending = "" if row.ending in {None, "complete"} else f" {row.ending}"
    return (
        time_text(row.accounted_at_us),
        provider,
        model,
        f"{about}{count_text(row.usage.get('input'))}",
        f"{about}{count_text(row.usage.get('output'))}",
        f"{about}{money_text(row.cost_nanousd)}",
        latency,
        str(row.attempt_count),
        f"{row.status} {row.http_status}{ending}",
    )
