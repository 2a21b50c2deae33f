"""Whatever a caller sends: a clear answer in OpenAI's shape, and nothing that was not served."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.node import KEY, MODEL, WAIT_MAX_S, Node, chat, config_of, running_node
from tests.support.raw_caller import head, raw_caller, whole
from tests.support.raw_provider import RawProvider, running_raw_provider
from tollbridge.access.keys import KeyTerms
from tollbridge.access.store import create_key, list_keys, revoke_key
from tollbridge.processes.secrets import load_secrets

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
BODY_BYTES_MAX = 12 * 1024 * 1024
# Every key says which it is; none of them may be found where it does not belong.
KEYS = {
    "EXPIRED_KEY": "expired-key-0123456789-0123456789-0123456789",
    "READER_KEY": "readers-key-0123456789-0123456789-0123456789",
    "ODD_KEY": "odd+key/0123456789=0123456789%20-0123456789",
}
CONFIG_OF_KEYS = """
[[key]]
name = "expired"
key_env = "EXPIRED_KEY"
expires = 2020-01-01T00:00:00Z
[[key]]
name = "reader"
key_env = "READER_KEY"
scopes = ["read"]
[[key]]
name = "odd"
key_env = "ODD_KEY"
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def provider() -> AsyncIterator[RawProvider]:
    async with running_raw_provider() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(
    tmp_path_factory: pytest.TempPathFactory, provider: RawProvider
) -> AsyncIterator[Node]:
    async with running_node(
        tmp_path_factory.mktemp("node"),
        config_of(provider.url, extra=CONFIG_OF_KEYS),
        environment=KEYS,
        body_bytes_max=BODY_BYTES_MAX,
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def nothing_is_served_and_the_worker_lives(
    node: Node, provider: RawProvider
) -> AsyncIterator[None]:
    """What is refused is not recorded as served; afterwards the worker serves."""
    yield
    before = len(provider.received)
    assert len([call for call in node.calls() if call.closed.attempts]) == before
    async with node.client() as client:
        assert (await client.post(CHAT, json=chat())).status_code == 200
    assert len(provider.received) == before + 1


def invalid(**fields: Any) -> bytes:
    return json.dumps({**chat(), **fields}).encode()


BAD_BODIES: dict[str, tuple[bytes, str | None]] = {
    "empty": (b"", None),
    "no JSON": (b"model=gpt-4o-mini", None),
    "cut": (json.dumps(chat()).encode()[:-5], None),
    "two values": (json.dumps(chat()).encode() * 2, None),
    "a list": (json.dumps([chat()]).encode(), None),
    "a text": (b'"hello"', None),
    "null": (b"null", None),
    "NaN": (b'{"model":"gpt-4o-mini","messages":[],"temperature":NaN}', None),
    "single quotes": (b"{'model':'gpt-4o-mini','messages':[]}", None),
    "comment": (b'{"model":"gpt-4o-mini",/*x*/"messages":[]}', None),
    "no UTF-8": (b'{"model":"gpt-4o-mini","messages":[],"x":"\xff\xfe"}', None),
    "UTF-16": (json.dumps(chat()).encode("utf-16"), None),
    "byte order mark": (b"\xef\xbb\xbf" + json.dumps(chat()).encode(), None),
    "nested": (b'{"model":"gpt-4o-mini","messages":[],"x":' + b"[" * 100_000, None),
    "nested and closed": (
        b'{"model":"gpt-4o-mini","messages":[],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        None,
    ),
    "no messages": (b'{"model":"gpt-4o-mini"}', "messages"),
    "model empty": (invalid(model=""), "model"),
    "model long": (invalid(model="x" * 513), "model"),
    "model number": (invalid(model=5), "model"),
    "model null": (invalid(model=None), "model"),
    "messages text": (invalid(messages="hi"), "messages"),
    "stream text": (invalid(stream="true"), "stream"),
    "stream number": (invalid(stream=1), "stream"),
    "stream_options text": (invalid(stream=True, stream_options="x"), "stream_options"),
    "include_usage text": (
        invalid(stream=True, stream_options={"include_usage": "yes"}),
        "stream_options.include_usage",
    ),
    "max_tokens text": (invalid(max_tokens="5"), "max_tokens"),
    "max_tokens zero": (invalid(max_tokens=0), "max_tokens"),
    "max_tokens negative": (invalid(max_completion_tokens=-1), "max_completion_tokens"),
    "max_tokens fraction": (invalid(max_tokens=1.5), "max_tokens"),
    "max_tokens huge": (invalid(max_tokens=10**40), "max_tokens"),
    "n huge": (invalid(n=10**18), "n"),
    "n list": (invalid(n=[1]), "n"),
    "user number": (invalid(user=7), "user"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_body_that_cannot_be_understood_is_a_400_that_says_why(
    node: Node, name: str
) -> None:
    body, parameter = BAD_BODIES[name]
    async with node.client() as client:
        answered = await client.post(CHAT, content=body)
    assert answered.status_code == 400
    error = answered.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_request")
    assert error["param"] == parameter
    assert error["message"]
    assert KEY not in answered.text
    assert answered.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("path", "body", "parameter"),
    [
        ("/v1/completions", {"model": MODEL, "prompt": 5}, "prompt"),
        ("/v1/completions", {"model": MODEL, "prompt": "x", "best_of": 0}, "best_of"),
        ("/v1/embeddings", {"model": MODEL}, "input"),
        ("/v1/embeddings", {"model": MODEL, "input": 5}, "input"),
    ],
)
async def test_the_other_addresses_check_theirs(
    node: Node, path: str, body: dict[str, Any], parameter: str
) -> None:
    async with node.client() as client:
        answered = await client.post(path, json=body)
    assert (answered.status_code, answered.json()["error"]["param"]) == (400, parameter)


async def test_an_unknown_model_is_a_404_that_names_near_ones(node: Node) -> None:
    async with node.client() as client:
        answered = await client.post(CHAT, json=chat() | {"model": "gpt-4o-minni"})
    assert (answered.status_code, answered.json()["error"]["code"]) == (404, "model_not_found")
    assert MODEL in answered.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b'{ "model" : "gpt-4o-mini",\n"messages":["\\u00e9 \xc3\xa9"],"new":[2.50,1e999,{}]}',
        b'{"messages":[],"model":"gpt-4o-mini","seed":12345678901234567890123456789012345}',
        b'{"model":"gpt-4o-mini","messages":[],"x":1,"x":2,"stream":null,"n":null}',
    ],
    ids=["unknown fields", "huge number", "duplicate keys"],
)
async def test_what_is_not_ours_to_understand_reaches_the_provider_byte_for_byte(
    node: Node, provider: RawProvider, body: bytes
) -> None:
    async with node.client() as client:
        answered = await client.post(CHAT, content=body)
    assert answered.status_code == 200
    assert provider.bodies[-1] == body


