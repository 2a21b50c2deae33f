"""Which open connection serves a request, and who may open another?

A lane holds one origin's connections. Its books: `open_count` is every connection that is idle, in
an exchange or being opened. While calls wait, no connection is idle and `open_count` is at its
maximum; what comes free goes to the one who has waited longest.
"""

import asyncio
from collections import deque

from tollbridge.core.clock import Clock
from tollbridge.providers.connection import Connection
from tollbridge.providers.failures import ConnectError, PoolTimeoutError
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.origin import Origin
from tollbridge.providers.proxy import Proxy, ProxySettings


class Lane:
    """One origin's connections."""

    def __init__(self, pool: "Pool", origin: Origin, proxy: Proxy | None) -> None:
        self.origin = origin
        self.proxy = proxy
        self.open_count = 0
        self._pool = pool
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()

    @property
    def idle_count(self) -> int:
        """Return how many connections are ready for reuse."""
        return len(self._idle)

    def take(self) -> Connection | None:
        """Return the connection used last, if one is idle, young and silent."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if self._is_fit(connection, self._pool.clock.monotonic_s()):
                return connection
            connection.close()
        return None

    def reserve(self) -> bool:
        """Take the right to open a connection; `admit` uses it, `give_back` returns it."""
        if self.open_count >= self._pool.limits.connections_per_origin_max:
            return False
        self.open_count += 1
        return True

    def is_fit(self, connection: Connection) -> bool:
        """Return whether a connection may be used again: open, silent, and not too old."""
        return self._is_fit(connection, self._pool.clock.monotonic_s())

    def admit(self, connection: Connection) -> None:
        """Take in a connection that was opened by right.

        Raises ConnectError, the right given back, if it is closed already.
        """
        if connection.closed:
            self.give_back()
            raise ConnectError("the provider closed the connection at once")
        self._connections.add(connection)

    def give_back(self) -> None:
        """Pass the right to open a connection on: the connection is closed, or was never made."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.open_count -= 1
        if not self.open_count and self._pool.lanes.get(self.origin) is self:
            del self._pool.lanes[self.origin]

    def release(self, connection: Connection) -> None:
        """Take back a connection whose exchange ended cleanly."""
        connection.idle_since_s = self._pool.clock.monotonic_s()
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)
        self._pool.schedule_sweep()

    def forget(self, connection: Connection) -> None:
        """Strike a closed connection off."""
        if connection not in self._connections:
            return  # it closed while it was being opened; whoever opens it gives the right back
        self._connections.remove(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self.give_back()

    def sweep(self, now_s: float) -> int:
        """Close what has idled too long or is too old; return how many idle ones remain."""
        for connection in list(self._idle):
            if not self._is_fresh(connection, now_s):
                connection.close()
        return len(self._idle)

    def close(self) -> None:
        """Close every connection; those who wait get PoolTimeoutError."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(PoolTimeoutError("the transport was closed"))
        for connection in list(self._connections):
            connection.close()

    def _is_fresh(self, connection: Connection, now_s: float) -> bool:
        limits = self._pool.limits
        return (
            now_s - connection.idle_since_s < limits.idle_max_s
            and now_s - connection.born_s < limits.age_max_s
        )

    def _is_fit(self, connection: Connection, now_s: float) -> bool:
        return self._is_fresh(connection, now_s) and connection.is_silent()

    async def wait(self, until_s: float) -> Connection | None:
        """Wait for a connection or, None, for the right to open one, until the loop's `until_s`.

        Raises PoolTimeoutError.
        """
        pool = self._pool
        if pool.waiting_count >= pool.limits.waiting_max:
            raise PoolTimeoutError(f"{pool.limits.waiting_max} calls wait for a connection already")
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        pool.waiting_count += 1
        try:
            async with asyncio.timeout_at(until_s):
                return await waiter
        except TimeoutError:
            self._pass_on(waiter)
            raise PoolTimeoutError("no connection came free in time") from None
        except BaseException:
            self._pass_on(waiter)
            raise
        finally:
            pool.waiting_count -= 1

    def _pass_on(self, waiter: asyncio.Future[Connection | None]) -> None:
        """Give what a waiter was granted, just as it left, to the next one."""
        if waiter.cancelled() or not waiter.done():
            if waiter in self._waiters:
                self._waiters.remove(waiter)
        elif waiter.exception() is None:
            connection = waiter.result()
            if connection is None:
                self.give_back()
            elif not connection.closed:
                self.release(connection)


class Pool:
    """The lanes of all origins, and what they share."""

    def __init__(
        self, limits: TransportLimits, clock: Clock, proxies: ProxySettings | None = None
    ) -> None:
        self._proxies = proxies or ProxySettings()
        self.limits = limits
        self.clock = clock
        self.lanes: dict[Origin, Lane] = {}
        self.waiting_count = 0
        self._sweep_timer: asyncio.TimerHandle | None = None

    async def acquire(self, origin: Origin, until_s: float) -> tuple[Lane, Connection | None]:
        """Return a connection, or None for the right to open one, by the loop's `until_s`.

        Raises PoolTimeoutError.
        """
        while True:
            lane = self.lanes.get(origin)
            if lane is None:
                lane = self.lanes[origin] = Lane(self, origin, self._proxies.choose(origin))
            connection = lane.take()
            if connection is not None or lane.reserve():
                return lane, connection
            connection = await lane.wait(until_s)
            if connection is None or lane.is_fit(connection):
                return lane, connection
            connection.close()

    def schedule_sweep(self) -> None:
        """See to it that idle connections are looked through soon."""
        if self._sweep_timer is None:
            loop = asyncio.get_running_loop()
            self._sweep_timer = loop.call_later(self.limits.idle_max_s / 4, self._sweep)

    def close(self) -> None:
        """Close all connections and refuse those who wait."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        for lane in list(self.lanes.values()):
            lane.close()

    def _sweep(self) -> None:
        self._sweep_timer = None
        now_s = self.clock.monotonic_s()
        idle_count = sum(lane.sweep(now_s) for lane in list(self.lanes.values()))
        if idle_count:
            self.schedule_sweep()
