"""What was told of limits that are used up, and whom is it sent to?"""

import asyncio
from typing import Annotated

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import print_json, print_line, print_table, time_text
from tollbridge.core.errors import InvalidRequestError
from tollbridge.insight.alert_queries import AlertFilter, AlertSeen, list_alerts
from tollbridge.ledger import alert_store, alert_webhook_store
from tollbridge.ledger.alert_webhook_store import Delivery, Webhook
from tollbridge.ledger.store import get_budget
from tollbridge.settings import Settings
from tollbridge.storage import audit

commands = typer.Typer(help="Alerts: limits that are nearly used up.", no_args_is_help=True)
ADMIN = "admin"
"""Whose read state is shown."""
DELIVERIES_MAX = 100


@commands.command("list")
def list_all(
    *,
    unread: Annotated[
        bool, typer.Option("--unread", help="Those that admin has not read.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most alerts.")] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List alerts, the newest first; of one limit and period the highest threshold leads."""
    rows = asyncio.run(_list(load_settings(data_dir=data_dir), limit, unread=unread))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("at", "severity", "what", "for", "read"),
        [
            (
                time_text(row.alert.created_at_us),
                row.alert.severity.value,
                row.alert.title,
                row.alert.standing.subject,
                "no" if row.read_at_us is None else time_text(row.read_at_us),
            )
            for row in rows
        ],
    )


@commands.command()
def thresholds(
    budget: Annotated[str, typer.Argument(help="The budget's name.", show_default=False)],
    percent: Annotated[
        list[int] | None,
        typer.Argument(
            help="In per cent of the limit; none: it is not told of.", show_default=False
        ),
    ] = None,
    *,
    default: Annotated[bool, typer.Option("--default", help="Those that all others have.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Say at which thresholds a budget is told of."""
    if default and percent:
        raise InvalidRequestError("--default goes without thresholds")
    wanted = None if default else (percent or [])
    asyncio.run(_set(load_settings(data_dir=data_dir), budget, wanted))
    text = "as all others" if wanted is None else ", ".join(f"{one} %" for one in wanted) or "never"
    print_line(f"budget {budget} is told of: {text}")


@commands.command()
def webhooks(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List where alerts are sent. One is added by POST /api/v1/alert-webhooks."""
    rows = asyncio.run(_webhooks(load_settings(data_dir=data_dir)))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("name", "url", "from", "state"),
        [
            (row.name, row.url, row.severity_min.value, "on" if row.enabled else "off")
            for row in rows
        ],
    )


@commands.command()
def deliveries(
    webhook: Annotated[str, typer.Argument(help="The webhook's name.", show_default=False)],
    *,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List what was sent to a webhook, the newest first, at most 100."""
    rows = asyncio.run(_deliveries(load_settings(data_dir=data_dir), webhook))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("at", "alert", "state", "tries", "last"),
        [
            (
                time_text(row.created_at_us),
                row.alert_id,
                row.state,
                str(len(row.tries)),
                _last(row),
            )
            for row in rows
        ],
        right=("tries",),
    )


async def _list(settings: Settings, limit: int, *, unread: bool) -> list[AlertSeen]:
    wanted = AlertFilter(unread=True if unread else None)
    async with opened(settings) as database, database.read() as unit:
        return await list_alerts(unit, None, ADMIN, wanted, (None, limit))


async def _set(settings: Settings, name: str, wanted: list[int] | None) -> None:
    async with opened(settings) as database, database.write() as unit:
        row = await get_budget(unit, name)
        before = (await alert_store.thresholds_of(unit, [row.budget_id])).get(row.budget_id)
        await alert_store.set_thresholds(unit, row.budget_id, wanted)
        await audit.record_change(
            unit,
            actor(),
            "alerts.rule",
            f"budget:{name}",
            before={"thresholds": None if before is None else list(before)},
            after={"thresholds": wanted},
        )


async def _webhooks(settings: Settings) -> list[Webhook]:
    async with opened(settings) as database, database.read() as unit:
        return await alert_webhook_store.list_webhooks(unit)


async def _deliveries(settings: Settings, name: str) -> list[Delivery]:
    async with opened(settings) as database, database.read() as unit:
        row = await alert_webhook_store.get_webhook(unit, name)
        return await alert_webhook_store.list_deliveries(unit, row.webhook_id, None, DELIVERIES_MAX)


def _last(row: Delivery) -> str:
    if not row.tries:
        return ""
    last = row.tries[-1]
    return str(last.get("status") or last.get("error") or "")
