"""Who served, explained over HTTP, and the rules that say so."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.control import Plane, control_plane
from tests.support.recorded import CallSpec, record
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
RULES = "/api/v1/attribution/rules"
EXPLAIN = "/api/v1/attribution/explain"
ACME = {"id": "acme", "rank": "model", "provider": "fal", "words": ["acme"]}


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    async with control_plane(database) as made:
        made.client.headers.update(await made.key("root", "admin"))
        yield made


async def explained(plane: Plane, **query: Any) -> dict[str, Any]:
    answer = await plane.client.get(EXPLAIN, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_explanation_says_which_rule_decided_on_which_words(plane: Plane) -> None:
    found = await explained(
        plane, bucket="video", model="tencent/HunyuanVideo", endpoint="/x/wavespeed"
    )
    assert (found["provider"], found["rule_id"], found["confidence"]) == (
        "wavespeed",
        "path-wavespeed",
        "strong",
    )
    assert found["tried"][0] == "endpoint-answered"
    assert found["tried"][-1] == "path-wavespeed"
    assert [one["words"] for one in found["matched"]] == [
        'the path has "wavespeed"',
        'the model\'s name has "tencent"',
    ]
    assert found["contradictions"] == [
        'model-hunyuan: the model\'s name has "tencent", which means huggingface'
    ]


async def test_headers_are_evidence_and_name_the_upstream(plane: Plane) -> None:
    found = await explained(plane, header=["Server: x", "X-Provider-Name: Amazon Bedrock"])
    assert (found["provider"], found["upstream_provider"]) == ("openrouter", "bedrock")
    answer = await plane.client.get(EXPLAIN, params={"header": "no colon"})
    assert answer.json()["error"]["details"] == {"param": "header"}


async def test_a_rule_is_added_ordered_edited_switched_and_removed(plane: Plane) -> None:
    client = plane.client
    other = {**ACME, "id": "other", "provider": "runware"}
    for rule in (ACME, other):
        assert (await client.post(RULES, json=rule)).status_code == 201
    assert (await explained(plane, model="acme-1"))["provider"] == "fal"
    await client.post(f"{RULES}/actions/reorder", json={"ids": ["other", "acme"]})
    assert (await explained(plane, model="acme-1"))["provider"] == "runware"
    await client.post(f"{RULES}/actions/switch", json={"id": "other", "enabled": False})
    assert (await explained(plane, model="acme-1"))["provider"] == "fal"
    listed = (await client.get(RULES)).json()
    own = [one for one in listed["rules"] if one["origin"] == "operator"]
    assert [(one["id"], one["enabled"]) for one in own] == [("other", False), ("acme", True)]
    assert listed["rules_version"] == (await explained(plane))["rules_version"]
    edit = {**ACME, "provider": "piapi", "version": own[1]["version"]}
    assert (await client.put(f"{RULES}/acme", json=edit)).json()["provider"] == "piapi"
    assert (await client.put(f"{RULES}/acme", json=edit)).status_code == 409
    assert (await client.delete(f"{RULES}/acme")).status_code == 204
    assert (await explained(plane, model="acme-1"))["provider"] == "unknown"
    assert plane.faults == []


@pytest.mark.parametrize(
    ("rule", "status", "parameter"),
    [
        ({**ACME, "words": []}, 400, "words"),
        ({**ACME, "rank": "host"}, 400, "words"),
        ({**ACME, "id": "bucket-stability"}, 409, "id"),
        ({**ACME, "id": "Not An Id"}, 400, "id"),
    ],
)
async def test_a_rule_that_is_refused_says_why(
    plane: Plane, rule: dict[str, Any], status: int, parameter: str
) -> None:
    answer = await plane.client.post(RULES, json=rule)
    assert answer.status_code == status
    assert answer.json()["error"]["details"] == {"param": parameter}


async def test_only_an_admin_changes_rules(plane: Plane) -> None:
    reader = await plane.key("reader", "read")
    assert (await plane.client.get(RULES, headers=reader)).status_code == 200
    assert (await plane.client.post(RULES, json=ACME, headers=reader)).status_code == 403
    switch = {"id": "bucket-stability", "enabled": False}
    answer = await plane.client.post(f"{RULES}/actions/switch", json=switch, headers=reader)
    assert answer.status_code == 403


async def test_a_call_s_detail_carries_its_explanation(plane: Plane) -> None:
    [call_id] = await record(plane.database, [CallSpec(provider="openrouter")])
    shown = (await plane.client.get(f"/api/v1/usage-logs/{call_id}")).json()
    explanation = shown["explanation"]
    assert explanation["provider"] == shown["actual_provider_name"] == "openrouter"
    assert explanation["rule_id"] == shown["attribution"]["rule_id"] == "endpoint-answered"
    assert explanation["evidence"] == shown["attribution"]["evidence"]
    assert explanation["tried"] == ["endpoint-answered"]
