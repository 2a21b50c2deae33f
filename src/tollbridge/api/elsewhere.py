"""How does a worker answer what only the office knows?

It hands the request over the office's unix socket and the answer back, as bytes. While the office
is away, health is answered here, and everything else waits for it with a 503.
"""

from collections.abc import Callable

import msgspec

from tollbridge.api.calls import Scope
from tollbridge.api.inbound import Room
from tollbridge.api.reply import Receive, Send
from tollbridge.core.errors import OverloadedError
from tollbridge.providers.failures import TransportError
from tollbridge.providers.head import FRAMING_NAMES, METHODS, compose_head
from tollbridge.providers.origin import Origin
from tollbridge.providers.response import Response
from tollbridge.providers.transport import Transport

BODIES_AT_ONCE = 4
"""So many bodies of the largest size are held at one moment: nobody was asked for a key yet."""
NOT_PASSED_BACK = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"date", b"server"}
)


HEALTH = "/healthz"
HEALTH_TIMEOUT_S = 2.0
"""An office that takes longer is away, as far as health is concerned."""


class _TooLargeError(Exception):
    """The body is over the limit."""


class Elsewhere:
    """Passes requests to the office."""

    def __init__(
        self,
        transport: Transport,
        socket_path: str,
        *,
        body_bytes_max: int,
        timeout_s: float,
        own_health: Callable[[], dict[str, object]],
        is_ready: Callable[[], bool],
    ) -> None:
        self._transport = transport
        self._origin = Origin.unix(socket_path)
        self._body_bytes_max = body_bytes_max
        self._room = Room(BODIES_AT_ONCE * body_bytes_max)
        self._timeout_s = timeout_s
        self._own_health = own_health
        self._is_ready = is_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        path: str = scope["path"]
        if path == "/readyz":
            ready = self._is_ready()
            await _answer(send, 200 if ready else 503, {"ready": ready})
            return
        method = str(scope["method"]).encode("ascii")
        if method not in METHODS:
            await _answer(send, 405, _error("method_not_allowed", "this method is not carried"))
            return
        taken: list[int] = []
        try:
            body = await self._body(receive, taken)
            if body is not None:
                await self._pass_on(scope, method, body, send)
        except OverloadedError:
            await _answer(send, 503, _error("overloaded", "too many bodies are under way"))
        except _TooLargeError:
            await _answer(send, 413, _error("body_too_large", "the body is too large"))
        finally:
            self._room.give_back(sum(taken))

    async def _pass_on(self, scope: Scope, method: bytes, body: bytes, send: Send) -> None:
        path: str = scope["path"]
        try:
            head = self._head(scope, method, len(body))
        except ValueError:
            await _answer(send, 400, _error("invalid_request", "the address cannot be passed on"))
            return
        patience_s = HEALTH_TIMEOUT_S if path == HEALTH else self._timeout_s
        try:
            response = await self._transport.send(
                self._origin, head, body, first_byte_timeout_s=patience_s
            )
        except TransportError:
            if path == HEALTH:
                await _answer(send, 200, {**self._own_health(), "status": "degraded"})
                return
            await _answer(send, 503, _error("office_away", "the office is starting; try again"))
            return
        await _pass_back(response, send)

    def _head(self, scope: Scope, method: bytes, body_length: int) -> bytes:
        target: bytes = scope.get("raw_path") or str(scope["path"]).encode()
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        headers = [(name, value) for name, value in scope["headers"] if name not in FRAMING_NAMES]
        host = next((value for name, value in scope["headers"] if name == b"host"), b"localhost")
        headers = [(name, value) for name, value in headers if name != b"content-length"]
        client = scope.get("client")
        if client:
            headers = [pair for pair in headers if pair[0] != b"x-forwarded-for"]
            headers.append((b"x-forwarded-for", str(client[0]).encode()))
        return compose_head(method, target, host, headers, body_length)

    async def _body(self, receive: Receive, taken: list[int]) -> bytes | None:
        """Return the body, None where the caller left before its end; `taken` is its room.

        Raises OverloadedError or _TooLargeError.
        """
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            part: bytes = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > self._body_bytes_max:
                raise _TooLargeError
            self._room.take(len(part))
            taken.append(len(part))
            if not message.get("more_body"):
                return b"".join(parts)


async def _pass_back(response: Response, send: Send) -> None:
    headers = [pair for pair in response.headers if pair[0] not in NOT_PASSED_BACK]
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        while data := response.take() or await response.read():
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        response.close()


def _error(code: str, message: str) -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


async def _answer(send: Send, status: int, content: dict[str, object]) -> None:
    body = msgspec.json.encode(content)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
