"""Which sums change when calls get another provider, and by how much?

Pure. What calls add to the roll-ups is taken from under their old provider and put under the new
one: both families, by quarter hour and by day, and the histogram of latencies. The database has
added up already what moves alike within a quarter hour.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tollbridge.recording.reassign import Move
from tollbridge.recording.rollups import (
    BY_ATTEMPT,
    BY_CALL,
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

# The order of what is selected of calls that move alike (moving_store).
QUARTER, MOVE = range(2)
SHARED = slice(2, 13)
FOLDED = 13
CALL_SUMS = slice(14, 14 + len(CALL_MEASURES))
ATTEMPT_SUMS = slice(CALL_SUMS.stop, CALL_SUMS.stop + len(ATTEMPT_MEASURES))
LATENCIES, FIRST_BYTES, APART = range(ATTEMPT_SUMS.stop, ATTEMPT_SUMS.stop + 3)
STATUS = 9
"""Of the shared ones: the place of the HTTP status."""
COST = ATTEMPT_MEASURES.index("cost_nanousd")
FIRST_BYTE = ATTEMPT_MEASURES.index("first_byte_ms_sum")
FIRST_BYTE_COUNT = ATTEMPT_MEASURES.index("first_byte_count")

Shared = tuple[Any, ...]
"""The values of a dimension but for who served, with the HTTP status as it is."""
Ids = tuple[int, int, int, int]
"""Of the dimensions: old, old without user and key; new, likewise."""
Pair = tuple[int, int, int]
"""Start of an interval, old dimension, new one."""
Pairs = dict[Pair, list[Measures]]
Times = dict[Pair, list[int | None]]
"""What attempts took, in milliseconds; None is unknown."""


class MovedSums:
    """The sums of one batch, of calls that change in one of some ways."""

    def __init__(self, days: Days, moves: Mapping[int, Move]) -> None:
        self._days = days
        self._moves = moves
        self._ids: dict[tuple[int, Shared], Ids] = {}
        self._tables: dict[str, Pairs] = {name: {} for name in FAMILIES}
        self._latencies: Times = {}
        self._first_bytes: Times = {}
        self._costs: dict[int, int] = {}
        self.dimensions: dict[int, Dimension] = {}
        """Those that the database may not have yet."""

    def add_alike(self, row: tuple[Any, ...]) -> None:
        """Move calls of a quarter hour that change alike; their only attempts, where they say it.

        Times are lists: one of each attempt.
        """
        quarter_us, move_id, shared = row[QUARTER], row[MOVE], row[SHARED]
        self.add_call(quarter_us, move_id, shared, row[CALL_SUMS])
        if row[FOLDED]:
            self.add_attempt(quarter_us, move_id, shared, row[ATTEMPT_SUMS])
            self._add_times(quarter_us, move_id, shared, (row[LATENCIES], row[FIRST_BYTES]))

    def add_call(self, at_us: int, move_id: int, shared: Shared, sums: Measures) -> None:
        """Move what calls of a quarter hour add to the sums by call, or one with a correction."""
        self._add(BY_CALL, at_us, self._ids_of(move_id, shared), sums)

    def add_attempt(self, at_us: int, move_id: int, shared: Shared, sums: Measures) -> None:
        """Move what attempts add to the sums by attempt, or one with a correction."""
        self._add(BY_ATTEMPT, at_us, self._ids_of(move_id, shared), sums)
        self._costs[move_id] = self._costs.get(move_id, 0) + sums[COST]

    def add_apart(
        self,
        at_us: int,
        move_id: int,
        shared: Shared,
        of_attempt: tuple[Any, ...],
        sums: Measures,
    ) -> None:
        """Move an attempt that has a row of its own.

        `of_attempt`: its model, HTTP status, usage source and latency.
        """
        model, http_status, usage_source, latency_ms = of_attempt
        own = (*shared[:3], model, *shared[4:STATUS], http_status, usage_source)
        self.add_attempt(at_us, move_id, own, sums)
        # Of one attempt, the sum is the time itself.
        first_byte_ms = sums[FIRST_BYTE] if sums[FIRST_BYTE_COUNT] else None
        self._add_times(at_us, move_id, own, ([latency_ms], [first_byte_ms]))

    def provider_costs(self) -> dict[str, int]:
        """Return provider → what it bills more or less, in nano-USD; together they are zero."""
        costs: dict[str, int] = {}
        for move_id, amount in self._costs.items():
            move = self._moves[move_id]
            for provider, part in ((move.old.provider, -amount), (move.new.provider, amount)):
                costs[provider] = costs.get(provider, 0) + part
        return {provider: amount for provider, amount in costs.items() if amount}

    def rows(self) -> Mapping[str, list[Row]]:
        """Return by table what is added to the sums, in key order and one row for each key."""
        rows = {name: _moved(pairs) for name, pairs in self._tables.items()}
        latency, first_byte = _buckets(self._latencies), _buckets(self._first_bytes)
        rows.update(histograms(latency, first_byte, self._days))
        return rows

    def _add(self, family: str, at_us: int, ids: Ids, sums: Measures) -> None:
        old, old_coarse, new, new_coarse = ids
        quarter_us = at_us - at_us % QUARTER_US
        day_us = self._days.start(quarter_us)
        tables = self._tables
        _add(tables[family], (quarter_us, old, new), sums)
        _add(tables[f"{family}_quarterly"], (quarter_us, old_coarse, new_coarse), sums)
        _add(tables[f"{family}_daily"], (day_us, old_coarse, new_coarse), sums)
        _add(tables[BY_CALLER[family]], (day_us, old, new), sums)

    def _add_times(
        self,
        at_us: int,
        move_id: int,
        shared: Shared,
        times_ms: tuple[Sequence[int | None], Sequence[int | None]],
    ) -> None:
        # Histograms know no user and no key: many groups are one in them.
        _, old, _, new = self._ids_of(move_id, shared)
        pair = at_us - at_us % QUARTER_US, old, new
        self._latencies.setdefault(pair, []).extend(times_ms[0])
        self._first_bytes.setdefault(pair, []).extend(times_ms[1])

    def _ids_of(self, move_id: int, shared: Shared) -> Ids:
        about = move_id, shared
        ids = self._ids.get(about)
        if ids is None:
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


def emptied(rows: Iterable[Row], keys: int) -> list[int]:
    """Return when the rows begin, in order, that take something away: nothing may be left there."""
    return [row[0] for row in rows if row[keys] < 0]


def _add(pairs: Pairs, pair: Pair, sums: Measures) -> None:
    found = pairs.get(pair)
    if found is None:
        pairs[pair] = [sums]
    else:
        found.append(sums)


def _moved(pairs: Pairs) -> list[Row]:
    """Return what is taken from the old dimensions and put under the new ones, in key order."""
    table: dict[tuple[int, int], list[Measures]] = {}
    for (start_us, old, new), found in pairs.items():
        sums = _total(found)
        table.setdefault((start_us, old), []).append(tuple([-one for one in sums]))
        table.setdefault((start_us, new), []).append(sums)
    return [(*key, *_total(table[key])) for key in sorted(table)]


def _buckets(found: Times) -> Buckets:
    counts: Buckets = {}
    for (quarter_us, old, new), times_ms in found.items():
        for time_ms, count in Counter(times_ms).items():
            if time_ms is None:
                continue
            index = latency_bucket(time_ms)
            less, more = (quarter_us, old, index), (quarter_us, new, index)
            counts[less] = counts.get(less, 0) - count
            counts[more] = counts.get(more, 0) + count
    return counts


def _total(rows: Sequence[Measures]) -> Measures:
    return rows[0] if len(rows) == 1 else tuple([sum(column) for column in zip(*rows, strict=True)])
