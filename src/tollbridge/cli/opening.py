"""How does a command reach the database?"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from tollbridge.core.errors import ConfigurationError, OverloadedError, TollbridgeError
from tollbridge.processes.places import Places
from tollbridge.settings import Settings
from tollbridge.storage import migrate
from tollbridge.storage.engine import SQLITE, EngineSettings, parse_url
from tollbridge.storage.unit import Database


def database_url(settings: Settings) -> str:
    """Return the database's address: as set, else SQLite in the data directory."""
    return settings.database_url or f"sqlite:///{Places(settings.data_dir).database}"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncGenerator[Database]:
    """Open the database for one command.

    Raises ConfigurationError where there is none, it does not answer, or its schema is not ours.
    """
    url = database_url(settings)
    revision, wanted = await current_revision(url), migrate.head()
    if revision != wanted:
        raise ConfigurationError(
            f"the database has schema {revision or 'none'}, and this version needs {wanted}: "
            "run `tollbridge db upgrade`, or the version that fits",
        )
    database = Database.open(url, EngineSettings(sqlite_synchronous=settings.sqlite_synchronous))
    try:
        yield database
    finally:
        await database.close()


async def current_revision(url: str) -> str | None:
    """Return the schema's revision. Raises ConfigurationError where the database does not open."""
    require_database(url)
    try:
        return await migrate.current(url)
    except OverloadedError as error:
        raise ConfigurationError(f"the database cannot be opened: {error.__cause__}") from error
    except TollbridgeError:
        raise
    except Exception as error:
        # Each driver has errors of its own; all that was done is to connect and to read one row.
        raise ConfigurationError(f"the database cannot be opened: {error}") from error


def require_database(url: str) -> None:
    """Raise ConfigurationError for a SQLite file that is not there; opening would make one."""
    parsed = parse_url(url)
    if parsed.drivername.startswith(SQLITE) and not Path(parsed.database or "").is_file():
        raise ConfigurationError(
            f"there is no database at {parsed.database}: start `tollbridge serve` first, "
            "or say where it is with --data-dir or TOLLBRIDGE_DATABASE_URL",
        )
