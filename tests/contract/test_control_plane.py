"""Does every address of the control plane keep the same contract?"""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.support.control import Plane, control_plane
from tollbridge.access.users import Role
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)

OPEN = {
    ("post", "/api/v1/auth/token"),
    ("post", "/api/v1/auth/session"),
    ("get", "/api/v1/auth/methods"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
}
# They are of the dashboard's session itself: no key is one.
OF_THE_SESSION = {
    ("get", "/api/v1/auth/session"),
    ("delete", "/api/v1/auth/session"),
}
# What answers with a file has no schema.
FILES = "/api/v1/usage-logs/export"
# They change nothing; what is asked does not fit into an address.
QUESTIONS = {
    ("post", "/api/v1/prices/quote"),
    ("post", "/v2/usage/breakdown"),
    ("post", "/api/subscription/preflight-check"),
}
# They answer as the documents show that they come from: tests/unit/api/test_control_models.py.
AS_DOCUMENTED = ("/api/v1/billing/", "/api/providers/")
# They are of the data plane: errors in OpenAI's envelope, tests/live/test_video_jobs.py, and in
# Google's, tests/live/test_google_media.py.
DATA_PLANE = ("/v1/", "/v1beta/")
# They are asked with a key for calls, and of an office that takes jobs: test_job_kinds.py.
FOR_CALLS = ("/api/v1/generate", "/api/v1/jobs")
# What a read cannot do without.
NEEDED: Mapping[str, Mapping[str, Any]] = {
    "/api/v1/models/actions/history": {"name": "gpt-4o"},
    "/api/v1/models/actions/compare": {"name": ["gpt-4o", "gpt-4.1"]},
    "/api/v1/models/actions/export": {"format": "json"},
    "/api/v1/credit-rates/quote": {"operation": "chat_completion"},
}
UUID = "01940000-0000-7000-8000-00000000dead"


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    async with control_plane(database) as made:
        yield made


def operations(plane: Plane) -> list[tuple[str, str, dict[str, Any]]]:
    schema = plane.application.openapi()
    return [
        (method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if not path.startswith((*AS_DOCUMENTED, *DATA_PLANE))
    ]


def address(path: str) -> str:
    return re.sub(r"\{[^}]+\}", UUID, path)


def assert_envelope(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["error"]
    error = body["error"]
    assert set(error) == {"code", "message", "request_id", "details"}
    assert error["code"] == code
    assert error["message"]
    assert error["request_id"] == answer.headers["x-request-id"]
    return error


async def test_every_operation_refuses_without_credentials(plane: Plane) -> None:
    """All of the OpenAPI document but sign-in and health answers 401 in the envelope."""
    asked = 0
    for method, path, _ in operations(plane):
        if (method, path) in OPEN:
            continue
        answer = await plane.client.request(method, address(path))
        assert_envelope(answer, 401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
        asked += 1
    assert asked >= 11


@pytest.mark.parametrize(
    "credential",
    ["nonsense", "tb_" + "x" * 32, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", "eyJ"],
)
async def test_every_operation_refuses_wrong_credentials(plane: Plane, credential: str) -> None:
    headers = {"authorization": f"Bearer {credential}"}
    for method, path, _ in operations(plane):
        if (method, path) not in OPEN:
            answer = await plane.client.request(method, address(path), headers=headers)
            assert credential not in assert_envelope(answer, 401, "invalid_api_key")["message"]


async def test_a_key_for_calls_alone_sees_nothing(plane: Plane) -> None:
    headers = await plane.key("ci", "call")
    for method, path, _ in operations(plane):
        if (method, path) not in OPEN | OF_THE_SESSION and not path.startswith(FOR_CALLS):
            answer = await plane.client.request(method, address(path), headers=headers)
            assert_envelope(answer, 403, "permission_denied")


async def test_a_key_that_may_read_changes_nothing(plane: Plane) -> None:
    headers = await plane.key("reader", "read")
    unlocked = OPEN | QUESTIONS | OF_THE_SESSION
    writes = [one for one in operations(plane) if one[0] != "get" and one[:2] not in unlocked]
    assert writes
    for method, path, _ in writes:
        answer = await plane.client.request(method, address(path), headers=headers)
        assert_envelope(answer, 403, "permission_denied")


async def test_every_read_answers_an_admin_as_its_schema_says(plane: Plane) -> None:
    """Lists answer 200 with the fields that the schema requires; unknown ids answer 404."""
    headers = await plane.key("root", "admin")
    schema = plane.application.openapi()
    for method, path, operation in operations(plane):
        if method != "get" or path in {"/metrics", *FOR_CALLS}:
            continue
        if (method, path) in OF_THE_SESSION or path == FILES:
            continue
        needed = NEEDED.get(path, {})
        answer = await plane.client.get(address(path), params=needed, headers=headers)
        if "{category}" in path:
            assert_envelope(answer, 400, "invalid_request")
            continue
        if "{" in path:
            assert_envelope(answer, 404, "not_found")
            continue
        assert answer.status_code == 200, answer.text
        content = operation["responses"]["200"]["content"]["application/json"]["schema"]
        name = content["$ref"].rpartition("/")[2]
        assert set(answer.json()) == set(schema["components"]["schemas"][name]["properties"])


async def test_every_operation_documents_the_error_envelope_and_no_other(plane: Plane) -> None:
    for _, path, operation in operations(plane):
        reference = operation["responses"]["default"]["content"]["application/json"]["schema"]
        assert reference["$ref"].endswith("/ErrorEnvelope"), path
        assert "422" not in operation["responses"], path
    assert "HTTPValidationError" not in plane.application.openapi()["components"]["schemas"]


async def test_every_operation_says_what_it_does(plane: Plane) -> None:
    for method, path, operation in operations(plane):
        assert operation.get("description"), f"{method} {path}"
        assert operation["tags"], f"{method} {path}"


async def test_every_list_refuses_a_parameter_that_it_does_not_know(plane: Plane) -> None:
    """A misspelt filter is an error that names it, and not a list of everything."""
    headers = await plane.key("root", "admin")
    lists = [
        path
        for method, path, operation in operations(plane)
        if method == "get"
        and operation.get("parameters")
        and "{" not in path
        and path not in FOR_CALLS
    ]
    assert len(lists) >= 5
    for path in lists:
        misspelt = {**NEEDED.get(path, {}), "providr": "openai"}
        answer = await plane.client.get(path, params=misspelt, headers=headers)
        error = assert_envelope(answer, 400, "invalid_request")
        assert error["details"]["fields"][0]["field"] == "providr"


async def test_every_cursor_that_is_not_ours_is_refused(plane: Plane) -> None:
    headers = await plane.key("root", "admin")
    paged = [
        path
        for _, path, operation in operations(plane)
        if any(one["name"] == "cursor" for one in operation.get("parameters", []))
    ]
    assert len(paged) >= 4
    for path in paged:
        for cursor in ("%%%", "bm9uc2Vuc2U", "WzEsMl0", "é"):
            answer = await plane.client.get(path, params={"cursor": cursor}, headers=headers)
            assert_envelope(answer, 400, "invalid_request")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "no_such_address"),
        ("GET", "/v2/nothing", 404, "no_such_address"),
        ("PUT", "/api/v1/keys", 405, "method_not_allowed"),
        ("GET", "/api/v1/keys/", 404, "no_such_address"),
    ],
)
async def test_what_is_not_there_answers_in_the_envelope(
    plane: Plane, method: str, path: str, status: int, code: str
) -> None:
    answer = await plane.client.request(method, path)
    assert_envelope(answer, status, code)
    assert (status != 405) or answer.headers["allow"]


async def test_a_body_that_does_not_fit_names_its_fields_and_not_their_values(
    plane: Plane,
) -> None:
    answer = await plane.client.post("/api/v1/auth/token", json={"username": 1, "pasword": "hush"})
    error = assert_envelope(answer, 400, "invalid_request")
    named = {one["field"] for one in error["details"]["fields"]}
    assert named == {"username", "password", "pasword"}
    assert "hush" not in answer.text


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'"text"', b""])
async def test_a_body_that_is_no_json_object_is_a_400(plane: Plane, body: bytes) -> None:
    answer = await plane.client.post(
        "/api/v1/auth/token", content=body, headers={"content-type": "application/json"}
    )
    assert_envelope(answer, 400, "invalid_request")


