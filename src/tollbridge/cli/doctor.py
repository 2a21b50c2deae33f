"""Is an installation in order?"""

import asyncio
import shutil
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tollbridge.cli.books import NOT_IN_ORDER, check_books
from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import note, print_json, print_table
from tollbridge.configuration.read import read_file
from tollbridge.core.clock import SECOND_US, SystemClock
from tollbridge.core.errors import ConfigurationError
from tollbridge.jobs.job import LATE_S
from tollbridge.jobs.store import load_figures
from tollbridge.processes.environment import environment
from tollbridge.processes.places import Places
from tollbridge.processes.secrets import load_secrets
from tollbridge.recording.store import load_counts
from tollbridge.routing import store as routing_store
from tollbridge.routing.builtin import SANDBOX, builtin_endpoints, builtin_here, load_known
from tollbridge.routing.part import Source
from tollbridge.settings import MIB, Settings
from tollbridge.storage.unit import Database

OTHERS_MAY_READ = 0o077


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    what: str
    in_order: bool
    says: str


def doctor(
    *,
    books: Annotated[
        bool, typer.Option("--books", help="Check the books instead: do all sums agree?")
    ] = False,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Check the books, and make every roll-up anew to compare."),
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Check an installation, also while it runs. Exit status 1 where something is not in order.

    Looks at the data directory, its secrets, the configuration file, the database, the spool and
    the endpoints. With --books, at the books instead: calls = attempts = roll-ups = postings, and
    each budget's spent and leased amounts, to the last nano-dollar (in which money is shown
    there).
    """
    settings = load_settings(data_dir=data_dir)
    if books or deep:
        check_books(settings, deep=deep, as_json=as_json)
        return
    found = asyncio.run(_look(settings))
    if as_json:
        print_json([msgspec.to_builtins(one) for one in found])
    else:
        print_table(
            ("what", "", "says"),
            [(one.what, "ok" if one.in_order else "NOT IN ORDER", one.says) for one in found],
        )
    wrong = [one for one in found if not one.in_order]
    if wrong:
        note(f"{len(wrong)} of {len(found)} are not in order")
        raise typer.Exit(NOT_IN_ORDER)
    note("all is in order; the books: tollbridge doctor --books")


async def _look(settings: Settings) -> list[Finding]:
    places = Places(settings.data_dir)
    found = [
        _data_directory(settings, places.data_dir),
        _secrets(settings, places),
        _configuration(settings),
    ]
    try:
        async with opened(settings) as database:
            found.append(Finding("database", in_order=True, says=f"{database.dialect}, opens"))
            found.append(await _records(database))
            found.append(await _jobs(database))
            if found[1].in_order:
                found.append(await _endpoints(settings, places, database))
    except ConfigurationError as error:
        found.append(Finding("database", in_order=False, says=error.message))
    return found


def _data_directory(settings: Settings, path: Path) -> Finding:
    what = "data directory"
    if not path.is_dir():
        return Finding(what, in_order=False, says=f"{path} is not there")
    free_mb = shutil.disk_usage(path).free // MIB
    says = f"{path}, {free_mb} MB free"
    if free_mb <= settings.spool_reserve_mb:
        says += f": below {settings.spool_reserve_mb} MB no call is let in"
        return Finding(what, in_order=False, says=says)
    return Finding(what, in_order=True, says=says)


def _secrets(settings: Settings, places: Places) -> Finding:
    given = (
        (settings.pepper, places.secrets / "pepper.key"),
        (settings.signing_key, places.secrets / "signing.key"),
        (settings.master_key, places.master_key),
    )
    files = [path for secret, path in given if secret is None]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        return Finding("secrets", in_order=False, says=f"not made yet: {', '.join(missing)}")
    loose = [path.name for path in files if path.stat().st_mode & OTHERS_MAY_READ]
    if loose:
        return Finding("secrets", in_order=False, says=f"others may read {', '.join(loose)}")
    try:
        load_secrets(settings, places)
    except ConfigurationError as error:
        return Finding("secrets", in_order=False, says=error.message)
    return Finding("secrets", in_order=True, says="all there, for their owner alone")


def _configuration(settings: Settings) -> Finding:
    what = "configuration"
    if settings.config is None:
        return Finding(what, in_order=True, says="no file is set")
    try:
        read = read_file(settings.config, environment(), load_known(settings.sandbox_url))
    except ConfigurationError as error:
        return Finding(what, in_order=False, says=error.message)
    skipped = [f"{one.table} {one.name} is skipped: {one.reason}" for one in read.skipped]
    return Finding(what, in_order=True, says="; ".join([f"{settings.config} is good", *skipped]))


async def _records(database: Database) -> Finding:
    async with database.read() as unit:
        quarantined, unreadable = await load_counts(unit)
    says = f"{quarantined} records in quarantine, {unreadable} lines were unreadable so far"
    if quarantined:
        says += "; to try again: tollbridge replay"
    return Finding("spool", in_order=not quarantined, says=says)


async def _jobs(database: Database) -> Finding:
    async with database.read() as unit:
        found = await load_figures(unit, SystemClock().now_us(), round(LATE_S * SECOND_US))
    says = f"{found.under_way} under way"
    if found.under_way:
        says += f", the oldest for {found.oldest_s:.0f} s; {found.stuck} past their time"
    if found.stuck:
        says += "; to see them: tollbridge jobs list --unfinished"
    return Finding("jobs", in_order=not found.stuck, says=says)


async def _endpoints(settings: Settings, places: Places, database: Database) -> Finding:
    variables = environment()
    here = builtin_here(settings.sandbox_url, variables)
    master = load_secrets(settings, places).master
    async with database.read() as unit:
        part = await routing_store.load_part(unit, master, here)
        rows = await routing_store.list_endpoints(unit)
    usable = [one.name for one in part.endpoints if one.enabled]
    # Its address is known to the processes alone.
    usable += [SANDBOX for row in rows if row.declared.endpoint.name == SANDBOX not in usable]
    says = [f"usable: {', '.join(usable)}" if usable else "none can be used"]
    says += [f"the key of {name} was encrypted with another master" for name in part.unreadable]
    # Live on another node, or once here.
    absent = {one.name: one.reason for one in builtin_endpoints(load_known(), variables)[1]}
    for row in rows:
        name = row.declared.endpoint.name
        if row.source == Source.BUILTIN and name not in here and name != SANDBOX:
            says.append(f"{name} is skipped here: {absent.get(name)}")
    return Finding("endpoints", in_order=bool(usable) and not part.unreadable, says="; ".join(says))
