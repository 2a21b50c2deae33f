"""Which details are archived, and which should be?"""

import asyncio

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import print_json, print_line, print_table, progress_bar, time_text
from tollbridge.core.clock import SystemClock
from tollbridge.core.schedule import Schedule
from tollbridge.processes.archiving import make_archiver
from tollbridge.processes.crash import crash_points
from tollbridge.recording.archive import ArchiveStatus
from tollbridge.recording.archive_store import Moved, TierCount
from tollbridge.settings import ARCHIVE_CRON, Settings

commands = typer.Typer(help="Details that have been kept long enough.", no_args_is_help=True)


@commands.command()
def run(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Move what is due to the archive now, batch by batch, without waiting for the schedule.

    Cut short, it goes on the next time. Sums do not change by it.
    """
    moved = asyncio.run(_run(load_settings(data_dir=data_dir)))
    if as_json:
        print_json(msgspec.to_builtins(moved))
        return
    print_line(f"{moved.calls:,} calls were archived")


@commands.command()
def status(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show how many calls are archived, how many are not, and how many should be."""
    settings = load_settings(data_dir=data_dir)
    found = asyncio.run(_status(settings))
    schedule = Schedule(settings.details_archive_cron, ARCHIVE_CRON)
    next_us = schedule.next_us(SystemClock().now_us())
    if as_json:
        print_json({**msgspec.to_builtins(found), "next_us": next_us})
        return
    print_table(
        ("where", "calls", "from (UTC)", "to (UTC)"),
        [_row("details", found.hot), _row("archive", found.archived)],
        right=("calls",),
    )
    print_line(
        f"{found.due:,} calls from before {time_text(found.before_us)} wait to be archived; "
        f"next at {time_text(next_us)} by {schedule.cron!r}"
    )


async def _run(settings: Settings) -> Moved:
    reach, _ = crash_points(settings.crash_at)
    async with opened(settings) as database:
        archiver = make_archiver(settings, database, SystemClock(), reach)
        due = (await archiver.status()).due
        with progress_bar("calls", due) as advance:
            return await archiver.run(lambda moved: advance(moved.calls))


async def _status(settings: Settings) -> ArchiveStatus:
    async with opened(settings) as database:
        return await make_archiver(settings, database, SystemClock()).status()


def _row(where: str, count: TierCount) -> tuple[str, ...]:
    return (where, f"{count.calls:,}", time_text(count.oldest_at_us), time_text(count.newest_at_us))