async def test_a_body_beyond_the_limit_is_a_413(plane: Plane) -> None:
    answer = await plane.client.post(
        "/api/v1/auth/token",
        content=b'{"username": "' + b"x" * 70_000 + b'"}',
        headers={"content-type": "application/json"},
    )
    assert_envelope(answer, 413, "body_too_large")


async def test_a_fault_of_ours_tells_nothing_of_itself_but_is_recorded(plane: Plane) -> None:
    @plane.application.get("/api/v1/broken")
    async def broken() -> None:
        raise RuntimeError("the secret is 42")

    answer = await plane.client.get("/api/v1/broken")
    assert_envelope(answer, 500, "internal_error")
    assert "secret" not in answer.text  # nor any of it; the id of the fault may hold any digits
    assert [type(fault) for fault in plane.faults] == [RuntimeError]


async def test_a_database_that_is_away_is_a_503(plane: Plane) -> None:
    @plane.application.get("/api/v1/away")
    async def away() -> None:
        raise ConnectionRefusedError("no answer")

    answer = await plane.client.get("/api/v1/away")
    assert_envelope(answer, 503, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert plane.faults == []


async def test_the_openapi_document_is_at_its_address(plane: Plane) -> None:
    await plane.user("ada", Role.ADMIN)
    answer = await plane.client.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["info"]["title"] == "Tollbridge"
