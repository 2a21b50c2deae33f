"""Which sums change when calls get another provider, and by how much?

Pure. What a call adds to the roll-ups is taken from under its old provider and put under the new
one: both families, by quarter hour and by day, and the histogram of latencies.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tollbridge.recording.reassign import Move
from tollbridge.recording.rollups import (
    FAMILIES,
    QUARTER_US,
    Days,
    Dimension,
    Measures,
    Row,
    coarse,
    dimension_id,
    latency_bucket,
    status_class,
)
from tollbridge.recording.tables import ATTEMPT_MEASURES, CALL_MEASURES

# The order of what is selected of a call (reattribution_store) behind its id.
AT = 1
SERVED = slice(2, 6)
SHARED = slice(6, 17)
FOLDED, ATTEMPT_COUNT, PRICED_AS, COST_ORIGIN, LATENCY = range(17, 22)
CALL_SUMS = slice(22, 22 + len(CALL_MEASURES))
ATTEMPT_SUMS = slice(CALL_SUMS.stop, CALL_SUMS.stop + len(ATTEMPT_MEASURES))
STATUS = 9
"""Of the shared ones: the place of the HTTP status."""
COST = ATTEMPT_MEASURES.index("cost_nanousd")
LATENCY_TABLE = "rollup_latency"

Between = tuple[str, str, str, str]
"""Old provider, old upstream, new provider, new upstream."""
About = tuple[Between, tuple[Any, ...]]
"""From whom to whom, and the other values of the dimension."""
Latencies = list[int | None]


class _Part:
    """What of one kind moves within one quarter hour."""

    __slots__ = ("attempts", "calls", "latencies")

    def __init__(self) -> None:
        self.calls: list[Measures] = []
        self.attempts: list[Measures] = []
        self.latencies: Latencies = []


Tables = dict[str, dict[tuple[int, ...], list[Measures]]]


class MovedSums:
    """The sums of one batch."""

    def __init__(self, days: Days) -> None:
        self._days = days
        self._parts: dict[About, dict[int, _Part]] = {}
        self.dimensions: dict[int, Dimension] = {}
        """Those that the database may not have yet."""

    def add_call(self, row: Sequence[Any], move: Move) -> None:
        """Move a call, and its only attempt where its own row says it."""
        part = self._part(row[AT], move, tuple(row[SHARED]))
        part.calls.append(tuple(row[CALL_SUMS]))
        if row[FOLDED]:
            part.attempts.append(tuple(row[ATTEMPT_SUMS]))
            part.latencies.append(row[LATENCY])

    def add_attempt(
        self, call: Sequence[Any], move: Move, of_attempt: tuple[Any, ...], sums: Measures
    ) -> None:
        """Move an attempt that has a row of its own.

        `of_attempt`: its model, HTTP status, usage source and latency.
        """
        shared = call[SHARED]
        model, http_status, usage_source, latency_ms = of_attempt
        own = (*shared[:3], model, *shared[4:STATUS], http_status, usage_source)
        part = self._part(call[AT], move, own)
        part.attempts.append(sums)
        part.latencies.append(latency_ms)

    def _part(self, at_us: int, move: Move, shared: tuple[Any, ...]) -> _Part:
        about = (*move.old[:2], *move.new[:2]), shared
        quarters = self._parts.get(about)
        if quarters is None:
            quarters = self._parts[about] = {}
        quarter_us = at_us - at_us % QUARTER_US
        part = quarters.get(quarter_us)
        if part is None:
            part = quarters[quarter_us] = _Part()
        return part

    def provider_costs(self) -> dict[str, int]:
        """Return provider → what it bills more or less, in nano-USD; together they are zero."""
        costs: dict[str, int] = {}
        for ((old, _, new, _), _), quarters in self._parts.items():
            amount = sum([one[COST] for part in quarters.values() for one in part.attempts])
            costs[old] = costs.get(old, 0) - amount
            costs[new] = costs.get(new, 0) + amount
        return {provider: amount for provider, amount in costs.items() if amount}

    def rows(self) -> Mapping[str, list[Row]]:
        """Return by table what is added to the sums, in key order and one row for each key."""
        tables: Tables = {name: {} for name in (*FAMILIES, LATENCY_TABLE)}
        for about, quarters in self._parts.items():
            old, old_coarse, new, new_coarse = self._ids(about)
            for quarter_us, part in quarters.items():
                day_us = self._days.start(quarter_us)
                for family, found in ((FAMILIES[0], part.calls), (FAMILIES[2], part.attempts)):
                    if found:
                        sums = _total(found)
                        _move(tables[family], quarter_us, (old, new), sums)
                        daily = tables[f"{family}_daily"]
                        _move(daily, day_us, (old_coarse, new_coarse), sums)
                self._move_latencies(
                    tables[LATENCY_TABLE], quarter_us, (old_coarse, new_coarse), part.latencies
                )
        return {
            name: [(*key, *_total(rows[key])) for key in sorted(rows)]
            for name, rows in tables.items()
        }

    def _move_latencies(
        self,
        table: dict[tuple[int, ...], list[Measures]],
        quarter_us: int,
        ids: tuple[int, int],
        latencies: Latencies,
    ) -> None:
        for latency_ms in latencies:
            if latency_ms is not None:
                index = latency_bucket(latency_ms)
                table.setdefault((quarter_us, ids[0], index), []).append((-1,))
                table.setdefault((quarter_us, ids[1], index), []).append((1,))

    def _ids(self, about: About) -> tuple[int, ...]:
        """Return the ids of the dimensions: old, old without user and key; new, likewise."""
        between, shared = about
        rest = (*shared[:STATUS], status_class(shared[STATUS]), *shared[STATUS + 1 :])
        old: Dimension = (*between[:2], *rest)
        new: Dimension = (*between[2:], *rest)
        dimensions = old, coarse(old), new, coarse(new)
        ids = tuple([dimension_id(one) for one in dimensions])
        self.dimensions[ids[2]], self.dimensions[ids[3]] = dimensions[2:]
        return ids


def _move(
    table: dict[tuple[int, ...], list[Measures]],
    start_us: int,
    ids: tuple[int, int],
    sums: Measures,
) -> None:
    """Take sums from under the first of two dimensions, and put them under the second."""
    table.setdefault((start_us, ids[0]), []).append(tuple([-one for one in sums]))
    table.setdefault((start_us, ids[1]), []).append(sums)


def corrected(sums: Measures, names: Sequence[str], more: Mapping[str, int]) -> Measures:
    """Return measures with what adjustments change of some of them."""
    return tuple([one + more.get(name, 0) for one, name in zip(sums, names, strict=True)])


def emptied(rows: Iterable[Row], keys: int) -> list[tuple[int, ...]]:
    """Return the keys of rows that take something away: nothing may be left there."""
    return [row[:keys] for row in rows if row[keys] < 0]


def _total(rows: Sequence[Measures]) -> Measures:
    return rows[0] if len(rows) == 1 else tuple([sum(column) for column in zip(*rows, strict=True)])
