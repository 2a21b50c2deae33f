"""What were the last calls, and what did they cost?"""

import asyncio
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import count_text, money_text, print_json, print_table, time_text
from tollbridge.cli.usage_filter import Where, read_filter
from tollbridge.core.provider_names import ProviderNames
from tollbridge.core.usage import UsageSource
from tollbridge.insight.filter_queries import require_provider
from tollbridge.insight.log_filter import named_providers
from tollbridge.insight.log_queries import count_log, read_log
from tollbridge.insight.usage import CallFilter, CallRow, LogPage, LogTotal
from tollbridge.providers.names import load_names
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
    model: Annotated[
        str | None, typer.Option(help="Of this model, asked for or used.", show_default=False)
    ] = None,
    user: Annotated[str | None, typer.Option(help="Of this user.", show_default=False)] = None,
    key: Annotated[
        str | None, typer.Option(help="Of this key, by name or id.", show_default=False)
    ] = None,
    where: Where = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show the last calls, the newest first, and how many there are."""
    settings, names = load_settings(data_dir=data_dir), load_names()
    zone = ZoneInfo(settings.billing_time_zone)
    options = {"provider": provider, "model": model, "user": user, "key": key}
    wanted = read_filter(options, where, names, zone)
    page, total = asyncio.run(_read(settings, wanted, names, limit))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in page.rows])
        return
    print_table(COLUMNS, [_shown(row) for row in page.rows], right=NUMBERS)
    of = f"{total.calls:,}" if total.is_exact else f"at least {total.calls:,}"
    typer.echo(f"{len(page.rows)} shown, of {of} calls", err=True)


async def _read(
    settings: Settings, wanted: CallFilter, names: ProviderNames, limit: int
) -> tuple[LogPage, LogTotal]:
    zone = ZoneInfo(settings.billing_time_zone)
    async with opened(settings) as database, database.read() as unit:
        for provider in named_providers(wanted):
            await require_provider(unit, names, provider)
        page = await read_log(unit, wanted, zone, limit)
        return page, await count_log(unit, wanted, zone)


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
        f"{about}{money_text(row.cost_now_nanousd)}",
        latency,
        str(row.attempt_count),
        f"{row.status} {row.http_status}{ending}",
    )
