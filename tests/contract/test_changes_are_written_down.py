"""Is each change of the control plane in the audit log, with who did it?

Each unsafe address of the OpenAPI document is named here: one that nobody has classified fails.
"""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.support.control import Plane, control_plane
from tollbridge.core.clock import SystemClock
from tollbridge.jobs.alerts import AlertNotifier
from tollbridge.jobs.outside import Outside
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.resolver import CachingResolver
from tollbridge.providers.transport import Transport
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)

# They change nothing of the installation: questions, sessions, calls, reports, what one has read.
NO_CHANGE = {
    "POST /api/v1/auth/token", "POST /api/v1/auth/session", "DELETE /api/v1/auth/session",
    "POST /api/v1/alerts/read-all", "POST /api/v1/alerts/{alert_id}/read",
    "POST /api/subscription/alerts/{alert_id}/mark-read",
    "POST /api/v1/prices/quote", "POST /api/v1/attribution/backfill/preview",
    "POST /api/subscription/preflight-check", "POST /v2/usage/breakdown",
    "POST /v2/usage/gateway-metrics", "POST /api/v1/generate", "DELETE /api/v1/jobs/{job}",
    "POST /v1/videos", "DELETE /v1/videos/{video}",
    "POST /v1beta/models/{model}:predictLongRunning",
    "POST /v1beta/models/{model}/operations/{operation}:cancel",
}  # fmt: skip
# Nothing of the kind is there in an empty installation; their stores write it down.
ELSEWHERE = {
    "POST /api/v1/prices/disputes/{price_version_id}/accept",
    "POST /api/v1/prices/disputes/{price_version_id}/reject",
    "POST /api/v1/models/actions/restore",
    "POST /api/v1/attribution/backfill/{run_id}/continue",
    "POST /api/v1/attribution/backfill/{run_id}/revert",
    "POST /api/v1/playground/pass",  # for whoever is signed in without a key
    "PUT /api/v1/auth/password",  # likewise: tests/unit/api/test_account.py
    "DELETE /api/v1/auth/sessions",
    "DELETE /api/v1/auth/sessions/{session_id}",  # likewise
}
MODEL = {
    "model_name": "mine", "model_type": "text", "provider": "local", "context_window": 1000,
    "input_cost_per_1m": "1", "output_cost_per_1m": "2", "max_output_tokens": 100,
    "is_active": True,
}  # fmt: skip
PRICE = {"provider": "local", "model": "other", "unit": "input"}
ROUTE = {
    "model": "r", "category": "text",
    "candidates": [
        {"endpoint": "mine", "model": "m", "priority": 1},
        {"endpoint": "mine", "model": "n", "priority": 2},
    ],
}  # fmt: skip
ARM = {"name": "a", "endpoint": "mine", "model": "m"}
EXPERIMENT = {"name": "x", "model": "r", "arms": [ARM, {**ARM, "name": "b", "model": "n"}]}
ENDPOINT = {
    "name": "mine", "provider": "local", "dialect": "openai",
    "base_url": "http://127.0.0.1:9/v1", "api_key": "sk-a-key-of-a-provider",
}  # fmt: skip
RULE = {"id": "own", "rank": "model", "provider": "wavespeed", "words": ["wan"]}
PLAN = {"name": "P", "tier": "pro", "price_monthly_usd": "1", "price_yearly_usd": "10"}
REPORTED = {"kind": "user", "id": "7", "name": "ana"}
WEBHOOK = {"name": "w", "url": "https://93.184.215.14/secret-path"}
# In this order: what a step needs, one before it has made. A text behind = is what is asked in
# place of the address' own name for it.
STEPS: tuple[tuple[str, Any], ...] = (
    ("POST /api/v1/users", {"name": "ana", "password": "correct horse"}),
    ("PATCH /api/v1/users/{name=ana}", {"role": "manager", "projects": ["p"]}),
    ("PUT /api/v1/users/{name=ana}/password", {"password": "battery staple"}),
    ("POST /api/v1/users/{name=ana}/link", None),
    ("POST /api/v1/keys", {"name": "app", "user": "ana"}),
    ("PATCH /api/v1/keys/{key_id=KEY}", {"keep_content": True}),
    ("POST /api/v1/keys/{key_id=KEY}/detach", None),
    ("POST /api/v1/keys/{key_id=KEY}/rotate", None),
    ("DELETE /api/v1/keys/{key_id=KEY}", None),
    ("POST /api/v1/budgets", {"name": "b", "subject": "user:ana", "limit_usd": "1"}),
    ("PATCH /api/v1/budgets/{name=b}", {"limit_usd": "2"}),
    ("PUT /api/v1/alerts/rules/{budget=b}", {"thresholds": [10]}),
    ("DELETE /api/v1/alerts/rules/{budget=b}", None),
    ("DELETE /api/v1/budgets/{name=b}", None),
    ("POST /api/v1/alert-webhooks", WEBHOOK),
    ("PATCH /api/v1/alert-webhooks/{name=w}", {"enabled": False}),
    ("DELETE /api/v1/alert-webhooks/{name=w}", None),
    ("POST /api/v1/endpoints", ENDPOINT),
    ("PATCH /api/v1/endpoints/{name=mine}", {"priority": 7}),
    ("POST /api/v1/endpoints/{name=mine}/keys", {"name": "two", "api_key": "sk-another-key-of-it"}),
    ("DELETE /api/v1/endpoints/{name=mine}/keys/{key=two}", None),
    ("POST /api/v1/routes", ROUTE),
    ("POST /api/v1/experiments", EXPERIMENT),
    ("POST /api/v1/experiments/{name=x}/stop", {"reason": "enough"}),
    ("POST /api/v1/experiments/{name=x}/apply", {"arm": "b"}),
    ("PATCH /api/v1/routes/{category=text}/{model=r}", {"enabled": False}),
    ("POST /api/v1/routes/detach", {"model": "r", "category": "text"}),
    ("DELETE /api/v1/routes/{category=text}/{model=r}", None),
    ("POST /api/v1/endpoints/{name=mine}/detach", None),
    ("DELETE /api/v1/endpoints/{name=mine}", None),
    ("POST /api/v1/models", MODEL),
    ("PATCH /api/v1/models/{name=mine}", {"version": 1, "description": "changed"}),
    ("POST /api/v1/models/actions/deactivate", {"names": ["mine"]}),
    ("POST /api/v1/models/actions/activate", {"names": ["mine"]}),
    ("POST /api/v1/models/actions/set-default", {"name": "mine"}),
    ("POST /api/v1/prices", {**PRICE, "rate_usd": "1.5"}),
    ("POST /api/v1/prices/actions/withdraw", PRICE),
    ("POST /api/v1/prices/rerate", {"from": "2025-12-01T00:00:00Z", "dry_run": False}),
    ("POST /api/v1/plans", PLAN),
    ("PATCH /api/v1/plans/{name=P}", {"price_monthly_usd": "2"}),
    ("PUT /api/v1/subscriptions/{user=ana}", {"plan": "P"}),
    ("DELETE /api/v1/subscriptions/{user=ana}", None),
    ("DELETE /api/v1/plans/{name=P}", None),
    ("POST /api/v1/wallets", {"name": "w", "subject": "user:ana"}),
    ("PATCH /api/v1/wallets/{name=w}", {"overdraft": "5"}),
    ("POST /api/v1/wallets/{name=w}/purchases", {"amount": "100"}),
    ("POST /api/v1/wallets/{name=w}/grants", {"amount": "10"}),
    ("POST /api/v1/wallets/{name=w}/deductions", {"amount": "4"}),
    ("POST /api/v1/wallets/{name=w}/refunds", {"transaction": 3}),
    ("POST /api/v1/wallets/{name=w}/adjustments", {"amount": "-1", "note": "counted"}),
    ("POST /api/v1/wallets/{name=w}/holds", {"amount": "3"}),
    ("POST /api/v1/wallets/{name=w}/holds/{number=6}/post", {}),
    ("POST /api/v1/wallets/{name=w}/holds", {"amount": "3"}),
    ("POST /api/v1/wallets/{name=w}/holds/{number=8}/void", {}),
    ("PUT /api/v1/credit-rates", {"operation": "chat_completion", "tokens_per_credit": 100}),
    ("DELETE /api/v1/credit-rates", None),
    ("POST /api/v1/attribution/rules", RULE),
    ("POST /api/v1/attribution/rules/actions/switch", {"id": "own", "enabled": False}),
    ("POST /api/v1/attribution/rules/actions/reorder", {"ids": ["own"]}),
    ("PUT /api/v1/attribution/rules/{rule_id=own}", {**RULE, "version": None}),
    ("DELETE /api/v1/attribution/rules/{rule_id=own}", None),
    ("POST /api/v1/attribution/backfill", {}),
    ("PUT /api/v1/intake/sources/{source=src}", {}),
    ("PUT /api/v1/intake/sources/{source=src}/names", {"names": [REPORTED]}),
    ("DELETE /api/v1/intake/sources/{source=src}/names/{kind=user}/{reported_id=7}", None),
    ("POST /api/v1/intake/sources/{source=src}/detach", None),
)
NAMED = re.compile(r"\{(\w+)=(\w+)\}")
SECRETS = ("correct horse", "battery staple", "sk-a-key", "sk-another", "secret-path", "argon2")


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    clock, limits = SystemClock(), TransportLimits()
    transport, resolver = Transport(limits), CachingResolver(limits, clock)
    outside = Outside(transport, resolver, limits)
    alerts = AlertNotifier(database, clock, outside, b"s" * 32)
    async with control_plane(database, alerts=alerts) as made:
        yield made
    await outside.aclose()
    await transport.aclose()


