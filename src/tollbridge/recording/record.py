"""How does a call get into the books: one detail row, its attempts, its sums and its postings?

Stages 9 and 10 for one unit. Whatever moves money or counts is computed from the calls that were
really added: what is in the books already is passed over.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from tollbridge.core.account import OVERRUN, CallAccount
from tollbridge.core.call import new_id
from tollbridge.core.limits import MODEL_LENGTH_MAX, WALLET_PREFIX, LeaseCorrection, LimitKind
from tollbridge.core.settlement import CallUse, Settlement
from tollbridge.recording.attempts import attempt_row, is_plain
from tollbridge.recording.details import Source, counted, varying_row
from tollbridge.recording.rollups import Days, Dimension, Dimensions, Fold, Ids
from tollbridge.recording.shapes import Key, Shape, Shaper, Shapes, measures_of
from tollbridge.recording.statements import BookRows
from tollbridge.recording.store import RecordingStore
from tollbridge.storage.unit import Unit


class Ledger(Protocol):
    """What recording asks of the ledger, in its own unit; the office hands it over."""

    async def settle(
        self,
        unit: Unit,
        batch_id: str,
        charges: Sequence[Settlement],
        provider_costs: Mapping[str, int],
        posted_at_us: int,
    ) -> None:
        """Post a batch: what is charged to budgets, and what providers bill in nano-USD."""
        ...

    async def return_remainder(self, unit: Unit, worker: str, keep: Mapping[str, int]) -> object:
        """Free what a dead worker was granted, but for `keep` (lease id → amount)."""
        ...


class DrainLedger(Ledger, Protocol):
    """What the drain asks besides."""

    async def worker_gone(self, worker: str) -> None:
        """Learn that a worker is dead, before its remainder is returned: grant it nothing more."""
        ...


class Shelf:
    """What stays the same from unit to unit: statements, and what is known of earlier calls."""

    def __init__(self, store: RecordingStore, days: Days, dimensions_cached_max: int) -> None:
        self.store = store
        self.days = days
        self.dimensions = Dimensions(dimensions_cached_max)
        self.shapes = Shapes(dimensions_cached_max)


class UnitBooks:
    """The books as far as one unit is concerned: pipeline's `Books`."""

    def __init__(
        self,
        unit: Unit,
        shelf: Shelf,
        ledger: Ledger,
        sources: Mapping[str, Source],
        now_us: int,
    ) -> None:
        self._unit = unit
        self._shelf = shelf
        self._ledger = ledger
        self._sources = sources
        self._now_us = now_us
        self._fold: Fold | None = None
        self._shaper: Shaper | None = None
        self._fresh: dict[Dimension, Ids] = {}
        self._fresh_shapes: dict[Key, Shape] = {}
        self._charged: dict[str, int] = {}
        self.added: list[CallAccount] = []

    async def record(self, accounts: Sequence[CallAccount]) -> Sequence[CallAccount]:
        """Insert what is not there yet, with its sums, and return just that."""
        added: list[CallAccount] = []
        fold = Fold(self._shelf.dimensions, self._shelf.days)
        shaper = Shaper(self._shelf.shapes, fold)

        def build(known: set[str]) -> BookRows:
            for account in accounts:
                call_id = account.evidence.opened.call_id
                if call_id not in known:
                    known.add(call_id)
                    added.append(self._within_room(account))
            return self._rows(added, fold, shaper)

        call_ids = [account.evidence.opened.call_id for account in accounts]
        await self._shelf.store.add_calls(self._unit, call_ids, build)
        self._fold, self._shaper = fold, shaper
        return added

    async def settle(self, accounts: Sequence[CallAccount]) -> None:
        """Post the charges of the accounts that `record` has just returned."""
        charges = settlements(accounts)
        fold = self._fold
        costs = {} if fold is None else fold.provider_costs
        if charges or costs:
            await self._ledger.settle(
                self._unit, new_id(self._now_us), charges, costs, self._now_us
            )
        if fold is not None and self._shaper is not None:
            self._fresh.update(fold.fresh)
            self._fresh_shapes.update(self._shaper.fresh)
        self.added += accounts

    def committed(self) -> None:
        """Note that the unit has ended well."""
        self._shelf.dimensions.committed(self._fresh)
        self._shelf.shapes.committed(self._fresh_shapes)

    def _within_room(self, account: CallAccount) -> CallAccount:
        """Return an account; a charged report's is flagged where its budgets have no room left.

        Nothing was held for it: those of one unit share the room that there was before.
        """
        opened = account.evidence.opened
        if opened.report is None:
            return account
        for hold, amount in zip(opened.holds, account.amounts, strict=True):
            charged = self._charged.get(hold.budget_id, 0) + amount
            self._charged[hold.budget_id] = charged
            if charged > hold.amount and OVERRUN not in account.flags:
                account = msgspec.structs.replace(account, flags=(*account.flags, OVERRUN))
        return account

    def _rows(self, added: Sequence[CallAccount], fold: Fold, shaper: Shaper) -> BookRows:
        rows = BookRows(fold)
        for account in added:
            call_id = account.evidence.opened.call_id
            source, attempts = self._sources[call_id], account.attempts
            shape = shaper.shape_of(account, source)
            counts = [counted(attempt.usage) for attempt in attempts]
            folded = shape.folds and is_plain(attempts[0])
            serving = counts[-1] if counts else counted(account.usage)
            own = varying_row(account, serving, folded=folded)
            rows.details.append(own + shape.values)
            rows.evidence.append((call_id, account.accounted_at_us, source.raw.decode()))
            if not folded:
                for attempt, count in zip(attempts, counts, strict=True):
                    rows.attempts.append(attempt_row(call_id, attempt, count))
            measures = measures_of(shape, own)
            if shape.counts_once:
                fold.add_plain(attempts[0], shape.ids, measures, account.accounted_at_us)
            else:
                fold.add(account, shape.ids, measures, [tokens for tokens, _ in counts])
        return rows


