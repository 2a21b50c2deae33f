"""The export over HTTP and at the command line: who gets what, and what is refused."""

import csv
import importlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.control import Plane, control_plane
from tests.support.recorded import CallSpec, record
from tests.support.terminal import Terminal
from tollbridge.api.control.exports import ExportQuery
from tollbridge.api.control.usage_logs import UsageLogQuery
from tollbridge.insight.export_lines import NAMES
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
# The library has no types.
parquet: Any = importlib.import_module("pyarrow.parquet")
EXPORT = "/api/v1/usage-logs/export"


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    async with control_plane(database) as made:
        yield made


async def get(plane: Plane, headers: dict[str, str], **query: str) -> str:
    answer = await plane.client.get(EXPORT, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.content.decode("utf-8-sig")


async def test_it_has_the_filters_of_the_usage_log(plane: Plane) -> None:
    paging = {"limit", "cursor", "offset", "total"}
    assert set(ExportQuery.model_fields) - {"format"} == set(UsageLogQuery.model_fields) - paging
    admin = await plane.key("root", "admin")
    await record(plane.database, [CallSpec(user="bob"), CallSpec(provider="groq", refused=True)])
    for query, calls in (
        ({}, 2),
        ({"user": "bob"}, 1),
        ({"status": "FAILED", "billing_period": "2026-01"}, 1),
        ({"from": "2026-01-02T00:00:00Z"}, 0),
    ):
        lines = (await get(plane, admin, format="jsonl", **query)).splitlines()
        assert len(lines) == calls, query


async def test_its_columns_are_documented_and_the_same_in_each_form(plane: Plane) -> None:
    admin = await plane.key("root", "admin")
    await record(plane.database, [CallSpec()])
    [row] = csv.DictReader(io.StringIO(await get(plane, admin), newline=""))
    line = json.loads(await get(plane, admin, format="jsonl"))
    assert list(row) == list(line) == list(NAMES)
    said = plane.application.openapi()["paths"][EXPORT]["get"]["description"]
    focus = csv.reader(io.StringIO(await get(plane, admin, format="focus"), newline=""))
    assert all(f"`{name}`" in said for name in (*NAMES, *next(focus)))


async def test_a_member_gets_their_own_calls_only(plane: Plane) -> None:
    ada = await plane.key("ada", "read")
    await record(plane.database, [CallSpec(user="ada"), CallSpec(user="bob", label="secret")])
    for form in ("csv", "jsonl", "focus"):
        text = await get(plane, ada, format=form)
        assert "bob" not in text
        assert "secret" not in text
    assert len((await get(plane, ada, format="jsonl")).splitlines()) == 1
    refused = await plane.client.get(EXPORT, params={"user": "bob"}, headers=ada)
    assert refused.status_code == 403
    assert (await plane.client.get(EXPORT)).status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        {"format": "avro"},
        {"format": "focus_credits", "model": "gpt-4o"},
        {"offset": "1"},
        {"colour": "red"},
        {"provider": "wavespede"},
        {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
    ],
)
async def test_what_cannot_be_meant_is_refused_before_the_answer_begins(
    plane: Plane, query: dict[str, str]
) -> None:
    admin = await plane.key("root", "admin")
    answer = await plane.client.get(EXPORT, params=query, headers=admin)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["error"]["message"]


async def test_it_is_a_file_to_be_kept_by_nobody_between(plane: Plane) -> None:
    admin = await plane.key("root", "admin")
    answer = await plane.client.get(EXPORT, headers=admin)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="usage.csv"'
    assert answer.headers["cache-control"] == "no-store"


async def test_the_command_writes_the_same_and_a_file_only_when_it_is_whole(
    plane: Plane, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await plane.key("root", "admin")
    await record(plane.database, [CallSpec(), CallSpec(user="bob", fails_first=True)])
    for form in ("csv", "jsonl", "focus"):
        over_http = await get(plane, admin, format=form, user="bob")
        path = tmp_path / form
        where = ("--format", form, "--where", "user=bob")
        terminal.done("export", *where, "--output", str(path))
        assert path.read_bytes().decode("utf-8-sig") == over_http
        assert terminal.done("export", *where).removeprefix("\ufeff") == over_http
    monkeypatch.setenv("TOLLBRIDGE_EXPORT_CALLS_MAX", "1")
    whole = tmp_path / "whole.csv"
    assert "more than 1 calls" in terminal.refused("export", "--output", str(whole))
    assert not whole.exists()
    assert "wavespeed" in terminal.refused("export", "--where", "provider=wavespede")


async def test_parquet_is_a_file_over_http_and_of_the_command(
    plane: Plane, terminal: Terminal, tmp_path: Path
) -> None:
    admin = await plane.key("root", "admin")
    ada = await plane.key("ada", "read")
    await record(plane.database, [CallSpec(user="ada"), CallSpec(user="bob", label="secret")])
    answer = await plane.client.get(EXPORT, params={"format": "parquet"}, headers=admin)
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert 'filename="usage.parquet"' in answer.headers["content-disposition"]
    path = tmp_path / "usage.parquet"
    terminal.done("export", "--format", "parquet", "--output", str(path))
    whole = parquet.read_table(path)
    assert whole == parquet.read_table(io.BytesIO(answer.content))
    assert whole.column_names == list(NAMES)
    own = await plane.client.get(EXPORT, params={"format": "parquet"}, headers=ada)
    assert parquet.read_table(io.BytesIO(own.content))["user"].to_pylist() == ["ada"]
    assert "--output" in terminal.refused("export", "--format", "parquet")
