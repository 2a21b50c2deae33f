"""Which sums change when calls get another provider, and by how much?

Pure. What a call adds to the roll-ups is taken from under its old provider and put under the new
one: both families, by quarter hour and by day, and the histogram of latencies.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tollbridge.recording.reassign import Move
from tollbridge.recording.rollups import (
    BY_CALLER,
    FAMILIES,
    QUARTER_US,
    Buckets,
    Days,
    Dimension,
    Measures,
    Row,
    coarse,
    dimension_id,
    histograms,
    latency_bucket,
    status_class,
)
from tollbridge.recording.tables import ATTEMPT_MEASURES, CALL_MEASURES

# The order of what is selected of a call (reattribution_store) behind its id.
AT = 1
SHARED = slice(2, 13)
FOLDED, ATTEMPT_COUNT, COST_ORIGIN, LATENCY = range(13, 17)
CALL_SUMS = slice(17, 17 + len(CALL_MEASURES))
ATTEMPT_SUMS = slice(CALL_SUMS.stop, CALL_SUMS.stop + len(ATTEMPT_MEASURES))
STATUS = 9
"""Of the shared ones: the place of the HTTP status."""
COST = ATTEMPT_MEASURES.index("cost_nanousd")
FIRST_BYTE = ATTEMPT_MEASURES.index("first_byte_ms_sum")
FIRST_BYTE_COUNT = ATTEMPT_MEASURES.index("first_byte_count")

Group = tuple[int, int, tuple[Any, ...]]
"""Start of the quarter hour, id of the change, and the other values of the dimension."""
Tables = dict[str, dict[tuple[int, ...], list[Measures]]]
Ids = tuple[int, int, int, int]
"""Of the dimensions: old, old without user and key; new, likewise."""


class MovedSums:
    """The sums of one batch."""

    def __init__(self, days: Days) -> None:
        self._days = days
        self._moves: dict[int, Move] = {}
        self._calls: dict[Group, list[Measures]] = {}
        self._attempts: dict[Group, list[Measures]] = {}
        self._latencies: dict[Group, list[int]] = {}
        self._first_bytes: dict[Group, list[int]] = {}
        self._ids: dict[tuple[int, tuple[Any, ...]], Ids] = {}
        self.dimensions: dict[int, Dimension] = {}
        """Those that the database may not have yet."""

    def add_call(self, row: tuple[Any, ...], move: Move) -> None:
        """Move a call, and its only attempt where its own row says it."""
        at_us, move_id = row[AT], move.move_id
        group = at_us - at_us % QUARTER_US, move_id, row[SHARED]
        rows = self._calls.get(group)
        if rows is None:
            rows = self._calls[group] = []
            self._moves[move_id] = move
        rows.append(row[CALL_SUMS])
        if row[FOLDED]:
            self._add_attempt(group, row[ATTEMPT_SUMS], row[LATENCY])

    def add_attempt(
        self,
        call: tuple[Any, ...],
        move: Move,
        of_attempt: tuple[Any, ...],
        sums: Measures,
    ) -> None:
        """Move an attempt that has a row of its own.

        `of_attempt`: its model, HTTP status, usage source and latency.
        """
        shared, at_us = call[SHARED], call[AT]
        model, http_status, usage_source, latency_ms = of_attempt
        own = (*shared[:3], model, *shared[4:STATUS], http_status, usage_source)
        self._moves[move.move_id] = move
        self._add_attempt((at_us - at_us % QUARTER_US, move.move_id, own), sums, latency_ms)

    def _add_attempt(self, group: Group, sums: Measures, latency_ms: int | None) -> None:
        attempts = self._attempts.get(group)
        if attempts is None:
            self._attempts[group] = [sums]
        else:
            attempts.append(sums)
        if latency_ms is not None:
            self._latencies.setdefault(group, []).append(latency_bucket(latency_ms))
        if sums[FIRST_BYTE_COUNT]:
            # Of one attempt, the sum is the time itself.
            index = latency_bucket(sums[FIRST_BYTE])
            self._first_bytes.setdefault(group, []).append(index)

    def provider_costs(self) -> dict[str, int]:
        """Return provider → what it bills more or less, in nano-USD; together they are zero."""
        costs: dict[str, int] = {}
        for (_, move_id, _), attempts in self._attempts.items():
            move = self._moves[move_id]
            amount = sum([one[COST] for one in attempts])
            for provider, part in ((move.old.provider, -amount), (move.new.provider, amount)):
                costs[provider] = costs.get(provider, 0) + part
        return {provider: amount for provider, amount in costs.items() if amount}

    def rows(self) -> Mapping[str, list[Row]]:
        """Return by table what is added to the sums, in key order and one row for each key."""
        tables: Tables = {name: {} for name in FAMILIES}
        for family, groups in ((FAMILIES[0], self._calls), (FAMILIES[2], self._attempts)):
            fine, daily = tables[family], tables[f"{family}_daily"]
            for group, found in groups.items():
                old, old_coarse, new, new_coarse = self._ids_of(group)
                quarter_us, sums = group[0], _total(found)
                less = tuple([-one for one in sums])
                day_us = self._days.start(quarter_us)
                moved = [(fine, quarter_us, old, new), (daily, day_us, old_coarse, new_coarse)]
                if groups is self._calls:
                    moved.append((tables[BY_CALLER], day_us, old, new))
                for table, start_us, from_id, to_id in moved:
                    table.setdefault((start_us, from_id), []).append(less)
                    table.setdefault((start_us, to_id), []).append(sums)
        rows = {
            name: [(*key, *_total(table[key])) for key in sorted(table)]
            for name, table in tables.items()
        }
        latency, first_byte = self._buckets(self._latencies), self._buckets(self._first_bytes)
        rows.update(histograms(latency, first_byte, self._days))
        return rows

    def _buckets(self, found: Mapping[Group, Sequence[int]]) -> Buckets:
        counts: Buckets = {}
        for group, indexes in found.items():
            _, old, _, new = self._ids_of(group)
            quarter_us = group[0]
            for index in indexes:
                less, more = (quarter_us, old, index), (quarter_us, new, index)
                counts[less] = counts.get(less, 0) - 1
                counts[more] = counts.get(more, 0) + 1
        return counts

    def _ids_of(self, group: Group) -> Ids:
        about = group[1:]
        ids = self._ids.get(about)
        if ids is None:
            move_id, shared = about
            move = self._moves[move_id]
            status = status_class(shared[STATUS])
            rest = (*shared[:STATUS], status, *shared[STATUS + 1 :])
            old: Dimension = (*move.old[:2], *rest)
            new: Dimension = (*move.new[:2], *rest)
            ids = (
                dimension_id(old),
                dimension_id(coarse(old)),
                dimension_id(new),
                dimension_id(coarse(new)),
            )
            self._ids[about] = ids
            self.dimensions[ids[2]], self.dimensions[ids[3]] = new, coarse(new)
        return ids


def corrected(sums: Measures, names: Sequence[str], more: Mapping[str, int]) -> Measures:
    """Return measures with what adjustments change of some of them."""
    return tuple([one + more.get(name, 0) for one, name in zip(sums, names, strict=True)])


def emptied(rows: Iterable[Row], keys: int) -> list[int]:
    """Return when the rows begin, in order, that take something away: nothing may be left there."""
    return [row[0] for row in rows if row[keys] < 0]


def _total(rows: Sequence[Measures]) -> Measures:
    return rows[0] if len(rows) == 1 else tuple([sum(column) for column in zip(*rows, strict=True)])
