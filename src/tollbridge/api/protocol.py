"""How much, and for how long, may a connection keep us busy?

uvicorn's parser bounds neither the size of a head nor the time a peer takes. This protocol does,
and tells whoever serves a call at once that its caller has gone. One sweep a second looks after
all connections, so that a call pays for no timer.
"""

from asyncio import BaseTransport, Transport
from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

CONNECTION = "connection"
"""The key of the scope's state under which a request finds its connection."""
CYCLE = "cycle"
"""The key under which it finds its own cycle: on a connection, others may be queued behind it."""


class ConnectionLimits(msgspec.Struct, frozen=True):
    """Bounds of one connection."""

    header_bytes_max: int = 64 * 1024
    header_timeout_s: float = 15.0
    body_timeout_s: float = 120.0
    write_stall_timeout_s: float = 60.0
    idle_timeout_s: float = 75.0


def _refusal(status: bytes, code: bytes, message: bytes) -> bytes:
    body = b'{"error":{"message":"%b","type":"invalid_request_error","param":null,"code":"%b"}}' % (
        message,
        code,
    )
    return (
        b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
        b"connection: close\r\n\r\n%b" % (status, len(body), body)
    )


# Java's client offers HTTP/2 in its first request; the parser would then give the body up as the
# other protocol's, and the request would come without one. An offer may be passed over.
OFFER = b"\r\nUpgrade: h2c\r\n"
NO_OFFER = b"\r\nNo-Upgrade: h2c\r\n"

# After a refusal the rest of what the peer sends is thrown away for so long: a socket that is
# closed with unread bytes is reset, and the refusal would be lost with it.
LINGER_S = 1.0

HEAD_TOO_LARGE = _refusal(
    b"431 Request Header Fields Too Large", b"headers_too_large", b"the request's head is too large"
)
HEAD_TOO_SLOW = _refusal(
    b"408 Request Timeout", b"timeout", b"the request's head took too long to arrive"
)
BODY_TOO_SLOW = _refusal(
    b"408 Request Timeout", b"timeout", b"the request's body took too long to arrive"
)
NOT_HTTP = _refusal(b"400 Bad Request", b"invalid_request", b"this is not a valid HTTP/1.1 request")
BODY_TOO_SHORT = _refusal(
    b"400 Bad Request", b"invalid_request", b"the body is shorter than its stated length"
)


