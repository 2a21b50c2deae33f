"""Prices by the control plane: stated, taken back, disputed, asked for, exported."""

import csv
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.support.control import Plane, control_plane
from tests.support.recorded import NOON_US, CallSpec
from tests.support.rerated import put
from tollbridge.core.clock import SECOND_US, ManualClock, to_text
from tollbridge.rating import store
from tollbridge.rating.prices import DeclaredPrice, Source
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)

PRICES = "/api/v1/prices"
START_US = ManualClock().now_us()
"""When a control plane under test begins."""
ORDER = {"provider": "acme", "model": "m-1", "unit": "input", "rate_usd": "2.50"}


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    async with control_plane(database) as made:
        yield made


@pytest.fixture
async def admin(plane: Plane) -> dict[str, str]:
    return await plane.key("root", "admin")


async def state(plane: Plane, admin: dict[str, str], **changes: Any) -> dict[str, Any]:
    answer = await plane.client.post(PRICES, json={**ORDER, **changes}, headers=admin)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def listed(plane: Plane, headers: dict[str, str], **params: Any) -> list[dict[str, Any]]:
    """Return acme's prices; the catalogue has others from the beginning."""
    wanted = {"provider": "acme", **params}
    return (await plane.client.get(PRICES, params=wanted, headers=headers)).json()["prices"]


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    return error


async def quote(plane: Plane, headers: dict[str, str], **changes: Any) -> dict[str, Any]:
    wanted = {"provider": "acme", "model": "m-1", "usage": {"input": 1_000_000}, **changes}
    answer = await plane.client.post(f"{PRICES}/quote", json=wanted, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_stated_price_holds_until_the_next_one_and_the_past_keeps_its_own(
    plane: Plane, admin: dict[str, str]
) -> None:
    first = await state(plane, admin)
    assert (first["rate_usd"], first["per"], first["source"]) == ("2.5", 1_000_000, "operator")
    assert first["recorded_by"] == "root (key root)"
    plane.clock.advance(3600)
    second = await state(plane, admin, rate_usd="3")
    assert second["valid_from"] == to_text(plane.clock.now_us())
    assert (await quote(plane, admin))["cost_usd"] == "3"
    assert (await quote(plane, admin, at=to_text(START_US + SECOND_US)))["cost_usd"] == "2.5"
    shown = await plane.client.get(f"{PRICES}/versions/{first['price_version_id']}", headers=admin)
    assert shown.json()["rate_usd"] == "2.5"


async def test_what_was_stated_before_is_answered_and_not_stated_again(
    plane: Plane, admin: dict[str, str]
) -> None:
    first = await state(plane, admin)
    assert (await state(plane, admin))["price_version_id"] == first["price_version_id"]
    assert len(await listed(plane, admin)) == 1


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"rate_usd": "-1"}, "negative"),
        ({"rate_usd": "NaN"}, "finite"),
        ({"rate_usd": "2.5 dollars"}, "amount"),
        ({"rate_usd": 2.5}, "rate_usd"),
        ({"unit": "bushel"}, "bushel"),
        ({"per": 0}, "per"),
        ({"conditions": {"hours": "9-5"}}, "hours"),
        ({"conditions": {"input_above": "many"}}, "input_above"),
        ({"valid_from": "2026-02-01T00:00:00Z", "valid_to": "2026-01-01T00:00:00Z"}, "valid_to"),
        ({"valid_from": "2026-02-01T00:00:00"}, "valid_from"),
        ({"colour": "red"}, "colour"),
        ({"provider": ""}, "provider"),
    ],
)
async def test_a_price_that_cannot_be_kept_is_refused_and_nothing_is_written(
    plane: Plane, admin: dict[str, str], changes: dict[str, Any], word: str
) -> None:
    answer = await plane.client.post(PRICES, json={**ORDER, **changes}, headers=admin)
    assert word in refused(answer, 400, "invalid_request")["message"]
    assert await listed(plane, admin) == []


async def test_a_key_that_may_read_sees_prices_and_changes_none(plane: Plane) -> None:
    reader = await plane.key("reader", "read")
    for path in ("", "/history", "/disputes", "/export", "/unpriced", "/differences"):
        assert (await plane.client.get(PRICES + path, headers=reader)).status_code == 200, path
    assert (await quote(plane, reader))["cost_usd"] is None
    for path in ("", "/actions/withdraw", "/disputes/x/accept", "/disputes/x/reject"):
        answer = await plane.client.post(PRICES + path, json=ORDER, headers=reader)
        refused(answer, 403, "permission_denied")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, {"1", "2", "3"}),
        ({"model": "m-2"}, {"3"}),
        ({"unit": "output"}, {"2"}),
        ({"source": "operator", "status": "active"}, {"1", "2", "3"}),
        ({"source": "seed"}, set[str]()),
        ({"status": "withdrawn"}, set[str]()),
        ({"at": to_text(START_US - SECOND_US)}, {"1", "2"}),
        ({"at": to_text(START_US + 7200 * SECOND_US)}, {"1", "2", "3"}),
    ],
)
async def test_each_filter_lets_by_what_it_names(
    plane: Plane, admin: dict[str, str], params: dict[str, str], expected: set[str]
) -> None:
    """The first price of a model holds always; that of m-2 begins in an hour."""
    await state(plane, admin, rate_usd="1")
    await state(plane, admin, rate_usd="2", unit="output", valid_from="2020-01-01T00:00:00Z")
    soon = to_text(START_US + 3600 * SECOND_US)
    await state(plane, admin, rate_usd="3", model="m-2", valid_from=soon)
    assert {one["rate_usd"] for one in await listed(plane, admin, **params)} == expected


