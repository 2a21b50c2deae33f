"""What each resource of the control plane does, over HTTP on a real database."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert

from tests.support.control import PASSWORD, Plane, control_plane
from tests.support.recorded import NOON_US, CallSpec, record
from tollbridge.access.keys import DeclaredKey, KeyTerms
from tollbridge.access.store import apply as apply_keys
from tollbridge.access.users import Role
from tollbridge.core.call import new_id
from tollbridge.core.clock import SECOND_US
from tollbridge.core.plan import Endpoint
from tollbridge.ledger import store as ledger_store
from tollbridge.ledger.adjustment_tables import budget_adjustments
from tollbridge.ledger.budgets import BudgetSource, BudgetTerms
from tollbridge.routing import change_store
from tollbridge.routing import store as routing_store
from tollbridge.routing.part import DeclaredEndpoint, Source
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
MASTER = b"m" * 32


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    async with control_plane(database) as made:
        yield made


async def sign_in(plane: Plane, name: str, password: str = PASSWORD) -> dict[str, str]:
    body = {"username": name, "password": password}
    answer = await plane.client.post("/api/v1/auth/token", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "bearer"
    assert answer.json()["expires_in"] == 12 * 3600
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


async def test_a_token_opens_the_control_plane_until_it_expires(plane: Plane) -> None:
    await plane.user("ada", Role.ADMIN)
    headers = await sign_in(plane, "ada")
    assert (await plane.client.get("/api/v1/keys", headers=headers)).status_code == 200
    plane.clock.advance(12 * 3600 + 1)
    assert (await plane.client.get("/api/v1/keys", headers=headers)).status_code == 401


async def test_a_wrong_password_and_an_unknown_name_answer_alike(plane: Plane) -> None:
    await plane.user("ada", Role.ADMIN)
    answers = [
        await plane.client.post("/api/v1/auth/token", json={"username": name, "password": "wrong"})
        for name in ("ada", "nobody")
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    said = [answer.json()["error"] for answer in answers]
    assert said[0]["code"] == "invalid_credentials"
    assert said[0]["message"] == said[1]["message"]


async def test_guessing_is_slowed_down_by_name_and_forgiven_with_time(plane: Plane) -> None:
    """The eleventh attempt in a row waits, also with the right password; another name does not."""
    await plane.user("ada", Role.ADMIN)
    await plane.user("bob", Role.MEMBER)
    body = {"username": "ada", "password": "wrong"}
    statuses = [
        (await plane.client.post("/api/v1/auth/token", json=body)).status_code for _ in range(11)
    ]
    assert statuses == [401] * 10 + [429]
    refused = await plane.client.post(
        "/api/v1/auth/token", json={"username": "ada", "password": PASSWORD}
    )
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) == 30
    await sign_in(plane, "bob")
    plane.clock.advance(31)
    await sign_in(plane, "ada")


async def test_a_key_is_minted_once_seen_and_revoked_for_good(plane: Plane) -> None:
    admin = await plane.key("root", "admin")
    order = {"name": "ci", "user": "ada", "scopes": ["call", "read"], "calls_per_minute": 10}
    minted = await plane.client.post("/api/v1/keys", json=order, headers=admin)
    assert minted.status_code == 201
    row = minted.json()
    own = {"authorization": f"Bearer {row['key']}"}
    listed = (await plane.client.get("/api/v1/keys", headers=own)).json()["keys"]
    assert [(one["name"], "key" in one, one["last4"]) for one in listed] == [
        ("ci", False, row["key"][-4:])
    ]
    for _ in range(2):
        revoked = await plane.client.delete(f"/api/v1/keys/{row['key_id']}", headers=admin)
        assert revoked.status_code == 200
        assert revoked.json()["revoked_at"] is not None
    assert (await plane.client.get("/api/v1/keys", headers=own)).status_code == 401


async def test_a_second_key_of_a_name_is_a_conflict(plane: Plane) -> None:
    admin = await plane.key("root", "admin")
    answer = await plane.client.post("/api/v1/keys", json={"name": "root"}, headers=admin)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


async def test_a_key_that_the_file_declares_is_not_revoked_here(plane: Plane) -> None:
    async with plane.database.write() as unit:
        terms = KeyTerms(name="filed", user="ada")
        applied = await apply_keys(unit, [DeclaredKey(terms)], b"p" * 32)
    # What the file does not declare is untouched, so the admin's key is minted after it.
    admin = await plane.key("root", "admin")
    key_id = applied.minted[0].row.key_id
    answer = await plane.client.delete(f"/api/v1/keys/{key_id}", headers=admin)
    assert answer.status_code == 409
    assert "configuration file" in answer.json()["error"]["message"]


async def test_a_key_is_taken_from_the_files_hands_by_an_admin_alone(plane: Plane) -> None:
    async with plane.database.write() as unit:
        terms = KeyTerms(name="filed", user="ada")
        applied = await apply_keys(unit, [DeclaredKey(terms)], b"p" * 32)
    address = f"/api/v1/keys/{applied.minted[0].row.key_id}"
    await plane.user("mia", Role.MANAGER, "default")
    manager = await sign_in(plane, "mia")
    assert (await plane.client.post(f"{address}/detach", headers=manager)).status_code == 403
    admin = await plane.key("root", "admin")
    detached = await plane.client.post(f"{address}/detach", headers=admin)
    assert (detached.status_code, detached.json()["source"]) == (200, "minted")
    assert (await plane.client.delete(address, headers=admin)).status_code == 200


async def test_the_usage_log_shows_the_call_as_it_was(plane: Plane) -> None:
    (call_id,) = await record(plane.database, [CallSpec(fails_first=True)])
    admin = await plane.key("root", "admin")
    page = (await plane.client.get("/api/v1/usage-logs", headers=admin)).json()
    (call,) = page["calls"]
    shown = {
        "call_id": call_id,
        "status": "COMPLETED",
        "http_status": 200,
        "actual_provider_name": "openai",
        "expected_provider": "aimlapi",
        "bucket": "openai",
        "label": "gpt-4o-mini",
        "input_tokens": 2518,
        "output_tokens": 242,
        "usage_source": "reported",
        "cost_usd": "0.0005229",
        "cost_origin": "computed",
        "unpriced_reason": None,
        "attempts": 2,
        "latency_ms": 501,
        "accounted_at": "2026-01-01T12:00:00.000000Z",
    }
    assert {name: call[name] for name in shown} == shown
    assert page["next_cursor"] is None
    whole = (await plane.client.get(f"/api/v1/usage-logs/{call_id}", headers=admin)).json()
    assert [one["outcome"] for one in whole["attempt_list"]] == ["failed", "succeeded"]
    assert whole["attribution"]["confidence"] == "observed"
    components = whole["attempt_list"][1]["components"]
    assert {one["unit"]: one["amount_usd"] for one in components}.keys() == {"input", "output"}
    assert [one["price_source"] for one in whole["attempt_list"]] == [None, "seed"]


async def test_a_cost_that_is_not_known_is_null_and_says_why(plane: Plane) -> None:
    await record(plane.database, [CallSpec(provider="nowhere")])
    admin = await plane.key("root", "admin")
    page = (await plane.client.get("/api/v1/usage-logs", headers=admin)).json()
    call = page["calls"][0]
    assert call["cost_usd"] is None
    assert call["unpriced_reason"]
    assert "unpriced" in call["flags"]


async def test_the_usage_log_is_paged_to_its_end(plane: Plane) -> None:
    made = await record(
        plane.database, [CallSpec(at_us=NOON_US + place * SECOND_US) for place in range(5)]
    )
    admin = await plane.key("root", "admin")
    seen: list[str] = []
    cursor: str | None = None
    while cursor is not None or not seen:
        parameters = {"limit": "2"} | ({} if cursor is None else {"cursor": cursor})
        answer = await plane.client.get("/api/v1/usage-logs", params=parameters, headers=admin)
        page = answer.json()
        seen += [call["call_id"] for call in page["calls"]]
        cursor = page["next_cursor"]
    assert seen == list(reversed(made))


async def test_a_member_sees_their_own_calls_and_no_others(plane: Plane) -> None:
    mine, other = await record(plane.database, [CallSpec(user="ada"), CallSpec(user="bob")])
    await plane.user("ada", Role.MEMBER)
    headers = await sign_in(plane, "ada")

    async def status(path: str) -> int:
        return (await plane.client.get(path, headers=headers)).status_code

    page = (await plane.client.get("/api/v1/usage-logs", headers=headers)).json()
    assert [call["call_id"] for call in page["calls"]] == [mine]
    assert await status(f"/api/v1/usage-logs/{other}") == 404
    assert await status("/api/v1/usage-logs?user=bob") == 403
    assert await status("/api/v1/usage?group_by=user&user=bob") == 403
    totals = (await plane.client.get("/api/v1/usage?group_by=user", headers=headers)).json()
    assert [one["group"] for one in totals["groups"]] == ["ada"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "status=PENDING",
        "from=2026-01-01T00:00:00",
        "from=yesterday",
        "bucket=nothing",
        "status_code=99",
    ],
)
async def test_a_filter_that_cannot_be_meant_is_refused(plane: Plane, query: str) -> None:
    admin = await plane.key("root", "admin")
    answer = await plane.client.get(f"/api/v1/usage-logs?{query}", headers=admin)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["fields"][0]["field"] == query.partition("=")[0]


async def test_totals_say_which_span_they_cover(plane: Plane) -> None:
    await record(plane.database, [CallSpec()])
    admin = await plane.key("root", "admin")
    query = "from=2026-01-01T11:59:00Z&to=2026-01-01T12:01:00Z&group_by=day"
    found = (await plane.client.get(f"/api/v1/usage?{query}", headers=admin)).json()
    assert (found["from"], found["to"]) == (
        "2026-01-01T11:45:00.000000Z",
        "2026-01-01T12:15:00.000000Z",
    )
    assert found["total"]["cost_usd"] == "0.0005229"


async def test_a_budgets_limit_is_changed_live(plane: Plane) -> None:
    """The workers' part of the snapshot is bumped with it."""
    async with plane.database.write() as unit:
        await ledger_store.create_budget(unit, BudgetTerms("month", "key:ci", 10**9))
    async with plane.database.read() as unit:
        before = await read_versions(unit)
    admin = await plane.key("root", "admin")
    changed = await plane.client.patch(
        "/api/v1/budgets/month", json={"limit_usd": "2.5"}, headers=admin
    )
    assert (changed.status_code, changed.json()["limit_usd"]) == (200, "2.5")
    assert changed.json()["enabled"] is True
    async with plane.database.read() as unit:
        assert (await read_versions(unit))["limits"] > before["limits"]
    listed = (await plane.client.get("/api/v1/budgets", headers=admin)).json()["budgets"]
    assert [(one["name"], one["spent_usd"], one["leased_usd"]) for one in listed] == [
        ("month", "0", "0")
    ]


