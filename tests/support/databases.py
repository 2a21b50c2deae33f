"""Fresh databases for tests, on SQLite and on PostgreSQL.

Fixtures (loaded by tests/conftest.py):

- `database`: a `tollbridge.storage.unit.Database`, empty and migrated, one per test;
- `database_url`: the address of that same database, for tests that start processes;
- `postgresql_url`: the address of a migrated database on PostgreSQL, whatever the dialect;
- `empty_database_url`: a database without any table.

Each runs once per dialect. For one dialect only:
`@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)`.

A migrated template is made once per session and dialect, then copied. It is made by
`migrate.upgrade` as soon as migrations/versions has a step, and by `metadata.create_all` over
all tables until then (`make_schema`).
"""

import atexit
import functools
import importlib
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs] - asyncpg ships no types
import pytest

import tollbridge
from tests.support.postgres import PostgresServer
from tollbridge.storage import migrate
from tollbridge.storage.types import metadata
from tollbridge.storage.unit import Database

TEMPLATE = "tollbridge_template"
EMPTY = "template1"


async def make_schema(url: str) -> None:
    """Give the empty database at `url` today's schema."""
    if any((migrate.scripts_path() / "versions").glob("*.py")):
        await migrate.upgrade(url)
        return
    import_tables()
    database = Database.open(url)
    async with database.write() as unit:
        await unit.connection.run_sync(metadata.create_all)
    await database.close()


def import_tables() -> None:
    """Define every package's tables on the metadata."""
    importlib.import_module("tollbridge.storage.audit")
    importlib.import_module("tollbridge.storage.versions")
    root = Path(tollbridge.__file__).parent
    for path in sorted(root.glob("*/*tables.py")):
        importlib.import_module(f"tollbridge.{path.parent.name}.{path.stem}")


@functools.cache
def _template_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="tollbridge-template-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


async def put_migrated(path: Path) -> None:
    """Make a fresh migrated SQLite database at `path`: a copy of one that is made once."""
    template = _template_folder() / "template.db"
    if not template.exists():
        # Under another name until it is whole: a failed attempt must not become the template.
        attempt = template.with_name("attempt.db")
        attempt.unlink(missing_ok=True)
        await make_schema(f"sqlite:///{attempt}")
        attempt.rename(template)
    shutil.copyfile(template, path)


class SqliteFiles:
    """Makes SQLite databases by copying a template file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def new(self) -> Path:
        """Return the path of a database that does not exist yet."""
        return self._folder / f"test_{next(self._numbers)}.db"

    async def copy(self) -> Path:
        """Return the path of a fresh migrated database."""
        path = self.new()
        await put_migrated(path)
        return path


class PostgresDatabases:
    """Makes PostgreSQL databases by copying a template database."""

    def __init__(self) -> None:
        self._server: PostgresServer | None = None
        self._numbers = itertools.count(1)
        self._has_template = False

    async def copy(self) -> str:
        """Return the name of a fresh migrated database."""
        if not self._has_template:
            name = await self.create(EMPTY)
            await make_schema(self.url(name))
            await self._run(f'ALTER DATABASE "{name}" RENAME TO "{TEMPLATE}"')
            self._has_template = True
        return await self.create(TEMPLATE)

    async def create(self, template: str) -> str:
        """Return the name of a fresh copy of `template`."""
        name = f"test_{next(self._numbers)}"
        # Without syncing, copying the files is several times faster than logging each page.
        await self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return name

    async def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        await self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def url(self, name: str) -> str:
        """Return a database's address."""
        return self._started().url(name)

    def stop(self) -> None:
        """End the server, if it was ever needed."""
        if self._server is not None:
            self._server.stop()

    async def _run(self, sql: str) -> None:
        url = self.url("postgres")
        connection = await cast("Any", asyncpg).connect(url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    def _started(self) -> PostgresServer:
        if self._server is None:
            self._server = PostgresServer.start()
        return self._server


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    return SqliteFiles(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[PostgresDatabases]:
    databases = PostgresDatabases()
    yield databases
    databases.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_dialect(request: pytest.FixtureRequest) -> str:
    return cast("str", request.param)


@pytest.fixture
async def database_url(
    database_dialect: str,
    sqlite_files: SqliteFiles,
    postgres_databases: PostgresDatabases,
) -> AsyncIterator[str]:
    if database_dialect == "sqlite":
        path = await sqlite_files.copy()
        yield f"sqlite:///{path}"
        _remove(path)
        return
    name = await postgres_databases.copy()
    yield postgres_databases.url(name)
    await postgres_databases.drop(name)


@pytest.fixture
async def postgresql_url(postgres_databases: PostgresDatabases) -> AsyncIterator[str]:
    """Return the address of a fresh migrated database on PostgreSQL."""
    name = await postgres_databases.copy()
    yield postgres_databases.url(name)
    await postgres_databases.drop(name)


@pytest.fixture
async def empty_database_url(
    database_dialect: str,
    sqlite_files: SqliteFiles,
    postgres_databases: PostgresDatabases,
) -> AsyncIterator[str]:
    if database_dialect == "sqlite":
        path = sqlite_files.new()
        yield f"sqlite:///{path}"
        _remove(path)
        return
    name = await postgres_databases.create(EMPTY)
    yield postgres_databases.url(name)
    await postgres_databases.drop(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database.open(database_url)
    yield opened
    await opened.close()


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
