"""How does a worker come together, live and end?

One composition root: stages 1 to 5 and nothing else. It opens no database and imports no web
framework; what it must know comes over the link.
"""

import asyncio
import gc
import os
import random
import signal
import sys
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import structlog
import uvloop

from tollbridge.access.authenticate import KeyRing
from tollbridge.api.calls import DataPlane
from tollbridge.api.elsewhere import Elsewhere
from tollbridge.api.inbound import BodyLimits
from tollbridge.api.protocol import sweep_all
from tollbridge.core.call import new_id
from tollbridge.core.clock import SystemClock
from tollbridge.core.limits import LeaseCorrection, LeaseGrant, LeaseRecall, LeaseRefusal
from tollbridge.core.models import ModelPart
from tollbridge.core.proxies import TrustedProxies
from tollbridge.gateway import Gateway, Outside
from tollbridge.journey import Known
from tollbridge.ledger.applying import LimitsPart, LimitTable
from tollbridge.ledger.reserve import Purses, PurseSettings, ToOffice
from tollbridge.processes.conclusions import make_conclusions
from tollbridge.processes.link import (
    Hello,
    LinkBrokenError,
    Part,
    Pulse,
    Wire,
    connect,
)
from tollbridge.processes.logs import cause_of, places_of, set_up_logs
from tollbridge.processes.places import Places
from tollbridge.processes.snapshot import AccessSnapshot, PartName
from tollbridge.processes.tools import (
    gateway_limits,
    listen,
    make_asking,
    make_fetcher,
    make_key_ring,
    make_relay,
    make_server,
    make_spool,
    make_transport,
    media_limits,
)
from tollbridge.providers.dialects.registry import faces
from tollbridge.providers.probe import Prober
from tollbridge.rating.nominal import prices_at
from tollbridge.rating.prices import PricePart
from tollbridge.routing.health import BreakerSettings, Health
from tollbridge.routing.part import RoutingPart
from tollbridge.routing.plan import RouteTable
from tollbridge.settings import Settings
from tollbridge.settings_people import TRUSTED_PROXIES

TICK_S = 1.0
PRICES_HOLD_S = 60.0
"""So long the order of a route by price stays as it is, where no price was changed."""
RECONNECT_S = 0.1
PURSE_IDLE_US = 30_000_000

log: Any = structlog.get_logger()


