from collections.abc import Sequence

import msgspec
import pytest
from sqlalchemy import select

from tollbridge.core.call import Bucket, Category, OnCallerLeft, OnContentFiltered
from tollbridge.core.clock import ManualClock
from tollbridge.core.errors import ConfigurationError, ConflictError, NotFoundError
from tollbridge.core.plan import Endpoint
from tollbridge.routing import change_store, key_store, store
from tollbridge.routing.health import Health
from tollbridge.routing.part import (
    CandidateEntry,
    DeclaredEndpoint,
    RouteEntry,
    RoutingApplied,
    RoutingPart,
    Source,
)
from tollbridge.routing.plan import RouteTable
from tollbridge.routing.tables import provider_keys
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions

MASTER = b"m" * 32
OTHER = b"n" * 32


def declared(
    name: str,
    api_key: str = "sk-secret",
    priority: int = 100,
    models: dict[str, tuple[str, ...]] | None = None,
    *,
    enabled: bool = True,
) -> DeclaredEndpoint:
    endpoint = Endpoint(
        name=name,
        provider="p",
        dialect="openai",
        base_url="https://h/v1",
        api_key=api_key,
        enabled=enabled,
        disabled_categories=("image",),
        priority=priority,
        category_priority={"embedding": 3},
        default_models={"text": "default"},
        on_caller_left=OnCallerLeft.CANCEL,
        quirks=("no_stream_options",),
    )
    return DeclaredEndpoint(endpoint, models or {})


def route(model: str, *endpoints: str) -> RouteEntry:
    entries = tuple(CandidateEntry(name, model, place) for place, name in enumerate(endpoints, 1))
    return RouteEntry(model, "text", "priority", entries)


async def apply(
    database: Database,
    endpoints: list[DeclaredEndpoint],
    routes: list[RouteEntry] | None = None,
    source: Source = Source.FILE,
) -> RoutingApplied:
    async with database.write() as unit:
        return await store.apply(unit, endpoints, routes or [], MASTER, source)


async def load(
    database: Database, master: bytes = MASTER, here: Sequence[DeclaredEndpoint] = ()
) -> RoutingPart:
    async with database.read() as unit:
        return await store.load_part(unit, master, {one.endpoint.name: one for one in here})


async def version(database: Database) -> int:
    async with database.read() as unit:
        return (await read_versions(unit)).get("routing", 0)


async def sources(database: Database) -> dict[str, str]:
    async with database.read() as unit:
        return {
            one.declared.endpoint.name: one.source
            for one in await store.list_endpoints(unit)
            if one.withdrawn_at_us is None
        }


async def test_what_is_applied_is_loaded_as_it_was(database: Database) -> None:
    endpoints = [declared("a"), declared("b", api_key="")]
    await apply(database, endpoints, [route("m", "b", "a"), RouteEntry("any", "text")])
    part = await load(database)
    assert part.endpoints == [one.endpoint for one in endpoints]
    assert sorted(part.routes, key=lambda one: one.model) == [
        RouteEntry("any", "text"),
        route("m", "b", "a"),
    ]
    assert part.unreadable == ()


async def test_applying_twice_changes_nothing(database: Database) -> None:
    endpoints, routes = [declared("a")], [route("m", "a")]
    assert (await apply(database, endpoints, routes)).changed == ("a", "m (text)")
    before = await version(database)
    assert await apply(database, endpoints, routes) == RoutingApplied()
    assert await version(database) == before


@pytest.mark.parametrize(
    "changed",
    [declared("a", "another"), declared("a", ""), declared("a", priority=1)],
)
async def test_a_change_of_an_endpoint_or_its_key_is_applied(
    database: Database,
    changed: DeclaredEndpoint,
) -> None:
    await apply(database, [declared("a")])
    before = await version(database)
    assert (await apply(database, [changed])).changed == ("a",)
    assert (await load(database)).endpoints == [changed.endpoint]
    assert await version(database) == before + 1


