"""Does anything of others come back, at any address that there is?

Each address of the OpenAPI document is named here: one that nobody has classified fails.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import func, insert, select

from tests.support.alerting import UTC, add_budget, spend, watch_of
from tests.support.control import PASSWORD, PEPPER, Plane, control_plane
from tests.support.recorded import CallSpec, record
from tollbridge.access import session_store
from tollbridge.access.keys import KeyTerms
from tollbridge.access.sessions import SessionTerms, origin_of
from tollbridge.access.store import create_key
from tollbridge.access.user_store import get_user
from tollbridge.access.users import Role
from tollbridge.core.call import new_id
from tollbridge.core.clock import SECOND_US, SystemClock, to_text
from tollbridge.ledger import subscription_store, wallet_store
from tollbridge.ledger.alert_store import set_thresholds
from tollbridge.ledger.applying import plan_limit_id
from tollbridge.ledger.plans import TEXT_CALLS
from tollbridge.ledger.tables import leases
from tollbridge.ledger.wallet_moves import By, Purchase
from tollbridge.ledger.wallet_moves_store import move
from tollbridge.ledger.wallets import WalletTerms, limit_id_of
from tollbridge.storage.audit import audit_entries
from tollbridge.storage.unit import Database, Unit

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)

MARK = "bobmark"
DAY_US = 86_400 * SECOND_US
TOKENS = 77_777
"""That each of bob's calls has asked with; what he has bought, and his limits."""
SUMS = (TOKENS, 2 * TOKENS, 2 * (TOKENS + 242))
"""What others would see in a sum."""

