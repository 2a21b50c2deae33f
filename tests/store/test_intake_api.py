"""The addresses of the intake: who may report, what is answered, and the registry."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.support.control import Plane, control_plane
from tests.support.reported import Reported, reported
from tollbridge.storage.unit import Database

ADDRESS = "/v2/usage/gateway-metrics"


@asynccontextmanager
async def plane_with_intake(
    database: Database, folder: Path
) -> AsyncGenerator[tuple[Plane, Reported]]:
    async with reported(database, folder) as node, control_plane(database, node.intake) as plane:
        yield plane, node


def record(**fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "completed": True, "input_token": 10, **fields}


async def report(
    plane: Plane, headers: dict[str, str], content: Any, **query: str
) -> httpx.Response:
    return await plane.client.post(ADDRESS, json=content, headers=headers, params=query)


async def test_one_record_and_a_list_are_taken_and_answered_with_their_batch(
    database: Database, tmp_path: Path
) -> None:
    async with plane_with_intake(database, tmp_path) as (plane, node):
        headers = await plane.key("gw", "intake")
        one = (await report(plane, headers, record(id=1))).json()
        assert (one["accepted"], one["duplicates"], one["rejected"]) == (1, 0, [])
        many = (await report(plane, headers, [record(id=1), record(), {"model": ""}])).json()
        assert (many["accepted"], many["duplicates"]) == (1, 1)
        assert [(bad["index"], bad["reason"]) for bad in many["rejected"]] == [(2, "bad_model")]
        early = await plane.client.get(f"/v2/usage/intake/{many['batch']}", headers=headers)
        assert early.status_code == 404
        await node.caught_up()
        shown = (
            await plane.client.get(f"/v2/usage/intake/{many['batch']}", headers=headers)
        ).json()
        assert (shown["accepted"], shown["recorded"], shown["duplicates"], shown["pending"]) == (
            1,
            1,
            1,
            0,
        )
        assert [bad["reason"] for bad in shown["rejected"]] == ["bad_model"]


async def test_only_a_key_with_the_scope_intake_or_an_admin_may_report(
    database: Database, tmp_path: Path
) -> None:
    async with plane_with_intake(database, tmp_path) as (plane, _):
        for scopes, status in (
            (("intake",), 200),
            (("admin",), 200),
            (("call", "read"), 403),
        ):
            headers = await plane.key("-".join(scopes), *scopes)
            assert (await report(plane, headers, record())).status_code == status
        assert (await report(plane, {}, record())).status_code == 401
        wrong = {"authorization": "Bearer tb_wrong"}
        assert (await report(plane, wrong, record())).status_code == 401


async def test_a_key_reports_for_its_own_source_and_for_those_that_name_it(
    database: Database, tmp_path: Path
) -> None:
    async with plane_with_intake(database, tmp_path) as (plane, node):
        admin, key = await plane.key("root", "admin"), await plane.key("gw", "intake")
        await report(plane, key, record())  # the registry is read with the first report
        assert (await report(plane, key, record(), source="other")).status_code == 403
        put = await plane.client.put(
            "/api/v1/intake/sources/other", json={"keys": ["gw"]}, headers=admin
        )
        assert put.status_code == 204
        await report(plane, key, record())
        assert (await report(plane, key, record(), source="other")).status_code == 200
        await node.caught_up()
        rows = await node.rows("SELECT endpoint, count(*) FROM call_details GROUP BY endpoint")
        assert sorted(rows) == [("gw", 2), ("other", 1)]


async def test_a_registry_refuses_what_it_does_not_know_and_can_be_mended(
    database: Database, tmp_path: Path
) -> None:
    async with plane_with_intake(database, tmp_path) as (plane, node):
        admin, key = await plane.key("root", "admin"), await plane.key("gw", "intake")
        names = "/api/v1/intake/sources/gw/names"
        missing = await plane.client.put(
            names, json={"names": [{"kind": "model", "id": "1", "name": "m"}]}, headers=admin
        )
        assert missing.status_code == 404
        await plane.client.put("/api/v1/intake/sources/gw", json={}, headers=admin)
        put = await plane.client.put(
            names,
            json={
                "names": [
                    {"kind": "model", "id": "1", "name": "m"},
                    {"kind": "provider", "id": "p/1", "name": "Ours", "models": ["x"]},
                ]
            },
            headers=admin,
        )
        assert put.json() == {"registered": 2}
        refused = (await report(plane, key, record())).json()
        assert [bad["reason"] for bad in refused["rejected"]] == ["unknown_model"]
        await node.caught_up()
        page = (await plane.client.get("/api/v1/intake/refusals", headers=admin)).json()
        assert [one["reason"] for one in page["refusals"]] == ["unknown_model"]
        assert msgspec.json.decode(page["refusals"][0]["raw"])["model"] == "gpt-4o-mini"
        gone = await plane.client.delete(f"{names}/provider/p/1", headers=admin)
        assert gone.status_code == 204
        left = (await plane.client.get(names, headers=admin)).json()["names"]
        assert [one["id"] for one in left] == ["1"]
        assert (await plane.client.get(names, headers=key)).status_code == 403


async def test_a_body_that_is_no_record_is_an_error_and_not_a_refusal(
    database: Database, tmp_path: Path
) -> None:
    async with plane_with_intake(database, tmp_path) as (plane, _):
        headers = await plane.key("gw", "intake")
        for content in (b"", b"nonsense", b"7", b"[]", b"[{}", b"\xff\xfe"):
            answer = await plane.client.post(ADDRESS, content=content, headers=headers)
            assert answer.status_code == 400, content
            assert answer.json()["error"]["code"] == "invalid_request"


async def test_the_batch_key_is_a_header(database: Database, tmp_path: Path) -> None:
    async with plane_with_intake(database, tmp_path) as (plane, _):
        headers = {**await plane.key("gw", "intake"), "idempotency-key": "k1"}
        first = (await report(plane, headers, [record(), record()])).json()
        again = (await report(plane, headers, [record(), record()])).json()
        assert (first["accepted"], again["accepted"], again["duplicates"]) == (2, 0, 2)


async def test_a_breakdown_tells_usage_apart_and_a_member_sees_their_own(
    database: Database, tmp_path: Path
) -> None:
    async with plane_with_intake(database, tmp_path) as (plane, node):
        admin, member = await plane.key("root", "admin"), await plane.key("r", "read", user="ana")
        await node.counted(
            record(user_id="ana", access_key="k1", provider_type="openai", request_count=3),
            record(user_id="bob", access_key="k2", provider_type="azure", output_token=5),
            record(user_id="bob", model="other", provider_type="azure", input_cached_token=4),
        )
        day = {"start_date": "2025-12-31", "end_date": "2026-01-02"}
        address = "/v2/usage/breakdown"

        async def ask(headers: dict[str, str], **order: Any) -> httpx.Response:
            return await plane.client.post(address, json={**day, **order}, headers=headers)

        by_provider = (await ask(admin, group_by=["provider"])).json()
        assert by_provider["summary"] == {
            "input_tokens": 30,
            "output_tokens": 5,
            "input_cached_tokens": 4,
            "total_tokens": 35,
            "api_requests": 5,
            "models_called": 2,
        }
        assert [
            (one["provider"]["label"], one["total_tokens"], one["api_requests"])
            for one in by_provider["items"]
        ] == [("azure", 25, 2), ("openai", 10, 3)]
        by_key = (await ask(admin, group_by=["api_key"])).json()
        assert {one["api_key"]["label"] for one in by_key["items"]} == {"k1", "k2"}
        four = (
            await ask(
                admin, group_by=["date", "model", "user", "api_key"], granularity="week", perPage=2
            )
        ).json()
        assert four["pagination"] == {"page": 1, "perPage": 2, "total": 3, "totalPage": 2}
        assert four["items"][0]["date"] == "2025-12-29"
        average = (await ask(admin, group_by=["user"], sort_by="-avg_tokens_per_request")).json()
        assert average["items"][0]["user"]["label"] == "bob"
        month = (await ask(admin, group_by=["date"], granularity="month")).json()
        assert [one["date"] for one in month["items"]] == ["2026-01"]
        own = (await ask(member, group_by=["model"])).json()
        assert own["summary"]["api_requests"] == 3
        assert (await ask(member, group_by=["user"])).status_code == 403
        only = (await ask(admin, group_by=["model"], filters={"users": ["bob"]})).json()
        assert only["summary"]["total_tokens"] == 25
        wrongs: tuple[dict[str, Any], ...] = (
            {"group_by": []},
            {"group_by": ["model", "model"]},
            {"group_by": ["model"], "page": 0},
            {"group_by": ["model"], "perPage": 10_001},
            {"group_by": ["model"], "sort_by": "colour"},
            {"group_by": ["model"], "end_date": "2025-01-01"},
        )
        for wrong in wrongs:
            assert (await ask(admin, **wrong)).status_code == 400, wrong
        meta = (await plane.client.get("/v2/usage/meta", headers=admin)).json()
        assert meta["group_bys"] == ["date", "model", "user", "api_key", "provider"]
        assert [one["label"] for one in meta["filters"]["users"]] == ["ana", "bob"]
        own_meta = (await plane.client.get("/v2/usage/meta", headers=member)).json()
        assert "users" not in own_meta["filters"]
        assert [one["label"] for one in own_meta["filters"]["models"]] == ["gpt-4o-mini"]


async def test_a_reported_call_is_explained_by_what_was_reported(
    database: Database, tmp_path: Path
) -> None:
    async with plane_with_intake(database, tmp_path) as (plane, node):
        admin = await plane.key("root", "admin")
        await node.counted(record(provider_type="azure"))
        [call_id] = [row[0] for row in await node.rows("SELECT call_id FROM call_details")]
        for purged in (False, True):
            if purged:
                async with database.write() as unit:
                    await unit.connection.exec_driver_sql("DELETE FROM call_evidence")
            shown = await plane.client.get(f"/api/v1/usage-logs/{call_id}", headers=admin)
            assert shown.status_code == 200, shown.text
            assert shown.json()["actual_provider_name"] == "azure"
            explained = msgspec.json.encode(shown.json()["explanation"]).decode()
            assert "azure" in explained
            assert "did not answer" not in explained
            assert '"reported"' in explained