async def test_a_change_of_a_route_is_applied(database: Database) -> None:
    await apply(database, [declared("a"), declared("b")], [route("m", "a", "b")])
    await apply(database, [declared("a"), declared("b")], [route("m", "b")])
    assert (await load(database)).routes == [route("m", "b")]


async def test_what_is_removed_from_the_file_is_withdrawn_and_loses_its_key(
    database: Database,
) -> None:
    await apply(database, [declared("a")], [route("m", "a")])
    assert (await apply(database, [])).withdrawn == ("a", "m (text)")
    part = await load(database)
    assert (part.endpoints, part.routes) == ([], [])
    async with database.read() as unit:
        assert (await unit.connection.execute(select(provider_keys))).all() == []
        (row,) = await store.list_endpoints(unit)
    assert row.withdrawn_at_us is not None
    assert (await apply(database, [])).withdrawn == ()
    await apply(database, [declared("a")], [route("m", "a")])
    assert (await load(database)).endpoints == [declared("a").endpoint]


async def test_no_provider_key_stands_in_the_database_in_clear(database: Database) -> None:
    await apply(database, [declared("a", "sk-very-secret")])
    async with database.read() as unit:
        (row,) = (await unit.connection.execute(select(provider_keys))).all()
        listed = await store.list_endpoints(unit)
    assert "secret" not in repr(row)
    assert "secret" not in repr(listed)
    assert listed[0].has_key


async def test_a_key_of_another_master_leaves_its_endpoint_out_and_says_so(
    database: Database,
) -> None:
    await apply(database, [declared("a"), declared("b", api_key="")])
    part = await load(database, OTHER)
    assert part.unreadable == ("a",)
    assert [one.name for one in part.endpoints] == ["b"]
    async with database.write() as unit:
        await store.apply(unit, [declared("a"), declared("b", api_key="")], [], OTHER)
    assert (await load(database, OTHER)).endpoints[0].api_key == "sk-secret"


async def test_rotating_the_master_keeps_every_key_and_can_be_repeated(database: Database) -> None:
    await apply(database, [declared("a", "one"), declared("b", "two")])
    async with database.write() as unit:
        assert await key_store.rotate_master(unit, MASTER, OTHER) == 2
        assert await key_store.rotate_master(unit, MASTER, OTHER) == 0
    assert [one.api_key for one in (await load(database, OTHER)).endpoints] == ["one", "two"]
    assert (await load(database)).unreadable == ("a", "b")
    async with database.write() as unit:
        with pytest.raises(ConfigurationError, match="encrypted with the master key"):
            await key_store.rotate_master(unit, MASTER, b"o" * 32)


async def test_the_file_takes_a_built_in_endpoint_over_and_gives_it_back(
    database: Database,
) -> None:
    async def start(file: list[DeclaredEndpoint], builtin: list[DeclaredEndpoint]) -> None:
        await apply(database, file)
        await apply(database, builtin, source=Source.BUILTIN)

    await start([], [declared("openai")])
    assert await sources(database) == {"openai": "builtin"}
    await start([declared("openai", priority=1)], [])
    assert await sources(database) == {"openai": "file"}
    await start([], [declared("openai")])
    assert await sources(database) == {"openai": "builtin"}
    await start([], [])
    assert await sources(database) == {}


async def test_the_file_leaves_alone_what_the_api_made(database: Database) -> None:
    async with database.write() as unit:
        await change_store.put_endpoint(unit, declared("a"), MASTER)
        await change_store.put_route(unit, route("m", "a"))
    applied = await apply(database, [declared("a", priority=1)], [route("m")])
    assert applied == RoutingApplied(left_alone=("a", "m (text)"))
    assert (await load(database)).endpoints == [declared("a").endpoint]
    assert (await apply(database, [])).withdrawn == ()


