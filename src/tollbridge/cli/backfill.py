"""Who really served the calls in the books, by the rules known now?"""

import asyncio
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.instants import read_instant
from tollbridge.cli.opening import opened
from tollbridge.cli.output import (
    count_text,
    note,
    print_json,
    print_line,
    print_table,
    progress_bar,
    time_text,
)
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import InvalidRequestError
from tollbridge.insight.changes import RunRow
from tollbridge.insight.reattribution_queries import list_runs
from tollbridge.providers.names import load_names
from tollbridge.reattribution import keep, make_detector, make_tools
from tollbridge.recording.reassign import Findings
from tollbridge.recording.reattribute import begin, count_calls, preview, reattribute, revert
from tollbridge.recording.reattribution_runs_store import Run, Wanted
from tollbridge.settings import Settings

RUNS_SHOWN = 50


def backfill(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    rules: Annotated[
        str | None,
        typer.Option(
            help="A version that was in force once, or `builtin`.", show_default="those in force"
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="First day, or ISO 8601 with a zone: by the end of a call."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Not included. A day or an instant.")] = None,
    revert_run: Annotated[
        str | None, typer.Option("--revert", metavar="RUN", help="Take back what a run changed.")
    ] = None,
    runs: Annotated[bool, typer.Option("--runs", help="List the runs instead.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Find again who served the calls in the books, and let rows and sums follow.

    No cost changes; calls that were priced as another provider's are marked for `tollbridge
    prices rerate-marked`. Every change is kept and can be taken back. A run that is cut short
    goes on where it was; one that is repeated finds nothing.
    """
    settings = load_settings(data_dir=data_dir)
    if runs:
        _print_runs(asyncio.run(_runs(settings)), as_json=as_json)
        return
    zone = ZoneInfo(settings.billing_time_zone)
    if revert_run is not None and (dry_run or rules or since or until):
        raise InvalidRequestError("--revert takes a whole run back, and no other option")
    wanted = Wanted(
        since_us=None if since is None else read_instant("--since", since, zone),
        until_us=None if until is None else read_instant("--until", until, zone),
        reverts_run_id=revert_run,
        actor=actor(),
    )
    if None not in {wanted.since_us, wanted.until_us} and (
        (wanted.since_us or 0) >= (wanted.until_us or 0)
    ):
        raise InvalidRequestError("--since is not before --until")
    run_id, findings = asyncio.run(_work(settings, wanted, rules, is_dry=dry_run))
    if as_json:
        print_json({"run_id": run_id, **msgspec.to_builtins(findings)})
        return
    _print(run_id, findings, is_dry=dry_run)


async def _work(
    settings: Settings, wanted: Wanted, version: str | None, *, is_dry: bool
) -> tuple[str | None, Findings]:
    """Return the run's id, None for a dry one, and what it came to."""
    async with opened(settings) as database:
        detector = await make_detector(database, version, load_names().resolve)
        tools = make_tools(detector, ZoneInfo(settings.billing_time_zone))
        if wanted.reverts_run_id is None:
            wanted = msgspec.structs.replace(wanted, rules_version=detector.version)
        end_us = SystemClock().now_us() if wanted.until_us is None else wanted.until_us
        if is_dry:
            total = await count_calls(database, Run(run_id="", wanted=wanted, end_us=end_us))
            with progress_bar("calls", total) as advance:
                return None, await preview(
                    database, wanted, detector, end_us=end_us, on_progress=advance
                )
        if wanted.reverts_run_id is None:
            await keep(database, version)
        run = await begin(database, wanted)
        if run.place is not None:
            note(f"going on where the run {run.run_id} was cut short")
        with progress_bar("calls", await count_calls(database, run)) as advance:
            work = reattribute if wanted.reverts_run_id is None else revert
            return run.run_id, await work(database, run, tools, on_progress=advance)


async def _runs(settings: Settings) -> list[RunRow]:
    async with opened(settings) as database, database.read() as unit:
        return await list_runs(unit, None, RUNS_SHOWN)


def _print(run_id: str | None, findings: Findings, *, is_dry: bool) -> None:
    would = "would change" if is_dry else "changed"
    print_line(f"{findings.calls:,} calls seen; {findings.changed:,} {would}")
    if findings.moves:
        most = sorted(findings.moves.items(), key=lambda one: (-one[1], one[0]))
        print_table(
            ("from → to", "calls", "for example"),
            [(text, f"{count:,}", findings.samples[text][0]) for text, count in most],
            right=("calls",),
        )
    if findings.marked:
        print_line(
            f"{findings.marked:,} calls {'would have' if is_dry else 'have'} the price of another "
            "provider: tollbridge prices rerate-marked"
        )
    if findings.left_alone:
        print_line(f"{findings.left_alone:,} calls were changed again since, and are left")
    if run_id is not None:
        print_line(f"run {run_id}; to take it back: tollbridge backfill --revert {run_id}")


def _print_runs(runs: list[RunRow], *, as_json: bool) -> None:
    if as_json:
        print_json([msgspec.to_builtins(one) for one in runs])
        return
    print_table(
        ("run", "begun", "by", "rules", "state", "calls", "changed"),
        [
            (
                one.run_id,
                time_text(one.started_at_us),
                one.actor,
                one.rules_version or f"takes back {one.reverts_run_id}",
                one.state,
                count_text(one.calls),
                count_text(one.changed),
            )
            for one in runs
        ],
        right=("calls", "changed"),
    )
