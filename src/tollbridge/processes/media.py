"""Of what does the office's work on media jobs consist? Settings in, tools out."""

import asyncio
import importlib
import os
import random
import sys
from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Any, Protocol

import msgspec
import structlog

from tollbridge.api.control.generate import generated
from tollbridge.api.figures import WorkerFigures
from tollbridge.conclude import Conclusions
from tollbridge.core.account import CallAccount
from tollbridge.core.clock import Clock
from tollbridge.core.errors import OverloadedError
from tollbridge.core.models import ModelPart
from tollbridge.core.plan import Endpoint
from tollbridge.jobs.at_once import AtOnce, AtOnceLimits
from tollbridge.jobs.books import JobBooks, JobLedger
from tollbridge.jobs.contents import Contents
from tollbridge.jobs.holds import Granting, JobHolds
from tollbridge.jobs.hooks import Hooks, HookSettings
from tollbridge.jobs.job import JobFigures
from tollbridge.jobs.notify import Notifier
from tollbridge.jobs.outside import Outside
from tollbridge.jobs.planning import PlanLimits, Planner
from tollbridge.jobs.service import JobLimits, MediaJobs
from tollbridge.jobs.tools import DriveLimits, Tools
from tollbridge.ledger.applying import LimitTable
from tollbridge.ledger.refusals import limit_error
from tollbridge.processes.broadcast import Broadcast
from tollbridge.processes.lines import LineLogger
from tollbridge.processes.logs import cause_of
from tollbridge.processes.places import Places
from tollbridge.processes.snapshot import PartName
from tollbridge.processes.standing import NodeHealth
from tollbridge.processes.tools import (
    make_attempts,
    make_fetcher,
    make_key_ring,
    make_transport,
    media_limits,
)
from tollbridge.providers.ask import Asking
from tollbridge.providers.attempt import MediaTools
from tollbridge.providers.delivery import Delivery
from tollbridge.providers.dialects.openai import OPENAI
from tollbridge.providers.dialects.registry import faces, task_wires, wires
from tollbridge.providers.fetch import Fetcher
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.resolver import CachingResolver
from tollbridge.providers.tasks import Ask, TaskLimits
from tollbridge.providers.transport import Transport
from tollbridge.recording.closing import Close, Closer, error_of
from tollbridge.recording.logs import log_calls
from tollbridge.recording.record import Shelf
from tollbridge.recording.rollups import Days
from tollbridge.recording.store import RecordingStore
from tollbridge.routing.health import BreakerSettings, Health
from tollbridge.routing.part import RoutingPart
from tollbridge.routing.plan import RouteTable
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database

PRUNE_S = 3600.0
RETRY_S = 1.0
FAULTS_MAX = 20
DIMENSIONS_CACHED_MAX = 1000

log: Any = structlog.get_logger()


class Engine(Protocol):
    """What sees to it that jobs go on: `jobs.engine.Engine`, loaded when it is needed."""

    def launch(self) -> None:
        """Begin, and go on with what was cut off."""
        ...

    async def begin(self, job_id: str, run: str) -> None:
        """Begin a workflow for a job."""
        ...

    async def tidy(self) -> None:
        """Forget workflows that are over."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class World:
    """What the office knows, as jobs are planned by it; made anew only where it has changed."""

    def __init__(self, broadcast: Broadcast, conclusions: Callable[[], Conclusions | None]) -> None:
        self._broadcast = broadcast
        self._conclusions = conclusions
        self._made_of: tuple[object, object] = (None, None)
        self._routes: RouteTable | None = None
        self._endpoints: dict[str, Endpoint] = {}

    def routes(self) -> RouteTable:
        """Return the routes. Raises OverloadedError where they are not known yet."""
        self._renew()
        if self._routes is None:
            raise OverloadedError("the office is starting", retry_after_s=1)
        return self._routes

    def endpoint_of(self, name: str) -> Endpoint | None:
        """Return an endpoint as it is now, None for one that is gone or switched off."""
        self._renew()
        found = self._endpoints.get(name)
        return found if found is not None and found.enabled else None

    def limits(self) -> LimitTable:
        """Return all limits."""
        return self._broadcast.limits

    def conclusions(self) -> Conclusions:
        """Return prices and rules. Raises OverloadedError where they are not known yet."""
        found = self._conclusions()
        if found is None:
            raise OverloadedError("the prices are not loaded yet", retry_after_s=1)
        return found

    def _renew(self) -> None:
        parts = self._broadcast.parts
        routing, models = parts.get(PartName.ROUTING), parts.get(PartName.MODELS)
        if routing is None or models is None or self._made_of == (routing, models):
            return
        part = msgspec.msgpack.decode(routing.content, type=RoutingPart)
        self._endpoints = {one.name: one for one in part.endpoints}
        self._routes = RouteTable(part, msgspec.msgpack.decode(models.content, type=ModelPart))
        self._made_of = (routing, models)


class Hands(msgspec.Struct, frozen=True):
    """What the office lends to its jobs."""

    signing_key: bytes
    zone: tzinfo
    reach: Callable[[str], None]
    on_fault: Callable[[str, BaseException], None]
    workers: Callable[[], Sequence[WorkerFigures]]
    """What the node's workers think of its endpoints."""