async def test_a_stream_that_asks_for_nothing_gets_usage_asked_for_and_keeps_its_fields(
    node: Node, provider: RawProvider
) -> None:
    """The provider here answers with no stream: one attempt, and an honest 502."""
    body = chat(stream=True, stream_options={"include_obfuscation": False}, x=[1.50, {"y": None}])
    async with node.client() as client:
        answered = await client.post(CHAT, json=body)
    assert answered.status_code == 502
    sent = json.loads(provider.bodies[-1])
    assert sent == {
        **body,
        "stream_options": {"include_obfuscation": False, "include_usage": True},
    }


async def test_a_prompt_of_ten_megabytes_is_carried(node: Node, provider: RawProvider) -> None:
    body = json.dumps(chat("x" * 10_000_000)).encode()
    async with node.client() as client:
        answered = await client.post(CHAT, content=body)
    assert answered.status_code == 200
    assert provider.bodies[-1] == body


async def test_a_body_over_the_limit_is_a_413_by_its_stated_length_before_it_is_sent(
    node: Node,
) -> None:
    async with raw_caller(node) as caller:
        await caller.send(head(f"content-length: {BODY_BYTES_MAX + 1}"))
        answered = await caller.response()
    assert (answered.status, answered.error["code"]) == (413, "body_too_large")


