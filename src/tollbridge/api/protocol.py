"""Which requests come on a connection, and how much and how long may they keep us busy?

uvicorn's parser bounds neither the size of a head nor the time a peer takes. This protocol does,
and tells whoever serves a call at once that its caller has gone. One sweep a second looks after
all connections, so that a call pays for no timer. Each request is an `Exchange`, handed to the
application as it is; a task serves it, begun when what came with its head has been read.
"""

from asyncio import BaseTransport, Transport
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tollbridge.api.exchange import Exchange

Serve = Callable[[Exchange], Coroutine[Any, Any, None]]


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

# Nearly all requests are for a few short addresses.
REMEMBERED_BYTES_MAX = 64
REMEMBERED_TARGETS_MAX = 256

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
    """One caller's connection. `limits` and `serve` are set by `protocol_with`."""

    limits = ConnectionLimits()
    serve: Serve

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin: the first head must come in time."""
        super().connection_made(cast("Transport", transport))
        self.lost = False
        self.stalled = False
        self.cut_off = False
        """The peer went, or was dropped, with bytes still to be taken."""
        self._watcher: Callable[[], None] | None = None
        self._room_watcher: Callable[[], None] | None = None
        self._received_bytes = 0
        self._in_head = True
        self._refused = False
        self._head_since_s: float | None = None
        self._body_since_s: float | None = None
        self._stalled_since_s: float | None = None
        self._silent_since_s: float | None = self.loop.time()
        self._latest: Exchange | None = None
        self._unbegun: Exchange | None = None
        """Its head has come, and the rest of that read is still to be parsed."""
        self._queued: deque[Exchange] = deque()
        """Requests that came before the one ahead of them was answered, oldest first."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End: whoever serves a call is told."""
        self.lost = True
        self.cut_off = self._stalled_since_s is not None
        self.connections.discard(self)
        if self._latest is not None and not self._latest.complete:
            self._latest.on_broken()
        self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        self.parser = cast("Any", None)  # it holds our bound methods: a cycle
        on_room, self._room_watcher = self._room_watcher, None
        if on_room is not None:
            on_room()  # nobody takes anything any more: it need not wait for that
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
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # We speak nothing but HTTP/1.1 and may pass an offer over (RFC 9110, 7.8): the request
            # is whole by now, and is served. Bytes behind it would be the other protocol's.
            pass
        except httptools.HttpParserError:
            self._refuse_bytes()
        exchange, self._unbegun = self._unbegun, None
        if exchange is not None and not exchange.broken:
            self._begin(exchange)
        if self._in_head and self._received_bytes > self.limits.header_bytes_max:
            self._refuse_head(HEAD_TOO_LARGE)

    def eof_received(self) -> None:
        """Answer a peer that ended its sending in the middle of a body."""
        latest = self._latest
        if self._body_since_s is not None and latest is not None and not latest.started:
            self._refuse(BODY_TOO_SHORT)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Check the head's size, then let the request be served, or wait for its turn."""
        if self._refused:
            return
        if self._received_bytes > self.limits.header_bytes_max:
            size = len(self.url) + sum([len(name) + len(value) + 4 for name, value in self.headers])
            if size > self.limits.header_bytes_max:
                self._refuse_head(HEAD_TOO_LARGE)
                return
        parser, latest = self.parser, self._latest
        is_old = parser.get_http_version() == "1.0"
        self._latest = exchange = Exchange(
            self,
            parser.get_method().decode("ascii"),
            _split(self.url),
            self.headers,
            is_old=is_old,
            keep_alive=not is_old and parser.should_keep_alive(),
            asks_to_go_on=self.expect_100_continue,
        )
        if latest is None or latest.complete:
            self._unbegun = exchange
        else:
            self.flow.pause_reading()
            self._queued.append(exchange)
        self._in_head = False
        self._head_since_s = None
        self._body_since_s = self.loop.time()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if not self._refused and self._latest is not None:
            self._latest.on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._in_head = True
        self._received_bytes = 0
        self._body_since_s = None
        latest = self._latest
        if not self._refused and latest is not None:
            latest.on_body_end()
            if latest.complete:
                self._silent_since_s = self.loop.time()

    def answered(self, exchange: Exchange) -> None:
        """Begin the next request of the connection, or wait for it."""
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self._queued:
            self._begin(self._queued.popleft())
        elif exchange.has_body and self._head_since_s is None:
            self._silent_since_s = self.loop.time()

    def shutdown(self) -> None:
        """End in good order: at once where nothing is under way, else after the answer."""
        if self._latest is None or self._latest.complete:
            self.transport.close()
        else:
            self._latest.keep_alive = False

    @property
    def peer_host(self) -> str | None:
        """The caller's address, where there is one."""
        return None if self.client is None else self.client[0]

    def pause_writing(self) -> None:
        """Note since when the caller does not read."""
        super().pause_writing()
        self._stalled_since_s = self.loop.time()

    def resume_writing(self) -> None:
        """Note that the caller reads again."""
        super().resume_writing()
        self._stalled_since_s = None
        if self._room_watcher is not None:
            self._room_watcher()

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        """Call back once when the peer goes; now, if it has gone."""
        self._watcher = on_gone
        if on_gone is not None:
            # Behind a queued request the socket is left unread, and a hang-up would go unseen.
            self.flow.resume_reading()
            if self.lost:
                self._watcher = None
                on_gone()

    def watch_room(self, on_room: Callable[[], None] | None) -> None:
        """Call back each time when the caller has read enough again."""
        self._room_watcher = on_room

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

    def _begin(self, exchange: Exchange) -> None:
        task = self.loop.create_task(self.serve(exchange))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _is_answering(self) -> bool:
        """Return whether a request that is here whole has not been answered to its end."""
        latest = self._latest
        if latest is None or latest.complete:
            return False
        return self._body_since_s is None or bool(self._queued)

    def _refuse_bytes(self) -> None:
        """Answer bytes that are no HTTP."""
        if self._in_head:
            self._refuse_head(NOT_HTTP)
        elif not self._refused:
            self._refuse(NOT_HTTP)

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
        transport, latest = self.transport, self._latest
        if transport.is_closing():
            return
        if in_body and latest is not None:
            if latest.started or self._queued:
                transport.abort()
                return
            latest.on_broken()
        transport.write(response)
        if transport.can_write_eof():
            transport.write_eof()
        self.loop.call_later(LINGER_S, transport.abort)