class MediaDesk:
    """The office's media jobs, from the first to the last minute of its life."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        granter: Granting,
        world: World,
        books: JobBooks,
        hands: Hands,
    ) -> None:
        """Come together; nothing begins before `run`."""
        self._database = database
        self._node = settings.node
        self._transport = make_transport(settings, clock)
        limits = TransportLimits(connections_per_origin_max=16, waiting_max=256)
        resolver = CachingResolver(limits, clock)
        self._outside = Outside(
            self._transport, resolver, limits, settings.fetch_private_hosts.split()
        )
        waits_s = settings.reserve_wait_ms / 1000, settings.reserve_answer_ms / 1000
        self.holds = JobHolds(granter, clock, limit_error, *waits_s)
        self._health = Health(
            clock,
            BreakerSettings(
                failures_to_open=settings.breaker_failures_max,
                breaker_open_s=settings.breaker_open_s,
            ),
        )
        self._keys = make_key_ring(settings, clock)
        self._fetcher = make_fetcher(settings, clock)
        tools = self._make_tools(settings, clock, world, books, hands)
        self.notifier = Notifier(
            database,
            clock,
            self._outside,
            hands.signing_key,
            lambda job: generated(job).model_dump(exclude={"webhook_secret"}),
        )
        self.jobs = MediaJobs(
            tools,
            Planner(
                world,
                tools.wires,
                tools.at_once,
                NodeHealth(self._health, hands.workers),
                random.random,
                _plan_limits(settings),
            ),
            JobLimits(
                timeout_s=settings.job_timeout_s,
                jobs_max=settings.jobs_max,
                keep_days=settings.job_keep_days,
            ),
            settings.node,
            self.notifier.tell,
            self._fetcher.check_urls,
        )
        self.contents = Contents(
            self._outside,
            world.endpoint_of,
            clock,
            settings.total_timeout_s,
            settings.video_content,
        )
        self._settings = settings
        self._engine: Engine | None = None
        self._on_fault = hands.on_fault
        self._faults_of: dict[str, int] = {}
        self._is_over: dict[str, bool] = {}

    def _make_tools(
        self, settings: Settings, clock: Clock, world: World, books: JobBooks, hands: Hands
    ) -> Tools:
        ask = Asking(self._transport, clock, settings.answer_bytes_max)
        return Tools(
            database=self._database,
            clock=clock,
            ask=ask,
            wires=task_wires(),
            at_once=_make_at_once(settings, self._transport, self._fetcher, ask, clock),
            endpoint_of=world.endpoint_of,
            keys=self._keys,
            breakers=self._health,
            books=books,
            holds=self.holds,
            hooks=Hooks(_hook_settings(settings, hands), ask, world.endpoint_of, clock),
            limits=_drive_limits(settings),
            reach=hands.reach,
        )

    @property
    def outside(self) -> Outside:
        """The way to addresses that others have given."""
        return self._outside

    def figures(self) -> JobFigures:
        """Return how the jobs are."""
        return self.jobs.figures(faulty=self._faults_of.keys())

    def seen(self) -> WorkerFigures:
        """Return what the office itself thinks of endpoints and keys, by its jobs."""
        return WorkerFigures(
            worker="office",
            pid=os.getpid(),
            breakers={one: self._health.state(one).value for one in self._health.troubled},
            breaker_reports=tuple(self._health.report()),
            key_reports=tuple(self._keys.report()),
        )

    async def run(self) -> None:
        """Go on with what is left, take new jobs, and forget old ones, for ever."""
        while True:
            try:
                await self.jobs.start(self._begin)
                await self.notifier.tell_what_is_left(self._node)
                break
            except OverloadedError as error:
                log.warning("database_away", action="jobs", kind=cause_of(error))
                await asyncio.sleep(RETRY_S)
        while True:
            try:
                await self.jobs.prune()
                if self._engine is not None:
                    await self._engine.tidy()
            except OverloadedError as error:
                log.warning("database_away", action="jobs", kind=cause_of(error))
            await asyncio.sleep(PRUNE_S)

    async def _begin(self, job_id: str, run: str) -> None:
        """Begin to drive a job; with the first one the engine is loaded and launched.

        A node that makes no films has none of its threads, and starts the sooner.
        """
        if self._engine is None:
            module: Any = importlib.import_module("tollbridge.jobs.engine")
            engine: Engine = module.Engine(
                engine_url(self._settings), self._settings.node, self._turn
            )
            engine.launch()
            self._engine = engine
        await self._engine.begin(job_id, run)

    async def _turn(self, job_id: str) -> bool:
        """Take a job's next step; return whether there is none left, or it is given up for now.

        What breaks by a fault of ours is recorded and tried again a few times; the next office
        takes it up anew.
        """
        error = await error_of(self._step(job_id))
        if error is None:
            self._faults_of.pop(job_id, None)
            return self._is_over.pop(job_id)
        self._on_fault("job", error)
        faults = self._faults_of[job_id] = self._faults_of.get(job_id, 0) + 1
        await asyncio.sleep(RETRY_S)
        return faults >= FAULTS_MAX

    async def _step(self, job_id: str) -> None:
        self._is_over[job_id] = await self.jobs.turn(job_id)

    async def close(self) -> None:
        """End; what is under way is gone on with by the next office."""
        if self._engine is not None:
            self._engine.close()
        await self.notifier.close()
        await self._outside.aclose()
        await self._fetcher.aclose()
        await self._transport.aclose()


def make_media_desk(
    settings: Settings,
    database: Database,
    clock: Clock,
    granter: Granting,
    world: World,
    close: Close,
    hands: Hands,
) -> MediaDesk:
    """Return the office's media jobs; `close` brings calls into the books."""
    shelf = Shelf(RecordingStore(database.dialect), Days(hands.zone), DIMENSIONS_CACHED_MAX)
    lines = LineLogger(sys.stdout.fileno(), clock) if settings.log_calls else None

    def closer_of(ledger: JobLedger) -> Closer:
        return Closer(shelf, close, ledger)

    def on_added(accounts: Sequence[CallAccount]) -> None:
        if lines is not None:
            log_calls(lines, accounts)

    books = JobBooks(database, closer_of, on_added)
    return MediaDesk(settings, database, clock, granter, world, books, hands)


