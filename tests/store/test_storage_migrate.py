import asyncio
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from tests.support.databases import import_tables
from tollbridge.core.errors import ConfigurationError, OverloadedError
from tollbridge.storage import migrate
from tollbridge.storage.types import metadata
from tollbridge.storage.unit import Database

FIRST = '''"""Parents, their children, and a view."""
import sqlalchemy as sa
from alembic import op
revision = "0001"
down_revision = None
def upgrade() -> None:
    op.create_table("parent", sa.Column("id", sa.Integer, primary_key=True),
                    sa.Column("name", sa.String(8)))
    op.create_table("child", sa.Column("id", sa.Integer, primary_key=True),
                    sa.Column("parent_id", sa.Integer,
                              sa.ForeignKey("parent.id", ondelete="CASCADE"), nullable=False))
    op.execute("CREATE VIEW parents AS SELECT id FROM parent")
def downgrade() -> None:
    op.execute("DROP VIEW parents")
    op.drop_table("child")
    op.drop_table("parent")
'''
SECOND = '''"""A name is needed."""
import sqlalchemy as sa
from alembic import op
revision = "0002"
down_revision = "0001"
def upgrade() -> None:
    op.execute("UPDATE parent SET name = '' WHERE name IS NULL")
    with op.batch_alter_table("parent") as batch:
        batch.alter_column("name", existing_type=sa.String(8), nullable=False)
def downgrade() -> None:
    with op.batch_alter_table("parent") as batch:
        batch.alter_column("name", existing_type=sa.String(8), nullable=True)
'''
BROKEN = '''"""A step that fails half-way."""
import sqlalchemy as sa
from alembic import op
revision = "0003"
down_revision = "0002"
def upgrade() -> None:
    op.create_table("extra", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO nowhere VALUES (1)")
def downgrade() -> None:
    op.drop_table("extra")
'''
ORPHANING = '''"""A step that forgets the children."""
from alembic import op
revision = "0003"
down_revision = "0002"
def upgrade() -> None:
    op.execute("DELETE FROM parent")
def downgrade() -> None:
    pass
'''


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Make a folder like migrations/ with two steps of the test's own."""
    folder = tmp_path / "100% own" / "migrations"
    (folder / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        shutil.copyfile(migrate.scripts_path() / name, folder / name)
    (folder / "versions" / "0001_first.py").write_text(FIRST)
    (folder / "versions" / "0002_second.py").write_text(SECOND)
    return folder


async def run(url: str, *statements: str) -> None:
    database = Database.open(url)
    async with database.write() as unit:
        for statement in statements:
            await unit.connection.execute(text(statement))
    await database.close()


async def one(url: str, query: str) -> object:
    database = Database.open(url)
    async with database.read() as unit:
        value = (await unit.connection.execute(text(query))).scalar_one()
    await database.close()
    return value


async def tables_of(url: str) -> set[str]:
    database = Database.open(url)
    async with database.read() as unit:
        names = await unit.connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await database.close()
    return set(names)


async def test_a_database_goes_up_and_down_with_its_data(
    empty_database_url: str,
    scripts: Path,
) -> None:
    """Children keep their parents and views keep working while a table is copied."""
    url = empty_database_url
    assert await migrate.current(url) is None
    await migrate.upgrade(url, "0001", scripts=scripts)
    assert await migrate.current(url) == "0001"
    await run(url, "INSERT INTO parent VALUES (1, NULL)", "INSERT INTO child VALUES (7, 1)")

    await migrate.upgrade(url, scripts=scripts)
    assert await migrate.current(url) == "0002" == migrate.head(scripts)
    assert await one(url, "SELECT name FROM parent") == ""
    assert await one(url, "SELECT parent_id FROM child") == 1
    assert await one(url, "SELECT id FROM parents") == 1
    with pytest.raises(DBAPIError, match=r"(?i)null"):
        await run(url, "INSERT INTO parent VALUES (2, NULL)")
    with pytest.raises(DBAPIError, match=r"(?i)foreign"):
        await run(url, "INSERT INTO child VALUES (8, 9)")

    await migrate.downgrade(url, "0001", scripts=scripts)
    assert await one(url, "SELECT parent_id FROM child") == 1
    await run(url, "INSERT INTO parent VALUES (2, NULL)")

    await migrate.downgrade(url, "base", scripts=scripts)
    assert await migrate.current(url) is None
    assert await tables_of(url) == {"alembic_version"}


async def test_an_upgrade_that_is_done_changes_nothing(
    empty_database_url: str,
    scripts: Path,
) -> None:
    await migrate.upgrade(empty_database_url, scripts=scripts)
    await run(empty_database_url, "INSERT INTO parent VALUES (1, 'a')")
    await migrate.upgrade(empty_database_url, scripts=scripts)
    assert await one(empty_database_url, "SELECT count(*) FROM parent") == 1


async def test_a_step_that_fails_leaves_nothing_of_any_step(
    empty_database_url: str,
    scripts: Path,
) -> None:
    (scripts / "versions" / "0003_broken.py").write_text(BROKEN)
    with pytest.raises(DBAPIError, match="nowhere"):
        await migrate.upgrade(empty_database_url, scripts=scripts)
    assert await migrate.current(empty_database_url) is None
    assert await tables_of(empty_database_url) == set()


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_a_step_that_leaves_orphans_is_refused(
    empty_database_url: str,
    scripts: Path,
) -> None:
    """Foreign keys are off while SQLite copies tables, so they are checked at the end."""
    url = empty_database_url
    await migrate.upgrade(url, scripts=scripts)
    await run(url, "INSERT INTO parent VALUES (1, 'a')", "INSERT INTO child VALUES (7, 1)")
    (scripts / "versions" / "0003_orphaning.py").write_text(ORPHANING)
    with pytest.raises(ConfigurationError, match="child"):
        await migrate.upgrade(url, scripts=scripts)
    assert await one(url, "SELECT count(*) FROM parent") == 1


async def test_nodes_that_start_at_once_upgrade_once(
    empty_database_url: str,
    scripts: Path,
) -> None:
    """Two processes: one makes the tables, the other finds nothing to do."""
    program = (
        "import asyncio, pathlib, sys\n"
        "from tollbridge.storage import migrate\n"
        "asyncio.run(migrate.upgrade(sys.argv[1], scripts=pathlib.Path(sys.argv[2])))\n"
    )
    command = [sys.executable, "-c", program, empty_database_url, str(scripts)]
    processes = [
        await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        for _ in range(2)
    ]
    ended = await asyncio.wait_for(asyncio.gather(*(each.communicate() for each in processes)), 60)
    assert [each.returncode for each in processes] == [0, 0], ended
    assert await migrate.current(empty_database_url) == "0002"


@pytest.mark.parametrize("database_dialect", ["postgresql"], indirect=True)
async def test_a_node_does_not_wait_for_the_lock_for_ever(
    empty_database_url: str,
    scripts: Path,
) -> None:
    other = Database.open(empty_database_url)
    async with other.write() as unit:
        await unit.connection.execute(text(f"SELECT pg_advisory_xact_lock({migrate.LOCK_KEY})"))
        with pytest.raises(OverloadedError) as refused:
            await migrate.upgrade(empty_database_url, scripts=scripts, lock_wait_s=0.05)
        assert "lock timeout" in str(refused.value.__cause__)
    await other.close()
    await migrate.upgrade(empty_database_url, scripts=scripts)


async def test_the_migrated_schema_is_the_one_the_code_uses(database: Database) -> None:
    import_tables()

    def compare(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.read() as unit:
        assert await unit.connection.run_sync(compare) == []


def test_an_installed_wheel_finds_its_migrations(tmp_path: Path) -> None:
    """The wheel is built, unpacked, and asked from another folder."""
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=root,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "installed")
    assert not [name for name in names if "__pycache__" in name]
    shown = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tollbridge.storage import migrate; print(migrate.scripts_path(), migrate.head())",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    expected = tmp_path / "installed" / "tollbridge" / "migrations"
    assert shown.strip() == f"{expected} {migrate.head()}"