# Anybody may ask, and nothing of anybody is told.
OPEN = {
    "/api/v1/auth/methods", "/api/v1/auth/token", "/api/v1/auth/session",
    "/healthz", "/readyz", "/metrics",
}  # fmt: skip
# The same for whoever is signed in: what models cost, which plans there are, where calls go.
SHARED = {
    "/api/v1/endpoints", "/api/v1/endpoints/{name}", "/api/v1/routes",
    "/api/v1/models", "/api/v1/models/{name}", "/api/v1/models/actions/history",
    "/api/v1/models/actions/compare", "/api/v1/models/actions/export",
    "/api/v1/prices", "/api/v1/prices/history", "/api/v1/prices/disputes",
    "/api/v1/prices/export", "/api/v1/prices/quote", "/api/v1/prices/versions/{price_version_id}",
    "/api/v1/plans", "/api/v1/plans/{name}", "/api/v1/plans/{name}/versions",
    "/api/v1/credit-rates", "/api/v1/credit-rates/quote",
    "/api/v1/experiments", "/api/v1/experiments/{name}",
    "/api/v1/attribution/explain", "/api/v1/attribution/rules",
    "/api/v1/billing/ai/models/", "/api/v1/billing/ai/models/{model_name}/",
    "/api/subscription/plans", "/api/subscription/pricing",
}  # fmt: skip
# One's own, and what belongs to the projects that one manages.
OWN = {
    "/api/v1/usage-logs", "/api/v1/usage-logs/{call_id}", "/api/v1/usage-logs/{call_id}/content",
    "/api/v1/usage-logs/export", "/api/v1/usage", "/api/v1/keys", "/api/v1/budgets",
    "/api/v1/prices/unpriced",
    "/api/v1/prices/differences",
    "/api/v1/subscriptions", "/api/v1/subscriptions/{user}", "/api/v1/subscriptions/{user}/history",
    "/api/v1/subscriptions/{user}/usage", "/api/v1/subscriptions/{user}/leases",
    "/api/v1/wallets", "/api/v1/wallets/{name}", "/api/v1/wallets/{name}/balance",
    "/api/v1/wallets/{name}/transactions", "/api/v1/wallets/{name}/grants",
    "/api/v1/wallets/{name}/leases", "/api/v1/budgets/{name}/leases",
    "/api/v1/alerts", "/api/v1/alerts/rules", "/api/v1/alerts/read-all",
    "/api/v1/alerts/{alert_id}/read",
    "/api/v1/attribution/confidence",
    "/api/v1/insight/overview", "/api/v1/insight/breakdown", "/api/v1/insight/flows",
    "/api/v1/insight/providers", "/api/v1/insight/costs/{category}",
    "/api/v1/insight/counterfactual", "/api/v1/insight/recommendations",
    "/api/v1/insight/models/{name}", "/api/v1/insight/model-providers",
    "/api/v1/insight/forecast", "/api/v1/insight/outlook",
    "/api/subscription/usage-logs", "/api/subscription/usage/{user_id}",
    "/api/subscription/dashboard/{user_id}", "/api/subscription/status/{user_id}",
    "/api/subscription/alerts/{user_id}", "/api/subscription/alerts/{alert_id}/mark-read",
    "/api/subscription/preflight-check",
    "/api/providers/stats", "/api/providers/stats/{category}", "/api/providers/cost/{category}",
    "/api/providers/recommended/{category}",
    "/v2/usage/meta", "/v2/usage/breakdown",
}  # fmt: skip
# Of these bob has nothing, or nothing that bears his mark.
SILENT = {
    "/api/v1/usage-logs/{call_id}/content", "/api/v1/prices/differences",
    "/api/subscription/status/{user_id}", "/api/subscription/alerts/{user_id}",
    "/api/providers/recommended/{category}", "/v2/usage/meta",
    "/api/v1/attribution/confidence", "/api/v1/insight/forecast",
}  # fmt: skip
# Of whoever has signed in, and of no key of theirs but an admin's.
OF_PERSONS = {"/api/v1/auth/sessions"}
# Those of a key's own calls; who is signed in without one has none.
OF_KEYS = {
    "/api/v1/generate", "/api/v1/jobs", "/api/v1/jobs/{job}",
    "/v1/videos", "/v1/videos/{video}", "/v1/videos/{video}/content",
    "/v1beta/models/{model}/operations/{operation}", "/v1beta/files/{file}:download",
    "/v2/usage/gateway-metrics", "/v2/usage/intake/{batch}",
}  # fmt: skip
# Admins alone read them.
ADMINS = {
    "/api/v1/users", "/api/v1/users/{name}", "/api/v1/audit",
    "/api/v1/alert-webhooks", "/api/v1/alert-webhooks/{name}/deliveries",
    "/api/v1/experiments/{name}/results",
    "/api/v1/attribution/backfill", "/api/v1/attribution/backfill/{run_id}",
    "/api/v1/attribution/backfill/{run_id}/changes",
    "/api/v1/intake/refusals", "/api/v1/intake/sources", "/api/v1/intake/sources/{source}/names",
}  # fmt: skip
# They change nothing, or only what whoever asks has read.
HARMLESS: Mapping[str, Any] = {
    "/api/v1/prices/quote": {"provider": "openai", "model": "gpt-4o", "usage": {"input": 5}},
    "/api/subscription/preflight-check": {
        "operations": [{"provider": "openai", "operation_type": "text_generation"}]
    },
    "/v2/usage/breakdown": {
        "start_date": "2026-01-01", "end_date": "2026-01-31", "group_by": ["model"],
    },
    "/api/v1/alerts/read-all": None,
    "/api/v1/auth/sessions": None,
}  # fmt: skip
# What they are asked to change, where it is more than thresholds.
ORDERS: Mapping[str, Any] = {
    "/api/v1/playground/pass": {"key": f"{MARK}-key"},
    "/api/v1/keys": {"name": "sneaked", "user": f"{MARK}-user", "project": f"{MARK}-project"},
    "/api/v1/keys/{key_id}": {"keep_content": True},
    "/api/v1/auth/password": {"current_password": "a guess", "password": "another one"},
}
ASKED: Mapping[str, Mapping[str, Any]] = {
    "/api/v1/models/actions/history": {"name": "gpt-4o"},
    "/api/v1/insight/forecast": {"group_by": "user"},
    "/api/v1/models/actions/compare": {"name": ["gpt-4o", "gpt-4.1"]},
    "/api/v1/credit-rates/quote": {"operation": "chat_completion", "tokens": 10},
}
# What a filter for somebody else's looks like, where an address has it.
FILTERS: Mapping[str, str] = {
    "user": f"{MARK}-user",
    "user_id": f"{MARK}-user",
    "key": f"{MARK}-key",
    "project": f"{MARK}-project",
    "model": f"{MARK}-model",
    "subject": f"user:{MARK}-user",
    "customer": f"{MARK}-customer",
}


class Others(msgspec.Struct):
    """What is there of bob, and how to name it."""

    plane: Plane
    named: dict[str, str]

    def address(self, path: str) -> str:
        for name, value in self.named.items():
            path = path.replace("{" + name + "}", value)
        kind = "wallet" if "/wallets/" in path else "budget" if "/budgets/" in path else "user"
        path = path.replace("{name}", f"{MARK}-{kind}")
        assert "{" not in path, f"nobody says what to ask of {path}"
        return path


@pytest.fixture
async def others(database: Database) -> AsyncIterator[Others]:
    async with control_plane(database) as plane:
        await plane.user("root", Role.ADMIN)
        await plane.user("ana", Role.MEMBER)
        await plane.user("mia", Role.MANAGER, "mias")
        await plane.user(f"{MARK}-user", Role.MEMBER)
        yield Others(plane, await fill(database))


