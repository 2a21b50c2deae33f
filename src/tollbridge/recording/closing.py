"""How do ended calls go into a unit, and what happens to the one that cannot?"""

from collections.abc import Awaitable, Callable, Sequence

from tollbridge.core.account import CallAccount
from tollbridge.core.evidence import CallEvidence
from tollbridge.recording.calls import EndedCall, Unclosable
from tollbridge.recording.intake_store import claimed
from tollbridge.recording.record import Ledger, Shelf, UnitBooks
from tollbridge.storage.faults import is_database_fault
from tollbridge.storage.unit import Unit

ERROR_LENGTH_MAX = 1000

Close = Callable[[Sequence[CallEvidence], UnitBooks], Awaitable[Sequence[CallAccount]]]
"""pipeline.close with its conclusions: evidence and books → the accounts that were added."""


class Closer:
    """Brings ended calls into the books by the pipeline's `close`."""

    def __init__(self, shelf: Shelf, close: Close, ledger: Ledger) -> None:
        self.shelf = shelf
        self.ledger = ledger
        self._close = close

    async def together(self, unit: Unit, ended: Sequence[EndedCall], now_us: int) -> UnitBooks:
        """Close all calls at once; whatever is wrong with one of them undoes the unit."""
        ended = await claimed(unit, ended)
        books = self._books(unit, ended, now_us)
        if ended:
            await self._close([call.evidence for call in ended], books)
        return books

    async def one_by_one(
        self, unit: Unit, ended: Sequence[EndedCall], now_us: int
    ) -> tuple[UnitBooks, list[Unclosable]]:
        """Close each call by itself; return the ones that cannot be closed, and why.

        Raises what is the database's fault.
        """
        ended = await claimed(unit, ended)
        books = self._books(unit, ended, now_us)
        culprits: list[Unclosable] = []
        for call in ended:
            error = await error_of(self._close_one(unit, call, books))
            if error is None:
                continue
            if is_database_fault(error):
                raise error
            text = f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
            evidence = call.evidence
            culprits.append(Unclosable(call.source, evidence.opened.call_id, text, evidence))
        return books, culprits

    def _books(self, unit: Unit, ended: Sequence[EndedCall], now_us: int) -> UnitBooks:
        sources = {call.evidence.opened.call_id: call.source for call in ended}
        return UnitBooks(unit, self.shelf, self.ledger, sources, now_us)

    async def _close_one(self, unit: Unit, call: EndedCall, books: UnitBooks) -> None:
        async with unit.connection.begin_nested():
            await self._close([call.evidence], books)


async def error_of(work: Awaitable[object]) -> Exception | None:
    """Return what broke a piece of work, for a loop that must go on; None where nothing did."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - process edge: the drain's loop decides what it means
        return error
    return None
