"""How do ended calls go into a unit, and what happens to the one that cannot?"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from tollbridge.core.account import CallAccount
from tollbridge.core.call import Caller, Hold
from tollbridge.core.evidence import CallEvidence
from tollbridge.recording.calls import EndedCall, RawEvidence, Unclosable
from tollbridge.recording.intake_store import claimed
from tollbridge.recording.record import Ledger, Shelf, UnitBooks
from tollbridge.storage.faults import is_database_fault
from tollbridge.storage.unit import Unit

ERROR_LENGTH_MAX = 1000

Close = Callable[[Sequence[CallEvidence], UnitBooks], Awaitable[Sequence[CallAccount]]]
"""pipeline.close with its conclusions: evidence and books → the accounts that were added."""
HoldsOf = Callable[[Unit, Sequence[Caller]], Awaitable[Mapping[Caller, tuple[Hold, ...]]]]
"""Which budgets pay for what these callers did elsewhere, each with the room that it has left."""

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
        """Close each call by itself; return the ones that cannot be closed, and why.

        Raises what is the database's fault.
        """
        ended = await self._charged(unit, await claimed(unit, ended))
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

    async def _charged(self, unit: Unit, ended: Sequence[EndedCall]) -> Sequence[EndedCall]:
        """Return the calls; reports that are charged have the budgets that pay, as if they held."""
        callers = [
            one.evidence.opened.caller
            for one in ended
            if (report := one.evidence.opened.report) is not None and report.charges
        ]
        if not callers or self._holds_of is None:
            return ended
        holds = await self._holds_of(unit, list(dict.fromkeys(callers)))
        return [_holding(one, holds) for one in ended]

    def _books(self, unit: Unit, ended: Sequence[EndedCall], now_us: int) -> UnitBooks:
        sources = {call.evidence.opened.call_id: call.source for call in ended}
        return UnitBooks(unit, self.shelf, self.ledger, sources, now_us)

    async def _close_one(self, unit: Unit, call: EndedCall, books: UnitBooks) -> None:
        async with unit.connection.begin_nested():
            await self._close([call.evidence], books)


def _holding(call: EndedCall, holds: Mapping[Caller, tuple[Hold, ...]]) -> EndedCall:
    opened, closed = call.evidence.opened, call.evidence.closed
    if opened.report is None or not opened.report.charges:
        return call
    opened = msgspec.structs.replace(opened, holds=holds.get(opened.caller, ()))
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