def protocol_with(limits: ConnectionLimits, serve: Serve) -> type[GatewayProtocol]:
    """Return the protocol class that keeps these limits and hands its requests to `serve`."""
    given = {"limits": limits, "serve": staticmethod(serve)}
    return type("LimitedGatewayProtocol", (GatewayProtocol,), given)


def sweep_all(connections: Iterable[Any], now_s: float) -> None:
    """Sweep every connection of a server."""
    for connection in list(connections):
        if isinstance(connection, GatewayProtocol):
            connection.sweep(now_s)


def _split(url: bytes) -> tuple[str, bytes, bytes]:
    """Return path as text, path as it came, and query of a request's target.

    Raises HttpParserInvalidURLError or UnicodeDecodeError, which the parser passes on as its own.
    """
    if len(url) <= REMEMBERED_BYTES_MAX and b"?" not in url:  # a query may hold a key
        return _split_again(url)
    return _split_anew(url)


def _split_anew(url: bytes) -> tuple[str, bytes, bytes]:
    parsed = httptools.parse_url(url)
    path = parsed.path
    text = path.decode("ascii")
    return unquote(text) if "%" in text else text, path, parsed.query or b""


_split_again = lru_cache(REMEMBERED_TARGETS_MAX)(_split_anew)


def _is_over(since_s: float | None, now_s: float, limit_s: float) -> bool:
    return since_s is not None and now_s - since_s > limit_s
