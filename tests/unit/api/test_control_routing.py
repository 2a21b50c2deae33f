"""Endpoints and routes over HTTP, on a real database."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from tests.support.control import FIGURES, MASTER, Plane, control_plane
from tests.support.recorded import CallSpec, record
from tollbridge.api.figures import WorkerFigures
from tollbridge.core.call import ErrorClass
from tollbridge.core.plan import Endpoint, ProviderKey
from tollbridge.insight.endpoint_queries import recent_errors
from tollbridge.providers.keys import KeyReport
from tollbridge.routing import store
from tollbridge.routing.health import Breaker, BreakerReport
from tollbridge.routing.part import DeclaredEndpoint, RoutingPart, Source
from tollbridge.storage.audit import audit_entries
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
LOCAL: dict[str, Any] = {
    "name": "local",
    "base_url": "http://127.0.0.1:9000/v1/",
    "api_key": "sk-very-secret",
    "default_models": {"text": "m", "audio_transcription": "w"},
    "priority": 3,
    "planning_price": {"text": "0.001"},
}


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    async with control_plane(database) as made:
        yield made


@pytest.fixture
async def admin(plane: Plane) -> dict[str, str]:
    return await plane.key("root", "admin")


async def ask(
    plane: Plane, headers: dict[str, str], method: str, path: str, body: object = None
) -> tuple[int, Any]:
    answer = await plane.client.request(method, f"/api/v1{path}", json=body, headers=headers)
    assert "very-secret" not in answer.text
    return answer.status_code, answer.json()


async def loaded(plane: Plane) -> RoutingPart:
    async with plane.database.read() as unit:
        return await store.load_part(unit, MASTER)


async def declare(plane: Plane, name: str, source: Source) -> None:
    endpoint = Endpoint(name, name, "openai", "http://h", "sk-very-secret")
    async with plane.database.write() as unit:
        await store.apply(unit, [DeclaredEndpoint(endpoint)], [], MASTER, source)


async def audited(plane: Plane) -> list[str]:
    async with plane.database.read() as unit:
        rows = await unit.connection.execute(select(audit_entries.c.action))
    return sorted(rows.scalars())


async def test_an_endpoint_is_made_shown_without_its_key_and_used(
    plane: Plane, admin: dict[str, str]
) -> None:
    status, made = await ask(plane, admin, "POST", "/endpoints", LOCAL)
    assert status == 201
    assert made["base_url"] == "http://127.0.0.1:9000/v1"
    assert (made["provider"], made["auth"], made["source"]) == ("local", "bearer", "api")
    assert [(one["name"], one["source"]) for one in made["keys"]] == [("default", "stored")]
    (endpoint,) = (await loaded(plane)).endpoints
    assert (endpoint.api_key, endpoint.priority) == ("sk-very-secret", 3)
    assert endpoint.default_models == LOCAL["default_models"]
    assert (await ask(plane, admin, "GET", "/endpoints/local"))[1] == made


async def test_a_known_endpoint_needs_a_key_only(plane: Plane, admin: dict[str, str]) -> None:
    order = {"name": "openai", "api_key": "sk-very-secret"}
    status, made = await ask(plane, admin, "POST", "/endpoints", order)
    assert (status, made["base_url"]) == (201, "https://api.openai.com/v1")
    assert made["default_models"]["text"] == "gpt-4o"
    assert made["category_priority"]["image"] == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base_url", "ftp://h"),
        ("base_url", "http://user:pass@h"),
        ("dialect", "klingon"),
        ("api_key", "a b"),
        ("category_priority", {"texts": 1}),
        ("planning_price", {"text": "-1"}),
        ("planning_price", {"text": "cheap"}),
        ("models", {"audio_transcription": ["m"]}),
    ],
)
async def test_an_endpoint_that_cannot_be_is_refused_and_the_field_is_named(
    plane: Plane, admin: dict[str, str], field: str, value: object
) -> None:
    status, answer = await ask(plane, admin, "POST", "/endpoints", LOCAL | {field: value})
    assert (status, answer["error"]["details"]["param"]) == (400, field)


@pytest.mark.parametrize("name", ["a b", "a/b", ""])
async def test_a_name_that_no_address_could_hold_is_refused(
    plane: Plane, admin: dict[str, str], name: str
) -> None:
    status, _ = await ask(plane, admin, "POST", "/endpoints", LOCAL | {"name": name})
    assert status == 400


async def test_an_endpoint_is_switched_and_moved_as_a_whole_and_by_category(
    plane: Plane, admin: dict[str, str]
) -> None:
    await declare(plane, "openai", Source.BUILTIN)
    change = {"enabled": {"image": False}, "priority": {"text": 1}}
    status, shown = await ask(plane, admin, "PATCH", "/endpoints/openai", change)
    assert status == 200
    assert (shown["enabled"], shown["disabled_categories"]) == (True, ["image"])
    assert shown["category_priority"] == {"text": 1}
    _, shown = await ask(plane, admin, "PATCH", "/endpoints/openai", {"priority": 7})
    assert (shown["priority"], shown["category_priority"]) == (7, {})
    _, shown = await ask(plane, admin, "PATCH", "/endpoints/openai", {"enabled": False})
    assert not shown["enabled"]
    assert await audited(plane) == ["endpoints.change"] * 3


@pytest.mark.parametrize("change", [{}, {"enabled": {"texts": True}}, {"priority": {"x": 1}}])
async def test_a_change_that_says_nothing_or_names_no_category_is_refused(
    plane: Plane, admin: dict[str, str], change: object
) -> None:
    await declare(plane, "openai", Source.BUILTIN)
    assert (await ask(plane, admin, "PATCH", "/endpoints/openai", change))[0] == 400


async def test_keys_are_added_and_removed_by_name(plane: Plane, admin: dict[str, str]) -> None:
    await ask(plane, admin, "POST", "/endpoints", LOCAL)
    second = {"name": "second", "api_key": "sk-very-secret-2"}
    status, shown = await ask(plane, admin, "POST", "/endpoints/local/keys", second)
    assert status == 201
    assert [one["name"] for one in shown["keys"]] == ["default", "second"]
    assert (await ask(plane, admin, "POST", "/endpoints/local/keys", second))[0] == 409
    status, shown = await ask(plane, admin, "DELETE", "/endpoints/local/keys/default")
    assert [one["name"] for one in shown["keys"]] == ["second"]
    (endpoint,) = (await loaded(plane)).endpoints
    assert endpoint.keys == (ProviderKey("second", "sk-very-secret-2"),)
    assert (await ask(plane, admin, "DELETE", "/endpoints/local/keys/default"))[0] == 404


async def test_what_the_file_declares_is_changed_there_until_it_is_detached(
    plane: Plane, admin: dict[str, str]
) -> None:
    await declare(plane, "filed", Source.FILE)
    key = {"name": "k", "api_key": "x"}
    assert (await ask(plane, admin, "PATCH", "/endpoints/filed", {"enabled": False}))[0] == 409
    assert (await ask(plane, admin, "POST", "/endpoints/filed/keys", key))[0] == 409
    assert (await ask(plane, admin, "DELETE", "/endpoints/filed"))[0] == 409
    assert (await ask(plane, admin, "POST", "/endpoints/filed/detach"))[1]["source"] == "api"
    assert (await ask(plane, admin, "PATCH", "/endpoints/filed", {"enabled": False}))[0] == 200
    status, gone = await ask(plane, admin, "DELETE", "/endpoints/filed")
    assert status == 200
    assert gone["withdrawn_at"] is not None
    assert gone["keys"] == []


async def test_breakers_keys_that_rest_and_the_latest_errors_are_shown(
    plane: Plane, admin: dict[str, str]
) -> None:
    await declare(plane, "openai", Source.API)
    worker = WorkerFigures(
        worker="w",
        pid=1,
        breakers={"openai": "open"},
        breaker_reports=(
            BreakerReport("openai", Breaker.OPEN, 5, ErrorClass.UPSTREAM_ERROR, 12.5),
        ),
        key_reports=(KeyReport("openai", "default", ErrorClass.RATE_LIMITED, 20.4),),
    )
    plane.figures = msgspec.structs.replace(FIGURES, workers=(worker,))
    _, shown = await ask(plane, admin, "GET", "/endpoints/openai")
    assert shown["breakers"] == {"w": "open"}
    assert shown["breaker_states"] == [
        {
            "worker": "w",
            "state": "open",
            "failures": 5,
            "error_class": "upstream_error",
            "reopens_in_s": 12.5,
        }
    ]
    assert shown["keys"][0]["resting"] == {"w": "rate_limited, 20 s"}


async def test_the_latest_errors_of_an_endpoint_are_a_few(
    plane: Plane, admin: dict[str, str]
) -> None:
    made = await record(plane.database, [CallSpec(fails_first=True) for _ in range(7)])
    async with plane.database.read() as unit:
        errors = await recent_errors(unit)
    ((name, found),) = errors.items()
    assert [one.call_id for one in found] == sorted(made, reverse=True)[:5]
    assert found[0].error_class is not None
    await declare(plane, name, Source.API)
    _, shown = await ask(plane, admin, "GET", f"/endpoints/{name}")
    assert len(shown["recent_errors"]) == 5
    assert shown["recent_errors"][0]["call_id"] == found[0].call_id


ROUTE: dict[str, Any] = {
    "model": "acme/fast-1",
    "category": "text",
    "order": "cheapest",
    "hedge_after_ms": 300,
    "bucket": "wavespeed",
    "on_content_filtered": "fallback",
    "candidates": [{"endpoint": "local", "model": "m", "priority": 1, "weight": 3}],
}


async def test_a_route_is_made_switched_off_and_removed(
    plane: Plane, admin: dict[str, str]
) -> None:
    await ask(plane, admin, "POST", "/endpoints", LOCAL)
    status, made = await ask(plane, admin, "POST", "/routes", ROUTE)
    assert status == 201
    assert {name: made[name] for name in ROUTE} == ROUTE
    (entry,) = (await loaded(plane)).routes
    assert (entry.model, entry.order, entry.hedge_after_ms) == ("acme/fast-1", "cheapest", 300)
    path = "/routes/text/acme/fast-1"
    assert (await ask(plane, admin, "PATCH", path, {"enabled": False}))[1]["enabled"] is False
    assert (await loaded(plane)).routes == []
    assert (await ask(plane, admin, "DELETE", path))[1]["withdrawn_at"] is not None
    assert (await ask(plane, admin, "DELETE", "/routes/text/nobody"))[0] == 404
    assert await audited(plane) == ["endpoints.put", "routes.change", "routes.put", "routes.remove"]


async def test_a_route_without_candidates_stands_for_its_category(
    plane: Plane, admin: dict[str, str]
) -> None:
    order = {"model": "pictures", "category": "image"}
    status, made = await ask(plane, admin, "POST", "/routes", order)
    assert (status, made["candidates"], made["order"]) == (201, [], "priority")
    assert (made["bucket"], made["on_content_filtered"]) == (None, "final")


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": "dearest"},
        {"category": "smell"},
        {"hedge_after_ms": 0},
        {"bucket": "nobody"},
        {"on_content_filtered": "perhaps"},
        {"candidates": [{"endpoint": "nobody", "model": "m", "priority": 1}]},
        {"candidates": [{"endpoint": "local", "model": "m", "priority": -1}]},
    ],
)
async def test_a_route_that_cannot_be_is_refused(
    plane: Plane, admin: dict[str, str], wrong: dict[str, Any]
) -> None:
    await ask(plane, admin, "POST", "/endpoints", LOCAL)
    assert (await ask(plane, admin, "POST", "/routes", ROUTE | wrong))[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/endpoints", LOCAL),
        ("PATCH", "/endpoints/local", {"enabled": False}),
        ("DELETE", "/endpoints/local", None),
        ("POST", "/endpoints/local/detach", None),
        ("POST", "/endpoints/local/keys", {"name": "k", "api_key": "x"}),
        ("DELETE", "/endpoints/local/keys/k", None),
        ("POST", "/routes", {"model": "m"}),
        ("POST", "/routes/detach", {"model": "m"}),
        ("PATCH", "/routes/text/m", {"enabled": False}),
        ("DELETE", "/routes/text/m", None),
    ],
)
async def test_only_an_admin_changes_anything(
    plane: Plane, method: str, path: str, body: object
) -> None:
    reader = await plane.key("reader", "read")
    assert (await ask(plane, reader, method, path, body))[0] == 403
