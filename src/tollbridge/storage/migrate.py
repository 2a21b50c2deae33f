"""Which schema does the database have, and how does it get another one?

Alembic, run from here only: its commands need our engine, a lock and one transaction around all
steps, so that a database has the old schema or the new one and nothing between.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from tollbridge.core.errors import ConfigurationError
from tollbridge.storage.engine import POSTGRESQL, EngineSettings
from tollbridge.storage.unit import Database, Unit

# Any number, as long as all nodes agree on it: the advisory lock of a change of schema.
LOCK_KEY = 7_089_336_938_131_513_954

_SETTINGS = EngineSettings(
    # SQLite changes a column by copying its table; while the old one is dropped, foreign keys
    # would delete the rows that point to it. They are checked before the commit instead.
    sqlite_foreign_keys=False,
    sqlite_busy_timeout_s=60.0,
    postgres_statement_timeout_s=None,
)


async def upgrade(
    url: str,
    revision: str = "head",
    *,
    scripts: Path | None = None,
    lock_wait_s: float = 60.0,
) -> None:
    """Bring the database at `url` up to `revision`, all steps or none.

    Two nodes that start at once do not collide: the second waits up to `lock_wait_s` and then
    finds nothing to do. Raises OverloadedError where the lock is not to be had or the database does
    not answer, SQLAlchemy's DBAPIError when a step fails.
    """
    await _change(url, lambda config: command.upgrade(config, revision), scripts, lock_wait_s)


async def downgrade(
    url: str,
    revision: str,
    *,
    scripts: Path | None = None,
    lock_wait_s: float = 60.0,
) -> None:
    """Take the database at `url` back to `revision` (`base`: no tables), all steps or none."""
    await _change(url, lambda config: command.downgrade(config, revision), scripts, lock_wait_s)


async def current(url: str) -> str | None:
    """Return the revision that the database at `url` has, None before the first one."""
    database = Database.open(url)
    try:
        async with database.read() as unit:
            return await unit.connection.run_sync(_revision)
    finally:
        await database.close()


def head(scripts: Path | None = None) -> str | None:
    """Return the newest revision that this version of the code knows."""
    return ScriptDirectory(str(scripts or scripts_path())).get_current_head()


def scripts_path() -> Path:
    """Return the folder of the migrations: inside an installed package, or in the checkout."""
    here = Path(__file__).resolve()
    candidates: Sequence[Path] = (here.parents[1] / "migrations", here.parents[3] / "migrations")
    for candidate in candidates:
        if (candidate / "env.py").is_file():
            return candidate
    raise ConfigurationError("the migrations are missing; the package was not built whole")


async def _change(
    url: str,
    run: Callable[[Config], None],
    scripts: Path | None,
    lock_wait_s: float,
) -> None:
    config = Config()
    # In this option % begins a placeholder.
    location = str(scripts or scripts_path()).replace("%", "%%")
    config.set_main_option("script_location", location)
    config.set_main_option("path_separator", "os")

    def run_on(connection: Connection) -> None:
        config.attributes["connection"] = connection
        run(config)

    database = Database.open(url, _SETTINGS)
    try:
        async with database.write() as unit:
            await _prepare(unit, lock_wait_s)
            await unit.connection.run_sync(run_on)
            await _check(unit)
    finally:
        await database.close()


async def _prepare(unit: Unit, lock_wait_s: float) -> None:
    if unit.dialect == POSTGRESQL:
        await unit.connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = {round(lock_wait_s * 1000)}",
        )
        await unit.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        return
    # Lets a table be copied and renamed although views read it.
    await unit.connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")


async def _check(unit: Unit) -> None:
    if unit.dialect == POSTGRESQL:
        return
    result = await unit.connection.exec_driver_sql("PRAGMA foreign_key_check")
    broken = sorted({str(row[0]) for row in result})
    if broken:
        raise ConfigurationError(
            f"the migration would leave rows without their parent in: {', '.join(broken)}",
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