def unsafe(plane: Plane) -> set[str]:
    return {
        f"{method.upper()} {path}"
        for path, methods in plane.application.openapi()["paths"].items()
        for method in methods
        if method != "get"
    }


async def changes(plane: Plane, headers: Mapping[str, str]) -> list[dict[str, Any]]:
    answer = await plane.client.get("/api/v1/audit", params={"limit": 500}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["changes"]


def test_every_unsafe_address_is_classified(plane: Plane) -> None:
    walked = {NAMED.sub(r"{\1}", step) for step, _ in STEPS}
    assert unsafe(plane) - NO_CHANGE - ELSEWHERE - walked == set(), "is it written down?"
    assert (NO_CHANGE | ELSEWHERE | walked) - unsafe(plane) == set(), "these are no longer there"


async def test_each_change_is_written_down_with_who_did_it_and_without_a_secret(
    plane: Plane,
) -> None:
    headers = await plane.key("root", "admin")
    known: dict[str, str] = {}
    for number, (step, asked) in enumerate(STEPS):
        before = len(await changes(plane, headers))
        method, _, path = NAMED.sub(r"\2", step).partition(" ")
        for name, value in known.items():
            path = path.replace(name, value)
        if step.startswith("DELETE /api/v1/credit-rates"):
            path += "?operation=chat_completion"
        body = asked
        if asked is not None and asked.get("version", 0) is None:
            body = {**asked, "version": int(known["VERSION"])}
        sent = {**headers, "idempotency-key": f"key-{number}"}
        answer = await plane.client.request(method, path, json=body, headers=sent)
        assert answer.is_success, (step, answer.text)
        if step == "POST /api/v1/keys":
            known["KEY"] = answer.json()["key_id"]
        if step.endswith("/rules/actions/reorder"):
            rules = await plane.client.get("/api/v1/attribution/rules", headers=headers)
            [own] = [one for one in rules.json()["rules"] if one["id"] == "own"]
            known["VERSION"] = str(own["version"])
        after = await changes(plane, headers)
        assert len(after) > before, f"{step} is written down nowhere"
        assert after[0]["actor"] == "root (key root)", step
    log = (await plane.client.get("/api/v1/audit?limit=500", headers=headers)).text
    assert [one for one in SECRETS if one in log] == []


async def test_a_change_says_from_what_to_what_and_where_more_is_told(plane: Plane) -> None:
    headers = await plane.key("root", "admin")
    await plane.client.post("/api/v1/users", json={"name": "ana"}, headers=headers)
    await plane.client.patch("/api/v1/users/ana", json={"role": "admin"}, headers=headers)
    await plane.client.patch("/api/v1/users/ana", json={"role": "admin"}, headers=headers)
    await plane.client.post("/api/v1/models", json=MODEL, headers=headers)
    model, changed, _ = await changes(plane, headers)
    assert changed["details"] == {"from": {"role": "member"}, "to": {"role": "admin"}}
    assert model["subject"] == "model:mine"
    assert (await plane.client.get(model["history"], headers=headers)).status_code == 200


async def test_the_log_is_filtered_and_paged(plane: Plane) -> None:
    headers = await plane.key("root", "admin")
    for number in range(5):
        order = {"name": f"u{number}"}
        await plane.client.post("/api/v1/users", json=order, headers=headers)
    await plane.client.post("/api/v1/keys", json={"name": "k"}, headers=headers)
    query: dict[str, Any] = {"action": "users", "limit": 2}
    found: list[str] = []
    while True:
        page = (await plane.client.get("/api/v1/audit", params=query, headers=headers)).json()
        found += [one["subject"] for one in page["changes"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == [f"user:u{number}" for number in (4, 3, 2, 1, 0)]
    for query, count in (
        ({"action": "keys.create"}, 1),
        ({"subject": "user:u3"}, 1),
        ({"actor": "nobody"}, 0),
        ({"from": "2099-01-01T00:00:00Z"}, 0),
        ({"to": "2099-01-01T00:00:00Z"}, 6),
    ):
        page = (await plane.client.get("/api/v1/audit", params=query, headers=headers)).json()
        assert len(page["changes"]) == count, query
