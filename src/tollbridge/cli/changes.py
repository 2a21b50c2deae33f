"""Who changed what, when, and from what to what?"""

import asyncio
from typing import Annotated

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import print_json, print_table, time_text
from tollbridge.insight.audit_queries import AuditEntry, AuditFilter, list_entries
from tollbridge.settings import Settings


def audit(
    *,
    actor: Annotated[str | None, typer.Option(help="Who.", show_default="anybody")] = None,
    action: Annotated[
        str | None,
        typer.Option(help="Such as keys.revoke; or its first part: keys.", show_default="any"),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="What, such as key:ci.", show_default="any")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most changes.")] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List what was changed by hand, the newest first."""
    wanted = AuditFilter(actor=actor, action=action, subject=subject)
    rows = asyncio.run(_list(load_settings(data_dir=data_dir), wanted, limit))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("at", "who", "action", "what", "details"),
        [
            (
                time_text(row.at_us),
                row.actor,
                row.action,
                row.subject,
                "" if row.details is None else msgspec.json.encode(row.details).decode(),
            )
            for row in rows
        ],
    )


async def _list(settings: Settings, wanted: AuditFilter, limit: int) -> list[AuditEntry]:
    async with opened(settings) as database, database.read() as unit:
        return await list_entries(unit, wanted, None, limit)