async def test_pages_leave_no_price_out(plane: Plane, admin: dict[str, str]) -> None:
    for number in range(5):
        await state(plane, admin, model=f"m-{number}", rate_usd=str(number))
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        params = {"provider": "acme", "limit": "2"} | ({} if cursor is None else {"cursor": cursor})
        page = (await plane.client.get(PRICES, params=params, headers=admin)).json()
        seen += [one["model"] for one in page["prices"]]
        cursor = page["next_cursor"]
    assert seen == [f"m-{number}" for number in range(5)]
    assert cursor is None


async def test_a_withdrawn_price_never_returns_and_leaves_the_past(
    plane: Plane, admin: dict[str, str]
) -> None:
    await state(plane, admin)
    plane.clock.advance(3600)
    order = {key: ORDER[key] for key in ("provider", "model", "unit")}
    answer = await plane.client.post(f"{PRICES}/actions/withdraw", json=order, headers=admin)
    assert answer.json() == {"withdrawn": 1}
    gone = await quote(plane, admin)
    assert (gone["cost_usd"], gone["components"]) == (None, [])
    assert "acme/m-1" in gone["unpriced_reason"]
    assert (await quote(plane, admin, at=to_text(START_US + SECOND_US)))["cost_usd"] == "2.5"
    again = await plane.client.post(f"{PRICES}/actions/withdraw", json=order, headers=admin)
    refused(again, 404, "not_found")


async def test_the_history_says_who_did_what_when(plane: Plane, admin: dict[str, str]) -> None:
    await state(plane, admin)
    plane.clock.advance(60)
    await state(plane, admin, rate_usd="3")
    answer = await plane.client.get(
        f"{PRICES}/history", params={"provider": "acme", "limit": 1}, headers=admin
    )
    newest = answer.json()["events"][0]
    assert (newest["status"], newest["actor"]) == ("active", "root (key root)")
    assert newest["at"] >= to_text(plane.clock.now_us())
    assert newest["price"]["rate_usd"] == "3"
    rest = await plane.client.get(
        f"{PRICES}/history",
        params={"provider": "acme", "cursor": answer.json()["next_cursor"]},
        headers=admin,
    )
    assert [one["price"]["rate_usd"] for one in rest.json()["events"]] == ["2.5"]


async def propose(plane: Plane, rate_usd: str) -> None:
    """Let a list state another price than the operator's."""
    price = DeclaredPrice(
        provider="acme",
        model="m-1",
        unit="input",
        rate_usd=Decimal(rate_usd),
        per=1_000_000,
        valid_from_us=START_US,
    )
    async with plane.database.write() as unit:
        recorded = await store.record_versions(
            unit,
            [price],
            source=Source.SYNC,
            actor="sync",
            now_us=plane.clock.now_us(),
            disputes=True,
        )
    assert recorded.proposed == 1


@pytest.mark.parametrize(("verdict", "status"), [("accept", "active"), ("reject", "rejected")])
async def test_a_dispute_shows_both_values_and_ends_by_a_verdict(
    plane: Plane, admin: dict[str, str], verdict: str, status: str
) -> None:
    mine = await state(plane, admin)
    await propose(plane, "4")
    [dispute] = (await plane.client.get(f"{PRICES}/disputes", headers=admin)).json()["disputes"]
    assert dispute["proposed"]["rate_usd"] == "4"
    assert [one["price_version_id"] for one in dispute["against"]] == [mine["price_version_id"]]
    ident = dispute["proposed"]["price_version_id"]
    path = f"{PRICES}/disputes/{ident}/{verdict}"
    refused(await plane.client.post(path, json={}, headers=admin), 400, "invalid_request")
    answer = await plane.client.post(path, json={"reason": "asked them"}, headers=admin)
    assert answer.json()["status"] == status
    assert (await plane.client.get(f"{PRICES}/disputes", headers=admin)).json()["disputes"] == []
    history = await plane.client.get(f"{PRICES}/history", headers=admin)
    assert history.json()["events"][0]["reason"] == "asked them"
    unknown = f"{PRICES}/disputes/{ident[:-4]}ffff/{verdict}"
    again = await plane.client.post(unknown, json={"reason": "x"}, headers=admin)
    refused(again, 404, "not_found")