async def fill(database: Database) -> dict[str, str]:
    """Let bob have one of everything; return the names by which it can be asked for."""
    user, project = f"{MARK}-user", f"{MARK}-project"
    async with database.write() as unit:
        now_us = await unit.now_us()
        terms = KeyTerms(f"{MARK}-key", user, project, scopes=("call", "read"))
        key = (await create_key(unit, terms, PEPPER)).row
        await subscription_store.subscribe(
            unit, subscription_store.Order(user, "Free"), actor=user, zone=UTC
        )
        wallet = WalletTerms(f"{MARK}-wallet", f"user:{user}")
        made = await wallet_store.create_wallet(unit, wallet, actor=user)
        for limit_id in (limit_id_of(made.wallet_id), plan_limit_id(user, TEXT_CALLS)):
            await lease(unit, limit_id)
        opened = await session_store.open_session(
            unit, await get_user(unit, user), "password", pepper=PEPPER, terms=SessionTerms(),
            now_us=now_us, origin=origin_of("192.0.2.77", f"{MARK}-agent"),
        )  # fmt: skip
        bought = Purchase(amount=TOKENS * 1_000_000, note=f"{MARK}-note")
        await move(unit, f"{MARK}-wallet", bought, By(user, "first"))
    spec = CallSpec(
        at_us=now_us - 1_000_000, user=user, project=project, key_id=key.key_id,
        key_name=f"{MARK}-key", customer=f"{MARK}-customer", tags=(f"{MARK}-tag",),
        provider=f"{MARK}-provider", model=f"{MARK}-model", label=f"{MARK}-label",
        input_tokens=TOKENS, fails_first=True,
    )  # fmt: skip
    [call_id, _] = await record(database, [spec, msgspec.structs.replace(spec, model="gpt-4o")])
    session = opened.row
    budget = await add_budget(database, f"{MARK}-budget", f"project:{project}", TOKENS)
    await spend(database, budget, TOKENS)
    [alert] = await watch_of(database).sweep()
    async with database.write() as unit:
        await set_thresholds(unit, budget, [10])
        await lease(unit, budget)
    return {
        "call_id": call_id, "key_id": key.key_id, "user": user, "user_id": user,
        "alert_id": alert.alert_id, "budget": f"{MARK}-budget", "category": "text",
        "price_version_id": call_id, "run_id": call_id, "source": f"{MARK}-source",
        "job": call_id, "video": call_id, "operation": call_id, "file": call_id,
        "batch": call_id, "number": "1", "key": f"{MARK}-key",
        "model": f"{MARK}-model", "model_name": f"{MARK}-model", "rule_id": f"{MARK}-rule",
        "kind": "user", "reported_id": f"{MARK}-reported", "session_id": session.session_id,
    }  # fmt: skip


async def lease(unit: Unit, limit_id: str) -> None:
    """Let a worker hold something of a limit since long ago."""
    await unit.connection.execute(
        insert(leases).values(
            lease_id=new_id(0), budget_id=limit_id, period_start_us=0, worker=f"{MARK}-worker",
            node="n", granted=9, settled=0, returned=0, state="active",
        )
    )  # fmt: skip


def operations(plane: Plane) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in plane.application.openapi()["paths"].items()
        for method, operation in methods.items()
    ]


async def signed_in(plane: Plane, user: str) -> dict[str, str]:
    """Return the headers of a user with a token."""
    order = {"username": user, "password": PASSWORD}
    answer = await plane.client.post("/api/v1/auth/token", json=order)
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


async def changes(plane: Plane) -> int:
    async with plane.database.read() as unit:
        counted = select(func.count()).select_from(audit_entries)
        return (await unit.connection.execute(counted)).scalar_one()