async def test_a_body_over_the_limit_is_a_413_when_it_comes_in_chunks(node: Node) -> None:
    async with raw_caller(node) as caller:
        await caller.send(head("transfer-encoding: chunked"))
        part = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        for _ in range(BODY_BYTES_MAX // 0x100000 + 1):
            await caller.send(part)
        answered = await caller.response()
        assert (answered.status, answered.error["code"]) == (413, "body_too_large")
        await caller.send(b"0\r\n\r\n" + whole(chat()))
        assert (await caller.response()).status == 200, "the connection is still in step"


async def test_a_body_shorter_than_its_length_is_a_400_where_the_caller_still_listens(
    node: Node,
) -> None:
    async with raw_caller(node) as caller:
        await caller.send(head("content-length: 1000") + b'{"model":"gpt-4o-mini"')
        caller.half_close()
        answered = await caller.response()
        assert answered.status == 400
        assert "shorter" in answered.error["message"]
        assert await caller.ended() == b""


async def test_a_caller_who_leaves_in_the_middle_of_its_body_leaves_no_trace(node: Node) -> None:
    for body in (b"", b'{"model":"gpt-4o-mini"', json.dumps(chat()).encode()):
        async with raw_caller(node) as caller:
            await caller.send(head("content-length: 1000") + body)
    async with raw_caller(node) as caller:
        await caller.send(head("transfer-encoding: chunked") + b"5\r\nabc")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_the_wrong_method_is_a_405(node: Node, method: str) -> None:
    async with node.client() as client:
        answered = await client.request(method, CHAT)
    assert (answered.status_code, answered.json()["error"]["code"]) == (405, "method_not_allowed")


async def test_an_answer_to_head_has_no_body_that_the_next_answer_would_begin_with(
    node: Node,
) -> None:
    async with raw_caller(node) as caller:
        await caller.send(head(method="HEAD", path="/v1/models"))
        await caller.send(head(method="GET", path="/v1/models"))
        assert (await caller.response(to_head=True)).status == 405
        answered = await caller.response()
    assert answered.status == 200


@pytest.mark.parametrize(
    "path",
    ["/v1/files", "/v1/batches", "/v1/realtime", "/v1/chat/completions/", "/v1/" + "x" * 5000],
)
async def test_an_address_that_is_not_carried_is_a_404_that_says_so(node: Node, path: str) -> None:
    async with node.client() as client:
        answered = await client.post(path, json={})
    assert (answered.status_code, answered.json()["error"]["code"]) == (404, "not_carried")
    assert len(answered.content) < 1000


async def test_an_encoded_body_is_a_400_that_says_so(node: Node) -> None:
    async with node.client() as client:
        answered = await client.post(CHAT, content=b"x", headers={"content-encoding": "gzip"})
        assert answered.status_code == 400
        assert "encoded" in answered.json()["error"]["message"]
        answered = await client.post(CHAT, json=chat(), headers={"content-encoding": "identity"})
        assert answered.status_code == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS greeting\r\n\r\n",
        b"GET /v1/models HTTP/9.9\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"POST /v1/c HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/\xff HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_400_in_the_same_shape(node: Node, request_bytes: bytes) -> None:
    async with raw_caller(node) as caller:
        await caller.send(request_bytes)
        answered = await caller.response()
        assert answered.status == 400
        assert answered.error["code"] == "invalid_request"
        assert await caller.ended() == b""


async def test_chunks_that_are_no_chunks_are_a_400(node: Node) -> None:
    async with raw_caller(node) as caller:
        await caller.send(head("transfer-encoding: chunked") + b"5\r\nabcde\r\nzzz\r\n")
        assert (await caller.response()).status == 400
        assert await caller.ended() == b""


async def test_an_offer_to_upgrade_is_passed_over(node: Node) -> None:
    """Java's client offers HTTP/2 in its first request."""
    offer = ("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAEA", "Upgrade: h2c")
    async with raw_caller(node) as caller:
        await caller.send(whole(chat(), *offer))
        assert (await caller.response()).status == 200


# Keys


async def test_a_key_is_taken_from_wherever_the_sdks_put_it(node: Node) -> None:
    async with node.client() as client:
        del client.headers["authorization"]
        for headers in (
            {"authorization": f"Bearer {KEY}"},
            {"authorization": f"bearer  {KEY}"},
            {"x-api-key": KEY},
            {"x-goog-api-key": KEY},
            {"authorization": "Basic eDp5", "x-api-key": KEY},
        ):
            answered = await client.post(CHAT, json=chat(), headers=headers)
            assert answered.status_code == 200
        for query in ({"key": KEY}, {"alt": "sse", "key": KEY}, {"key": KEYS["ODD_KEY"]}):
            assert (await client.post(CHAT, json=chat(), params=query)).status_code == 200


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (None, "no API key was sent"),
        ("tb_wrong", "not known"),
        ("x" * 10_000, "not known"),
        ("ключ", "not known"),
        (KEYS["EXPIRED_KEY"], "expired"),
    ],
)
async def test_a_key_that_is_not_good_is_a_401_that_says_why_and_not_which(
    node: Node, key: str | None, says: str
) -> None:
    async with node.client() as client:
        del client.headers["authorization"]
        headers = {} if key is None else {b"authorization": b"Bearer " + key.encode()}
        for path in (CHAT, "/v1/models"):
            method = "GET" if path == "/v1/models" else "POST"
            answered = await client.request(method, path, headers=headers)
            assert answered.status_code == 401
            assert answered.json()["error"]["code"] == "invalid_api_key"
            assert says in answered.json()["error"]["message"]
            assert not key or key not in answered.text


