"""The catalogue of models over HTTP: its administration, and the two addresses of the document."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.control import PASSWORD, Plane, control_plane
from tollbridge.access.users import Role
from tollbridge.rating import model_store
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
MODELS = "/api/v1/models"
AS_DOCUMENTED = "/api/v1/billing/ai/models/"
NINE = [
    "gpt-4o-mini",
    "gpt-4o",
    "gpt-4.1",
    "gpt-5.1",
    "gpt-5.2",
    "dall-e-3",
    "dall-e-2",
    "gpt-image-1",
    "gpt-image-1-mini",
]


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    async with control_plane(database) as made:
        made.client.headers.update(await made.key("root", "admin"))
        yield made


def named(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["model_name"] for one in answer.json()["models"]]


async def sign_in(plane: Plane) -> dict[str, str]:
    await plane.user("ada", Role.MEMBER)
    answer = await plane.client.post(
        "/api/v1/auth/token", json={"username": "ada", "password": PASSWORD}
    )
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


async def edit(plane: Plane, name: str, version: int, **changes: Any) -> httpx.Response:
    return await plane.client.patch(f"{MODELS}/{name}", json={"version": version, **changes})


async def test_the_document_s_list_is_as_it_shows_it(plane: Plane) -> None:
    """With a JWT; the very keys, in their order, decimals as text with four places."""
    answer = await plane.client.get(f"{AS_DOCUMENTED}?type=text", headers=await sign_in(plane))
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == ["success", "message", "data"]
    assert (body["success"], body["message"]) == (True, "AI models retrieved successfully")
    assert list(body["data"][0].items()) == [
        ("model_name", "gpt-4o-mini"),
        ("display_name", "GPT-4o mini - Fast & Affordable"),
        ("model_type", "text"),
        ("provider", "openai"),
        ("input_cost_per_1m", "0.1500"),
        ("output_cost_per_1m", "0.6000"),
        ("context_window", 128000),
        ("max_output_tokens", 16000),
        ("supports_json_mode", True),
        ("supports_vision", False),
        ("is_default", True),
        ("sort_order", 1),
        ("pricing_display", "$0.1500/$0.6000 per 1M"),
    ]
    assert [one["model_name"] for one in body["data"]] == NINE[:5]


async def test_the_document_s_list_has_the_active_models_and_its_filters(plane: Plane) -> None:
    async def ask(query: str = "") -> list[str]:
        answer = await plane.client.get(f"{AS_DOCUMENTED}{query}")
        assert answer.status_code == 200, answer.text
        return [one["model_name"] for one in answer.json()["data"]]

    assert await ask() == NINE[:7]
    assert await ask("?type=image") == ["dall-e-3", "dall-e-2"]
    assert await ask("?provider=openai") == NINE[:7]
    assert await ask("?provider=anthropic") == []
    assert await ask("?default=true") == ["gpt-4o-mini", "dall-e-3"]
    assert await ask("?default=true&type=image") == ["dall-e-3"]
    assert "gpt-4o-mini" not in await ask("?default=false")


async def test_the_document_s_addresses_answer_without_their_last_slash_too(plane: Plane) -> None:
    """A browser or a proxy that drops it gets the same answer, not a fault."""
    for path in (AS_DOCUMENTED, f"{AS_DOCUMENTED}gpt-4o/"):
        whole, cut = [await plane.client.get(one) for one in (path, path.removesuffix("/"))]
        assert (cut.status_code, cut.json()) == (200, whole.json())


async def test_one_model_of_the_document_an_image_model_with_its_sizes(plane: Plane) -> None:
    answer = await plane.client.get(f"{AS_DOCUMENTED}dall-e-3/")
    assert answer.json() == {
        "success": True,
        "message": "AI model retrieved successfully",
        "data": {
            "model_name": "dall-e-3",
            "display_name": "DALL-E 3",
            "model_type": "image",
            "provider": "openai",
            "cost_per_image": "0.0400",
            "valid_sizes": ["1024x1024", "1792x1024", "1024x1792"],
            "supports_json_mode": False,
            "supports_vision": False,
            "is_default": True,
            "sort_order": 6,
            "pricing_display": "$0.0400 per image",
        },
    }


@pytest.mark.parametrize("name", ["gpt-9", "gpt-image-1", "x" * 5000, "a/b"])
async def test_what_is_not_there_fails_in_the_document_s_envelope(plane: Plane, name: str) -> None:
    answer = await plane.client.get(f"{AS_DOCUMENTED}{name}/")
    assert answer.status_code == 404
    body = answer.json()
    assert (body["success"], body["data"]) == (False, None)
    assert "available models: gpt-4o-mini" in body["message"]
    assert "gpt-image-1," not in body["message"]


async def test_whoever_has_not_signed_in_fails_in_the_document_s_envelope(plane: Plane) -> None:
    for path in (AS_DOCUMENTED, f"{AS_DOCUMENTED}gpt-4o/"):
        for token in ("", "Bearer eyJwrong", "Bearer wrong"):
            answer = await plane.client.get(path, headers={"authorization": token})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["success"] is False


async def test_a_wrong_filter_fails_in_the_document_s_envelope(plane: Plane) -> None:
    answer = await plane.client.get(f"{AS_DOCUMENTED}?type=letters")
    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert answer.json()["message"].startswith("type: ")


async def test_an_unknown_price_is_null_and_said_in_words(plane: Plane) -> None:
    await edit(plane, "dall-e-2", 1, cost_per_image=None)
    data = (await plane.client.get(f"{AS_DOCUMENTED}dall-e-2/")).json()["data"]
    assert (data["cost_per_image"], data["pricing_display"]) == (None, "price unknown")


async def test_models_are_listed_by_page_with_filters(plane: Plane) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        query = f"?limit=4{cursor}"
        page = (await plane.client.get(f"{MODELS}{query}")).json()
        seen += [one["model_name"] for one in page["models"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == NINE

    async def ask(query: str) -> list[str]:
        return named(await plane.client.get(f"{MODELS}?{query}"))

    assert await ask("type=image&active=false") == NINE[7:]
    assert await ask("provider=nobody") == []
    assert await ask("default=true") == ["gpt-4o-mini", "dall-e-3"]
    assert await ask("capabilities=vision&capabilities=json_mode") == ["gpt-4o"]
    assert await ask("search=affordable") == ["gpt-4o-mini"]


@pytest.mark.parametrize(
    "query",
    ["type=letters", "capabilities=flying", "active=perhaps", "cursor=x", "limit=0", "nonsense=1"],
)
async def test_a_wrong_question_is_refused_by_its_field(plane: Plane, query: str) -> None:
    answer = await plane.client.get(f"{MODELS}?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.text


async def test_a_price_is_edited_and_the_stale_edit_is_a_conflict(plane: Plane) -> None:
    edited = await edit(plane, "gpt-4o-mini", 1, input_cost_per_1m="0.20", description="cheap")
    assert edited.status_code == 200, edited.text
    assert edited.json()["pricing_display"] == "$0.2000/$0.6000 per 1M"
    assert (edited.json()["version"], edited.json()["updated_by"]) == (2, "root (key root)")
    stale = await edit(plane, "gpt-4o-mini", 1, description="late")
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "conflict")
    assert stale.json()["error"]["details"]["version"] == 2
    shown = (await plane.client.get(f"{MODELS}/gpt-4o-mini")).json()
    assert (shown["description"], shown["input_cost_per_1m"]) == ("cheap", "0.2000")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "version"),
        ({"version": 1, "input_cost_per_1m": "-1"}, "input_cost_per_1m"),
        ({"version": 1, "input_cost_per_1m": 0.15}, "input_cost_per_1m"),
        ({"version": 1, "input_cost_per_1m": "NaN"}, "input_cost_per_1m"),
        ({"version": 1, "valid_sizes": "1024x1024"}, "valid_sizes"),
        ({"version": 1, "display_name": "x" * 10_000}, "display_name"),
        ({"version": 1, "is_active": "no"}, "is_active"),
        ({"version": 1, "model_name": "other"}, "model_name"),
        ({"version": "1"}, "version"),
    ],
)
async def test_a_bad_edit_is_refused_by_its_field(
    plane: Plane, body: dict[str, Any], field: str
) -> None:
    answer = await plane.client.patch(f"{MODELS}/gpt-4o", json=body)
    assert answer.status_code == 400, answer.text
    assert field in answer.json()["error"]["message"]
    assert (await plane.client.get(f"{MODELS}/gpt-4o")).json()["version"] == 1


async def test_a_model_with_slashes_is_made_shown_edited_and_found(plane: Plane) -> None:
    name = "meta/llama-3/70b:free"
    order = {
        "model_name": name,
        "model_type": "text",
        "provider": "openrouter",
        "input_cost_per_1m": "0.5",
        "output_cost_per_1m": "0.75",
    }
    made = await plane.client.post(MODELS, json=order)
    assert made.status_code == 201, made.text
    assert (await plane.client.post(MODELS, json=order)).status_code == 409
    quoted = name.replace("/", "%2F")
    for path in (f"{MODELS}/{name}", f"{MODELS}/{quoted}"):
        assert (await plane.client.get(path)).json()["display_name"] == name
    assert (await edit(plane, name, 1, display_name="Llama")).status_code == 200
    for path in (f"{AS_DOCUMENTED}{name}/", f"{AS_DOCUMENTED}{quoted}/"):
        data = (await plane.client.get(path)).json()["data"]
        assert data["pricing_display"] == "$0.5000/$0.7500 per 1M"
    history = await plane.client.get(f"{MODELS}/actions/history", params={"name": name})
    assert [one["action"] for one in history.json()["changes"]] == ["edited", "created"]


async def test_models_are_switched_together_or_not_at_all(plane: Plane) -> None:
    body = {"names": ["gpt-4o", "gpt-4.1"]}
    answer = await plane.client.post(f"{MODELS}/actions/deactivate", json=body)
    assert [one["is_active"] for one in answer.json()["models"]] == [False, False]
    default = {"names": ["gpt-5.1", "gpt-4o-mini"]}
    refused = await plane.client.post(f"{MODELS}/actions/deactivate", json=default)
    assert refused.status_code == 409
    assert named(await plane.client.get(f"{MODELS}?active=true&type=text")) == [
        "gpt-4o-mini",
        "gpt-5.1",
        "gpt-5.2",
    ]
    again = await plane.client.post(f"{MODELS}/actions/activate", json=body)
    assert [one["is_active"] for one in again.json()["models"]] == [True, True]
    assert (
        await plane.client.post(f"{MODELS}/actions/activate", json={"names": []})
    ).status_code == 400


async def test_the_default_is_set_and_the_other_one_is_it_no_longer(plane: Plane) -> None:
    answer = await plane.client.post(f"{MODELS}/actions/set-default", json={"name": "gpt-5.1"})
    assert answer.json()["is_default"] is True
    assert named(await plane.client.get(f"{MODELS}?default=true")) == ["gpt-5.1", "dall-e-3"]
    inactive = {"name": "gpt-image-1"}
    refused = await plane.client.post(f"{MODELS}/actions/set-default", json=inactive)
    assert refused.status_code == 409


async def test_the_history_is_shown_by_page_and_a_state_restored(plane: Plane) -> None:
    for version in (1, 2, 3):
        await edit(plane, "gpt-4o", version, input_cost_per_1m=str(version))
        plane.clock.advance(1)
    query = {"name": "gpt-4o", "limit": 3}
    page = (await plane.client.get(f"{MODELS}/actions/history", params=query)).json()
    assert page["changes"][0]["changed"] == {"input_cost_per_1m": ["2", "3"]}
    assert page["changes"][0]["actor"] == "root (key root)"
    rest = {**query, "cursor": page["next_cursor"]}
    last = (await plane.client.get(f"{MODELS}/actions/history", params=rest)).json()
    (created,) = last["changes"]
    assert (created["before"], last["next_cursor"]) == (None, None)
    wanted = {"name": "gpt-4o", "change_id": created["change_id"], "version": 4}
    restored = await plane.client.post(f"{MODELS}/actions/restore", json=wanted)
    assert restored.json()["input_cost_per_1m"] == "2.5000"
    assert restored.json()["version"] == 5
    stale = await plane.client.post(f"{MODELS}/actions/restore", json=wanted)
    assert stale.status_code == 409
    missing = await plane.client.post(
        f"{MODELS}/actions/restore", json={**wanted, "version": 5, "change_id": 999}
    )
    assert missing.status_code == 404


async def test_models_are_compared_side_by_side(plane: Plane) -> None:
    query = "name=gpt-4o&name=gpt-4o-mini&name=dall-e-3"
    answer = (await plane.client.get(f"{MODELS}/actions/compare?{query}")).json()
    assert answer["models"] == ["gpt-4o", "gpt-4o-mini", "dall-e-3"]
    fields = {one["field"]: one for one in answer["fields"]}
    assert fields["input_cost_per_1m"]["values"] == ["2.5000", "0.1500", None]
    assert fields["provider"]["differs"] is False
    alone = await plane.client.get(f"{MODELS}/actions/compare?name=gpt-4o")
    assert alone.status_code == 400
    unknown = await plane.client.get(f"{MODELS}/actions/compare?name=gpt-4o&name=gpt-9")
    assert unknown.status_code == 404


async def test_the_pricing_table_is_exported(plane: Plane) -> None:
    await edit(plane, "gpt-4o", 1, display_name="=1+1")
    answer = await plane.client.get(f"{MODELS}/actions/export?type=text")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="models.csv"' in answer.headers["content-disposition"]
    text = answer.content.decode("utf-8-sig")
    rows = {one["model_name"]: one for one in csv.DictReader(io.StringIO(text, newline=""))}
    assert list(rows) == NINE[:5]
    assert rows["gpt-4o"]["display_name"] == "'=1+1"
    assert rows["gpt-4o"]["input_cost_per_1m"] == "2.5000"
    exported = (await plane.client.get(f"{MODELS}/actions/export?format=json")).json()
    assert [one["model_name"] for one in exported["models"]] == NINE


async def test_only_an_admin_changes_models_and_everybody_signed_in_sees_them(
    plane: Plane,
) -> None:
    reader = await plane.key("reader", "read")
    caller = await plane.key("caller", "call")
    paths = [MODELS, f"{MODELS}/gpt-4o", f"{MODELS}/actions/export", AS_DOCUMENTED]
    for path in paths:
        assert (await plane.client.get(path, headers=reader)).status_code == 200
        assert (await plane.client.get(path, headers=caller)).status_code == 403
    bodies: dict[str, Any] = {
        "activate": {"names": ["gpt-4o"]},
        "deactivate": {"names": ["gpt-4o"]},
        "set-default": {"name": "gpt-4o"},
        "restore": {"name": "gpt-4o", "change_id": 1, "version": 1},
    }
    for action, body in bodies.items():
        path = f"{MODELS}/actions/{action}"
        assert (await plane.client.post(path, json=body, headers=reader)).status_code == 403
    new = {"model_name": "x", "model_type": "text", "provider": "p"}
    assert (await plane.client.post(MODELS, json=new, headers=reader)).status_code == 403
    edited = await plane.client.patch(f"{MODELS}/gpt-4o", json={"version": 1}, headers=reader)
    assert edited.status_code == 403


async def test_an_unknown_model_lists_those_that_there_are(plane: Plane) -> None:
    answer = await plane.client.get(f"{MODELS}/gpt-9")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert answer.json()["error"]["details"]["available"] == NINE


async def test_a_price_that_another_node_changed_is_shown_at_once(plane: Plane) -> None:
    """What is kept in memory goes by the version in the database."""
    await plane.client.get(MODELS)
    async with plane.database.write() as unit:
        await model_store.edit_model(
            unit,
            "gpt-4o",
            1,
            {"input_cost_per_1m": "9"},
            actor="elsewhere",
            now_us=plane.clock.now_us(),
        )
    models = (await plane.client.get(f"{MODELS}?search=gpt-4o")).json()["models"]
    prices = {one["model_name"]: one["input_cost_per_1m"] for one in models}
    assert prices == {"gpt-4o": "9.0000", "gpt-4o-mini": "0.1500"}