async def test_a_budget_says_what_corrections_did_to_its_running_period(plane: Plane) -> None:
    """In the list and after a change; what is within earlier periods does not count."""
    async with plane.database.write() as unit:
        row = await ledger_store.create_budget(unit, BudgetTerms("month", "key:ci", 10**9))
        start_us = (await ledger_store.period_state(unit, row)).period_start_us
        await unit.connection.execute(
            insert(budget_adjustments),
            [
                {
                    "batch_id": new_id(NOON_US + number),
                    "budget_id": row.budget_id,
                    "period_start_us": at_us,
                    "difference_nanousd": difference,
                    "spent_after_nanousd": 0,
                    "flag": None,
                    "posted_at_us": NOON_US,
                }
                for number, (at_us, difference) in enumerate(
                    [(start_us, 5 * 10**8), (start_us, -(10**8)), (start_us - 1, 7)]
                )
            ],
        )
    admin = await plane.key("root", "admin")
    (listed,) = (await plane.client.get("/api/v1/budgets", headers=admin)).json()["budgets"]
    assert listed["corrected_usd"] == "0.4"
    body = {"limit_usd": "2.5"}
    changed = await plane.client.patch("/api/v1/budgets/month", json=body, headers=admin)
    assert changed.json()["corrected_usd"] == "0.4"