async def test_what_the_file_declares_is_read_only_until_detached(database: Database) -> None:
    await apply(database, [declared("a")], [route("m", "a")])
    async with database.write() as unit:
        with pytest.raises(ConflictError, match="configuration file"):
            await change_store.enable_endpoint(unit, "a", enabled=False)
        with pytest.raises(ConflictError, match="configuration file"):
            await change_store.put_endpoint(unit, declared("a"), MASTER)
        with pytest.raises(ConflictError, match="configuration file"):
            await change_store.put_route(unit, route("m", "a"))
        with pytest.raises(ConflictError, match="configuration file"):
            await change_store.enable_route(unit, ("m", "text"), enabled=False)
        await change_store.detach_endpoint(unit, "a")
        await change_store.detach_route(unit, ("m", "text"))
        await change_store.enable_endpoint(unit, "a", enabled=False)
        await change_store.enable_route(unit, ("m", "text"), enabled=False)
    part = await load(database)
    assert not part.endpoints[0].enabled
    assert part.endpoints[0].api_key == "sk-secret"
    assert part.routes == []


async def test_changing_what_is_not_there_is_said(database: Database) -> None:
    async with database.write() as unit:
        with pytest.raises(NotFoundError, match="no endpoint named 'a'"):
            await change_store.enable_endpoint(unit, "a", enabled=True)
        with pytest.raises(NotFoundError, match="no route named 'm'"):
            await change_store.detach_route(unit, ("m", "text"))


async def test_a_candidate_on_an_unknown_endpoint_is_refused_and_names_near_ones(
    database: Database,
) -> None:
    with pytest.raises(ConfigurationError, match="'locl', which is not known; near it: local"):
        await apply(database, [declared("local")], [route("m", "locl")])
    assert (await load(database)).endpoints == []
    async with database.write() as unit:
        await store.apply(unit, [], [route("m", "xai")], MASTER, absent={"xai"})
    assert (await load(database)).routes == [route("m", "xai")]


async def test_offered_models_are_routes_until_one_is_written_even_if_switched_off(
    database: Database,
) -> None:
    offered = {"text": ("m",), "embedding": ("e",)}
    endpoints = [declared("a", priority=2, models=offered), declared("b", priority=1)]
    await apply(database, endpoints, source=Source.BUILTIN)
    part = await load(database, here=endpoints)
    assert {(one.model, one.category) for one in part.routes} == {("m", "text"), ("e", "embedding")}
    assert {one.candidates[0].priority for one in part.routes} == {2, 3}
    async with database.write() as unit:
        await change_store.put_route(unit, route("m", "b"))
    assert route("m", "b") in (await load(database, here=endpoints)).routes
    async with database.write() as unit:
        await change_store.enable_route(unit, ("m", "text"), enabled=False)
    assert [one.model for one in (await load(database, here=endpoints)).routes] == ["e"]


async def test_a_loaded_part_makes_plans(database: Database) -> None:
    await apply(database, [declared("a"), declared("off", enabled=False)], [route("m", "off", "a")])
    table = RouteTable(await load(database))
    plan = table.plan("m", Category.TEXT, Health(ManualClock()), lambda: 0.0)
    assert [one.endpoint.name for one in plan.candidates] == ["a"]
    assert plan.candidates[0].endpoint.api_key == "sk-secret"


async def test_a_route_that_comes_to_keep_content_has_changed(database: Database) -> None:
    """And workers are told."""
    plain = route("m", "a")
    kept = RouteEntry("m", "text", "priority", plain.candidates, keep_content=True)
    await apply(database, [declared("a")], [plain])
    assert not (await load(database)).routes[0].keep_content
    before = await version(database)
    assert (await apply(database, [declared("a")], [kept])).changed == ("m (text)",)
    assert (await load(database)).routes[0].keep_content
    assert await version(database) > before
    assert (await apply(database, [declared("a")], [kept])).changed == ()


async def test_a_routes_policies_are_kept_and_loaded(database: Database) -> None:
    told = msgspec.structs.replace(
        route("m", "a"), bucket=Bucket.VIDEO, on_content_filtered=OnContentFiltered.FALLBACK
    )
    await apply(database, [declared("a")], [told])
    assert (await load(database)).routes == [told]
    assert (await apply(database, [declared("a")], [told])).changed == ()
    assert (await apply(database, [declared("a")], [route("m", "a")])).changed == ("m (text)",)
