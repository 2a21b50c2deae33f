"""How do ended calls go into a unit, and what happens to the one that cannot?"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from tollbridge.core.account import CallAccount
from tollbridge.core.call import Hold
from tollbridge.core.evidence import CallEvidence, Opened
from tollbridge.recording.calls import EndedCall, RawEvidence, Unclosable
from tollbridge.recording.intake_store import claimed
from tollbridge.recording.record import Ledger, Shelf, UnitBooks
from tollbridge.storage.faults import is_database_fault
from tollbridge.storage.unit import Unit

ERROR_LENGTH_MAX = 1000

Close = Callable[[Sequence[CallEvidence], UnitBooks], Awaitable[Sequence[CallAccount]]]
"""pipeline.close with its conclusions: evidence and books → the accounts that were added."""
HoldsOf = Callable[[Unit, Sequence[Opened]], Awaitable[Sequence[tuple[Hold, ...]]]]
"""Which budgets pay for each of these reports, each with the room that it has left."""

_encode = msgspec.json.Encoder().encode


class Closer:
    """Brings ended calls into the books by the pipeline's `close`."""

    def __init__(
        self, shelf: Shelf, close: Close, ledger: Ledger, holds_of: HoldsOf | None = None
    ) -> None:
        """`holds_of` is asked for reports that are charged; without it budgets pay for none."""
        self.shelf = shelf
        self.ledger = ledger
        self._close = close
        self._holds_of = holds_of

    async def together(self, unit: Unit, ended: Sequence[EndedCall], now_us: int) -> UnitBooks:
        """Close all calls at once; whatever is wrong with one of them undoes the unit."""
        ended = await self._charged(unit, await claimed(unit, ended))
        books = self._books(unit, ended, now_us)
        if ended:
            await self._close([call.evidence for call in ended], books)
        return books

    async def one_by_one(
        self, unit: Unit, ended: Sequence[EndedCall], now_us: int
    ) -> tuple[UnitBooks, list[Unclosable]]:
        """Close what can be closed; return the calls that cannot, and why.

        Each is tried by itself and taken back, and with it its locks: what is left is closed at
        once, in the order of keys that everybody keeps to. Raises what is the database's fault.
        """
        ended = await self._charged(unit, await claimed(unit, ended))
        culprits: list[Unclosable] = []
        good: list[EndedCall] = []
        for call in ended:
            error = await _fault_of(self._try_one(unit, call, now_us))
            if error is None:
                good.append(call)
            else:
                culprits.append(_unclosable(call, error))
        books = self._books(unit, good, now_us)
        if await _fault_of(self._close_some(unit, good, books)) is None:
            return books, culprits
        # Each of them can be closed, but not all: those that come first are.
        books = self._books(unit, good, now_us)
        for call in good:
            error = await _fault_of(self._close_some(unit, [call], books))
            if error is not None:
                culprits.append(_unclosable(call, error))
        return books, culprits

    async def _charged(self, unit: Unit, ended: Sequence[EndedCall]) -> Sequence[EndedCall]:
        """Return the calls; reports that are charged have the budgets that pay, as if they held."""
        charged = [
            one.evidence.opened
            for one in ended
            if (report := one.evidence.opened.report) is not None and report.charges
        ]
        if not charged or self._holds_of is None:
            return ended
        found = await self._holds_of(unit, charged)
        holds = {one.call_id: each for one, each in zip(charged, found, strict=True)}
        return [_holding(one, holds) for one in ended]

    def _books(self, unit: Unit, ended: Sequence[EndedCall], now_us: int) -> UnitBooks:
        sources = {call.evidence.opened.call_id: call.source for call in ended}
        return UnitBooks(unit, self.shelf, self.ledger, sources, now_us)

    async def _close_some(self, unit: Unit, calls: Sequence[EndedCall], books: UnitBooks) -> None:
        if calls:
            async with unit.connection.begin_nested():
                await self._close([call.evidence for call in calls], books)

    async def _try_one(self, unit: Unit, call: EndedCall, now_us: int) -> None:
        point = await unit.connection.begin_nested()
        try:
            await self._close([call.evidence], self._books(unit, [call], now_us))
        finally:
            await point.rollback()


async def _fault_of(work: Awaitable[object]) -> Exception | None:
    """Return what is wrong with a call itself. Raises what is the database's fault."""
    error = await error_of(work)
    if error is not None and is_database_fault(error):
        raise error
    return error


def _unclosable(call: EndedCall, error: Exception) -> Unclosable:
    text = f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
    return Unclosable(call.source, call.evidence.opened.call_id, text, call.evidence)


def _holding(call: EndedCall, holds: Mapping[str, tuple[Hold, ...]]) -> EndedCall:
    opened, closed = call.evidence.opened, call.evidence.closed
    if opened.call_id not in holds:
        return call
    opened = msgspec.structs.replace(opened, holds=holds[opened.call_id])
    closed = msgspec.structs.replace(closed, opened=opened)
    # The evidence tells, for as long as it is kept, whom a correction concerns.
    raw = _encode(RawEvidence(closed))
    source = msgspec.structs.replace(call.source, raw=raw)
    return EndedCall(CallEvidence(opened, closed), source)


async def error_of(work: Awaitable[object]) -> Exception | None:
    """Return what broke a piece of work, for a loop that must go on; None where nothing did."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - process edge: the drain's loop decides what it means
        return error
    return None