def _make_at_once(
    settings: Settings, transport: Transport, fetcher: Fetcher, ask: Ask, clock: Clock
) -> AtOnce:
    tools = MediaTools(deliver=Delivery(ask, fetcher))
    return AtOnce(
        make_attempts(settings, transport, clock, tools),
        wires(),
        faces(media_limits(settings))[OPENAI],
        clock,
        AtOnceLimits(
            timeout_s=settings.total_timeout_s,
            result_bytes_max=settings.job_result_bytes_max,
            reserve_output_tokens=settings.reserve_output_tokens,
        ),
    )


def _hook_settings(settings: Settings, hands: Hands) -> HookSettings:
    return HookSettings(
        public_url=settings.public_url,
        signing_key=hands.signing_key,
        openrouter_secret=settings.openrouter_webhook_secret.get_secret_value(),
    )


def _plan_limits(settings: Settings) -> PlanLimits:
    return PlanLimits(
        attempt_timeout_s=settings.job_attempt_timeout_s,
        reserve_output_tokens=settings.reserve_output_tokens,
        reserve_file_tokens=settings.reserve_file_tokens,
        unpriced_allowed=settings.unpriced_allowed,
    )


def _drive_limits(settings: Settings) -> DriveLimits:
    return DriveLimits(
        attempt_timeout_s=settings.job_attempt_timeout_s,
        attempts_max=settings.attempts_max,
        tasks=TaskLimits(
            poll_first_s=settings.job_poll_first_s, poll_max_s=settings.job_poll_max_s
        ),
    )


def engine_url(settings: Settings) -> str:
    """Return where the engine keeps its own state: beside our tables, or in a file of its own."""
    url = settings.database_url or ""
    if url.startswith("postgresql"):
        return "postgresql://" + url.partition("://")[2]
    return f"sqlite:///{Places(settings.data_dir).jobs_database}"
