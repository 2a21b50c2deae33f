import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tollbridge.core.errors import BugError
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import (
    CHANNEL,
    ListenLimits,
    bump,
    listen_for_versions,
    read_versions,
)

only_postgresql = pytest.mark.parametrize("database_dialect", ["postgresql"], indirect=True)
LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tollbridge-listener'"


async def versions_of(database: Database) -> dict[str, int]:
    async with database.read() as unit:
        return await read_versions(unit)


async def test_a_part_never_bumped_has_no_version(database: Database) -> None:
    assert await versions_of(database) == {}


async def test_a_bump_counts_each_named_part_up_by_one(database: Database) -> None:
    async with database.write() as unit:
        await bump(unit, "keys", "routes", "keys")
    async with database.write() as unit:
        await bump(unit, "keys")
        await bump(unit)
    assert await versions_of(database) == {"keys": 2, "routes": 1}


async def test_a_bump_is_undone_with_its_unit(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as unit:
            await bump(unit, "keys")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await versions_of(database) == {}


async def test_bumps_at_once_are_all_counted(database: Database) -> None:
    async def change(names: tuple[str, ...]) -> None:
        async with database.write() as unit:
            await bump(unit, *names)

    one, other = ("keys", "routes"), ("routes", "keys")
    await asyncio.wait_for(asyncio.gather(*(change(one) for _ in range(10))), 30)
    await asyncio.wait_for(
        asyncio.gather(*(change(names) for names in (one, other) for _ in range(10))),
        30,
    )
    assert await versions_of(database) == {"keys": 30, "routes": 30}


@pytest.mark.parametrize("database_dialect", ["postgresql"], indirect=True)
async def test_listeners_are_told_the_names_on_commit(database: Database) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    def hear(_connection: object, _pid: int, _channel: str, payload: str) -> None:
        heard.put_nowait(payload)

    async with database.engine.connect() as connection:
        listener: Any = (await connection.get_raw_connection()).driver_connection
        await listener.add_listener(CHANNEL, hear)
        async with database.write() as unit:
            await bump(unit, "routes", "keys")
            await asyncio.sleep(0.02)
            assert heard.empty()
        assert await asyncio.wait_for(heard.get(), 10) == "keys,routes"
        await listener.remove_listener(CHANNEL, hear)


@asynccontextmanager
async def listening(
    database: Database, limits: ListenLimits
) -> AsyncGenerator[asyncio.Queue[None]]:
    """Listen while the block runs; each change puts something into the queue."""
    heard: asyncio.Queue[None] = asyncio.Queue()
    task = asyncio.create_task(
        listen_for_versions(database, lambda: heard.put_nowait(None), limits)
    )
    try:
        yield heard
    finally:
        assert not task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)


async def bump_keys(database: Database) -> None:
    async with database.write() as unit:
        await bump(unit, "keys")


async def scalar(database: Database, sql: str) -> Any:
    async with database.write() as unit:
        return (await unit.connection.exec_driver_sql(sql)).scalar_one()


@only_postgresql
async def test_a_listener_hears_of_what_other_nodes_change(
    database: Database, database_url: str
) -> None:
    """First of what may have changed before it listened, then once of each change."""
    other = Database.open(database_url)
    async with listening(database, ListenLimits()) as heard:
        await asyncio.wait_for(heard.get(), 10)
        await bump_keys(other)
        await asyncio.wait_for(heard.get(), 10)
        await asyncio.sleep(0.02)
        assert heard.empty()
    await other.close()


@only_postgresql
async def test_a_listener_that_is_cut_off_listens_again_and_leaves_nothing_behind(
    database: Database,
) -> None:
    limits = ListenLimits(retry_wait_s_min=0.01)
    async with listening(database, limits) as heard:
        await asyncio.wait_for(heard.get(), 10)
        cut = LISTENERS.replace("count(*)", "count(pg_terminate_backend(pid))")
        assert await scalar(database, cut) == 1
        # Something may have changed meanwhile.
        await asyncio.wait_for(heard.get(), 10)
        await bump_keys(database)
        await asyncio.wait_for(heard.get(), 10)
    async with asyncio.timeout(10):
        while await scalar(database, LISTENERS):
            await asyncio.sleep(0.01)


@only_postgresql
async def test_a_silent_connection_is_tried_and_kept(database: Database) -> None:
    async with listening(database, ListenLimits(check_interval_s=0.02)) as heard:
        await asyncio.wait_for(heard.get(), 10)
        await asyncio.sleep(0.1)
        await bump_keys(database)
        await asyncio.wait_for(heard.get(), 10)
        assert heard.empty()


async def test_a_listener_goes_on_trying_a_server_that_is_away() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        away = Database.open(f"postgresql://nobody@127.0.0.1:{unused.getsockname()[1]}/none")
    limits = ListenLimits(retry_wait_s_min=0.005, retry_wait_s_max=0.01)
    async with listening(away, limits) as heard:
        await asyncio.sleep(0.05)
        assert heard.empty()
    await away.close()


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_listening_on_sqlite_is_our_bug(database: Database) -> None:
    with pytest.raises(BugError):
        await listen_for_versions(database, lambda: None)
