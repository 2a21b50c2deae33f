"""How is an installation copied, so that nothing is lost with its disk?

The database first and the spool after it: what was drained in between is in the spool's copy
too, and is drained again after a restore, once.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Annotated

import typer

from tollbridge.cli.environment import DataDir, load_settings
from tollbridge.cli.opening import database_url, opened
from tollbridge.cli.output import print_line
from tollbridge.core.errors import ConfigurationError
from tollbridge.processes.places import Places
from tollbridge.recording.records import SEGMENT_SUFFIX
from tollbridge.settings import Settings
from tollbridge.storage.backup import copy_sqlite
from tollbridge.storage.engine import SQLITE, parse_url


def backup(
    directory: Annotated[Path, typer.Argument(help="New or empty.", show_default=False)],
    *,
    with_secrets: Annotated[
        bool,
        typer.Option(
            "--with-secrets", help="Copy the secrets too; without them no key opens anything."
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Copy the database and the spool while they are in use.

    To restore: stop Tollbridge, put the copies in a data directory (and the secrets, from where
    you keep them), and start it there.
    """
    settings = load_settings(data_dir=data_dir)
    places = Places(settings.data_dir)
    if directory.exists() and any(directory.iterdir()):
        raise ConfigurationError(f"{directory} is not empty")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if parse_url(database_url(settings)).drivername.startswith(SQLITE):
        target = directory / places.database.name
        asyncio.run(_copy_database(settings, target))
        print_line(f"database: {target}")
    else:
        print_line("database: PostgreSQL is not copied here; run pg_dump before this command")
    count = _copy_spool(places.spool, directory / places.spool.name)
    print_line(f"spool: {count} segments")
    if with_secrets:
        _copy_secrets(places, directory)
        print_line("secrets: copied; keep this directory as safe as a password")
    else:
        print_line(f"secrets: not copied; {places.secrets} and {places.master_key} are needed too")


async def _copy_database(settings: Settings, target: Path) -> None:
    async with opened(settings) as database, database.read() as unit:
        await copy_sqlite(unit, target)


def _copy_spool(source: Path, target: Path) -> int:
    target.mkdir()
    count = 0
    for segment in sorted(source.glob(f"*{SEGMENT_SUFFIX}")):
        try:
            shutil.copyfile(segment, target / segment.name)
        except FileNotFoundError:
            continue  # drained long ago, and deleted just now
        count += 1
    return count


def _copy_secrets(places: Places, directory: Path) -> None:
    if places.secrets.is_dir():
        shutil.copytree(places.secrets, directory / places.secrets.name)
    if places.master_key.is_file():
        shutil.copy2(places.master_key, directory / places.master_key.name)