class GatewayProtocol(HttpToolsProtocol):
    """One caller's connection. `limits` is set by `protocol_with`."""

    limits = ConnectionLimits()

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin: the first head must come in time."""
        super().connection_made(cast("Transport", transport))
        self.lost = False
        self.stalled = False
        self.cut_off = False
        """The peer went, or was dropped, with bytes still to be taken."""
        self._watcher: Callable[[], None] | None = None
        self._received_bytes = 0
        self._in_head = True
        self._refused = False
        self._head_since_s: float | None = None
        self._body_since_s: float | None = None
        self._stalled_since_s: float | None = None
        self._silent_since_s: float | None = self.loop.time()
        self._latest: RequestResponseCycle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End: whoever serves a call is told."""
        self.lost = True
        self.cut_off = self._stalled_since_s is not None
        super().connection_lost(exc)
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the head's are counted until it is complete."""
        if self._refused:
            return
        if self._in_head:
            self._received_bytes += len(data)
            if self._head_since_s is None:
                self._head_since_s = self.loop.time()
                self._silent_since_s = None
            if data.find(OFFER, 0, data.find(b"\r\n\r\n") + 2) >= 0:
                data = data.replace(OFFER, NO_OFFER, 1)
        super().data_received(data)
        if self._in_head and self._received_bytes > self.limits.header_bytes_max:
            self._refuse_head(HEAD_TOO_LARGE)

    def eof_received(self) -> None:
        """Answer a peer that ended its sending in the middle of a body."""
        if self._body_since_s is not None and not self.cycle.response_started:
            self._refuse(BODY_TOO_SHORT)

    def on_headers_complete(self) -> None:
        """Check the head's size, then let the request be served."""
        if self._refused:
            return
        if self._received_bytes > self.limits.header_bytes_max:
            size = len(self.url) + sum([len(name) + len(value) + 4 for name, value in self.headers])
            if size > self.limits.header_bytes_max:
                self._refuse_head(HEAD_TOO_LARGE)
                return
        super().on_headers_complete()
        self._latest = self.cycle
        self.scope["state"] = {CONNECTION: self, CYCLE: self.cycle}
        self._in_head = False
        self._head_since_s = None
        self._body_since_s = self.loop.time()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._in_head = True
        self._received_bytes = 0
        self._body_since_s = None
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP; named by uvicorn, whose answer would be plain text."""
        del msg  # uvicorn's words
        if self._in_head:
            self._refuse_head(NOT_HTTP)
        elif not self._refused:
            self._refuse(NOT_HTTP)

    def pause_writing(self) -> None:
        """Note since when the caller does not read."""
        super().pause_writing()
        self._stalled_since_s = self.loop.time()

    def resume_writing(self) -> None:
        """Note that the caller reads again."""
        super().resume_writing()
        self._stalled_since_s = None

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        """Call back once when the peer goes; now, if it has gone."""
        self._watcher = on_gone
        if on_gone is not None:
            # After a large body uvicorn leaves the socket unread, and a hang-up would go unseen.
            self.flow.resume_reading()
            if self.lost:
                self._watcher = None
                on_gone()

    def hang_up(self, cycle: RequestResponseCycle) -> None:
        """Close after what was written has gone out, without an end of the response."""
        cycle.disconnected = True
        self.transport.close()

    def sweep(self, now_s: float) -> None:
        """End what takes too long; called once a second."""
        limits = self.limits
        if _is_over(self._stalled_since_s, now_s, limits.write_stall_timeout_s):
            self.stalled = True
            self.transport.abort()
        elif self._is_answering():
            self._head_since_s = None  # what is sent meanwhile waits for us, not we for it
        elif _is_over(self._head_since_s, now_s, limits.header_timeout_s):
            self._refuse_head(HEAD_TOO_SLOW)
        elif _is_over(self._body_since_s, now_s, limits.body_timeout_s):
            self._refuse(BODY_TOO_SLOW)
        elif _is_over(self._silent_since_s, now_s, limits.idle_timeout_s):
            self.transport.close()

    def _is_answering(self) -> bool:
        """Return whether a request that is here whole has not been answered to its end."""
        cycle = self._latest
        if cycle is None or cycle.response_complete:
            return False
        return self._body_since_s is None or bool(self.pipeline)

    def _refuse_head(self, response: bytes) -> None:
        """Refuse what cannot become a request; a call under way would take it for its answer."""
        if self._is_answering():
            self._refused = True
            self.transport.abort()
        else:
            self._refuse(response)

    def _refuse(self, response: bytes) -> None:
        """End the connection with a refusal, and the request whose body was on its way."""
        in_body = self._body_since_s is not None
        self._refused = True
        self._head_since_s = self._body_since_s = None
        transport, cycle = self.transport, self.cycle
        if transport.is_closing():
            return
        if in_body and (cycle.response_started or self.pipeline):
            transport.abort()
            return
        transport.write(response)
        if transport.can_write_eof():
            transport.write_eof()
        self.loop.call_later(LINGER_S, transport.abort)
        if in_body:
            cycle.disconnected = True
            cycle.message_event.set()


def protocol_with(limits: ConnectionLimits) -> type[GatewayProtocol]:
    """Return the protocol class that keeps these limits."""
    return type("LimitedGatewayProtocol", (GatewayProtocol,), {"limits": limits})


def sweep_all(connections: Iterable[Any], now_s: float) -> None:
    """Sweep every connection of a server."""
    for connection in list(connections):
        if isinstance(connection, GatewayProtocol):
            connection.sweep(now_s)


def _is_over(since_s: float | None, now_s: float, limit_s: float) -> bool:
    return since_s is not None and now_s - since_s > limit_s
