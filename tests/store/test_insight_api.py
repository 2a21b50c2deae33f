"""Insight over HTTP: what is refused, who sees what, and what is advised."""

from decimal import Decimal
from typing import Any

import pytest

from tests.store.test_provider_statistics import configured, put
from tests.support.control import Plane, control_plane
from tests.support.recorded import NOON_US, CallSpec, record
from tollbridge.core.call import Operation
from tollbridge.rating.prices import DeclaredPrice, Source
from tollbridge.rating.store import record_versions
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
BASE = "/api/v1/insight"
DAY_US = 86_400_000_000


async def ask(plane: Plane, headers: dict[str, str], address: str, *query: tuple[str, Any]) -> Any:
    answer = await plane.client.get(f"{BASE}/{address}", params=list(query), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("address", "query", "said"),
    [
        ("breakdown", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "not before"),
        ("overview", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "not before"),
        ("overview", "from=2026-02-02T00:00:00Z", "not before"),
        ("providers", "from=1970-01-01T00:00:00Z", "3660 days"),
        (
            "breakdown",
            "from=2016-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&group_by=hour",
            "over 2000 intervals",
        ),
        ("breakdown", "group_by=nothing", "Input should be"),
        ("breakdown", "&".join(f"group_by={one}" for one in ["user"] * 40), "at most 5"),
        ("breakdown", "group_by=user&group_by=user", "named once"),
        ("breakdown", "group_by=day&group_by=week", "one grouping by time"),
        ("breakdown", "group_by=day&compare=true", "compared by asking"),
        ("breakdown", "top=0", "greater than or equal"),
        ("breakdown", "colour=red", "Extra inputs"),
        ("breakdown", "&".join(f"user=u{one}" for one in range(101)), "at most 100 items"),
        ("breakdown", "billing_period=2026-13", "pattern"),
        ("breakdown", "billing_period=2026-01&from=2026-01-01T00:00:00Z", "billing_period"),
        ("flows", "provider=openai", "not filtered by provider"),
        ("models/x", "route=y", "names the model already"),
        ("models/nobody-asked", "", "no call of"),
        ("costs/music", "", "Must be TEXT"),
        ("counterfactual", "category=text&category=image", "one category"),
        ("counterfactual", "candidate=openai", "provider/model"),
        ("recommendations", "min_success_rate=2", "less than or equal"),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_the_reason(
    database: Database, address: str, query: str, said: str
) -> None:
    async with control_plane(database) as plane:
        admin = await plane.key("root", "admin")
        answer = await plane.client.get(f"{BASE}/{address}?{query}", headers=admin)
        assert 400 <= answer.status_code < 500, answer.text
        assert said in answer.text
        assert plane.faults == []


async def test_a_member_sees_their_own_and_a_manager_their_projects(database: Database) -> None:
    await record(
        database,
        [
            CallSpec(user="ada", project="main", customer="acme"),
            CallSpec(user="bob", project="night"),
            CallSpec(user="eve", project="main", fails_first=True),
        ],
    )
    async with control_plane(database) as plane:
        plane.clock.advance(2 * 86_400)
        admin = await plane.key("root", "admin")
        ada = await plane.key("ada", "read", user="ada")
        for headers, users in ((admin, {"ada", "bob", "eve"}), (ada, {"ada"})):
            found = await ask(plane, headers, "breakdown", ("group_by", "user"))
            assert {one["group"]["user"] for one in found["groups"]} == users
            for address in ("overview", "flows"):
                shown = await ask(plane, headers, address)
                calls = shown["calls"] if address == "flows" else shown["total"]["calls"]
                assert calls == len(users)
            finer = await ask(plane, headers, "breakdown", ("group_by", "customer"))
            assert finer["total"]["calls"] == len(users)
            model = await ask(plane, headers, "models/gpt-4o-mini")
            assert model["total"]["calls"] == len(users)
        others = await ask(plane, ada, "breakdown", ("user", "bob"))
        assert others["total"]["calls"] == 0


async def test_the_rest_is_what_the_shown_groups_leave(database: Database) -> None:
    specs = [CallSpec(user=f"u{place}") for place in range(5) for _ in range(place + 1)]
    await record(database, specs)
    async with control_plane(database) as plane:
        plane.clock.advance(2 * 86_400)
        admin = await plane.key("root", "admin")
        found = await ask(plane, admin, "breakdown", ("group_by", "user"), ("top", 2))
    assert [one["group"]["user"] for one in found["groups"]] == ["u4", "u3"]
    assert (found["rest_count"], found["rest"]["calls"], found["total"]["calls"]) == (3, 6, 15)


async def state(database: Database, provider: str, rates: dict[str, str], **more: Any) -> None:
    """State prices of text-ai, per million."""
    known: dict[str, Any] = {"valid_from_us": 0, **more}
    async with database.write() as unit:
        await record_versions(
            unit,
            [
                DeclaredPrice(
                    provider=provider,
                    model="text-ai",
                    unit=name,
                    rate_usd=Decimal(rate),
                    per=1_000_000,
                    **known,
                )
                for name, rate in rates.items()
            ],
            source=Source.OPERATOR,
            actor="test",
            now_us=NOON_US,
            disputes=False,
        )


async def counterfactual(plane: Plane, headers: dict[str, str], candidate: str) -> Any:
    found = await ask(plane, headers, "counterfactual", ("candidate", f"{candidate}/text-ai"))
    [one] = found["candidates"]
    return one


async def test_usage_is_priced_elsewhere_by_the_prices_in_force_on_its_day(
    database: Database,
) -> None:
    """A million tokens on each of two days; the other provider halved its price in between."""
    day_us = NOON_US - NOON_US % DAY_US
    specs = [CallSpec(at_us=NOON_US + place * DAY_US, input_tokens=10**6) for place in (-1, 0)]
    await state(database, "piapi", {"input": "4"}, valid_to_us=day_us)
    await state(database, "piapi", {"input": "2"}, valid_from_us=day_us)
    await put(database, specs, {"openai": "0.005"})
    async with control_plane(database) as plane:
        admin = await configured(plane)
        one = await counterfactual(plane, admin, "piapi")
        assert (one["cost_usd"], one["actual_usd"], one["saving_usd"]) == ("6", "10", "4")
        assert (one["calls_priced"], one["approximations"]) == (2, [])
        costs = await ask(plane, admin, "costs/text", ("from", "2025-12-30T00:00:00Z"))
        [piapi] = [of for of in costs["offers"] if of["provider"] == "piapi"]
        # 750 tokens in; the output of a nominal call has no price, and so the call has none.
        assert [step["nominal_usd"] for step in piapi["history"]] == [None]
        nothing = await counterfactual(plane, admin, "nowhere")
        assert (nothing["cost_usd"], nothing["calls_unpriced"]) == (None, 2)
        assert nothing["reasons"] == ["no price for nowhere/text-ai"]


async def test_a_price_that_depends_on_the_call_is_marked_as_approximate(
    database: Database,
) -> None:
    """The dearer tier begins above 200 tokens: a mean call is below, the sum is not."""
    await put(database, [CallSpec(input_tokens=150)] * 4, {"openai": "0.005"})
    await state(database, "piapi", {"input": "1"})
    await state(database, "piapi", {"input": "9"}, conditions={"input_above": "200"})
    async with control_plane(database) as plane:
        admin = await configured(plane)
        one = await counterfactual(plane, admin, "piapi")
    assert Decimal(one["cost_usd"]) == Decimal("0.0006")
    assert any("mean call" in text for text in one["approximations"])


async def test_prices_over_time_are_told_from_when_they_held(database: Database) -> None:
    since_us = NOON_US - 5 * DAY_US
    await state(database, "piapi", {"input": "4", "output": "4"}, valid_to_us=since_us)
    await state(database, "piapi", {"input": "2", "output": "2"}, valid_from_us=since_us)
    await put(database, [CallSpec(provider="piapi")], {})
    async with control_plane(database) as plane:
        admin = await configured(plane)
        found = await ask(plane, admin, "costs/TEXT")
    [piapi] = [one for one in found["offers"] if one["provider"] == "piapi"]
    assert [(step["nominal_usd"]) for step in piapi["history"]] == ["0.004", "0.002"]
    assert piapi["history"][1]["from"] == "2025-12-27T12:00:00.000000Z"
    assert piapi["nominal_usd"] == "0.002"


async def test_a_dear_provider_and_paid_failures_are_advised_against_with_real_savings(
    database: Database,
) -> None:
    specs = [CallSpec(provider="openai", input_tokens=1000)] * 20
    specs += [CallSpec(provider="piapi", input_tokens=1000)] * 20
    specs += [CallSpec(provider="piapi", fails_first=True, first_bills=True)] * 4
    await put(database, specs, {"openai": "0.003", "piapi": "0.001"})
    async with control_plane(database) as plane:
        admin = await configured(plane)
        found = await ask(plane, admin, "recommendations")
    advice = {one["kind"]: one for one in found["advice"]}
    assert found["recommended"] is None or found["recommended"] == "piapi"
    dear = advice["dear_provider"]
    assert (dear["provider"], dear["instead_provider"]) == ("openai", "piapi")
    paid = advice["paid_failures"]
    assert (paid["provider"], paid["priority"]) == ("openai", "high")
    assert Decimal(paid["saving_usd"]) == 4 * Decimal(2518) * Decimal("0.003") / 1000
    assert found["advice"][0]["priority"] == "high"


async def test_who_holds_the_constraints_comes_first_and_the_others_say_why_not(
    database: Database,
) -> None:
    specs = [CallSpec(provider="openai", latency_ms=900)] * 30
    specs += [CallSpec(provider="piapi", latency_ms=100)] * 40
    await put(database, specs, {"openai": "0.001", "piapi": "0.002"})
    async with control_plane(database) as plane:
        admin = await configured(plane)
        by_cost = await ask(plane, admin, "recommendations")
        assert by_cost["recommended"] == "openai"
        assert by_cost["ranking"][0]["rank"] == 1
        by_latency = await ask(plane, admin, "recommendations", ("objective", "latency"))
        assert by_latency["recommended"] == "piapi"
        bound = await ask(plane, admin, "recommendations", ("max_latency_ms", 500))
        assert bound["recommended"] == "piapi"
        [slow] = [one for one in bound["ranking"] if one["provider"] == "openai"]
        assert slow["rank"] is None
        assert "p95 of its latency" in slow["why_not"][0]
        many = await ask(plane, admin, "recommendations", ("min_calls", 35))
        assert many["recommended"] == "piapi"
        assert await ask(plane, admin, "recommendations", ("provider", "aimlapi")) is not None


async def test_pictures_are_priced_elsewhere_by_what_each_call_used(database: Database) -> None:
    """Other units than tokens are in no roll-up: they are read from the calls."""
    spec = CallSpec(operation=Operation.IMAGE_GENERATION, input_tokens=10)
    await put(database, [spec] * 3, {"openai": "0.01", "piapi": "0.02"})
    async with control_plane(database) as plane:
        admin = await configured(plane)
        query = (("category", "image"), ("candidate", "piapi/text-ai"))
        found = await ask(plane, admin, "counterfactual", *query)
    [one] = found["candidates"]
    assert (found["calls"], one["calls_priced"]) == (3, 3)
    assert Decimal(one["cost_usd"]) == 2 * Decimal(one["actual_usd"])


async def test_nobody_is_told_anything_without_a_key(database: Database) -> None:
    """Each address asks who it is."""
    async with control_plane(database) as plane:
        for address in ("overview", "providers", "breakdown", "flows", "costs/text"):
            assert (await plane.client.get(f"{BASE}/{address}")).status_code == 401