class Worker:
    """One worker process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._billing_zone = ZoneInfo(settings.billing_time_zone)
        self._clock = SystemClock()
        self._places = Places(settings.data_dir)
        self.worker_id = new_id(self._clock.now_us())
        self._wire: Wire | None = None
        self._linked_at_s = self._clock.monotonic_s()
        self._faults = 0
        self._known = asyncio.Event()
        self._parts: dict[str, Any] = {}
        self._routes: RouteTable | None = None
        self._routes_made_at_s = 0.0
        self._health = Health(
            self._clock,
            BreakerSettings(
                failures_to_open=settings.breaker_failures_max,
                breaker_open_s=settings.breaker_open_s,
            ),
        )
        self._purses = Purses(
            self._to_office,
            self._clock,
            PurseSettings(
                lease_target_us=round(settings.lease_target_s * 1_000_000),
                answer_grace_us=settings.reserve_answer_ms * 1000,
            ),
        )
        self._spool = make_spool(settings, self._places.spool, self.worker_id, self._clock)
        self._transport = make_transport(settings, self._clock)
        self._fetcher = make_fetcher(settings, self._clock)
        self._keys = make_key_ring(settings, self._clock)
        self._prober = Prober(self._transport, self._health, self._clock, new_id)
        self._probing: asyncio.Task[None] | None = None
        self._probe_at_s = 0.0
        self._relay = make_relay(
            settings, self._transport, self._fetcher, self._health, self._clock, self._keys
        )
        self.gateway = Gateway(
            clock=self._clock,
            spool=self._spool,
            purses=self._purses,
            outside=Outside(
                self._relay,
                faces(media_limits(settings)),
                make_asking(settings, self._transport, self._clock),
                self._fetcher.check_urls,
            ),
            health=self._health,
            draw=random.random,
            limits=gateway_limits(settings),
        )
        self._data_plane = self._make_data_plane()
        self._server = make_server(settings, self._data_plane)
        self.port = settings.port

    async def run(self, alive: int | None) -> None:
        """Serve until told to end, by a signal or by the supervisor's death."""
        server = self._server
        loop = asyncio.get_running_loop()
        if alive is not None:
            loop.add_reader(alive, self._on_supervisor_gone, loop, alive)
        link = asyncio.create_task(self._keep_linked())
        tick = asyncio.create_task(self._tick_forever())
        try:
            # Not before there is something to serve: a new worker must not take calls it cannot do.
            await self._known.wait()
            if alive is not None:
                # What is here now stays: looking through it for cycles again and again is waste.
                gc.collect()
                gc.freeze()
            listening = listen(self._settings)
            self.port = listening.getsockname()[1]
            await server.serve(sockets=[listening])
        finally:
            tick.cancel()
            if self._probing is not None:
                self._probing.cancel()
            await self._return_leases()
            link.cancel()
            self._spool.close()
            await self._transport.aclose()
            await self._fetcher.aclose()

    @property
    def serves(self) -> bool:
        """Whether calls are accepted."""
        return self._server.started

    def end(self) -> None:
        """Stop accepting; calls under way may end within the grace."""
        self._server.should_exit = True

    def _on_supervisor_gone(self, loop: asyncio.AbstractEventLoop, alive: int) -> None:
        # The supervisor holds the other end of this pipe.
        loop.remove_reader(alive)
        if not self._server.started:
            os._exit(1)  # nothing was served yet, so nothing is lost
        self.end()

    def _to_office(self, message: ToOffice) -> None:
        if self._wire is not None:
            self._wire.send(message)

    async def _keep_linked(self) -> None:
        while True:
            try:
                wire = await connect(str(self._places.link_socket))
            except OSError:
                await asyncio.sleep(RECONNECT_S)
                continue
            try:
                wire.send(Hello(self.worker_id, os.getpid(), self._purses.states()))
                self._wire = wire
                self._purses.ask_again()
                while True:
                    self._take(await wire.receive())
            except Exception as error:  # noqa: BLE001  # job loop: the worker serves on, links anew
                if not isinstance(error, LinkBrokenError):
                    self._on_fault("link", error)
                    await asyncio.sleep(TICK_S)
                self._wire = None
                self._linked_at_s = self._clock.monotonic_s()
                wire.close()

    def _take(self, message: object) -> None:
        match message:
            case Part():
                self._take_part(message)
            case LeaseGrant() | LeaseRefusal() | LeaseRecall() | LeaseCorrection():
                self._purses.on_message(message)
            case _:
                raise LinkBrokenError(f"an unexpected message: {type(message).__name__}")

    def _take_part(self, part: Part) -> None:
        decode = msgspec.msgpack.decode
        if part.name == PartName.ACCESS:
            access = decode(part.content, type=AccessSnapshot)
            self._parts[part.name] = KeyRing(access.part, access.pepper)
        elif part.name == PartName.ROUTING:
            self._parts[part.name] = decode(part.content, type=RoutingPart)
            self._routes = None
        elif part.name == PartName.MODELS:
            self._parts[part.name] = decode(part.content, type=ModelPart)
            self._routes = None
        elif part.name == PartName.PRICES:
            prices = decode(part.content, type=PricePart)
            self._parts[part.name] = make_conclusions(self._settings, prices)
            self._forget_prices(0.0)
        elif part.name == PartName.LIMITS:
            limits = LimitTable(decode(part.content, type=LimitsPart), self._billing_zone)
            before: LimitTable | None = self._parts.get(part.name)
            self._parts[part.name] = limits
            self._purses.keep_only(lambda limit_id: limits.keeps(limit_id, before))
        self._renew_known()

    def _renew_known(self) -> None:
        parts = self._parts
        if len(parts) < len(PartName):
            return
        limits: LimitTable = parts[PartName.LIMITS]
        if self._routes is None:
            book = parts[PartName.PRICES].book
            self._routes = RouteTable(
                parts[PartName.ROUTING],
                parts[PartName.MODELS],
                prices_at(book, self._clock.now_us()),
            )
            self._routes_made_at_s = self._clock.monotonic_s()
        self.gateway.known = Known(
            keys=parts[PartName.ACCESS],
            limits=limits,
            routes=self._routes,
            conclusions=parts[PartName.PRICES],
        )
        self._known.set()

    def _forget_prices(self, held_s: float) -> None:
        """Let routes that are ordered by price be made anew, if they are as old as that."""
        routes = self._routes
        age_s = self._clock.monotonic_s() - self._routes_made_at_s
        if routes is not None and routes.orders_by_price and age_s >= held_s:
            self._routes = None

    def _probe(self) -> None:
        """Look, from time to time, whether endpoints with an open breaker answer again."""
        interval_s, now_s = self._settings.probe_interval_s, self._clock.monotonic_s()
        if not interval_s or now_s < self._probe_at_s:
            return
        if self._probing is not None:
            if not self._probing.done():
                return
            self._probing.result()  # raises what went wrong on our side
        part: RoutingPart | None = self._parts.get(PartName.ROUTING)
        self._probe_at_s = now_s + interval_s
        look = self._prober.look(() if part is None else part.endpoints)
        self._probing = asyncio.create_task(look)

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self._tick()
            except Exception as error:  # noqa: BLE001  # job loop: the next second tries again
                self._on_fault("tick", error)

    def _tick(self) -> None:
        self.gateway.tick()
        self._spool.check_room()
        self._purses.return_idle(PURSE_IDLE_US)
        self._purses.restock()
        self._probe()
        self._forget_prices(PRICES_HOLD_S)
        if self._routes is None:
            self._renew_known()  # a dated price may have come into force
        sweep_all(self._server.server_state.connections, asyncio.get_running_loop().time())
        away_s = self._clock.monotonic_s() - self._linked_at_s
        if self._wire is not None:
            self._wire.send(self._pulse())
        elif away_s > self._settings.snapshot_stale_max_s:
            # What we know is too old to let anyone in by it.
            self.gateway.known = None

    def _pulse(self) -> Pulse:
        breakers = self._health.report()
        return Pulse(
            worker=self.worker_id,
            calls_under_way=len(self._server.server_state.tasks),
            drains_under_way=self._relay.drains_under_way,
            faults=self._faults,
            not_carried=self._data_plane.not_carried,
            spool_has_room=self._spool.has_room,
            breakers={report.endpoint: report.state.value for report in breakers},
            breaker_reports=tuple(breakers),
            key_reports=tuple(self._keys.report()),
        )

    async def _return_leases(self) -> None:
        if self._wire is None:
            return
        self._purses.return_all()
        await asyncio.sleep(0.05)  # the socket's turn

    def _on_fault(self, action: str, error: BaseException) -> None:
        self._faults += 1
        log.error("fault", action=action, kind=cause_of(error), places=places_of(error))

    def _make_data_plane(self) -> DataPlane:
        settings = self._settings
        elsewhere = Elsewhere(
            self._transport,
            str(self._places.office_socket),
            body_bytes_max=settings.body_bytes_max,
            timeout_s=settings.total_timeout_s,
            own_health=self._own_health,
            is_ready=lambda: self.gateway.known is not None,
            proxies=TrustedProxies.parse(settings.trusted_proxies, TRUSTED_PROXIES),
        )
        limits = BodyLimits(
            body_bytes_max=settings.body_bytes_max,
            inflight_body_bytes_max=settings.inflight_body_bytes_max,
        )
        return DataPlane(self.gateway, self._clock, limits, elsewhere, self._on_fault)

    def _own_health(self) -> dict[str, object]:
        return {"office": "away", "spool_has_room": self._spool.has_room}


async def _main(settings: Settings, alive: int | None) -> None:
    await Worker(settings).run(alive)


def main() -> None:
    """Run one worker: `python -m tollbridge.processes.worker [ALIVE_FD]`."""
    # A call leaves almost no reference cycles; looking for them after every 700 objects is waste.
    gc.set_threshold(50_000, 20, 50)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides
    os.umask(0o077)
    set_up_logs()
    alive = int(sys.argv[1]) if len(sys.argv) > 1 else None
    uvloop.run(_main(Settings(), alive))


if __name__ == "__main__":
    main()
