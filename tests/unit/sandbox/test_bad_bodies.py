"""A body that no provider would take is refused at every address, and never breaks the sandbox."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.asked import ask, form
from tollbridge.sandbox import Sandbox
from tollbridge.sandbox.dialects.registry import DIALECTS

NAMES = ("model", "prompt", "input", "messages", "text", "inputs", "contents", "instances",
         "requests", "documents", "query", "texts", "input_type", "duration", "tools", "size",
         "seconds", "max_tokens", "task_type", "config", "n", "parameters", "content", "voice",
         "taskType", "version", "system", "generationConfig", "image_size",
         "durationSeconds")  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 7, -1, 1.5, "x", "", [], ["x"], [7], [None], [[]], {}, {"a": 1}, [{}],
    [{"role": "user", "content": 7}], [{"role": "user", "parts": "x"}], [{"type": "function"}],
    [{"function": 7}],
)  # fmt: skip


def addresses() -> Iterator[tuple[str, str]]:
    """Yield the method and a path of every route, its parameters filled in."""
    for dialect in DIALECTS:
        for route in dialect.routes:
            path = route.path.replace("{version}", "v1beta")
            parts = [part if not part.startswith("{") else "x" for part in path.split("/")]
            path = "/".join(parts).replace("{model}", "x").replace("{id}", "x")
            yield route.method, f"{dialect.base}{path}"


ADDRESSES = sorted(set(addresses()))


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
async def test_whatever_is_sent_is_answered(method: str, path: str) -> None:
    app = Sandbox()
    bodies: list[Any] = [b"", b"{", b"\xff", *VALUES]
    fine: dict[str, Any] = dict.fromkeys(NAMES, "x")
    if method == "POST":
        bodies += [fine | {name: value} for name in NAMES for value in VALUES]
    bodies += [[{"taskType": "videoInference", name: value}] for name in NAMES for value in VALUES]
    for body in bodies if method == "POST" else bodies[:3]:
        sent = b"null" if body is None else body
        reply = await ask(app, path, sent, method=method)
        assert reply.status in {200, 201, 202} or 400 <= reply.status < 500, (body, reply.body)
    empty, headers = form({"prompt": "x", "model": "x", "n": "y", "duration": "z"})
    reply = await ask(app, path, empty, method=method, headers=headers)
    assert reply.status < 500
    assert (await ask(app, f"{path}?limit=x&after=y", method="GET")).status < 500


DEEP: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "m", "messages": [{"role": "user", "content": "x"}]},
    "/v1/responses": {"model": "m", "input": "x"},
    "/v1/images/generations": {"prompt": "x"},
    "/anthropic/v1/messages": {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "x"}],
    },
    "/gemini/v1/models/m:generateContent": {"contents": [{"parts": [{"text": "x"}]}]},
    "/replicate/v1/predictions": {"version": "a/video", "input": {"prompt": "x"}},
    "/wavespeed/api/v3/a/video": {"prompt": "x"},
    "/piapi/api/v1/task": {"model": "m", "task_type": "video", "input": {"prompt": "x"}},
}
FIELDS = ("tools", "tool_choice", "system", "config", "input", "text", "reasoning", "duration",
          "thinking", "size", "quality", "n", "toolConfig", "generationConfig", "metadata",
          "response_format", "webhook", "model", "messages", "contents")  # fmt: skip


@pytest.mark.parametrize("path", sorted(DEEP))
async def test_one_field_that_is_wrong_is_refused_or_passed_over(path: str) -> None:
    app = Sandbox()
    for name in FIELDS:
        for value in VALUES:
            reply = await ask(app, path, DEEP[path] | {name: value})
            assert 200 <= reply.status < 500, (name, value, reply.body)
            inner: dict[str, Any] = DEEP[path].get("input", {})
            if "prompt" in inner:
                nested = DEEP[path] | {"input": inner | {name: value}}
                assert 200 <= (await ask(app, path, nested)).status < 500, (name, value)