@pytest.mark.parametrize("limit", ["-1", "a lot", "NaN", "0.0000000001", "10000000000"])
async def test_a_limit_that_is_no_amount_is_refused(plane: Plane, limit: str) -> None:
    async with plane.database.write() as unit:
        await ledger_store.create_budget(unit, BudgetTerms("month", "key:ci", 10**9))
    admin = await plane.key("root", "admin")
    answer = await plane.client.patch(
        "/api/v1/budgets/month", json={"limit_usd": limit}, headers=admin
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["param"] == "limit_usd"


async def test_what_the_file_declares_is_changed_in_the_file(plane: Plane) -> None:
    endpoint = Endpoint(name="openai", provider="openai", dialect="openai", base_url="http://x")
    async with plane.database.write() as unit:
        terms = BudgetTerms("month", "key:ci", 10**9)
        await ledger_store.create_budget(unit, terms, BudgetSource.FILE)
        await routing_store.apply(unit, [DeclaredEndpoint(endpoint)], [], MASTER, Source.FILE)
    admin = await plane.key("root", "admin")
    for path, body in (
        ("/api/v1/budgets/month", {"limit_usd": "2"}),
        ("/api/v1/endpoints/openai", {"enabled": False}),
    ):
        answer = await plane.client.patch(path, json=body, headers=admin)
        assert answer.status_code == 409
        assert "configuration file" in answer.json()["error"]["message"]


async def test_an_endpoint_is_switched_off_and_never_shows_its_key(plane: Plane) -> None:
    endpoint = Endpoint(
        name="openai",
        provider="openai",
        dialect="openai",
        base_url="http://x",
        api_key="sk-very-secret",
    )
    async with plane.database.write() as unit:
        await change_store.put_endpoint(unit, DeclaredEndpoint(endpoint), MASTER)
    admin = await plane.key("root", "admin")
    changed = await plane.client.patch(
        "/api/v1/endpoints/openai", json={"enabled": False}, headers=admin
    )
    assert (changed.status_code, changed.json()["enabled"]) == (200, False)
    listed = await plane.client.get("/api/v1/endpoints", headers=admin)
    assert "sk-very-secret" not in listed.text
    (shown,) = listed.json()["endpoints"]
    assert (shown["enabled"], shown["has_key"], shown["breakers"]) == (
        False,
        True,
        {"worker-1": "open"},
    )


async def test_health_is_told_without_a_key_and_names_what_is_wrong(plane: Plane) -> None:
    good = (await plane.client.get("/healthz")).json()
    assert (good["status"], good["problems"], good["database"]) == ("ok", [], "ok")
    plane.figures = msgspec.structs.replace(
        plane.figures, database_is_up=False, workers=(), drain_lag_s=60.0
    )
    answer = await plane.client.get("/healthz")
    assert answer.status_code == 200
    bad = answer.json()
    assert (bad["status"], bad["database"], len(bad["problems"])) == ("degraded", "away", 3)
    assert (await plane.client.get("/readyz")).status_code == 503


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        (None, 200),
        ("127.0.0.1", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("10.0.0.7", 403),
        ("127.0.0.1, 10.0.0.7", 403),
        ("nonsense", 403),
    ],
)
async def test_metrics_are_for_this_machine_alone(
    plane: Plane, forwarded: str | None, status: int
) -> None:
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    answer = await plane.client.get("/metrics", headers=headers)
    assert answer.status_code == status
    if status == 200:
        assert 'tollbridge_calls_under_way{worker="worker-1"} 0.0' in answer.text
        assert "tollbridge_database_up 1.0" in answer.text


