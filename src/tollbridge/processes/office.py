"""How does the office come together, live and end?

The other composition root: stages 6 to 12. It is the node's only writer: it prepares the
database, tells the workers what they must know, grants what they may spend, brings what they
journaled into the books, and answers everything that is not a call.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import structlog
import uvloop

from tollbridge.api.deps import ControlServices
from tollbridge.api.figures import OfficeFigures
from tollbridge.conclude import Conclusions
from tollbridge.core.account import CallAccount
from tollbridge.core.clock import SECOND_US, SystemClock
from tollbridge.core.errors import ConfigurationError, OverloadedError
from tollbridge.core.evidence import CallEvidence
from tollbridge.core.schedule import Schedule
from tollbridge.insight.plan_queries import used_of
from tollbridge.ledger.grants import Granter, GranterSettings, ToWorker
from tollbridge.ledger.lease_store import DatabaseLedger
from tollbridge.ledger.wallet_moves_store import Recalling
from tollbridge.pipeline import Books, close
from tollbridge.processes.archiving import make_archiver
from tollbridge.processes.broadcast import Broadcast
from tollbridge.processes.conclusions import make_conclusions
from tollbridge.processes.crash import crash_points
from tollbridge.processes.desk import Desk
from tollbridge.processes.drain_ledger import DrainLedger
from tollbridge.processes.draining import drain_settings
from tollbridge.processes.environment import environment
from tollbridge.processes.experiments import guard_experiments_forever
from tollbridge.processes.guest import make_forecaster, make_guest_server
from tollbridge.processes.lines import LineLogger
from tollbridge.processes.link import Part, listen
from tollbridge.processes.logs import cause_of, places_of, set_up_logs, why
from tollbridge.processes.media import Hands, World, make_media_desk
from tollbridge.processes.people import AlertDesk, OidcWeb, make_oidc, member_keys, session_terms
from tollbridge.processes.places import Places
from tollbridge.processes.prepare import Prepared, prepare
from tollbridge.processes.pruning import prune_forever
from tollbridge.processes.reports import holds_of_reports, make_intake
from tollbridge.processes.secrets import Secrets, load_secrets
from tollbridge.processes.snapshot import PartName
from tollbridge.processes.supervisor import EXIT_CONFIGURATION, FIRST
from tollbridge.processes.telemetry import Telemetry
from tollbridge.processes.tools import make_transport
from tollbridge.processes.wallets import keep_wallets_forever
from tollbridge.processes.welcome import welcome
from tollbridge.rating.prices import PricePart
from tollbridge.recording.archive import archive_forever
from tollbridge.recording.drain import Drain, DrainHooks
from tollbridge.routing.builtin import builtin_here, key_names
from tollbridge.routing.part import DeclaredEndpoint
from tollbridge.settings import ARCHIVE_CRON, Settings
from tollbridge.storage import migrate
from tollbridge.storage.engine import EngineSettings
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import listen_for_versions

DATABASE_RETRY_S = 1.0
WELCOME_AFTER_S = 0.3
WORKERS_END_S = 2.0

log: Any = structlog.get_logger()


class Office:
    """The office of one node."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        installation: Secrets,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Come together; `environment` has the keys of this node's built-in endpoints."""
        self._settings = settings
        here = builtin_here(settings.sandbox_url, environment or {})
        self._clock = SystemClock()
        self._places = Places(settings.data_dir)
        self._database = database
        self._faults, self._database_is_up = 0, True
        self._told, self._changed = asyncio.Event(), asyncio.Event()
        self._conclusions: Conclusions | None = None
        zone = ZoneInfo(settings.billing_time_zone)
        self._broadcast = Broadcast(database, installation, self._on_part, here, zone)
        self._reach, _ = crash_points(settings.crash_at)
        self._desk = Desk(lambda: list(self._broadcast.parts.values()), self._reach)
        self._granter = Granter(
            DatabaseLedger(database, settings.node, zone, used_of),
            self._clock,
            self._send,
            GranterSettings(
                workers=settings.workers,
                # On SQLite there is no other node; only a command asks this way.
                recall_poll_us=SECOND_US // (4 if database.dialect == "postgresql" else 2),
            ),
        )
        web = self._oidc_web = OidcWeb(make_transport(settings, self._clock), self._clock)
        urls = self._broadcast.addresses
        self._telemetry = Telemetry(settings, database, self._clock, web, self._figures, urls)
        self._drain = self._make_drain(zone)
        self._intake = make_intake(
            settings,
            database,
            self._clock,
            lambda: self._drain.health().spool_pending_bytes,
            self._reach,
        )
        self._archiver = make_archiver(settings, database, self._clock, self._reach)
        self._media = make_media_desk(
            settings,
            database,
            self._clock,
            self._granter,
            World(self._broadcast, lambda: self._conclusions),
            self._close,
            Hands(installation.signing, zone, self._reach, self._on_fault, self._desk.figures),
        )
        outside, signing = self._media.outside, installation.signing
        self._alerts = AlertDesk(settings, database, self._clock, zone, outside, signing)
        self._services = self._make_services(installation, zone, here)

    async def run(self, prepared: Prepared, alive: int | None) -> None:
        """Work until told to end."""
        if alive is not None:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, self.end)
            loop.add_reader(alive, self._on_supervisor_gone, loop, alive)
        await self._broadcast.renew()
        self._granter.replace_limits(self._broadcast.limits.counted)
        # What dead workers left is in the books before anything is granted anew.
        await self._drain.catch_up_with_the_dead()
        self._desk.open(self._granter)
        server = make_guest_server(self._services, self._settings)
        draining = asyncio.create_task(self._drain.run())
        serving = asyncio.create_task(server.serve())
        work = [
            asyncio.create_task(self._renew_forever()),
            asyncio.create_task(self._granter.run()),
            asyncio.create_task(prune_forever(self._database, self._settings)),
            asyncio.create_task(guard_experiments_forever(self._database, self._settings)),
            asyncio.create_task(self._keep_wallets_forever()),
            asyncio.create_task(self._archive_forever()),
            asyncio.create_task(self._media.run()),
            asyncio.create_task(self._alerts.run()),
            asyncio.create_task(self._telemetry.run()),
        ]
        if self._database.dialect == "postgresql":
            work.append(asyncio.create_task(listen_for_versions(self._database, self._changed.set)))
        welcoming = asyncio.create_task(self._welcome(prepared))
        link = await listen(str(self._places.link_socket), self._desk.serve)
        told = asyncio.create_task(self._told.wait())
        try:
            # Any of these ends by itself only through a fault; then the supervisor starts us anew.
            needed = [draining, serving, *work]
            await asyncio.wait([told, *needed], return_when=asyncio.FIRST_COMPLETED)
            for task in needed:
                if task.done():
                    task.result()
        finally:
            link.close()
            self._desk.close()
            await self._end_drain(draining)
            server.should_exit = True
            for task in (told, welcoming, *work):
                task.cancel()
            await asyncio.gather(told, welcoming, serving, *work, return_exceptions=True)
            self._intake.close()
            await self._media.close()
            await self._oidc_web.aclose()

    def end(self) -> None:
        """End when what the workers have journaled is in the books."""
        self._told.set()

    def _on_supervisor_gone(self, loop: asyncio.AbstractEventLoop, alive: int) -> None:
        # The supervisor holds the other end of this pipe.
        loop.remove_reader(alive)
        self.end()

    def _send(self, worker: str, message: ToWorker) -> None:
        """Hand on what the granter says: to a job, else to a worker."""
        if not self._media.holds.on_message(worker, message):
            self._desk.send(worker, message)

    async def _end_drain(self, draining: asyncio.Task[None]) -> None:
        """Let the drain finish what is there, as long as that does not take too long."""
        self._drain.stop()
        with contextlib.suppress(TimeoutError, OverloadedError):
            async with asyncio.timeout(WORKERS_END_S):
                await asyncio.wait([draining])
                await self._drain.catch_up()
        draining.cancel()
        # Its unit ends before the database is closed: afterwards it would wait for ever.
        await asyncio.gather(draining, return_exceptions=True)

    def _on_moved(self, limit_ids: Iterable[str]) -> None:
        self._alerts.watch.moved(limit_ids)

    def _on_part(self, part: Part) -> None:
        if part.name == PartName.PRICES:
            prices = self._broadcast.prices or PricePart([])
            self._conclusions = make_conclusions(self._settings, prices, self._broadcast.rules)
        if part.name == PartName.LIMITS:
            self._granter.replace_limits(self._broadcast.limits.counted)
        self._desk.send_all(part)

    @property
    def attribution_version(self) -> str | None:
        """Which rules of attribution the drain works by; None before it knows any."""
        rules = None if self._conclusions is None else self._conclusions.rules
        return None if rules is None else rules.version

    def _take_rules(self) -> None:
        """Let the drain attribute by the rules as they are now."""
        known, rules = self._conclusions, self._broadcast.rules
        if known is not None and known.rules is not rules:
            self._conclusions = msgspec.structs.replace(known, rules=rules)

    async def _close(self, batch: Sequence[CallEvidence], books: Books) -> Sequence[CallAccount]:
        if self._conclusions is None:
            raise OverloadedError("the prices are not loaded yet")
        return await close(batch, books, self._conclusions)

    async def _renew_forever(self) -> None:
        while True:
            # Looked at now and then, and at once where the database says that something changed.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.version_poll_ms / 1000):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self._broadcast.renew()
                self._take_rules()
                self._database_is_up = True
            except OverloadedError as error:
                self._database_is_up = False
                log.warning("database_away", action="renew", kind=cause_of(error))
                await asyncio.sleep(DATABASE_RETRY_S)

    async def _keep_wallets_forever(self) -> None:
        zone = ZoneInfo(self._settings.billing_time_zone)
        await keep_wallets_forever(self._database, zone, self._settings.wallet_tidy_s)

    async def _archive_forever(self) -> None:
        settings = self._settings
        schedule = Schedule(settings.details_archive_cron, ARCHIVE_CRON)
        await archive_forever(self._archiver, schedule, self._clock, self._on_archive_error)

    def _on_archive_error(self, error: Exception) -> None:
        if isinstance(error, OverloadedError):
            log.warning("database_away", action="archive", kind=cause_of(error))
        else:
            self._on_fault("archive", error)

    async def _welcome(self, prepared: Prepared) -> None:
        await self._desk.greeted.wait()
        await asyncio.sleep(WELCOME_AFTER_S)  # until the worker listens
        sys.stdout.write(welcome(self._settings, prepared))
        sys.stdout.flush()

    def _figures(self) -> OfficeFigures:
        health = self._drain.health()
        return OfficeFigures(
            database_is_up=self._database_is_up and health.database_error is None,
            workers_expected=self._settings.workers,
            workers=self._desk.figures(),
            spool_pending_records=health.spool_pending_records,
            spool_pending_bytes=health.spool_pending_bytes,
            drain_lag_s=health.lag_s,
            open_calls=health.open_calls,
            quarantined=health.quarantined,
            unreadable_lines=health.unreadable_lines,
            faults=self._faults,
            office=self._media.seen(),
            jobs=self._media.figures(),
            calls=self._drain.counts,
            limits=self._telemetry.limits,
            spans=self._telemetry.spans.figures(),
        )

    def _on_fault(self, action: str, error: BaseException) -> None:
        self._faults += 1
        log.error("fault", action=action, kind=cause_of(error), places=places_of(error))

    def _make_drain(self, zone: ZoneInfo) -> Drain:
        settings = self._settings
        lines = LineLogger(sys.stdout.fileno(), self._clock) if settings.log_calls else None
        return Drain(
            self._database,
            self._places.spool,
            self._close,
            DrainLedger(self._granter, self._on_moved),
            node=settings.node,
            settings=drain_settings(settings, zone),
            hooks=DrainHooks(
                on_correction=self._desk.send_all,
                call_logger=lines if lines is not None and lines.is_plain else None,
                call_lines=None if lines is None or lines.is_plain else lines.take,
                on_added=self._telemetry.spans.take,
                holds_of=holds_of_reports(zone, lambda: self._broadcast.limits),
                reach=self._reach,
            ),
            clock=self._clock,
        )

    def _make_services(
        self, installation: Secrets, zone: ZoneInfo, here: Mapping[str, DeclaredEndpoint]
    ) -> ControlServices:
        settings = self._settings
        return ControlServices(
            database=self._database,
            clock=self._clock,
            token_secret=installation.signing,
            pepper=installation.pepper,
            figures=self._figures,
            on_fault=self._on_fault,
            billing_zone=zone,
            master=installation.master,
            builtin_here=key_names(here),
            intake=self._intake,
            jobs=self._media.jobs,
            contents=self._media.contents,
            check_webhook=self._media.notifier.check,
            generate_wait_s=settings.generate_wait_s,
            request_bytes_max=settings.body_bytes_max,
            export_calls_max=settings.export_calls_max,
            forecaster=make_forecaster(settings),
            session_terms=session_terms(settings),
            member_keys=member_keys(settings),
            oidc=make_oidc(settings, self._clock, installation.signing, self._oidc_web),
            alerts=self._alerts.notifier,
            alert_settings=self._alerts.watch.settings,
            recalling=Recalling(settings.wallet_recall_wait_ms / 1000, self._desk.recall),
            public_url=settings.public_url,
        )


