"""What is known of one call, and what was asked and answered where that is kept?"""

import asyncio
from typing import Annotated, Any

import msgspec
import typer
from typer.core import TyperGroup

from tollbridge.cli import usage
from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import money_text, note, print_json, print_line, print_table, time_text
from tollbridge.core.content import ContentKind
from tollbridge.core.errors import NotFoundError
from tollbridge.insight.content_queries import CallContent, find_content
from tollbridge.insight.queries import find_call
from tollbridge.insight.usage import CallWhole
from tollbridge.settings import Settings


class ListOrShow(TyperGroup):
    """Lists calls, unless it is a command of its own that is asked for."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is asked for; then nothing is listed."""
        self.callback = None
        return super().resolve_command(ctx, args)


commands = typer.Typer(cls=ListOrShow, invoke_without_command=True, callback=usage.usage)
ATTEMPT_COLUMNS = ("attempt", "endpoint", "provider", "model", "outcome", "status", "cost")


@commands.command()
def show(
    call_id: Annotated[str, typer.Argument(help="The call's id.", show_default=False)],
    *,
    content: Annotated[
        bool, typer.Option("--content", help="What was asked and answered, if it is kept.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show one call with its attempts; with --content its prompt and its answer instead."""
    settings = load_settings(data_dir=data_dir)
    if content:
        _print_content(asyncio.run(_content(settings, call_id)), as_json=as_json)
        return
    found = asyncio.run(_call(settings, call_id))
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    call = found.call
    print_table(
        ("what", "is"),
        [
            ("ended (UTC)", time_text(call.accounted_at_us)),
            ("provider", f"{call.actual_provider_name or '-'} ({call.bucket})"),
            ("model", f"{call.label} → {call.served_model or call.requested_model or '-'}"),
            ("key, user", f"{call.key_name}, {call.user}"),
            ("status", f"{call.status} {call.http_status or '-'} {call.ending or ''}".rstrip()),
            ("usage", ", ".join(f"{unit} {count:,}" for unit, count in call.usage.items()) or "-"),
            ("cost", money_text(call.cost_now_nanousd)),
        ],
    )
    print_line("")
    print_table(
        ATTEMPT_COLUMNS,
        [
            (
                str(one.number),
                one.endpoint,
                one.provider,
                one.model,
                one.outcome,
                str(one.http_status or "-"),
                money_text(one.cost_nanousd),
            )
            for one in found.attempts
        ],
        right=("attempt", "cost"),
    )


async def _call(settings: Settings, call_id: str) -> CallWhole:
    async with opened(settings) as database, database.read() as unit:
        found = await find_call(unit, call_id)
    if found is None:
        raise NotFoundError(f"there is no call {call_id!r}")
    return found


async def _content(settings: Settings, call_id: str) -> CallContent:
    async with opened(settings) as database, database.read() as unit:
        found = await find_content(unit, call_id)
    if found is None:
        raise NotFoundError(f"nothing is kept of what a call {call_id!r} asked and was answered")
    return found


def _print_content(found: CallContent, *, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for kind in ContentKind:
        part = found.parts.get(kind)
        if part is None:
            note(f"{kind.value}: there is none")
            continue
        note(f"{kind.value}, {part.body_bytes:,} bytes{', cut' if part.truncated else ''}:")
        print_line(part.body)