def asked_of(path: str, operation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the questions that an address is asked: plainly, then by each filter for bob's."""
    known = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    needed = dict(ASKED.get(path, {}))
    if {"from", "to"} <= known:
        now_us = SystemClock().now_us()
        span = now_us - 3 * DAY_US, now_us + DAY_US
        needed |= {"from": to_text(span[0]), "to": to_text(span[1])}
    return [needed, *({**needed, name: FILTERS[name]} for name in FILTERS if name in known)]


def tells(text: str) -> bool:
    """Return whether a text tells anything of bob."""
    return MARK in text or any(str(one) in text for one in SUMS)


def assert_nothing_of_bob(answer: httpx.Response, asked: Mapping[str, Any]) -> None:
    """An error may repeat what it was asked for; an answer that is none has no trace of bob."""
    assert answer.status_code in {200, 400, 401, 403, 404}, (answer.request.url, answer.text)
    if answer.status_code != 200:
        said = answer.json()
        assert set(said) == {"error"} or said.get("data", "") is None, answer.text
        return
    text = answer.text
    for value in asked.values():
        text = text.replace(f'"{value}"', "")
    assert not tells(text), (answer.request.url, text)


async def test_every_address_is_classified_once(others: Others) -> None:
    classes = (OPEN, SHARED, OWN, OF_PERSONS, OF_KEYS, ADMINS)
    readable = {path for method, path, _ in operations(others.plane) if method == "get"}
    unsafe = {path for method, path, _ in operations(others.plane) if method != "get"}
    named = {path for one in classes for path in one}
    assert sum(len(one) for one in classes) == len(named)
    assert readable - named == set(), "say who may read these"
    assert named - readable - unsafe == set(), "these are no longer there"


@pytest.mark.parametrize("who", ["ana", "mia", "a key"])
async def test_no_read_tells_anything_of_others(others: Others, who: str) -> None:
    plane = others.plane
    headers = (
        await plane.key("anas", "read", user="ana")
        if who == "a key"
        else await signed_in(plane, who)
    )
    asked = 0
    for method, path, operation in operations(plane):
        if method != "get" or path in OPEN:
            continue
        for parameters in asked_of(path, operation):
            answer = await plane.client.get(
                others.address(path), params=parameters, headers=headers
            )
            assert_nothing_of_bob(answer, parameters)
            if path in ADMINS or (path in OF_PERSONS and who == "a key"):
                assert answer.status_code == 403, path
            if path in SHARED | OWN and "{" not in path and not set(parameters) & set(FILTERS):
                assert answer.status_code == 200, (path, answer.text)
            asked += 1
    assert asked > 60
    assert plane.faults == []


async def test_the_same_questions_tell_an_admin_of_everybody(others: Others) -> None:
    """Else the test above would prove nothing: there is something to be told."""
    plane = others.plane
    headers = await signed_in(plane, "root")
    silent: set[str] = set()
    for method, path, operation in operations(plane):
        if method == "get" and path in OWN:
            parameters = asked_of(path, operation)[0]
            answer = await plane.client.get(
                others.address(path), params=parameters, headers=headers
            )
            if not tells(answer.text):
                silent.add(path)
    assert silent <= SILENT


@pytest.mark.parametrize("who", ["ana", "mia"])
async def test_nothing_of_others_can_be_changed(others: Others, who: str) -> None:
    plane = others.plane
    headers = await signed_in(plane, who)
    before = await changes(plane)
    for method, path, _ in operations(plane):
        if method == "get" or path in OPEN:
            continue
        body = HARMLESS.get(path, ORDERS.get(path, {"thresholds": [9]}))
        answer = await plane.client.request(
            method.upper(), others.address(path), headers=headers, json=body
        )
        if path in HARMLESS:
            assert_nothing_of_bob(answer, {})
            assert answer.status_code == 200, (path, answer.text)
        else:
            refused = {400, 401, 403, 404} if who == "mia" or path in OF_KEYS else {401, 403, 404}
            assert answer.status_code in refused, (method, path, answer.text)
    assert await changes(plane) == before


async def test_a_manager_sees_and_changes_what_belongs_to_their_project(others: Others) -> None:
    plane = others.plane
    await plane.user("max", Role.MANAGER, f"{MARK}-project")
    headers = await signed_in(plane, "max")
    for path in ("/api/v1/keys", "/api/v1/budgets", "/api/v1/alerts", "/api/v1/usage-logs"):
        assert MARK in (await plane.client.get(path, headers=headers)).text, path
    call = others.address("/api/v1/usage-logs/{call_id}")
    assert (await plane.client.get(call, headers=headers)).status_code == 200
    assert (await plane.client.get("/api/v1/wallets", headers=headers)).json()["wallets"] == []
    key = others.address("/api/v1/keys/{key_id}")
    assert (await plane.client.patch(key, json={"keep_content": True}, headers=headers)).is_success
    assert (await plane.client.delete(key, headers=headers)).json()["revoked_at"]
    order = {"name": "new", "user": "x", "project": f"{MARK}-project"}
    assert (await plane.client.post("/api/v1/keys", json=order, headers=headers)).is_success
    for wrong in ({"project": "mias"}, {"scopes": ["read"]}, {"scopes": ["admin"]}):
        answer = await plane.client.post("/api/v1/keys", json={**order, **wrong}, headers=headers)
        assert answer.status_code == 403, wrong