async def _main(settings: Settings, alive: int | None, *, first: bool) -> int:
    places = Places(settings.data_dir)
    url = settings.database_url or f"sqlite:///{places.database}"
    installation = load_secrets(settings, places)
    database = Database.open(
        url,
        EngineSettings(
            connections_max=settings.database_connections_max,
            sqlite_synchronous=settings.sqlite_synchronous,
        ),
    )
    try:
        prepared = Prepared()
        known = environment()
        if first:
            await migrate.upgrade(url)
            prepared = await prepare(
                database, settings, installation, SystemClock(), known, settings.sandbox_url
            )
        await Office(settings, database, installation, known).run(prepared, alive)
    finally:
        await database.close()
    return 0


def main() -> None:
    """Run the office: `python -m tollbridge.processes.office [ALIVE_FD [first]]`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides
    os.umask(0o077)
    gc.set_threshold(50_000, 20, 50)  # a batch makes thousands of objects and hardly a cycle
    gc.freeze()
    set_up_logs()
    alive = int(sys.argv[1]) if len(sys.argv) > 1 else None
    first = alive is None or FIRST in sys.argv
    try:
        sys.exit(uvloop.run(_main(Settings(), alive, first=first)))
    except ConfigurationError as error:
        sys.stderr.write(f"tollbridge: {error.message}\n")
        sys.exit(EXIT_CONFIGURATION)
    except Exception as error:  # noqa: BLE001  # process edge: its words may hold secrets
        where = places_of(error)
        sys.stderr.write(f"tollbridge: the office ended, and is started again: {why(error)}\n")
        log.critical("office_ended", action="run", kind=cause_of(error), places=where)
        sys.exit(1)


if __name__ == "__main__":
    main()