async def test_a_revoked_key_is_a_401_within_a_moment(node: Node) -> None:
    pepper = load_secrets(node.worker._settings, node.places).pepper
    async with node.database.write() as unit:
        minted = await create_key(unit, KeyTerms(name="short-lived", user="ana"), pepper)
    async with node.client() as client:
        client.headers["authorization"] = f"Bearer {minted.key}"

        async def until(status: int) -> dict[str, Any]:
            async with asyncio.timeout(WAIT_MAX_S):
                while True:
                    answered = await client.get("/v1/models")
                    if answered.status_code == status:
                        return answered.json()
                    await asyncio.sleep(0.02)

        await until(200)
        async with node.database.write() as unit:
            await revoke_key(unit, "short-lived")
        assert "revoked" in (await until(401))["error"]["message"]


async def test_a_key_without_the_scope_is_a_403(node: Node) -> None:
    headers = {"authorization": f"Bearer {KEYS['READER_KEY']}"}
    async with node.client() as client:
        for method, path in (("POST", CHAT), ("GET", "/v1/models")):
            answered = await client.request(method, path, headers=headers, json=chat())
            assert answered.status_code == 403
            assert answered.json()["error"]["code"] == "permission_denied"


async def test_nothing_of_the_caller_but_the_body_reaches_the_provider(
    node: Node, provider: RawProvider
) -> None:
    secrets = {
        "authorization": f"Bearer {KEY}",
        "x-api-key": KEY,
        "x-goog-api-key": KEY,
        "cookie": "session=cookie-secret",
        "x-forwarded-for": "203.0.113.9",
        "forwarded": "for=203.0.113.9",
        "x-real-ip": "203.0.113.9",
        "proxy-authorization": "Basic proxy-secret",
        "referer": "http://referer-secret",
        "user-agent": "agent-secret",
        "openai-organization": "org-secret",
        "x-stainless-lang": "stainless-secret",
        "x-tollbridge-customer": "customer-secret",
        "x-client-request-id": "request-id-secret",
    }
    async with node.client() as client:
        answered = await client.post(CHAT, json=chat(), headers=secrets, params={"key": KEY})
    assert answered.status_code == 200
    received = provider.received[-1].partition(b"\r\n\r\n")[0].decode("latin-1")
    for secret in (KEY, "secret=", "203.0.113.9", "cookie"):
        assert secret not in received
    assert "-secret" not in received
    names = {line.partition(":")[0].lower() for line in received.split("\r\n")[1:]}
    assert names == {
        "host",
        "content-type",
        "accept",
        "accept-encoding",
        "user-agent",
        "x-client-request-id",
        "authorization",
        "content-length",
    }
    assert "authorization: Bearer secret-1" in received
    assert answered.headers["x-tollbridge-call-id"] in received


async def test_a_callers_key_stands_in_no_record(node: Node) -> None:
    spooled = b"".join(path.read_bytes() for path in node.places.spool.iterdir())
    assert b"gpt-4o-mini" in spooled
    for key in (KEY, *KEYS.values()):
        assert key.encode() not in spooled


async def test_names_that_callers_give_are_bounded_and_can_be_stored(node: Node) -> None:
    """A NUL would not fit into PostgreSQL, nor megabytes into a roll-up's key."""
    async with node.client() as client:
        for user in ("a\0b\n", "x" * 100_000, "é✓"):
            answered = await client.post(CHAT, json=chat(user=user))
            assert answered.status_code == 200
            customer = next(
                call.opened.customer
                for call in node.calls()
                if call.opened.call_id == answered.headers["x-tollbridge-call-id"]
            )
            assert customer is not None
            assert customer.isprintable()
            assert len(customer) <= 200
        answered = await client.post(
            CHAT, json=chat(), headers={"x-tollbridge-tags": ",".join("abcdefghi")}
        )
        assert answered.status_code == 400


# What is the office's


async def test_what_is_passed_to_the_office_has_its_limits_too(node: Node) -> None:
    async with node.client() as client:
        answered = await client.post("/api/v1/keys", content=b"x" * (BODY_BYTES_MAX + 1))
        assert (answered.status_code, answered.json()["error"]["code"]) == (413, "body_too_large")
        assert (await client.get("/healthz")).status_code == 200


async def test_half_a_body_is_not_passed_to_the_office(node: Node) -> None:
    """A caller who leaves in the middle must not have made a key of half its wishes."""
    body = b'{"name": "half", "user": "ana"}'
    async with raw_caller(node) as caller:
        await caller.send(head(f"content-length: {len(body) + 10}", path="/api/v1/keys") + body)
    await asyncio.sleep(0.1)
    async with node.database.read() as unit:
        assert "half" not in {row.terms.name for row in await list_keys(unit)}