async def test_a_quote_has_a_line_for_each_unit_and_their_sum(
    plane: Plane, admin: dict[str, str]
) -> None:
    """Cached tokens are billed once; two seconds of video are named as people name them."""
    await state(plane, admin, rate_usd="2")
    await state(plane, admin, unit="cache_read", rate_usd="0.5")
    await state(plane, admin, unit="video_second", rate_usd="0.1")
    await state(plane, admin, rate_usd="1", conditions={"service_tier": "flex"})
    usage = {"input": 1000, "cache_read": 400, "video_second": 2}
    answer = await quote(plane, admin, usage=usage)
    lines = {
        one["unit"]: (one["quantity"], Decimal(one["amount_usd"])) for one in answer["components"]
    }
    assert lines == {
        "input": (600, Decimal("0.0012")),
        "cache_read": (400, Decimal("0.0002")),
        "video_ms": (2000, Decimal("0.2")),
    }
    assert answer["cost_usd"] == "0.2014"
    cheap = await quote(plane, admin, usage={"input": 1000}, facts={"service_tier": "flex"})
    assert cheap["cost_usd"] == "0.001"


@pytest.mark.parametrize(
    "usage", [{}, {"input": -1}, {"bushel": 1}, {"input": 1.5}, {"input": "1"}, {"input": 10**16}]
)
async def test_a_quote_for_nonsense_is_refused(
    plane: Plane, admin: dict[str, str], usage: dict[str, Any]
) -> None:
    wanted = {"provider": "acme", "model": "m-1", "usage": usage}
    answer = await plane.client.post(f"{PRICES}/quote", json=wanted, headers=admin)
    assert "usage" in refused(answer, 400, "invalid_request")["message"]


async def test_no_cell_of_an_export_is_a_formula(plane: Plane, admin: dict[str, str]) -> None:
    await state(plane, admin, model="=cmd|'/c calc'!A0", comment="@sum(1)")
    params = {"provider": "acme", "format": "csv"}
    answer = await plane.client.get(f"{PRICES}/export", params=params, headers=admin)
    assert answer.headers["content-type"].startswith("text/csv")
    [row] = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert row["model"] == "'=cmd|'/c calc'!A0"
    assert row["comment"] == "'@sum(1)"
    assert row["rate_usd"] == "2.5"
    params["format"] = "json"
    whole = (await plane.client.get(f"{PRICES}/export", params=params, headers=admin)).json()
    assert whole["prices"][0]["model"] == "=cmd|'/c calc'!A0"


async def test_what_has_no_price_is_listed_with_count_reason_and_last_seen(
    plane: Plane, admin: dict[str, str]
) -> None:
    calls = [
        CallSpec(at_us=NOON_US + place * 2_000 * SECOND_US, provider="nowhere")
        for place in range(3)
    ]
    made = await put(
        plane.database, [*calls, CallSpec(), CallSpec(provider="elsewhere", user="bob")]
    )
    answer = await plane.client.get(f"{PRICES}/unpriced", headers=admin)
    first, second = answer.json()["unpriced"]
    assert (first["provider"], first["model"], first["count"]) == ("nowhere", "gpt-4o-mini", 3)
    assert first["first_seen"] == to_text(NOON_US)
    assert first["last_seen"] == to_text(NOON_US + 4_000 * SECOND_US)
    assert first["last_call_id"] == made[2]
    assert "no price for nowhere/gpt-4o-mini" in first["reason"]
    assert (second["provider"], second["category"], second["count"]) == ("elsewhere", "text", 1)
    page = await plane.client.get(f"{PRICES}/unpriced", params={"limit": 1}, headers=admin)
    cursor = page.json()["next_cursor"]
    rest = await plane.client.get(
        f"{PRICES}/unpriced", params={"limit": 1, "cursor": cursor}, headers=admin
    )
    assert rest.json() == {"unpriced": [second], "next_cursor": None}
    bob = await plane.key("bob", "read")
    mine = await plane.client.get(f"{PRICES}/unpriced", headers=bob)
    assert [one["provider"] for one in mine.json()["unpriced"]] == ["elsewhere"]


@pytest.mark.parametrize("percent", ["-1", "NaN", "many", "1e99"])
async def test_a_tolerance_that_is_none_is_refused(
    plane: Plane, admin: dict[str, str], percent: str
) -> None:
    answer = await plane.client.get(
        f"{PRICES}/differences", params={"tolerance_percent": percent}, headers=admin
    )
    assert "tolerance_percent" in refused(answer, 400, "invalid_request")["message"]
