"""Plans and subscriptions over HTTP, and the documents' addresses, on SQLite and PostgreSQL."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.support.control import Plane, control_plane
from tests.support.recorded import CallSpec, record
from tollbridge.core.call import Bucket
from tollbridge.ledger import plans_store
from tollbridge.ledger import subscription_store as store
from tollbridge.ledger.subscriptions import Cycle
from tollbridge.storage.unit import Database

COST = Decimal("0.0005229")
MINUTE_US = 60 * 1_000_000
DAY_US = 24 * 60 * MINUTE_US


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    async with control_plane(database) as made:
        yield made


async def now_us(plane: Plane) -> int:
    async with plane.database.read() as unit:
        return await unit.now_us()


async def subscribe(plane: Plane, plan: str, days_ago: int = 3) -> None:
    """Give ada a plan, as of some days ago."""
    async with plane.database.write() as unit:
        since_us = await unit.now_us() - days_ago * DAY_US
        order = store.Order("ada", plan, Cycle.MONTHLY)
        zone = plane_zone(plane)
        await store.subscribe(unit, order, actor="bob", zone=zone, now_us=since_us)


def plane_zone(plane: Plane) -> Any:
    return plane.application.state.control.services.billing_zone


async def use(plane: Plane, bucket: Bucket, count: int = 1, **more: Any) -> None:
    """Record answered calls of ada, an hour ago."""
    at_us = await now_us(plane) - 60 * MINUTE_US
    await record(
        plane.database, [CallSpec(at_us=at_us, bucket=bucket, **more) for _ in range(count)]
    )


async def preflight(plane: Plane, *operations: dict[str, Any]) -> dict[str, Any]:
    headers = await plane.key("ada", "read")
    return await preflight_as(plane, headers, *operations)


async def preflight_as(
    plane: Plane, headers: dict[str, str], *operations: dict[str, Any]
) -> dict[str, Any]:
    answer = await plane.client.post(
        "/api/subscription/preflight-check", json={"operations": operations}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert list(body) == ["success", "data"]
    return body["data"]


def video(**more: Any) -> dict[str, Any]:
    return {"provider": "video", "operation_type": "video_generation", **more}


def text(tokens: int, **more: Any) -> dict[str, Any]:
    return {
        "provider": "openai",
        "operation_type": "text",
        "tokens_requested": tokens,
        **more,
    }


async def data(plane: Plane, path: str, headers: dict[str, str]) -> Any:
    answer = await plane.client.get(f"/api/subscription{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["success"] is True
    return answer.json()["data"]


async def test_preflight_of_five_videos_with_one_left(plane: Plane) -> None:
    """The first may go, the other four may not, so the batch may not; nothing is consumed."""
    await subscribe(plane, "Basic")
    await use(plane, Bucket.VIDEO, 9)
    headers = await plane.key("ada", "read")
    first = await preflight_as(plane, headers, *[video()] * 5)
    assert first["can_proceed"] is False
    assert [one["allowed"] for one in first["operations"]] == [True] + [False] * 4
    assert first["operations"][0]["limit_info"] == {
        "current_usage": 9,
        "limit": 10,
        "remaining": 1,
    }
    assert first["usage_summary"] == {"current_calls": 9, "limit": 10, "remaining": 1}
    assert await preflight_as(plane, headers, *[video()] * 5) == first
    assert (await preflight_as(plane, headers, video()))["can_proceed"] is True


async def test_preflight_has_the_documents_keys_and_no_infinity(plane: Plane) -> None:
    await subscribe(plane, "Enterprise")
    found = await preflight(plane, text(1000, model="gpt-4o-mini"))
    assert list(found) == [
        "can_proceed",
        "estimated_cost",
        "total_cost",
        "operations",
        "usage_summary",
        "cached",
    ]
    assert list(found["operations"][0]) == [
        "provider",
        "operation_type",
        "cost",
        "allowed",
        "limit_info",
        "message",
    ]
    assert found["operations"][0]["limit_info"] == {
        "current_usage": 0,
        "limit": None,
        "remaining": None,
    }
    assert found["cached"] is False


async def test_preflight_asks_anew_for_each_size(plane: Plane) -> None:
    """A yes to a small request is no yes to a larger one a moment later."""
    await subscribe(plane, "Basic")
    headers = await plane.key("ada", "read")
    assert (await preflight_as(plane, headers, text(100_000)))["can_proceed"] is True
    assert (await preflight_as(plane, headers, text(100_001)))["can_proceed"] is False


async def test_preflight_refuses_what_a_free_plan_has_zero_of(plane: Plane) -> None:
    await subscribe(plane, "Free")
    found = await preflight(plane, text(10))
    assert found["can_proceed"] is False
    assert found["operations"][0]["message"] == "openai_calls: the plan allows none"


async def test_preflight_prices_a_batch_and_holds_the_cost(plane: Plane) -> None:
    """A million tokens of gpt-4o-mini in are 0.15 USD; the plan allows 0.40 of cost in all."""
    await record(plane.database, [])
    async with plane.database.write() as unit:
        pro = await plans_store.get_plan(unit, "Pro")
        terms = msgspec.structs.replace(pro.terms, limits={"monthly_cost_nanousd": 400_000_000})
        await plans_store.change_plan(unit, "Pro", terms, actor="bob")
    await subscribe(plane, "Pro")
    found = await preflight(plane, *[text(1_000_000, model="gpt-4o-mini")] * 3)
    assert [one["cost"] for one in found["operations"]] == [0.15] * 3
    assert [one["allowed"] for one in found["operations"]] == [True, True, False]
    assert (found["estimated_cost"], found["total_cost"]) == (0.45, 0.45)


async def test_preflight_says_null_where_it_knows_no_cost(plane: Plane) -> None:
    await subscribe(plane, "Enterprise")
    found = await preflight(plane, video())
    assert found["operations"][0]["cost"] is None
    assert (found["estimated_cost"], found["total_cost"]) == (0, None)
    refused = await preflight_as(
        plane, await plane.key("other", "read", user="ada"), video(model="no-such-film")
    )
    assert refused["can_proceed"] is False
    assert "no price" in refused["operations"][0]["message"]


async def test_preflight_knows_the_documents_names_of_providers(plane: Plane) -> None:
    """Huggingface counts as mistral, fal as video; one that nobody knows is refused."""
    await subscribe(plane, "Basic")
    await use(plane, Bucket.MISTRAL, 2)
    operations = [
        {"provider": "huggingface", "operation_type": "text"},
        {"provider": "fal-ai", "operation_type": "video"},
        {"provider": "acme", "operation_type": "text"},
    ]
    found = await preflight(plane, *operations)
    assert [one["allowed"] for one in found["operations"]] == [True, True, False]
    assert found["usage_summary"]["current_calls"] == 2
    assert found["can_proceed"] is False


@pytest.mark.parametrize(
    "body",
    [
        {"operations": []},
        {"operations": [{"provider": "acme", "operation_type": "text"}]},
        {"operations": [text(-1)]},
        {"operations": [{"operation_type": "text"}]},
        {},
    ],
)
async def test_preflight_without_a_valid_operation_is_a_400(
    plane: Plane, body: dict[str, Any]
) -> None:
    headers = await plane.key("ada", "read")
    answer = await plane.client.post(
        "/api/subscription/preflight-check", json=body, headers=headers
    )
    assert answer.status_code == 400, answer.text


async def test_preflight_lets_all_by_where_there_is_no_plan(plane: Plane) -> None:
    found = await preflight(plane, *[video()] * 5)
    assert found["can_proceed"] is True


async def test_preflight_of_a_first_call_needs_no_row_of_usage(plane: Plane) -> None:
    """The original refused a user without a summary as "unable to verify"."""
    await subscribe(plane, "Basic")
    assert (await preflight(plane, video()))["can_proceed"] is True


async def test_limits_count_the_bucket_whoever_served(plane: Plane) -> None:
    """A film that wavespeed served counts as video and not as wavespeed; it is shown as theirs."""
    await subscribe(plane, "Basic")
    await use(plane, Bucket.VIDEO, 1, provider="wavespeed")
    headers = await plane.key("ada", "read")
    answer = await plane.client.get("/api/v1/subscriptions/ada/usage", headers=headers)
    assert answer.status_code == 200, answer.text
    uses = {one["name"]: one for one in answer.json()["limits"]}
    assert (uses["video_calls"]["used"], uses["wavespeed_calls"]["used"]) == (1, 0)
    assert (uses["video_calls"]["limit"], uses["video_calls"]["remaining"]) == (10, 9)
    assert uses["search_calls"]["unlimited"] is True
    assert [one["provider"] for one in answer.json()["providers"]] == ["wavespeed"]
    assert answer.json()["enforced"] is True


async def test_what_nobody_served_counts_against_no_limit(plane: Plane) -> None:
    await subscribe(plane, "Basic")
    await use(plane, Bucket.OPENAI, 2, refused=True)
    headers = await plane.key("ada", "read")
    stats = await data(plane, "/usage/ada", headers)
    assert stats["total_calls"] == 2
    assert stats["error_rate"] == 100
    assert stats["usage_percentages"]["openai_calls"] == 0


async def test_what_was_used_before_the_month_of_the_plan_counts_no_more(plane: Plane) -> None:
    """A month that begins anew begins at nought, without anything that resets a counter."""
    await subscribe(plane, "Basic", days_ago=40)
    before_us = await now_us(plane) - 35 * DAY_US
    await record(plane.database, [CallSpec(at_us=before_us, bucket=Bucket.VIDEO)] * 10)
    headers = await plane.key("ada", "read")
    assert (await preflight_as(plane, headers, video()))["usage_summary"]["current_calls"] == 0
    stats = await data(plane, "/usage/ada", headers)
    assert (stats["billing_period"], stats["total_calls"]) == ("all", 10)


async def test_usage_is_in_the_documents_shape(plane: Plane) -> None:
    await subscribe(plane, "Basic")
    await use(plane, Bucket.OPENAI, 2)
    headers = await plane.key("ada", "read")
    stats = await data(plane, "/usage/ada", headers)
    assert list(stats) == [
        "billing_period",
        "usage_status",
        "total_calls",
        "total_tokens",
        "total_cost",
        "avg_response_time",
        "error_rate",
        "limits",
        "provider_breakdown",
        "usage_percentages",
        "last_updated",
        "historical_breakdown",
    ]
    assert stats["provider_breakdown"] == {
        "openai": {"calls": 2, "tokens": 5520, "cost": float(2 * COST)}
    }
    assert stats["usage_percentages"]["openai_calls"] == 0.4
    assert stats["usage_percentages"]["ai_text_generation_calls"] == 0.4
    assert stats["limits"]["limits"]["_zero_means"]["video_calls"] == "limited"
    assert (stats["limits"]["plan_name"], stats["usage_status"]) == ("Basic", "active")
    assert sum(one["total_calls"] for one in stats["historical_breakdown"]) == 2


@pytest.mark.parametrize(
    ("count", "status"), [(7, "active"), (8, "warning"), (10, "limit_reached")]
)
async def test_the_status_of_usage_follows_the_share(plane: Plane, count: int, status: str) -> None:
    await subscribe(plane, "Basic")
    await use(plane, Bucket.VIDEO, count)
    headers = await plane.key("ada", "read")
    assert (await data(plane, "/usage/ada", headers))["usage_status"] == status


async def test_a_month_of_usage_is_the_calendars(plane: Plane) -> None:
    await record(plane.database, [CallSpec(), CallSpec()])
    headers = await plane.key("ada", "read")
    stats = await data(plane, "/usage/ada?billing_period=2026-01", headers)
    assert (stats["billing_period"], stats["total_calls"]) == ("2026-01", 2)
    assert (await data(plane, "/usage/ada?billing_period=2025-12", headers))["total_calls"] == 0


async def test_the_dashboard_projects_the_running_month_and_not_all_time(plane: Plane) -> None:
    """Of a call 35 days ago nothing is in the month's sum and projection; its cost is in the total.

    Six months follow each other, each once; alerts, of which nothing is kept, are null.
    """
    await subscribe(plane, "Basic", days_ago=40)
    before_us = await now_us(plane) - 35 * DAY_US
    await record(plane.database, [CallSpec(at_us=before_us, input_tokens=10**9)])
    await use(plane, Bucket.OPENAI)
    headers = await plane.key("ada", "read")
    found = await data(plane, "/dashboard/ada", headers)
    assert list(found) == [
        "total_usage",
        "current_period_usage",
        "trends",
        "limits",
        "alerts",
        "projections",
        "summary",
    ]
    assert found["total_usage"]["total_cost"] >= 150
    assert found["summary"]["total_cost_this_month"] == 0
    assert found["summary"]["total_api_calls_this_month"] == 1
    assert found["projections"]["projected_monthly_cost"] < 1
    assert found["projections"]["cost_limit"] == 25
    periods = found["trends"]["periods"]
    assert periods == sorted(set(periods))
    assert len(periods) == 6
    assert sum(found["trends"]["total_calls"]) == 2
    assert (found["alerts"], found["summary"]["unread_alerts"]) == ([], 0)


async def test_plans_say_of_each_limit_what_it_means(plane: Plane) -> None:
    headers = await plane.key("ada", "read")
    found = await data(plane, "/plans", headers)
    assert found["total"] == 4
    by_name = {one["name"]: one for one in found["plans"]}
    assert list(by_name["Free"]) == [
        "id",
        "name",
        "tier",
        "price_monthly",
        "price_yearly",
        "description",
        "features",
        "limits",
    ]
    free, enterprise = by_name["Free"]["limits"], by_name["Enterprise"]["limits"]
    assert (free["openai_calls"], free["_zero_means"]["openai_calls"]) == (0, "disabled")
    assert (free["video_calls"], free["_zero_means"]["video_calls"]) == (2, "limited")
    assert enterprise["video_calls"] is None
    assert enterprise["_zero_means"]["video_calls"] == "unlimited"
    assert enterprise["_zero_means"]["monthly_cost"] == "limited"
    assert (by_name["Pro"]["price_monthly"], by_name["Pro"]["price_yearly"]) == (79, 790)


async def test_pricing_is_for_one_token_and_takes_any_name_of_a_provider(plane: Plane) -> None:
    await record(plane.database, [])
    headers = await plane.key("ada", "read")
    found = await data(plane, "/pricing?provider=openai", headers)
    [mini] = [one for one in found["pricing"] if one["model_name"] == "gpt-4o-mini"]
    assert Decimal(str(mini["cost_per_input_token"])) == Decimal("0.00000015")
    assert mini["cost_per_image"] is None
    assert {one["provider"] for one in found["pricing"]} == {"openai"}
    assert await data(plane, "/pricing?provider=OpenAI", headers) == found
    assert await data(plane, "/pricing?provider=tavily", headers) == {"pricing": [], "total": 0}
    assert (await data(plane, "/pricing", headers))["total"] > found["total"]


async def test_status_says_which_plan_there_is(plane: Plane) -> None:
    headers = await plane.key("ada", "read")
    assert await data(plane, "/status/ada", headers) == {
        "active": False,
        "plan": None,
        "tier": None,
        "can_use_api": True,
        "reason": "there is no subscription: no plan's limits hold",
    }
    await subscribe(plane, "Pro")
    found = await data(plane, "/status/ada", headers)
    assert (found["active"], found["plan"], found["tier"]) == (True, "Pro", "pro")
    assert found["can_use_api"] is True


@pytest.mark.parametrize("address", ["usage", "dashboard", "status"])
async def test_a_member_sees_themself_alone(plane: Plane, address: str) -> None:
    """Somebody else's is a 403, whether they exist or not; an admin's look for nobody is a 404."""
    await subscribe(plane, "Pro")
    member, admin = await plane.key("bob", "read"), await plane.key("root", "admin")
    for user in ("ada", "nobody"):
        answer = await plane.client.get(f"/api/subscription/{address}/{user}", headers=member)
        assert answer.status_code == 403
    found = await plane.client.get(f"/api/subscription/{address}/ada", headers=admin)
    assert found.status_code == 200
    missing = await plane.client.get(f"/api/subscription/{address}/nobody", headers=admin)
    assert missing.status_code == 404


async def test_a_plan_is_made_changed_and_withdrawn_over_http(plane: Plane) -> None:
    """Null takes a limit away and 0 forbids; what is left out stays; each edit is a version."""
    admin = await plane.key("root", "admin")
    order = {
        "name": "Team",
        "tier": "pro",
        "price_monthly_usd": "49.00",
        "price_yearly_usd": "490",
        "limits": {"video_calls": 5, "audio_calls": 0, "monthly_cost_usd": "12.5"},
    }
    made = await plane.client.post("/api/v1/plans", json=order, headers=admin)
    assert made.status_code == 201, made.text
    limits = made.json()["limits"]
    assert limits["video_calls"] == {"limit": 5, "unlimited": False}
    assert limits["audio_calls"] == {"limit": 0, "unlimited": False}
    assert limits["openai_calls"] == {"limit": None, "unlimited": True}
    assert limits["monthly_cost_usd"] == {"limit": "12.5", "unlimited": False}
    change = {"limits": {"video_calls": None}, "version": 1, "default": True}
    changed = await plane.client.patch("/api/v1/plans/Team", json=change, headers=admin)
    assert changed.status_code == 200, changed.text
    assert changed.json()["limits"]["video_calls"] == {"limit": None, "unlimited": True}
    assert changed.json()["limits"]["audio_calls"]["limit"] == 0
    assert changed.json()["default"] is True
    stale = await plane.client.patch("/api/v1/plans/Team", json=change, headers=admin)
    assert stale.status_code == 409
    versions = await plane.client.get("/api/v1/plans/Team/versions", headers=admin)
    assert [one["version"] for one in versions.json()["versions"]] == [2, 1]
    kept = await plane.client.delete("/api/v1/plans/Team", headers=admin)
    assert kept.status_code == 409
    await plane.client.patch("/api/v1/plans/Team", json={"default": False}, headers=admin)
    assert (await plane.client.delete("/api/v1/plans/Team", headers=admin)).status_code == 204
    listed = await plane.client.get("/api/v1/plans?active=true", headers=admin)
    assert [one["name"] for one in listed.json()["plans"]] == ["Free", "Basic", "Pro", "Enterprise"]


@pytest.mark.parametrize(
    "limits",
    [
        {"video_calls": -1},
        {"video_calls": "many"},
        {"vidio_calls": 1},
        {"monthly_cost_usd": "-1"},
        {"monthly_cost_usd": "EUR 5"},
        {"monthly_cost_nanousd": 5},
        {"monthly_cost_usd": "NaN"},
    ],
)
async def test_a_bad_limit_is_a_400_and_makes_no_plan(plane: Plane, limits: dict[str, Any]) -> None:
    admin = await plane.key("root", "admin")
    order = {
        "name": "Team",
        "tier": "pro",
        "price_monthly_usd": "1",
        "price_yearly_usd": "1",
        "limits": limits,
    }
    answer = await plane.client.post("/api/v1/plans", json=order, headers=admin)
    assert answer.status_code == 400, answer.text
    listed = await plane.client.get("/api/v1/plans", headers=admin)
    assert len(listed.json()["plans"]) == 4


async def test_a_subscription_is_given_changed_and_cancelled_over_http(plane: Plane) -> None:
    admin, ada = await plane.key("root", "admin"), await plane.key("ada", "read")
    path = "/api/v1/subscriptions/ada"
    made = await plane.client.put(path, json={"plan": "Pro", "cycle": "yearly"}, headers=admin)
    assert made.status_code == 200, made.text
    assert (made.json()["plan"], made.json()["status"]) == ("Pro", "active")
    lower = await plane.client.put(path, json={"plan": "Basic"}, headers=admin)
    assert (lower.json()["plan"], lower.json()["next_plan"]) == ("Pro", "Basic")
    assert lower.json()["changes_at"] == made.json()["period_end"]
    ended = await plane.client.delete(path, headers=admin)
    assert (ended.json()["status"], ended.json()["next_plan"]) == ("cancelled", None)
    assert ended.json()["ends_at"] == made.json()["period_end"]
    shown = await plane.client.get(path, headers=ada)
    assert shown.json() == ended.json()
    history = await plane.client.get(f"{path}/history", headers=ada)
    assert [one["kind"] for one in history.json()["events"]] == ["cancel", "new"]
    listed = await plane.client.get("/api/v1/subscriptions", headers=ada)
    assert [one["user"] for one in listed.json()["subscriptions"]] == ["ada"]


async def test_nobody_who_is_not_known_is_given_a_plan(plane: Plane) -> None:
    admin = await plane.key("root", "admin")
    answer = await plane.client.put(
        "/api/v1/subscriptions/tpyo", json={"plan": "Pro"}, headers=admin
    )
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "path", ["/api/v1/subscriptions/%00", "/api/v1/plans/%00", "/api/subscription/usage/a%00b"]
)
async def test_a_name_that_no_database_can_hold_is_not_found(plane: Plane, path: str) -> None:
    admin = await plane.key("root", "admin")
    answer = await plane.client.get(path, headers=admin)
    assert answer.status_code == 404, answer.text


@pytest.mark.parametrize("provider", ["acme", "%00", ""])
async def test_pricing_of_a_provider_that_nobody_knows_is_refused(
    plane: Plane, provider: str
) -> None:
    headers = await plane.key("ada", "read")
    answer = await plane.client.get(
        f"/api/subscription/pricing?provider={provider}", headers=headers
    )
    assert answer.status_code == 400, answer.text
