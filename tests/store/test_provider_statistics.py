"""The document's provider statistics, from stored attempts: its example, and its defects."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.control import Plane, control_plane
from tests.support.insight import a_spec
from tests.support.recorded import NOON_US, UTC_DAY_US, CallSpec, record
from tollbridge.core.clock import to_text
from tollbridge.core.sight import Sight
from tollbridge.insight.axes import Axis, Slice
from tollbridge.insight.cube_detail_queries import times_of_details
from tollbridge.insight.provider_queries import latencies
from tollbridge.rating.prices import DeclaredPrice, Source
from tollbridge.rating.store import record_versions
from tollbridge.storage.unit import Database

DATA = Path(__file__).resolve().parents[1] / "data" / "insight" / "provider-addresses.json"
ADDRESSES: Mapping[str, Any] = msgspec.json.decode(DATA.read_bytes())
MODEL = "text-ai"
KEYS: Mapping[str, Sequence[str]] = {
    "/api/providers/stats": (
        "category",
        "provider",
        "priority",
        "enabled",
        "requests",
        "successes",
        "failures",
        "successRate",
        "totalCost",
        "avgCost",
        "avgTime",
    ),
    "/api/providers/cost/TEXT": ("provider", "avgCost", "successRate"),
}
# Per 1,000 tokens, as the document lists them.
PRICES = {"aimlapi": "0.0015", "piapi": "0.0012", "openai": "0.0025"}
# 44 answers of 45 requests: 45,000 tokens, and with 100 ms of the refusal 56,250 ms.
EXAMPLE = [
    *[CallSpec(provider="aimlapi", latency_ms=1276, input_tokens=1000)] * 43,
    CallSpec(provider="aimlapi", latency_ms=1282, input_tokens=2000),
    CallSpec(refused=True),
    *[CallSpec(provider="piapi", input_tokens=1000)] * 20,
    *[CallSpec(provider="openai", input_tokens=1000)] * 50,
]
on_sqlite = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)


async def put(database: Database, specs: Sequence[CallSpec], prices: Mapping[str, str]) -> None:
    """Put calls into the books that cost so much per 1,000 tokens."""
    stated = [
        DeclaredPrice(
            provider=provider,
            model=MODEL,
            unit="input",
            rate_usd=Decimal(rate),
            per=1000,
            valid_from_us=0,
        )
        for provider, rate in prices.items()
    ]
    async with database.write() as unit:
        await record_versions(
            unit, stated, source=Source.OPERATOR, actor="test", now_us=NOON_US, disputes=False
        )
    plain = [msgspec.structs.replace(one, model=MODEL, output_tokens=0) for one in specs]
    await record(database, plain)


async def endpoint(plane: Plane, admin: dict[str, str], name: str, **order: Any) -> None:
    """Configure an endpoint for text."""
    known = {"name": name, "api_key": "k", "default_models": {"text": MODEL}, "models": {}}
    body = {**known, "planning_price": {}, "category_priority": {}, **order}
    answer = await plane.client.post("/api/v1/endpoints", json=body, headers=admin)
    assert answer.status_code == 201, answer.text


async def configured(plane: Plane) -> dict[str, str]:
    """Configure the document's providers; return an admin's headers."""
    plane.clock.advance(2 * 86_400)
    admin = await plane.key("root", "admin")
    await endpoint(plane, admin, "aimlapi", priority=1)
    await endpoint(plane, admin, "piapi", priority=2, dialect="openai", base_url="http://p.test/v1")
    models = {"text": MODEL, "image": "dall-e-3"}
    priorities = {"image": 2}
    await endpoint(
        plane,
        admin,
        "openai",
        priority=4,
        default_models=models,
        category_priority=priorities,
    )
    body = {"enabled": {"image": False}}
    answer = await plane.client.patch("/api/v1/endpoints/openai", json=body, headers=admin)
    assert answer.status_code == 200, answer.text
    return admin


async def ask(plane: Plane, headers: dict[str, str], address: str, **query: Any) -> Any:
    answer = await plane.client.get(address, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_documents_example_comes_out_to_the_last_digit(database: Database) -> None:
    """45 requests of which 44 served are 97.78 %; they cost 0.0675, and 0.0015 each."""
    await put(database, EXAMPLE, PRICES)
    async with control_plane(database) as plane:
        admin = await configured(plane)
        for address, expected in ADDRESSES.items():
            answer = await plane.client.get(address, headers=admin)
            assert answer.json() == expected, address
            # Also the order of the keys.
            places = [answer.text.index(f'"{key}"') for key in KEYS.get(address, ())]
            assert places == sorted(places), address


@on_sqlite
async def test_a_category_is_meant_in_any_case_and_an_unknown_one_lists_those_there_are(
    database: Database,
) -> None:
    await put(database, EXAMPLE[:3], PRICES)
    async with control_plane(database) as plane:
        admin = await configured(plane)
        every = [await ask(plane, admin, f"/api/providers/stats/{of}") for of in ("TEXT", "tExT")]
        assert every[0] == every[1]
        assert {one["category"] for one in every[0]} == {"TEXT"}
        for address in ("stats", "cost", "recommended"):
            answer = await plane.client.get(f"/api/providers/{address}/texts", headers=admin)
            assert answer.status_code == 400
            message = answer.json()["error"]["message"]
            assert "TEXT, IMAGE, VIDEO, AUDIO, EMBEDDING, RERANK or SEARCH" in message


@on_sqlite
async def test_a_period_counts_its_own_attempts_alone(database: Database) -> None:
    day_us = 86_400_000_000
    specs = [CallSpec(at_us=NOON_US - 40 * day_us), CallSpec(), CallSpec()]
    await put(database, specs, PRICES)
    async with control_plane(database) as plane:
        admin = await configured(plane)
        counts = [
            {one["provider"]: one["requests"] for one in found if one["category"] == "TEXT"}
            for query in (
                {},
                {"billing_period": "2025-11"},
                {"from": "2026-01-01T00:00:00Z"},
                {"to": "2026-01-01T00:00:00Z"},
            )
            for found in [await ask(plane, admin, "/api/providers/stats", **query)]
        ]
        assert [one["openai"] for one in counts] == [3, 1, 2, 1]
        bad = {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
        answer = await plane.client.get("/api/providers/stats", params=bad, headers=admin)
        assert answer.status_code == 400


@on_sqlite
async def test_a_member_is_told_of_their_own_attempts_alone(database: Database) -> None:
    await put(database, [CallSpec(user="ada"), CallSpec(user="bob"), CallSpec(user="bob")], PRICES)
    async with control_plane(database) as plane:
        await configured(plane)
        reader = await plane.key("reader", "read", user="ada")
        found = await ask(plane, reader, "/api/providers/stats/text")
        assert sum(one["requests"] for one in found) == 1
        nobody = await plane.client.get("/api/providers/stats")
        assert nobody.status_code == 401


@on_sqlite
async def test_a_restart_forgets_nothing(database: Database) -> None:
    """The origin kept its statistics in memory."""
    await put(database, EXAMPLE, PRICES)
    async with control_plane(database) as plane:
        admin = await configured(plane)
        before = await ask(plane, admin, "/api/providers/stats")
    async with control_plane(database) as again:
        again.clock.advance(2 * 86_400)
        assert await ask(again, admin, "/api/providers/stats") == before


@on_sqlite
async def test_an_attempt_counts_for_whom_it_was_made_at_not_for_the_models_vendor(
    database: Database,
) -> None:
    """The origin's admin statistics grouped by the model's nominal provider, and lost failures."""
    await put(database, [CallSpec(label="gpt-4o-mini", provider="piapi", fails_first=True)], PRICES)
    async with control_plane(database) as plane:
        admin = await configured(plane)
        found = {
            one["provider"]: (one["requests"], one["successes"], one["failures"])
            for one in await ask(plane, admin, "/api/providers/stats/TEXT")
        }
    assert found == {"aimlapi": (1, 0, 1), "piapi": (1, 1, 0), "openai": (0, 0, 0)}


@on_sqlite
async def test_a_provider_that_fails_for_nothing_is_cheap_by_the_document_alone(
    database: Database,
) -> None:
    """Failures cost 0: by requests aimlapi looks cheaper, by answers it is dearer."""
    specs = [CallSpec(provider="aimlapi", input_tokens=1000)] * 41
    specs += [CallSpec(refused=True)] * 9
    specs += [CallSpec(provider="piapi", input_tokens=1000)] * 50
    await put(database, specs, {"aimlapi": "0.0010", "piapi": "0.0009"})
    async with control_plane(database) as plane:
        admin = await configured(plane)
        cost = await ask(plane, admin, "/api/providers/cost/text")
        assert [one["provider"] for one in cost] == ["aimlapi", "piapi"]
        named = await ask(plane, admin, "/api/providers/recommended/text")
        assert named == {"recommended": "aimlapi"}
        richer = await ask(plane, admin, "/api/v1/insight/recommendations")
        assert richer["recommended"] == "piapi"
        per = {one["provider"]: one["cost_per_success_usd"] for one in richer["ranking"]}
        assert (per["aimlapi"], per["piapi"]) == ("0.001", "0.0009")


@on_sqlite
@pytest.mark.parametrize(("served", "expected"), [(4, None), (5, "aimlapi")])
async def test_just_eighty_percent_is_not_enough(
    database: Database, served: int, expected: str | None
) -> None:
    await put(database, [*[CallSpec(provider="aimlapi")] * served, CallSpec(refused=True)], PRICES)
    async with control_plane(database) as plane:
        admin = await configured(plane)
        found = await ask(plane, admin, "/api/providers/recommended/TEXT")
    assert found["recommended"] == expected
    assert ("reason" in found) == (expected is None)


@on_sqlite
async def test_a_cost_that_nobody_knows_is_null_and_never_the_cheapest(database: Database) -> None:
    await put(database, [CallSpec(provider="aimlapi"), CallSpec(provider="piapi")], {"piapi": "9"})
    async with control_plane(database) as plane:
        admin = await configured(plane)
        found = {one["provider"]: one for one in await ask(plane, admin, "/api/providers/stats")}
        assert (found["aimlapi"]["totalCost"], found["aimlapi"]["avgCost"]) == (None, None)
        named = await ask(plane, admin, "/api/providers/recommended/text")
        assert named == {"recommended": "piapi"}


@pytest.mark.parametrize("seed", [1, 2])
async def test_one_users_times_are_those_that_the_histograms_would_have_of_them_alone(
    database: Database, seed: int
) -> None:
    """No histogram knows users: the newest calls are looked at, and it is said since when."""
    draw = random.Random(seed)
    own = [
        msgspec.structs.replace(a_spec(draw), user="ada", latency_ms=draw.randrange(9, 9000))
        for _ in range(25)
    ]
    await record(database, own)
    axes = Axis.CATEGORY, Axis.PROVIDER
    whole = Slice(from_us=NOON_US - 40 * UTC_DAY_US, to_us=NOON_US + 40 * UTC_DAY_US)
    async with database.read() as unit:
        expected = await latencies(unit, whole, axes, UTC)
    await record(database, [msgspec.structs.replace(a_spec(draw), user="bob") for _ in range(9)])
    mine = msgspec.structs.replace(whole, sight=Sight("ada"))
    async with database.read() as unit:
        found = await times_of_details(unit, mine, axes, 1000)
        few = await times_of_details(unit, mine, axes, 10)
    assert found.complete_from_us is None
    assert found.groups == {group: times for group, times in expected.items() if times.latency}
    newest = sorted(spec.at_us for spec in own)[-10]
    assert few.complete_from_us == newest + 1
    counted = sum(sum(times.latency.values()) for times in few.groups.values())
    assert 10 <= counted < sum(sum(times.latency.values()) for times in found.groups.values())
    async with control_plane(database) as plane:
        ada = await plane.key("ada", "read")
        answer = await plane.client.get(
            "/api/v1/insight/providers", params={"from": to_text(whole.from_us)}, headers=ada
        )
    shown: Any = answer.json()
    assert shown["times_complete_from"] is None
    assert any(one["latency_ms"]["p95"] for one in shown["providers"])
