"""How do the books follow a price that was corrected, without a past row being changed?

Calls of a period are rated again, the oldest first, in batches of one unit each: adjustments,
sums and postings move together with the place that the run has reached. A run that is cut short
goes on from there; one that is begun anew finds nothing to correct in what is corrected already.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from tollbridge.core.account import CostOrigin
from tollbridge.core.call import new_id
from tollbridge.recording import adjustment_store as store
from tollbridge.recording import rerating_store as runs
from tollbridge.recording.adjustment_store import Run
from tollbridge.recording.marks_store import unmark
from tollbridge.recording.reconsider import (
    CallCorrection,
    Findings,
    Place,
    RateAgain,
    StoredCall,
    provider_differences,
    reconsider,
)
from tollbridge.recording.rollups import Days
from tollbridge.storage.unit import Database, Unit

BATCH_CALLS = 500


class AdjustingLedger(Protocol):
    """What re-rating asks of the ledger, in its own unit."""

    async def adjust(
        self,
        unit: Unit,
        batch_id: str,
        charges: Mapping[str, int],
        provider_costs: Mapping[str, int],
    ) -> None:
        """Post differences in the period open now, in nano-USD: by budget id, by provider."""
        ...


class Tools(msgspec.Struct, frozen=True):
    """What recording is handed to rate again."""

    rate_again: RateAgain
    ledger: AdjustingLedger
    days: Days


Progress = Callable[[int], None]
"""Told after each batch how many more calls were seen."""


def nobody_looks(_calls: int) -> None:
    """Show no progress."""


async def preview(
    database: Database,
    wanted: Run,
    rate_again: RateAgain,
    *,
    on_progress: Progress = nobody_looks,
    batch_calls: int = BATCH_CALLS,
) -> Findings:
    """Return what `rerate` would come to from the beginning; nothing is written."""
    findings = Findings()
    place: Place | None = None
    while True:
        async with database.read() as unit:
            calls = await store.load_page(unit, wanted.window, wanted.only, place, batch_calls)
        findings.add(reconsider(calls, wanted.only, rate_again)[1])
        on_progress(len(calls))
        if len(calls) < batch_calls:
            return findings
        place = calls[-1].place


async def begin(database: Database, wanted: Run) -> Run:
    """Return the run to work on: the one about the same calls and prices, where it was cut short.

    Its `place` says how far it came.
    """
    async with database.write() as unit:
        return await runs.find_unfinished(unit, wanted) or await runs.begin_run(unit, wanted)


async def rerate(
    database: Database,
    run: Run,
    tools: Tools,
    *,
    on_progress: Progress = nobody_looks,
    batch_calls: int = BATCH_CALLS,
) -> Findings:
    """Correct what a run of `begin` has not seen yet; return what this came to.

    Raises ConflictError where another run corrects the same calls at this moment.
    """
    findings = Findings()
    place = run.place
    while True:
        async with database.read() as unit:
            calls = await store.load_page(unit, run.window, run.only, place, batch_calls)
        found = reconsider(calls, run.only, tools.rate_again)[1]
        if found.adjustments or (calls and run.only.marked):
            found = await _correct(database, run, tools, calls)
        findings.add(found)
        on_progress(len(calls))
        if len(calls) < batch_calls:
            break
        place = calls[-1].place
    async with database.write() as unit:
        await runs.end_run(unit, run)
    return findings


async def _correct(database: Database, run: Run, tools: Tools, seen: list[StoredCall]) -> Findings:
    """Correct one batch in one unit, as its calls stand by then."""
    async with database.write() as unit:
        await runs.lock_run(unit, run)
        await store.lock_calls(unit, [call.call_id for call in seen])
        calls = await store.load_calls(unit, [call.call_id for call in seen])
        corrections, findings = reconsider(calls, run.only, tools.rate_again)
        if corrections:
            batch_id = new_id(await unit.now_us())
            charges, unknown = await _charges(unit, corrections)
            await store.write_corrections(unit, run, batch_id, corrections, unknown)
            await store.correct_rollups(unit, corrections, tools.days)
            costs = provider_differences(corrections)
            await tools.ledger.adjust(unit, batch_id, charges, costs)
            findings.budgets_unknown = len(unknown)
        if run.only.marked:
            await unmark(unit, [call.call_id for call in calls if _is_right(call, run, tools)])
        await runs.advance_run(unit, run, calls[-1].place, findings)
    return findings


def _is_right(call: StoredCall, run: Run, tools: Tools) -> bool:
    """Return whether a call has the price of who served it: one without a price stays marked."""
    mine = [one for one in call.attempts if one.cost_origin in {None, CostOrigin.COMPUTED}]
    return all(
        run.only.takes(one) and tools.rate_again(one).cost_nanousd is not None for one in mine
    )


async def _charges(
    unit: Unit, corrections: list[CallCorrection]
) -> tuple[dict[str, int], frozenset[str]]:
    """Return budget id → what it is charged more or less, and the calls whose budgets nobody knows.

    A call counted against the budgets of money that it held from; its evidence names them.
    """
    changed = {one.call.call_id: one for one in corrections if one.changes_charges}
    known = await store.budgets_of(unit, list(changed))
    charges: dict[str, int] = {}
    for call_id, budgets in known.items():
        for budget_id, provider in budgets:
            difference = changed[call_id].charge_difference_of(provider)
            charges[budget_id] = charges.get(budget_id, 0) + difference
    return charges, frozenset(changed.keys() - known.keys())
