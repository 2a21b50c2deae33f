"""One request to a sandbox without a socket: what it answered, and what it wrote down."""

import contextlib
import json
from typing import Any, NamedTuple

from tollbridge.sandbox import LogEntry, Sandbox
from tollbridge.sandbox.exchange import ConnectionCutError, Message

KEY = "sk-test-1234"
AUTH = {
    "authorization": f"Bearer {KEY}",
    "x-api-key": KEY,
    "api-key": KEY,
    "xi-api-key": KEY,
    "x-goog-api-key": KEY,
    "anthropic-version": "2023-06-01",
}


class Reply(NamedTuple):
    """An answer, as far as it came; `whole` says whether it came to its end."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool
    entry: LogEntry

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def events(self) -> list[tuple[str | None, Any]]:
        """The events: name and data (a string where it is not JSON)."""
        found: list[tuple[str | None, Any]] = []
        for block in self.body.replace(b"\r\n", b"\n").split(b"\n\n"):
            name: str | None = None
            data: list[str] = []
            for line in block.decode().split("\n"):
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    data.append(line[6:])
            if data:
                text = "\n".join(data)
                found.append(
                    (name, json.loads(text) if text[:1] in "{[" and text != "[DONE]" else text)
                )
        return found

    @property
    def data(self) -> list[Any]:
        """The data of the events that are JSON."""
        return [data for _, data in self.events if not isinstance(data, str)]


async def ask(
    app: Sandbox,
    path: str,
    body: object = None,
    *,
    method: str | None = None,
    headers: dict[str, str] | None = None,
    script: dict[str, Any] | None = None,
) -> Reply:
    """Send one request and return the answer; `script` goes in its header."""
    data = b""
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"host": "sandbox.test", **AUTH, **(headers or {})}
    if script is not None:
        given["x-sandbox-script"] = json.dumps(script)
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method or ("GET" if body is None else "POST"),
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    with contextlib.suppress(ConnectionCutError):
        await app(scope, receive, send)
    status = 0
    answered: dict[str, str] = {}
    parts: list[bytes] = []
    whole = False
    for message in sent:
        if message["type"] == "http.response.start":
            status = message["status"]
            answered = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            parts.append(message["body"])
            whole = not message["more_body"]
    return Reply(status, answered, b"".join(parts), whole, app.log[-1])


def form(fields: dict[str, str], **files: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    """Return a multipart body and the header that goes with it."""
    mark = "sandboxboundary"
    parts: list[bytes] = []
    for name, value in fields.items():
        head = f'--{mark}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n'
        parts.append(head.encode() + value.encode() + b"\r\n")
    for name, (filename, content) in files.items():
        head = (
            f'--{mark}\r\ncontent-disposition: form-data; name="{name}"; '
            f'filename="{filename}"\r\ncontent-type: application/octet-stream\r\n\r\n'
        )
        parts.append(head.encode() + content + b"\r\n")
    body = b"".join(parts) + f"--{mark}--\r\n".encode()
    return body, {"content-type": f"multipart/form-data; boundary={mark}"}
