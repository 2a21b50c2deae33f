"""Which jobs are there, how do they stand, and how is one ended?"""

import asyncio
from typing import Annotated, Any

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import note, print_json, print_line, print_table, time_text
from tollbridge.core.errors import NotFoundError
from tollbridge.jobs import store
from tollbridge.jobs.job import Job, job_id_of
from tollbridge.settings import Settings

commands = typer.Typer(help="Jobs: films, and what else is finished though nobody waits.")
COLUMNS = ("job", "asked (UTC)", "user", "makes", "model", "status", "provider", "attempts")
ATTEMPT_COLUMNS = ("attempt", "endpoint", "key", "model", "outcome", "status", "says")
JobId = Annotated[str, typer.Argument(help="The job's id.", show_default=False)]


@commands.command("list")
def list_jobs(
    *,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Only those that are under way.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=store.PAGE_ROWS_MAX, help="How many.")] = 20,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List jobs of all keys, the newest first."""
    settings = load_settings(data_dir=data_dir)
    found = asyncio.run(_list(settings, limit, unfinished=unfinished))
    if as_json:
        print_json([_told(job) for job in found])
        return
    print_table(
        COLUMNS,
        [
            (
                job.job_id,
                time_text(job.created_at_us),
                job.opened.caller.user,
                job.opened.category.value,
                job.shown.model,
                job.status.value,
                job.provider or "-",
                str(len(job.attempts)),
            )
            for job in found
        ],
        right=("attempts",),
    )


@commands.command()
def show(job: JobId, *, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show one job with its attempts."""
    found = asyncio.run(_find(load_settings(data_dir=data_dir), job))
    if as_json:
        print_json(_told(found))
        return
    error = "-" if found.error is None else f"{found.error.code}: {found.error.message}"
    finished_us = found.finished_at_us
    print_table(
        ("what", "is"),
        [
            ("asked (UTC)", time_text(found.created_at_us)),
            ("finished (UTC)", "-" if finished_us is None else time_text(finished_us)),
            ("user", found.opened.caller.user),
            ("model", found.shown.model),
            ("status", f"{found.status.value} ({found.phase.value})"),
            ("driven by", found.node),
            ("error", error),
        ],
    )
    print_line("")
    print_table(
        ATTEMPT_COLUMNS,
        [
            (
                str(one.number),
                one.endpoint,
                one.key or "-",
                one.model,
                one.outcome.value,
                str(one.http_status or "-"),
                one.message or "-",
            )
            for one in found.attempts
        ],
        right=("attempt",),
    )


@commands.command()
def cancel(job: JobId, *, data_dir: DataDir = None) -> None:
    """End a job that is under way, at its provider too where that can be done.

    Its office sees that within the longest wait between two looks at a task.
    """
    found = asyncio.run(_cancel(load_settings(data_dir=data_dir), job))
    if found.is_finished:
        note(f"it is over: {found.status.value}")
    else:
        note("it is asked to end")


async def _list(settings: Settings, limit: int, *, unfinished: bool) -> list[Job]:
    async with opened(settings) as database, database.read() as unit:
        return await store.list_all(unit, unfinished=unfinished, limit=limit)


async def _find(settings: Settings, name: str) -> Job:
    async with opened(settings) as database, database.read() as unit:
        found = await store.find(unit, job_id_of(name))
    if found is None:
        raise NotFoundError(f"there is no job {name!r}")
    return found


async def _cancel(settings: Settings, name: str) -> Job:
    async with opened(settings) as database, database.write() as unit:
        found = await store.find(unit, job_id_of(name))
        if found is None:
            raise NotFoundError(f"there is no job {name!r}")
        await store.ask_to_stop(unit, found.job_id)
    return found


def _told(job: Job) -> dict[str, Any]:
    """Return a job without what was asked and made, which are the caller's."""
    return {
        "job": job.job_id,
        "status": job.status.value,
        "phase": job.phase.value,
        "created_at_us": job.created_at_us,
        "finished_at_us": job.finished_at_us,
        "deadline_at_us": job.deadline_at_us,
        "node": job.node,
        "user": job.opened.caller.user,
        "category": job.opened.category.value,
        "model": job.shown.model,
        "provider": job.provider,
        "error": msgspec.to_builtins(job.error),
        "attempts": msgspec.to_builtins(job.attempts),
    }
