"""The usage log over HTTP: at its own address, and at the one of the document."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from tests.support.control import Plane, control_plane
from tests.support.recorded import NOON_US, CallSpec, record
from tollbridge.core.call import Bucket
from tollbridge.core.clock import SECOND_US
from tollbridge.recording.tables import call_details
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
LOGS = "/api/v1/usage-logs"
AS_DOCUMENTED = "/api/subscription/usage-logs"
VIDEO = {"bucket": "video", "requested_model": "x"}
KEYS = [
    "id",
    "timestamp",
    "provider",
    "actual_provider_name",
    "model_used",
    "endpoint",
    "method",
    "tokens_input",
    "tokens_output",
    "tokens_total",
    "cost_input",
    "cost_output",
    "cost_total",
    "response_time",
    "status_code",
    "status",
    "error_message",
    "billing_period",
    "retry_count",
    "is_aggregated",
]


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    async with control_plane(database) as made:
        yield made


async def get(plane: Plane, address: str, headers: dict[str, str], **query: Any) -> Any:
    answer = await plane.client.get(address, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def served(plane: Plane, provider: str, **columns: Any) -> None:
    """Record a call, and let its row say other things than a recorded one can."""
    [call_id] = await record(plane.database, [CallSpec(provider=provider)])
    async with plane.database.write() as unit:
        row = call_details.c.call_id == call_id
        await unit.connection.execute(update(call_details).where(row).values(**columns))


async def test_a_call_has_names_to_show_a_month_and_the_parts_of_its_cost(plane: Plane) -> None:
    admin = await plane.key("root", "admin")
    await record(plane.database, [CallSpec(provider="openai", fails_first=True)])
    page = await get(plane, LOGS, admin)
    [call] = page["calls"]
    assert page["total"] == {"calls": 1, "is_exact": True}
    shown = {
        "actual_provider_name": "openai",
        "actual_provider_display": "OpenAI",
        "bucket": "openai",
        "billing_period": "2026-01",
        "cost_usd": "0.0005229",
        "cost_input_usd": "0.0003777",
        "cost_output_usd": "0.0001452",
        "retry_count": 1,
        "fallback": True,
        "request_count": 1,
        "is_aggregated": False,
        "path": "/v1/chat/completions",
        "method": "POST",
    }
    assert {name: call[name] for name in shown} == shown
    whole = await get(plane, f"{LOGS}/{call['call_id']}", admin)
    assert {name: whole[name] for name in shown} == shown
    assert [one["outcome"] for one in whole["attempt_list"]] == ["failed", "succeeded"]
    assert whole["explanation"]["provider"] == "openai"


@pytest.mark.parametrize(
    ("actual", "columns", "display"),
    [
        ("wavespeed", {"bucket": "video"}, "WaveSpeed"),
        ("huggingface", {"bucket": "mistral"}, "Hugging Face"),
        ("our-own", {}, "our-own"),
        # Not known when it was recorded: as the rules find it now.
        ("unknown", {"bucket": "mistral"}, "Hugging Face"),
        (
            "unknown",
            {**VIDEO, "path": "/video-generation/wavespeed"},
            "WaveSpeed",
        ),
        ("unknown", {"bucket": "video", "requested_model": "kling", "label": "kling"}, "unknown"),
        # Nobody served: the bucket names nobody either.
        (
            "unknown",
            {"bucket": "mistral", "attribution_evidence": "no attempt was made"},
            "unknown",
        ),
    ],
)
async def test_the_provider_that_is_shown(
    plane: Plane, actual: str, columns: dict[str, str], display: str
) -> None:
    admin = await plane.key("root", "admin")
    await served(
        plane, "openai", **{"actual_provider_name": actual, "served_model": None, **columns}
    )
    [call] = (await get(plane, LOGS, admin))["calls"]
    assert call["actual_provider_name"] == actual
    shown = call["actual_provider_display"].replace(" ", "").lower()
    assert shown == display.replace(" ", "").lower()


@pytest.mark.parametrize("provider", ["wavespeed", "WaveSpeed", "video"])
async def test_a_provider_is_found_by_its_actual_name_and_by_its_bucket(
    plane: Plane, provider: str
) -> None:
    """The original filtered by the bucket alone, and broke on huggingface."""
    admin = await plane.key("root", "admin")
    await record(plane.database, [CallSpec()])
    await record(plane.database, [CallSpec(provider="wavespeed", bucket=Bucket.VIDEO)])
    for address, rows in ((LOGS, "calls"), (AS_DOCUMENTED, "logs")):
        found = (await get(plane, address, admin, provider=provider))[rows]
        assert [one["actual_provider_name"] for one in found] == ["wavespeed"]
        assert (await get(plane, address, admin, provider="huggingface"))[rows] == []


async def test_the_documents_address_answers_in_its_shape_with_json_numbers(plane: Plane) -> None:
    admin = await plane.key("root", "admin")
    await record(plane.database, [CallSpec(), CallSpec(at_us=NOON_US + SECOND_US, refused=True)])
    answer = await plane.client.get(AS_DOCUMENTED, headers=admin)
    body = msgspec.json.Decoder(float_hook=Decimal).decode(answer.content)
    assert list(body) == ["logs", "total_count", "limit", "offset", "has_more"]
    assert (body["total_count"], body["limit"], body["offset"], body["has_more"]) == (
        2,
        50,
        0,
        False,
    )
    assert answer.headers["x-total-count-is-exact"] == "true"
    failed, call = body["logs"]
    assert list(call) == KEYS
    assert (call["cost_input"], call["cost_output"], call["cost_total"]) == (
        Decimal("0.0003777"),
        Decimal("0.0001452"),
        Decimal("0.0005229"),
    )
    assert (call["response_time"], call["tokens_total"]) == (Decimal("0.501"), 2760)
    assert (call["status"], call["status_code"]) == ("success", 200)
    assert call["timestamp"] == "2026-01-01T12:00:00.000000Z"
    assert (failed["status"], failed["cost_total"], failed["error_message"]) == (
        "failed",
        0,
        "every candidate refused",
    )


async def test_the_documents_address_pages_by_offset(plane: Plane) -> None:
    admin = await plane.key("root", "admin")
    made = await record(
        plane.database, [CallSpec(at_us=NOON_US + place * SECOND_US) for place in range(5)]
    )
    page = await get(plane, AS_DOCUMENTED, admin, limit=2, offset=2)
    assert [one["id"] for one in page["logs"]] == [made[2], made[1]]
    assert (page["total_count"], page["has_more"]) == (5, True)
    page = await get(plane, AS_DOCUMENTED, admin, limit=5000, offset=4)
    assert ([one["id"] for one in page["logs"]], page["has_more"]) == ([made[0]], False)


@pytest.mark.parametrize(("address", "rows"), [(LOGS, "calls"), (AS_DOCUMENTED, "logs")])
async def test_a_member_sees_their_own_calls_and_asks_for_no_other(
    plane: Plane, address: str, rows: str
) -> None:
    await plane.key("root", "admin")
    reader = await plane.key("reader", "read", user="ada")
    await record(plane.database, [CallSpec(user="ada"), CallSpec(user="bob")])
    for query in ({}, {"user_id": "ada"}):
        assert len((await get(plane, address, reader, **query))[rows]) == 1
    for query in ({"user_id": "bob"}, {"user": "bob"}):
        answer = await plane.client.get(address, params=query, headers=reader)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")
    admin = await plane.key("root2", "admin")
    assert len((await get(plane, address, admin))[rows]) == 2
    assert len((await get(plane, address, admin, user_id="bob"))[rows]) == 1


@pytest.mark.parametrize("address", [LOGS, AS_DOCUMENTED])
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=5001", "limit"),
        ("offset=-1", "offset"),
        ("offset=1000001", "offset"),
        ("bucket=nothing", "image_edit"),
        ("provider=wavespede", "wavespeed"),
        ("actual_provider=nobody", "huggingface"),
        (f"model={'x' * 10_240}", "model"),
        (f"provider={'x' * 10_240}", "provider"),
        ("model=", "model"),
        ("model=a%00b", "model"),
        ("user_id=%00", "user"),
        ("status_code=abc", "status_code"),
        ("billing_period=2026-13", "billing_period"),
        ("usage_source=guessed", "estimated"),
        ("unpriced=maybe", "unpriced"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("user=ada&user_id=bob", "user_id"),
    ],
)
async def test_what_cannot_be_meant_is_a_400_that_says_what_can(
    plane: Plane, address: str, query: str, named: str
) -> None:
    admin = await plane.key("root", "admin")
    answer = await plane.client.get(f"{address}?{query}", headers=admin)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == "invalid_request"
    assert named in error["message"]
    assert len(answer.content) < 10_000
    assert plane.faults == []


async def test_a_page_begins_at_a_cursor_or_at_an_offset(plane: Plane) -> None:
    admin = await plane.key("root", "admin")
    await record(plane.database, [CallSpec(at_us=NOON_US + place) for place in range(3)])
    first = await get(plane, LOGS, admin, limit=1)
    cursor = first["next_cursor"]
    second = await get(plane, LOGS, admin, limit=1, cursor=cursor)
    assert second["total"] is None
    assert second["calls"][0]["call_id"] != first["calls"][0]["call_id"]
    answer = await plane.client.get(f"{LOGS}?cursor={cursor}&offset=1", headers=admin)
    assert answer.status_code == 400