async def test_a_changed_key_counts_at_once(plane: Plane) -> None:
    """The ring of keys is kept between requests, and made anew when a key changes."""
    first = await plane.key("one", "admin")
    assert (await plane.client.get("/api/v1/routes", headers=first)).status_code == 200
    second = await plane.key("two", "read")
    assert (await plane.client.get("/api/v1/routes", headers=second)).status_code == 200


BUDGET = {"name": "b", "subject": "user:ana", "limit_calls": 5, "period": "day"}


async def test_a_budget_is_made_changed_and_switched_off(plane: Plane) -> None:
    """Zero allows none, and is not the same as no limit."""
    admin = await plane.key("root", "admin")
    body = {**BUDGET, "bucket": "openai", "provider": "groq", "hard": False}
    made = await plane.client.post("/api/v1/budgets", json=body, headers=admin)
    assert made.status_code == 201, made.text
    shown = made.json()
    assert (shown["kind"], shown["limit"], shown["left"], shown["limit_usd"]) == (
        "calls",
        "5",
        "5",
        None,
    )
    assert (shown["bucket"], shown["provider"], shown["model"]) == ("openai", "groq", None)
    again = await plane.client.post("/api/v1/budgets", json=body, headers=admin)
    assert again.status_code == 409
    none = await plane.client.patch("/api/v1/budgets/b", json={"limit_calls": 0}, headers=admin)
    assert (none.json()["limit"], none.json()["left"], none.json()["hard"]) == ("0", "0", False)
    off = await plane.client.delete("/api/v1/budgets/b", headers=admin)
    assert off.json()["enabled"] is False


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"limit_calls": -5}, "-5 is negative; 0 allows none"),
        ({"limit_calls": None}, "limit_calls is null"),
        ({"limit_usd": "1"}, "a budget counts one thing"),
        ({"limit_calls": "5"}, "limit_calls"),
        ({"limit_credits": "1.0000001", "limit_calls": ...}, "at most 6 decimal places"),
        ({"limit_eur": "1", "limit_calls": ...}, "limit_eur"),
        ({"limit_calls": ...}, "a budget has a limit"),
        ({"subject": "usr:ana"}, "subject is one of organisation"),
        ({"subject": "user:"}, "a colon and a name"),
        ({"period": "fortnight"}, "period is one of hour"),
        ({"bucket": "opnai"}, "bucket is one of"),
        ({"category": "film"}, "category is one of"),
        ({"provider": "nobody-at-all"}, "there is no provider 'nobody-at-all'"),
        ({"limit_images": 2, "limit_calls": ..., "category": "text"}, "of image alone"),
    ],
)
async def test_a_budget_that_cannot_be_is_refused_and_nothing_is_written(
    plane: Plane, change: dict[str, Any], said: str
) -> None:
    admin = await plane.key("root", "admin")
    body = {name: value for name, value in {**BUDGET, **change}.items() if value is not ...}
    answer = await plane.client.post("/api/v1/budgets", json=body, headers=admin)
    assert answer.status_code == 400
    assert said in answer.text
    listed = await plane.client.get("/api/v1/budgets", headers=admin)
    assert listed.json()["budgets"] == []


async def test_a_budget_goes_on_counting_what_it_counts(plane: Plane) -> None:
    admin = await plane.key("root", "admin")
    await plane.client.post("/api/v1/budgets", json=BUDGET, headers=admin)
    answer = await plane.client.patch("/api/v1/budgets/b", json={"limit_usd": "1"}, headers=admin)
    assert answer.status_code == 400
    assert "counts calls" in answer.json()["error"]["message"]
