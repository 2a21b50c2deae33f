"""How does the office come together, live and end?

The other composition root: stages 6 to 12. It is the node's only writer: it prepares the
database, tells the workers what they must know, grants what they may spend, and brings what they
journaled into the books.
"""

import asyncio
import os
import signal
import sys
from typing import Any
from zoneinfo import ZoneInfo

import structlog
import uvloop

from tollbridge.conclude import Conclusions
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import ConfigurationError, OverloadedError
from tollbridge.core.limits import LeaseRequest, LeaseReturn
from tollbridge.ledger.grants import Granter, GranterSettings, ToWorker
from tollbridge.ledger.store import DatabaseLedger
from tollbridge.metering.estimate import EstimateRules
from tollbridge.processes.broadcast import Broadcast
from tollbridge.processes.link import Farewell, Hello, LinkBrokenError, Part, Pulse, Wire, listen
from tollbridge.processes.places import Places
from tollbridge.processes.prepare import Prepared, prepare
from tollbridge.processes.secrets import Secrets, load_secrets
from tollbridge.processes.snapshot import PartName
from tollbridge.processes.supervisor import EXIT_CONFIGURATION
from tollbridge.processes.welcome import welcome
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import PricePart
from tollbridge.settings import Settings
from tollbridge.storage import migrate
from tollbridge.storage.engine import EngineSettings
from tollbridge.storage.unit import Database

log: Any = structlog.get_logger()

DATABASE_RETRY_S = 1.0
LIVE_S = 5.0


class Office:
    """The office of one node."""

    def __init__(self, settings: Settings, database: Database, installation: Secrets) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._places = Places(settings.data_dir)
        self._database = database
        self._wires: dict[str, Wire] = {}
        self._pulses: dict[str, Pulse] = {}
        self._conclusions: Conclusions | None = None
        self._broadcast = Broadcast(database, installation, self._on_part)
        zone = ZoneInfo(settings.billing_time_zone)
        self._granter = Granter(
            DatabaseLedger(database, settings.node, zone),
            self._clock,
            self._to_worker,
            GranterSettings(
                workers=settings.workers,
                recall_poll_us=250_000 if database.dialect == "postgresql" else 0,
            ),
        )
        self._greeted = asyncio.Event()
        self._told = asyncio.Event()

    async def run(self, prepared: Prepared, alive: int | None) -> None:
        """Work until told to end."""
        loop = asyncio.get_running_loop()
        if alive is not None:
            loop.add_signal_handler(signal.SIGTERM, self.end)
            loop.add_reader(alive, self._on_supervisor_gone, loop, alive)
        await self._broadcast.renew()
        self._granter.replace_limits(self._broadcast.limits)
        work = [
            asyncio.create_task(self._renew_forever()),
            asyncio.create_task(self._granter.run()),
            asyncio.create_task(self._welcome(prepared)),
        ]
        link = await listen(str(self._places.link_socket), self._serve_worker)
        try:
            await self._told.wait()
        finally:
            link.close()
            for wire in self._wires.values():
                wire.close()
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    def end(self) -> None:
        """End when what is under way is done."""
        self._told.set()

    def _on_supervisor_gone(self, loop: asyncio.AbstractEventLoop, alive: int) -> None:
        # The supervisor holds the other end of this pipe.
        loop.remove_reader(alive)
        self.end()

    async def _serve_worker(self, wire: Wire) -> None:
        """Talk with one worker until the link breaks."""
        worker = ""
        try:
            while True:
                message = await wire.receive()
                match message:
                    case Hello():
                        worker = message.worker
                        self._wires[worker] = wire
                        for part in self._broadcast.parts.values():
                            wire.send(part)
                        self._granter.hello(worker, message.purses)
                        self._greeted.set()
                    case LeaseRequest() | LeaseReturn():
                        self._granter.receive(worker, message)
                    case Pulse():
                        self._pulses[worker] = message
                    case Farewell():
                        log.info("worker_ended", action="link", worker=worker)
                    case _:
                        break  # it speaks something else
        except LinkBrokenError:
            pass
        finally:
            if self._wires.get(worker) is wire:
                del self._wires[worker]
                self._pulses.pop(worker, None)

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
        for wire in self._wires.values():
            wire.send(part)

    def _to_worker(self, worker: str, message: ToWorker) -> None:
        wire = self._wires.get(worker)
        if wire is not None:
            wire.send(message)

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.version_poll_ms / 1000)
            try:
                await self._broadcast.renew()
            except OverloadedError as error:
                log.warning("database_away", action="renew", reason=error.message)
                await asyncio.sleep(DATABASE_RETRY_S)

    async def _welcome(self, prepared: Prepared) -> None:
        await self._greeted.wait()
        await asyncio.sleep(0.2)  # until the worker listens
        sys.stdout.write(welcome(self._settings, prepared))
        sys.stdout.flush()


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