def settlements(accounts: Sequence[CallAccount]) -> list[Settlement]:
    """Return what is posted for calls: of a wallet each, of other limits the sum by lease.

    What each call counts stands in its own row.
    """
    found: list[Settlement] = []
    sums: dict[tuple[str, str, int], int] = {}
    kinds: dict[str, LimitKind] = {}
    for account in accounts:
        for hold, amount in zip(account.evidence.opened.holds, account.amounts, strict=True):
            if not amount:
                continue
            budget_id = hold.budget_id
            key = hold.lease_id, budget_id, hold.period_start_us
            before = sums.get(key)
            if before is not None:
                sums[key] = before + amount
            elif budget_id.startswith(WALLET_PREFIX):
                found.append(Settlement(*key, amount, hold.kind, _use(account)))
            else:
                sums[key], kinds[budget_id] = amount, hold.kind
    found += [Settlement(*key, amount, kinds[key[1]]) for key, amount in sums.items()]
    return found


def corrections(accounts: Sequence[CallAccount]) -> list[LeaseCorrection]:
    """Return where what was posted is not what the worker took from its purse."""
    found: list[LeaseCorrection] = []
    for account in accounts:
        closed = account.evidence.closed
        taken = closed.taken
        if taken == account.amounts:
            continue
        holds = account.evidence.opened.holds
        if not taken:
            if closed.charge_nanousd is None or closed.charge_nanousd == account.charge_nanousd:
                continue
            taken = (closed.charge_nanousd,) * len(holds)
        found += [
            LeaseCorrection(hold.lease_id, hold.budget_id, amount - before)
            # Those that are only counted come last, and nothing was taken for them.
            for hold, amount, before in zip(holds, account.amounts, taken, strict=False)
            if amount != before and hold.lease_id
        ]
    return found


def _use(account: CallAccount) -> CallUse:
    """Return what a wallet's statement says of a call."""
    opened, counts = account.evidence.opened, account.usage.counts
    tokens = [counts[unit] for unit in ("input", "output") if unit in counts]
    return CallUse(
        call_id=opened.call_id,
        operation=opened.operation.value,
        model=opened.label[:MODEL_LENGTH_MAX],
        tokens=sum(tokens) if tokens else None,
        images=counts.get("image"),
    )
