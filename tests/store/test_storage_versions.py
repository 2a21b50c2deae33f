import asyncio
from typing import Any

import pytest

from tollbridge.storage.unit import Database
from tollbridge.storage.versions import CHANNEL, bump, read_versions


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
