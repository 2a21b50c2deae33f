"""How does the office come together, live and end?

The other composition root: stages 6 to 12. It is the node's only writer: it prepares the
database, tells the workers what they must know, grants what they may spend, brings what they
journaled into the books, and answers everything that is not a call.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Generator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import structlog
import uvicorn
import uvloop

from tollbridge.api.application import create_application
from tollbridge.api.deps import ControlServices
from tollbridge.api.figures import OfficeFigures
from tollbridge.conclude import Conclusions
from tollbridge.core.account import CallAccount
from tollbridge.core.clock import SECOND_US, SystemClock
from tollbridge.core.errors import ConfigurationError, OverloadedError
from tollbridge.core.evidence import CallEvidence
from tollbridge.ledger import store as ledger_store
from tollbridge.ledger.grants import Granter, GranterSettings
from tollbridge.ledger.settle import Settlement, settle
from tollbridge.metering.estimate import EstimateRules
from tollbridge.pipeline import Books, close
from tollbridge.processes.broadcast import Broadcast
from tollbridge.processes.crash import crash_points
from tollbridge.processes.desk import Desk
from tollbridge.processes.lines import LineLogger
from tollbridge.processes.link import Part, listen
from tollbridge.processes.places import Places
from tollbridge.processes.prepare import Prepared, prepare
from tollbridge.processes.secrets import Secrets, load_secrets
from tollbridge.processes.snapshot import PartName
from tollbridge.processes.welcome import welcome
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import PricePart
from tollbridge.recording.drain import Drain, DrainHooks, DrainSettings
from tollbridge.recording.record import Charge
from tollbridge.settings import Settings
from tollbridge.storage import migrate
from tollbridge.storage.engine import EngineSettings
from tollbridge.storage.unit import Database, Unit

EXIT_CONFIGURATION = 78
"""Starting again would not help (EX_CONFIG)."""
DATABASE_RETRY_S = 1.0
WELCOME_AFTER_S = 0.3
WORKERS_END_S = 2.0

log: Any = structlog.get_logger()


class OfficeLedger:
    """What the drain asks of the ledger, and of the granter that leases were granted by."""

    def __init__(self, granter: Granter) -> None:
        self._granter = granter

    async def worker_gone(self, worker: str) -> None:
        """Grant nothing more to a dead worker; before its remainder is returned."""
        await self._granter.worker_gone(worker)

    async def settle(
        self,
        unit: Unit,
        batch_id: str,
        charges: Sequence[Charge],
        provider_costs: Mapping[str, int],
        posted_at_us: int,
    ) -> None:
        """Post a batch."""
        settlements = [
            Settlement(one.lease_id, one.budget_id, one.period_start_us, one.charge_nanousd)
            for one in charges
        ]
        await settle(unit, batch_id, settlements, provider_costs, posted_at_us)

    async def return_remainder(self, unit: Unit, worker: str, keep: Mapping[str, int]) -> object:
        """Free what a dead worker was granted and has not used."""
        return await ledger_store.return_remainder(unit, worker, keep)


class Office:
    """The office of one node."""

    def __init__(self, settings: Settings, database: Database, installation: Secrets) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._places = Places(settings.data_dir)
        self._database = database
        self._faults = 0
        self._told = asyncio.Event()
        self._conclusions: Conclusions | None = None
        zone = ZoneInfo(settings.billing_time_zone)
        self._broadcast = Broadcast(database, installation, self._on_part)
        self._desk = Desk(lambda: list(self._broadcast.parts.values()))
        self._granter = Granter(
            ledger_store.DatabaseLedger(database, settings.node, zone),
            self._clock,
            self._desk.send,
            GranterSettings(
                workers=settings.workers,
                recall_poll_us=SECOND_US // 4 if database.dialect == "postgresql" else 0,
            ),
        )
        self._drain = self._make_drain(zone)
        self._services = ControlServices(
            database=database,
            clock=self._clock,
            token_secret=installation.signing,
            pepper=installation.pepper,
            figures=self._figures,
            on_fault=self._on_fault,
            billing_zone=zone,
        )

    async def run(self, prepared: Prepared, alive: int | None) -> None:
        """Work until told to end."""
        if alive is not None:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, self.end)
            loop.add_reader(alive, self._on_supervisor_gone, loop, alive)
        await self._broadcast.renew()
        self._granter.replace_limits(self._broadcast.limits)
        # What dead workers left is in the books before anything is granted anew.
        await self._drain.catch_up()
        self._desk.open(self._granter)
        server = self._make_server()
        draining = asyncio.create_task(self._drain.run())
        work = [
            asyncio.create_task(self._renew_forever()),
            asyncio.create_task(self._granter.run()),
            asyncio.create_task(self._welcome(prepared)),
            asyncio.create_task(server.serve()),
        ]
        link = await listen(str(self._places.link_socket), self._desk.serve)
        told = asyncio.create_task(self._told.wait())
        try:
            # Any of these ends by itself only through a fault; then the supervisor starts us anew.
            await asyncio.wait([told, draining, *work[:2]], return_when=asyncio.FIRST_COMPLETED)
            for task in (draining, *work[:2]):
                if task.done():
                    task.result()
        finally:
            link.close()
            self._desk.close()
            await self._end_drain(draining)
            server.should_exit = True
            for task in (told, *work[:3]):
                task.cancel()
            await asyncio.gather(told, *work, return_exceptions=True)

    def end(self) -> None:
        """End when what the workers have journaled is in the books."""
        self._told.set()

    def _on_supervisor_gone(self, loop: asyncio.AbstractEventLoop, alive: int) -> None:
        # The supervisor holds the other end of this pipe.
        loop.remove_reader(alive)
        self.end()

    async def _end_drain(self, draining: asyncio.Task[None]) -> None:
        """Let the drain finish what is there, as long as that does not take too long."""
        self._drain.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WORKERS_END_S):
                await asyncio.wait([draining])
                await self._drain.catch_up()
        draining.cancel()

    def _on_part(self, part: Part) -> None:
        if part.name == PartName.PRICES:
            rules = EstimateRules(
                bytes_per_token=self._settings.estimate_bytes_per_token,
                tokens_per_chunk=self._settings.estimate_tokens_per_chunk,
            )
            prices = self._broadcast.prices or PricePart([])
            self._conclusions = Conclusions(PriceBook(prices), rules)
        if part.name == PartName.LIMITS:
            self._granter.replace_limits(self._broadcast.limits)
        self._desk.send_all(part)

    async def _close(self, batch: Sequence[CallEvidence], books: Books) -> Sequence[CallAccount]:
        if self._conclusions is None:
            raise OverloadedError("the prices are not loaded yet")
        return await close(batch, books, self._conclusions)

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.version_poll_ms / 1000)
            try:
                await self._broadcast.renew()
            except OverloadedError as error:
                log.warning("database_away", action="renew", reason=error.message)
                await asyncio.sleep(DATABASE_RETRY_S)

    async def _welcome(self, prepared: Prepared) -> None:
        await self._desk.greeted.wait()
        await asyncio.sleep(WELCOME_AFTER_S)  # until the worker listens
        sys.stdout.write(welcome(self._settings, prepared))
        sys.stdout.flush()

    def _figures(self) -> OfficeFigures:
        health = self._drain.health()
        return OfficeFigures(
            database_is_up=health.database_error is None,
            workers_expected=self._settings.workers,
            workers=self._desk.figures(),
            spool_pending_records=health.spool_pending_records,
            spool_pending_bytes=health.spool_pending_bytes,
            drain_lag_s=health.lag_s,
            open_calls=health.open_calls,
            quarantined=health.quarantined,
            unreadable_lines=health.unreadable_lines,
            faults=self._faults,
        )

    def _on_fault(self, action: str, error: BaseException) -> None:
        self._faults += 1
        log.error("fault", action=action, kind=type(error).__name__, exc_info=error)

    def _make_drain(self, zone: ZoneInfo) -> Drain:
        settings = self._settings
        reach, _ = crash_points(settings.crash_at)
        return Drain(
            self._database,
            self._places.spool,
            self._close,
            OfficeLedger(self._granter),
            node=settings.node,
            settings=DrainSettings(
                batch_records_max=settings.drain_batch_records_max,
                interval_ms=settings.drain_interval_ms,
                keep_h=settings.spool_keep_h,
                evidence_keep_days=settings.evidence_keep_days,
                zone=zone,
            ),
            hooks=DrainHooks(
                on_correction=self._desk.send_all,
                call_logger=LineLogger(sys.stdout.fileno(), self._clock)
                if settings.log_calls
                else None,
                reach=reach,
            ),
            clock=self._clock,
        )

    def _make_server(self) -> uvicorn.Server:
        self._places.office_socket.unlink(missing_ok=True)
        config = uvicorn.Config(
            create_application(self._services),
            uds=str(self._places.office_socket),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        return GuestServer(config)


class GuestServer(uvicorn.Server):
    """A server that leaves the process's signals to the office."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Do nothing: the office ends the server itself."""
        yield


async def _main(settings: Settings, alive: int | None) -> int:
    places = Places(settings.data_dir)
    url = settings.database_url or f"sqlite:///{places.database}"
    installation = load_secrets(settings, places)
    await migrate.upgrade(url)
    database = Database.open(url, EngineSettings(sqlite_synchronous=settings.sqlite_synchronous))
    try:
        prepared = await prepare(
            database, settings, installation, SystemClock(), os.environ, settings.sandbox_url
        )
        await Office(settings, database, installation).run(prepared, alive)
    finally:
        await database.close()
    return 0


def main() -> None:
    """Run the office: `python -m tollbridge.processes.office [ALIVE_FD]`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides
    alive = int(sys.argv[1]) if len(sys.argv) > 1 else None
    try:
        sys.exit(uvloop.run(_main(Settings(), alive)))
    except ConfigurationError as error:
        sys.stderr.write(f"tollbridge: {error.message}\n")
        sys.exit(EXIT_CONFIGURATION)


if __name__ == "__main__":
    main()
