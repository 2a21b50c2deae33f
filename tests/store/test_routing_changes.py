"""What somebody changes of endpoints by hand: switches, places, keys."""

import msgspec
import pytest
from sqlalchemy import select, text

from tests.store.test_routing_store import MASTER, OTHER, apply, declared, load, route, version
from tollbridge.core.call import Category, ErrorClass
from tollbridge.core.clock import ManualClock
from tollbridge.core.errors import ConflictError, NotFoundError
from tollbridge.core.plan import Endpoint, ProviderKey
from tollbridge.routing import change_store, key_store, store
from tollbridge.routing.health import Health
from tollbridge.routing.part import ByHand, DeclaredEndpoint, Source
from tollbridge.routing.plan import RouteTable
from tollbridge.routing.tables import provider_keys
from tollbridge.storage import migrate
from tollbridge.storage.unit import Database

SECOND = ProviderKey("second", "sk-second")


def builtin(name: str, priority: int, **categories: str) -> DeclaredEndpoint:
    endpoint = Endpoint(
        name=name,
        provider=name,
        dialect="openai",
        base_url="http://h",
        api_key="sk-first",
        keys=(ProviderKey("VARIABLE", "sk-first"),),
        priority=priority,
        default_models=categories,
    )
    return DeclaredEndpoint(endpoint)


BOTH = [
    builtin("first", 1, text="a", image="b"),
    builtin("second", 2, text="c", image="d"),
]


async def start(database: Database, here: list[DeclaredEndpoint]) -> None:
    async with database.write() as unit:
        await store.apply(unit, here, [], MASTER, Source.BUILTIN)


async def change(database: Database, name: str, by_hand: ByHand) -> None:
    async with database.write() as unit:
        await change_store.change_endpoint(unit, name, by_hand)


async def order(database: Database, category: Category) -> list[str]:
    """Return whom a worker of this node asks for a category, in order."""
    table = RouteTable(await load(database, here=BOTH))
    plan = table.plan(category, category, Health(ManualClock()), lambda: 0.5)
    return [one.endpoint.name for one in plan.candidates]


async def test_where_the_first_is_switched_off_the_second_serves(database: Database) -> None:
    await start(database, BOTH)
    assert await order(database, Category.TEXT) == ["first", "second"]
    before = await version(database)
    await change(database, "first", ByHand(enabled=False))
    assert await order(database, Category.TEXT) == ["second"]
    assert await version(database) > before


async def test_an_endpoint_is_switched_and_moved_for_one_category_alone(
    database: Database,
) -> None:
    await start(database, BOTH)
    await change(database, "first", ByHand(categories={"image": False}))
    assert await order(database, Category.TEXT) == ["first", "second"]
    assert await order(database, Category.IMAGE) == ["second"]
    await change(database, "first", ByHand(categories={"image": True}))
    await change(database, "second", ByHand(category_priority={"image": 0}))
    assert await order(database, Category.TEXT) == ["first", "second"]
    assert await order(database, Category.IMAGE) == ["second", "first"]


async def test_what_was_changed_by_hand_outlives_a_start_and_nothing_else_does(
    database: Database,
) -> None:
    """A newer endpoints.toml moves whom nobody has moved."""
    await start(database, BOTH)
    await change(database, "first", ByHand(priority=9, categories={"image": False}))
    newer = [builtin("first", 1, text="new", image="b"), builtin("second", 7, text="c", image="d")]
    await start(database, newer)
    async with database.read() as unit:
        rows = {one.declared.endpoint.name: one for one in await store.list_endpoints(unit)}
    first, second = rows["first"].declared.endpoint, rows["second"].declared.endpoint
    assert (first.priority, first.disabled_categories) == (9, ("image",))
    assert first.default_models["text"] == "new"
    assert second.priority == 7


async def test_a_whole_change_takes_back_those_of_single_categories(database: Database) -> None:
    await start(database, BOTH)
    await change(database, "first", ByHand(categories={"image": False}))
    await change(database, "first", ByHand(enabled=True))
    assert await order(database, Category.IMAGE) == ["first", "second"]


async def test_one_that_is_off_may_be_on_for_a_single_category(database: Database) -> None:
    await start(database, BOTH)
    await change(database, "first", ByHand(enabled=False))
    await change(database, "first", ByHand(categories={"image": True}))
    assert await order(database, Category.IMAGE) == ["first", "second"]
    assert await order(database, Category.TEXT) == ["second"]


async def test_a_built_in_endpoints_stored_keys_take_turns_with_the_nodes_own(
    database: Database,
) -> None:
    await start(database, BOTH)
    async with database.write() as unit:
        await change_store.add_key(unit, "first", SECOND, MASTER)
    await start(database, BOTH)
    found = {one.name: one for one in (await load(database, here=BOTH)).endpoints}
    assert found["first"].keys == (ProviderKey("VARIABLE", "sk-first"), SECOND)
    assert found["first"].api_key == "sk-first"
    assert found["second"].keys == (ProviderKey("VARIABLE", "sk-first"),)


