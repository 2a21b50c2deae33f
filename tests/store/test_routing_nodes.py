"""Two nodes of one database, each with an environment of its own."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from sqlalchemy import select

from tollbridge.core.clock import SystemClock
from tollbridge.processes.broadcast import Broadcast
from tollbridge.processes.prepare import prepare
from tollbridge.processes.secrets import Secrets
from tollbridge.processes.snapshot import PartName
from tollbridge.routing import change_store
from tollbridge.routing.builtin import builtin_here
from tollbridge.routing.part import RoutingPart
from tollbridge.routing.tables import provider_keys
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database

SECRETS = Secrets(pepper=b"p" * 32, signing=b"s" * 32, master=b"m" * 32)
OPENAI = {"OPENAI_API_KEY": "sk-first"}


class Node:
    """One node's start, and what its workers then know of routing."""

    def __init__(self, database: Database, folder: Path, environment: Mapping[str, str]) -> None:
        self._database = database
        self._settings = Settings(data_dir=folder, admin_password=None)
        self._environment = environment
        here = builtin_here(None, environment)
        self._broadcast = Broadcast(database, SECRETS, lambda _: None, here)

    async def start(self) -> None:
        await prepare(
            self._database, self._settings, SECRETS, SystemClock(), self._environment, None
        )

    async def keys(self) -> dict[str, str]:
        """Return the endpoints that this node's workers may use, each with its key."""
        await self._broadcast.renew()
        content = self._broadcast.parts[PartName.ROUTING].content
        part = msgspec.msgpack.decode(content, type=RoutingPart)
        used = {one.endpoint for route in part.routes for one in route.candidates}
        return {one.name: one.api_key for one in part.endpoints if one.name in used and one.enabled}


async def test_a_node_without_a_key_leaves_the_endpoint_out_for_itself_alone(
    database: Database, tmp_path: Path
) -> None:
    first, second = Node(database, tmp_path, OPENAI), Node(database, tmp_path, {})
    await first.start()
    assert await first.keys() == {"openai": "sk-first"}
    await second.start()
    assert await second.keys() == {}
    assert await first.keys() == {"openai": "sk-first"}


async def test_each_node_uses_its_own_key_and_none_is_stored(
    database: Database, tmp_path: Path
) -> None:
    first = Node(database, tmp_path, OPENAI)
    second = Node(database, tmp_path, {"OPENAI_API_KEY": "sk-second"})
    await first.start()
    await second.start()
    assert (await first.keys(), await second.keys()) == (
        {"openai": "sk-first"},
        {"openai": "sk-second"},
    )
    async with database.read() as unit:
        assert (await unit.connection.execute(select(provider_keys))).all() == []


async def test_a_built_in_endpoint_that_was_switched_off_stays_so_whoever_starts(
    database: Database, tmp_path: Path
) -> None:
    first, second = Node(database, tmp_path, OPENAI), Node(database, tmp_path, OPENAI)
    await first.start()
    async with database.write() as unit:
        await change_store.enable_endpoint(unit, "openai", enabled=False)
    await second.start()
    assert (await first.keys(), await second.keys()) == ({}, {})
    async with database.write() as unit:
        await change_store.enable_endpoint(unit, "openai", enabled=True)
    assert await first.keys() == await second.keys() == {"openai": "sk-first"}


async def test_a_node_that_starts_again_without_its_key_has_the_endpoint_no_more(
    database: Database, tmp_path: Path
) -> None:
    await Node(database, tmp_path, OPENAI).start()
    again = Node(database, tmp_path, {})
    await again.start()
    assert await again.keys() == {}
