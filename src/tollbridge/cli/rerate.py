"""What do calls of the past cost by the prices that are known now, and who pays the difference?"""

import asyncio
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.instants import read_instant
from tollbridge.cli.opening import opened
from tollbridge.cli.output import (
    money_text,
    note,
    print_json,
    print_line,
    print_table,
    progress_bar,
)
from tollbridge.cli.who import actor_here
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import InvalidRequestError
from tollbridge.recording.adjust import begin, preview, rerate
from tollbridge.recording.adjustment_store import Run, Window, count_calls
from tollbridge.recording.adjustment_tables import REASON_LENGTH_MAX
from tollbridge.recording.reconsider import Findings, Only
from tollbridge.rerating import make_tools, prices_now
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database

DEFAULT_REASON = "prices were corrected"
MARKED_REASON = "who served was corrected"


def rerate_calls(
    *,
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            help="First day, or ISO 8601 with a zone: by the end of a call.",
            show_default=False,
        ),
    ],
    to: Annotated[
        str | None, typer.Option(help="Not included. A day or an instant.", show_default="now")
    ] = None,
    provider: Annotated[str | None, typer.Option(help="Its attempts only.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Attempts that asked for it, or that it served.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    reason: Annotated[str, typer.Option(help="Stands on every adjustment.")] = DEFAULT_REASON,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Rate calls of a period again by the prices known now, and write down what differs.

    What was recorded first stays; adjustments sum to the difference, totals follow at the calls'
    own days, budgets in the period open now. A run that is cut short goes on where it was; one
    that is repeated finds nothing.
    """
    settings = load_settings(data_dir=data_dir)
    zone = ZoneInfo(settings.billing_time_zone)
    now_us = SystemClock().now_us()
    window = Window(
        read_instant("--from", from_, zone),
        now_us if to is None else read_instant("--to", to, zone),
    )
    if window.from_us >= window.to_us:
        raise InvalidRequestError("--from is not before --to")
    wanted = Run(
        run_id="",
        window=window,
        only=Only(provider or "", model or ""),
        prices_version=0,
        actor=actor_here(),
        reason=reason,
    )
    _run(settings, wanted, is_dry=dry_run, as_json=as_json)


def rerate_marked(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    reason: Annotated[str, typer.Option(help="Stands on every adjustment.")] = MARKED_REASON,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Rate those calls again that `tollbridge backfill` gave a provider with another price.

    As `prices rerate` does. A call that has no price by its new provider stays marked.
    """
    settings = load_settings(data_dir=data_dir)
    wanted = Run(
        run_id="",
        window=Window(0, SystemClock().now_us()),
        only=Only(marked=True),
        prices_version=0,
        actor=actor_here(),
        reason=reason,
    )
    _run(settings, wanted, is_dry=dry_run, as_json=as_json)


def _run(settings: Settings, wanted: Run, *, is_dry: bool, as_json: bool) -> None:
    if not 0 < len(wanted.reason) <= REASON_LENGTH_MAX:
        raise InvalidRequestError(f"--reason has 1 to {REASON_LENGTH_MAX} characters")
    findings = asyncio.run(_rerate(settings, wanted, is_dry=is_dry))
    if as_json:
        print_json(msgspec.to_builtins(findings))
        return
    _print(findings, is_dry=is_dry)


async def _rerate(settings: Settings, wanted: Run, *, is_dry: bool) -> Findings:
    async with opened(settings) as database:
        prices = await prices_now(database)
        wanted = msgspec.structs.replace(wanted, prices_version=prices.version)
        tools = make_tools(prices, ZoneInfo(settings.billing_time_zone))
        if is_dry:
            with progress_bar("calls", await _count(database, wanted)) as advance:
                return await preview(database, wanted, tools.rate_again, on_progress=advance)
        run = await begin(database, wanted)
        if run.place is not None:
            note("going on where a run about the same calls and prices was cut short")
        with progress_bar("calls", await _count(database, run)) as advance:
            return await rerate(database, run, tools, on_progress=advance)


async def _count(database: Database, run: Run) -> int:
    async with database.read() as unit:
        return await count_calls(unit, run.window, run.place, marked=run.only.marked)


def _print(findings: Findings, *, is_dry: bool) -> None:
    would = "would be " if is_dry else ""
    print_line(
        f"{findings.calls:,} calls seen; {findings.adjustments:,} attempts {would}adjusted by "
        f"{money_text(findings.difference_nanousd)} in all"
    )
    if findings.by_provider:
        print_table(
            ("provider", "difference"),
            [(name, money_text(sum_)) for name, sum_ in sorted(findings.by_provider.items())],
            right=("difference",),
        )
    for count, text in (
        (findings.calls_priced, "calls had no price and have one now"),
        (findings.unpriced, "attempts have no price now either: tollbridge prices unpriced"),
        (findings.price_gone, "attempts find no price now and keep what they cost"),
        (findings.budgets_unknown, "calls are too old to know their budgets: those stay"),
    ):
        if count:
            print_line(f"{count:,} {text}")
