"""How do records come into the books that could not be closed before?"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from tollbridge.attribution.store import RuleBook
from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import print_json, print_line, print_table
from tollbridge.core.account import CallAccount
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import NotFoundError
from tollbridge.core.evidence import CallEvidence
from tollbridge.core.settlement import Settlement
from tollbridge.ledger.settle import settle
from tollbridge.ledger.store import return_remainder
from tollbridge.pipeline import Books, close
from tollbridge.processes.conclusions import make_conclusions
from tollbridge.processes.reports import holds_of_reports
from tollbridge.providers.names import load_names
from tollbridge.rating.store import load_part
from tollbridge.recording.closing import Closer
from tollbridge.recording.record import Shelf
from tollbridge.recording.replay import dismiss, replay_quarantine
from tollbridge.recording.rollups import Days
from tollbridge.recording.store import QuarantineRow, RecordingStore, list_quarantine
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database, Unit

NOT_IN_ORDER = 1
SHOWN_MAX = 100
DIMENSIONS_CACHED_MAX = 10_000


class DirectLedger:
    """The ledger without an office: a dead worker is granted nothing by anybody."""

    async def settle(
        self,
        unit: Unit,
        batch_id: str,
        charges: Sequence[Settlement],
        provider_costs: Mapping[str, int],
        posted_at_us: int,
    ) -> None:
        """Post a batch."""
        await settle(unit, batch_id, charges, provider_costs, posted_at_us)

    async def return_remainder(self, unit: Unit, worker: str, keep: Mapping[str, int]) -> object:
        """Free what a dead worker was granted and has not used."""
        return await return_remainder(unit, worker, keep)


def replay(
    *,
    only: Annotated[
        int | None, typer.Option("--id", help="Only this record.", show_default="all")
    ] = None,
    give_up: Annotated[
        int | None,
        typer.Option(
            "--dismiss", help="Give up on this record; its hold falls free.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Bring the records in quarantine into the books. Exit status 1 where some are left there.

    Doing it again changes nothing.
    """
    settings = load_settings(data_dir=data_dir)
    if give_up is not None:
        asyncio.run(_dismiss(settings, give_up))
        print_line(f"record {give_up} is dismissed")
        return
    closed, waiting = asyncio.run(_replay(settings, only))
    if as_json:
        print_json({"closed": closed, "waiting": [msgspec.to_builtins(one) for one in waiting]})
    else:
        print_line(f"{closed} records are in the books now")
        if waiting:
            print_table(
                ("id", "call", "segment", "why not"),
                [
                    (str(one.quarantine_id), one.call_id or "-", one.segment, one.error)
                    for one in waiting
                ],
                right=("id",),
            )
    if waiting:
        raise typer.Exit(NOT_IN_ORDER)


async def _replay(settings: Settings, only: int | None) -> tuple[int, list[QuarantineRow]]:
    async with opened(settings) as database:
        closer = await make_closer(database, settings)
        replayed = await replay_quarantine(database, closer, only_id=only)
        async with database.read() as unit:
            waiting = await list_quarantine(unit, limit=SHOWN_MAX, only_id=only)
    return replayed.closed, waiting


async def _dismiss(settings: Settings, quarantine_id: int) -> None:
    async with opened(settings) as database:
        closer = await make_closer(database, settings)
        if not await dismiss(database, closer, quarantine_id, SystemClock().now_us()):
            raise NotFoundError(f"there is no record {quarantine_id} in quarantine")


async def make_closer(database: Database, settings: Settings) -> Closer:
    """Return what closes calls without an office, by the prices and rules as they are now."""
    async with database.read() as unit:
        prices = await load_part(unit)
        rules = await RuleBook(load_names().resolve).current(unit)
    conclusions = make_conclusions(settings, prices, rules)

    async def into_books(batch: Sequence[CallEvidence], books: Books) -> Sequence[CallAccount]:
        return await close(batch, books, conclusions)

    zone = ZoneInfo(settings.billing_time_zone)
    shelf = Shelf(RecordingStore(database.dialect), Days(zone), DIMENSIONS_CACHED_MAX)
    return Closer(shelf, into_books, DirectLedger(), holds_of_reports(zone))
