"""How does the database get another schema?"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from tollbridge.cli.environment import DataDir, load_settings
from tollbridge.cli.opening import current_revision, database_url, require_database
from tollbridge.cli.output import print_line
from tollbridge.core.errors import ConfigurationError, TollbridgeError
from tollbridge.storage import migrate
from tollbridge.storage.engine import SQLITE, parse_url

commands = typer.Typer(help="The database's schema.", no_args_is_help=True)


@commands.command()
def upgrade(
    revision: Annotated[str, typer.Argument(help="The revision to reach.")] = "head",
    *,
    data_dir: DataDir = None,
) -> None:
    """Bring the database to this version's schema, all steps or none."""
    url = database_url(load_settings(data_dir=data_dir))
    parsed = parse_url(url)
    if parsed.drivername.startswith(SQLITE):
        Path(parsed.database or "").parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(_upgrade(url, revision))


@commands.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="The revision to reach; base: no tables.")],
    *,
    data_dir: DataDir = None,
) -> None:
    """Take the database back to an earlier schema, all steps or none."""
    url = database_url(load_settings(data_dir=data_dir))
    require_database(url)
    asyncio.run(_downgrade(url, revision))


@commands.command()
def current(*, data_dir: DataDir = None) -> None:
    """Print the revision that the database has, and the one that this version needs."""
    url = database_url(load_settings(data_dir=data_dir))
    revision = asyncio.run(current_revision(url))
    print_line(f"{revision or 'none'} (this version: {migrate.head() or 'none'})")


async def _upgrade(url: str, revision: str) -> None:
    try:
        await migrate.upgrade(url, revision)
    except TollbridgeError:
        raise
    except Exception as error:
        # Alembic and each driver have errors of their own; nothing was changed.
        raise ConfigurationError(f"the database was not upgraded: {error}") from error
    print_line(f"the database has schema {await migrate.current(url) or 'none'}")


async def _downgrade(url: str, revision: str) -> None:
    try:
        await migrate.downgrade(url, revision)
    except TollbridgeError:
        raise
    except Exception as error:
        # Alembic and each driver have errors of their own; nothing was changed.
        raise ConfigurationError(f"the database was not downgraded: {error}") from error
    print_line(f"the database has schema {await migrate.current(url) or 'none'}")