async def test_several_keys_are_loaded_in_turn_and_the_first_keeps_working(
    database: Database,
) -> None:
    async with database.write() as unit:
        await change_store.put_endpoint(unit, declared("a", "sk-secret"), MASTER)
        await change_store.add_key(unit, "a", SECOND, MASTER)
        await change_store.add_key(unit, "a", ProviderKey("third", "sk-third"), MASTER)
    (endpoint,) = (await load(database)).endpoints
    assert [key.name for key in endpoint.keys] == ["default", "second", "third"]
    assert endpoint.api_key == "sk-secret"
    async with database.write() as unit:
        await change_store.remove_key(unit, "a", "default")
    (endpoint,) = (await load(database)).endpoints
    assert (endpoint.api_key, len(endpoint.keys)) == ("sk-second", 2)
    async with database.read() as unit:
        stored = (await unit.connection.execute(select(provider_keys))).all()
        (row,) = await store.list_endpoints(unit)
    assert "sk-" not in repr(stored)
    assert "sk-" not in repr(row)
    assert row.keys == ("second", "third")


async def test_a_key_of_a_taken_name_or_of_nobody_is_refused(database: Database) -> None:
    async with database.write() as unit:
        await change_store.put_endpoint(unit, declared("a"), MASTER)
        await change_store.add_key(unit, "a", SECOND, MASTER)
        with pytest.raises(ConflictError, match="named 'second' already"):
            await change_store.add_key(unit, "a", SECOND, MASTER)
        with pytest.raises(NotFoundError, match="no stored key named 'third'"):
            await change_store.remove_key(unit, "a", "third")
        with pytest.raises(NotFoundError, match="no endpoint named 'b'"):
            await change_store.add_key(unit, "b", SECOND, MASTER)


async def test_the_files_keys_are_changed_in_the_file(database: Database) -> None:
    file = declared("a")
    keys = (ProviderKey("ONE", "sk-1"), ProviderKey("TWO", "sk-2"))
    two = msgspec.structs.replace(file.endpoint, api_key="sk-1", keys=keys)
    await apply(database, [DeclaredEndpoint(two)])
    assert (await load(database)).endpoints == [two]
    assert (await apply(database, [DeclaredEndpoint(two)])).changed == ()
    async with database.write() as unit:
        with pytest.raises(ConflictError, match="configuration file"):
            await change_store.add_key(unit, "a", SECOND, MASTER)
    one = msgspec.structs.replace(two, keys=keys[:1])
    assert (await apply(database, [DeclaredEndpoint(one)])).changed == ("a",)
    assert (await load(database)).endpoints == [one]


async def test_rotating_the_master_keeps_all_keys_of_an_endpoint(database: Database) -> None:
    async with database.write() as unit:
        await change_store.put_endpoint(unit, declared("a", "sk-first"), MASTER)
        await change_store.add_key(unit, "a", SECOND, MASTER)
        assert await key_store.rotate_master(unit, MASTER, OTHER) == 2
    (endpoint,) = (await load(database, OTHER)).endpoints
    assert [key.secret for key in endpoint.keys] == ["sk-first", "sk-second"]
    assert (await load(database)).unreadable == ("a",)


async def test_what_the_api_made_is_withdrawn_with_its_keys_and_nothing_else_is(
    database: Database,
) -> None:
    await start(database, BOTH)
    async with database.write() as unit:
        await change_store.put_endpoint(unit, declared("mine"), MASTER)
        await change_store.put_route(unit, route("m", "mine"))
        await change_store.remove_endpoint(unit, "mine")
        await change_store.remove_route(unit, ("m", "text"))
        with pytest.raises(ConflictError, match="built in: switch it off"):
            await change_store.remove_endpoint(unit, "first")
    part = await load(database, here=BOTH)
    assert "mine" not in {one.name for one in part.endpoints}
    assert part.routes == []
    async with database.read() as unit:
        assert (await unit.connection.execute(select(provider_keys))).all() == []


async def test_the_key_that_an_endpoint_had_before_is_its_first_and_is_kept_on_the_way_back(
    database: Database, database_url: str
) -> None:
    async with database.write() as unit:
        await change_store.put_endpoint(unit, declared("a", "sk-first"), MASTER)
        await change_store.add_key(unit, "a", SECOND, MASTER)
    await start(database, BOTH)
    await change(database, "first", ByHand(enabled=False))
    await migrate.downgrade(database_url, "0012_reattribution")
    async with database.read() as unit:
        assert (await unit.connection.execute(text("SELECT count(*) FROM provider_keys"))).scalar()
    await migrate.upgrade(database_url)
    found = {one.name: one for one in (await load(database, here=BOTH)).endpoints}
    assert (found["a"].api_key, found["a"].keys) == ("sk-first", ())
    assert not found["first"].enabled
    await start(database, BOTH)
    found = {one.name: one for one in (await load(database, here=BOTH)).endpoints}
    assert not found["first"].enabled, "what was switched off before stays off"


async def test_a_disabled_first_is_not_asked_even_if_the_others_are_troubled(
    database: Database,
) -> None:
    await start(database, BOTH)
    await change(database, "first", ByHand(enabled=False))
    health = Health(ManualClock())
    health.failed("second", ErrorClass.AUTHENTICATION)
    table = RouteTable(await load(database, here=BOTH))
    plan = table.plan("text", Category.TEXT, health, lambda: 0.5)
    assert [one.endpoint.name for one in plan.candidates] == ["second"]
