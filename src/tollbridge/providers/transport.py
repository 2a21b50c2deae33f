"""How does a request reach a provider, and how does the answer come back?

A pooled keep-alive HTTP/1.1 client. One `send` is one exchange on one connection; nothing is ever
re-sent here. Where each part lives: `pool` (which connection), `connect` (how it is opened),
`connection` (what it does with bytes), `response` (how the answer is read), `failures`.
"""

import asyncio
import math
import ssl
from collections.abc import Callable

from tollbridge.core.clock import Clock, SystemClock
from tollbridge.providers.connect import Connector, Dialer, connect_tcp
from tollbridge.providers.connection import TIMER_SLACK_S, Connection
from tollbridge.providers.failures import (
    ConnectError,
    ConnectTimeoutError,
    DeadlineExceededError,
    PoolTimeoutError,
)
from tollbridge.providers.head import to_absolute_form
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.origin import Origin
from tollbridge.providers.pool import Lane, Pool
from tollbridge.providers.proxy import ProxySettings
from tollbridge.providers.resolver import CachingResolver, Resolver
from tollbridge.providers.response import Response


class Transport:
    """Exchanges with providers, for one event loop.

    `ssl_context` is `client_ssl_context()` if none is given; `connector` and `resolver` are the
    system's. `clock` measures age and idleness; deadlines are the event loop's time.
    """

    def __init__(
        self,
        limits: TransportLimits,
        *,
        ssl_context: ssl.SSLContext | None = None,
        proxies: ProxySettings | None = None,
        clock: Clock | None = None,
        resolver: Resolver | None = None,
        connector: Connector = connect_tcp,
    ) -> None:
        self._limits = limits
        self._clock = clock or SystemClock()
        self._pool = Pool(limits, self._clock, proxies)
        self._dialer = Dialer(
            limits, resolver or CachingResolver(limits, self._clock), ssl_context, connector
        )
        self._closed = False

    async def send(
        self,
        origin: Origin,
        head: bytes,
        body: bytes = b"",
        *,
        first_byte_timeout_s: float | None = None,
        deadline_s: float | None = None,
        whole_bytes_max: int | None = None,
        on_written: Callable[[], None] | None = None,
    ) -> Response:
        """Send one request and return its response: whole, or as soon as its head is here.

        `head` comes from `compose_head`. `first_byte_timeout_s` runs from the write to the end of
        the response's head; `deadline_s` is an instant of `loop.time()` for all of it. With
        `whole_bytes_max` the whole body is awaited, up to that size; without, it is streamed.
        `on_written` is called just before the first byte leaves, and not at all if none does.

        Raises TransportError in its kinds; a cancelled send closes its connection.
        """
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        deadline_s = math.inf if deadline_s is None else deadline_s
        if now_s >= deadline_s:
            raise DeadlineExceededError("the deadline had passed already", written=False)
        lane = self._pool.lanes.get(origin)
        connection = lane.take() if lane is not None else None
        if lane is None or connection is None:
            lane, connection = await self._acquire(origin, deadline_s)
            now_s = loop.time()
        if lane.proxy is not None and origin.scheme == "http":
            head = to_absolute_form(head, origin.authority.encode(), lane.proxy.authorization)
        first_byte_s = math.inf if first_byte_timeout_s is None else now_s + first_byte_timeout_s
        arrival = loop.create_future()
        response = Response(connection, arrival, whole_bytes_max)
        try:
            if on_written is not None:
                on_written()
            connection.begin(response, head, body, first_byte_s, deadline_s)
            await arrival
        except BaseException:
            response.close()
            raise
        if whole_bytes_max is not None or not response.status:
            response.raise_failure()
        return response

    async def aclose(self) -> None:
        """Close every connection; what is under way breaks off, what waits is refused."""
        self._closed = True
        self._pool.close()
        await asyncio.sleep(0)  # the loop tells each connection that it is gone

    async def _acquire(self, origin: Origin, deadline_s: float) -> tuple[Lane, Connection]:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise ConnectError("the transport is closed")
        until_s = min(loop.time() + self._limits.pool_timeout_s, deadline_s)
        try:
            lane, connection = await self._pool.acquire(origin, until_s)
        except PoolTimeoutError:
            if loop.time() >= deadline_s - TIMER_SLACK_S:
                message = "the deadline passed while waiting for a connection"
                raise DeadlineExceededError(message, written=False) from None
            raise
        if connection is None:
            connection = await self._open(lane, deadline_s)
        return lane, connection

    async def _open(self, lane: Lane, deadline_s: float) -> Connection:
        """Open a connection by the right that the lane gave."""
        loop = asyncio.get_running_loop()
        until_s = min(loop.time() + self._limits.connect_timeout_s, deadline_s)

        def create() -> Connection:
            return Connection(loop, self._limits, lane, self._clock.monotonic_s())

        limit = asyncio.timeout_at(until_s if until_s < math.inf else None)
        try:
            async with limit:
                connection = await self._dialer.dial(lane.origin, lane.proxy, create)
        except BaseException as error:
            lane.give_back()
            if not isinstance(error, TimeoutError) or not limit.expired():
                raise
            if until_s == deadline_s:
                message = "the deadline passed while connecting"
                raise DeadlineExceededError(message, written=False) from None
            message = f"not connected within {self._limits.connect_timeout_s} s"
            raise ConnectTimeoutError(message) from None
        lane.admit(connection)
        if self._closed:
            connection.close()
            raise ConnectError("the transport is closed")
        return connection
