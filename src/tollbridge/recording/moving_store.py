"""What do calls add to the sums, that moves with them when they get another provider?"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from tollbridge.recording.archive_tables import Tier
from tollbridge.recording.audit import (
    ATTEMPT_ADDS,
    ATTEMPT_ADJUSTMENTS,
    CALL_ADDS,
    CALL_ADJUSTMENTS,
)
from tollbridge.recording.moved_sums import (
    APART,
    ATTEMPT_SUMS,
    LATENCIES,
    QUARTER,
    SHARED,
    MovedSums,
)
from tollbridge.recording.reassign import Move
from tollbridge.recording.rollups import QUARTER_US, Days, Measures
from tollbridge.recording.scope_store import among, call_id_of, fetch, pairs, scope, with_pairs
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import ATTEMPT_MEASURES, CALL_MEASURES
from tollbridge.storage.unit import Unit

# What the view `call_attempts` makes of a detail row that says its only attempt.
_OF_FOLDED: Mapping[str, str] = {
    "outcome": "'succeeded'",
    **{
        name: f"(CASE WHEN d.{end} < d.attempt_started_at_us THEN 0 "
        f"ELSE (d.{end} - d.attempt_started_at_us + 500) / 1000 END)"
        for name, end in (
            ("latency_ms", "attempt_ended_at_us"),
            ("first_byte_ms", "first_byte_at_us"),
        )
    },
}
_SHARED_COLUMNS = (
    "d.bucket, d.category, d.operation, coalesce(d.requested_model, ''), d.label, d.project, "
    "d.user_name, d.key_id, d.key_name, d.http_status, d.usage_source"
)
_IS_FOLDED = "CASE WHEN d.attempt_started_at_us IS NULL THEN 0 ELSE 1 END"
_LISTS: Mapping[str, str] = {"sqlite": "json_group_array", "postgresql": "array_agg"}

Moving = Sequence[tuple[Any, ...]]
"""What calls that change alike add to the sums, in the order of moved_sums."""


class Apart(NamedTuple):
    """The serving attempt of a call, where it has a row of its own."""

    call_id: str
    number: int


def _of_folded(expression: str) -> str:
    """Return an expression about an attempt as one about the detail row that says it."""
    return re.sub(
        r"\ba\.(\w+)", lambda found: _OF_FOLDED.get(found[1], f"d.{found[1]}"), expression
    )


async def load_moving(unit: Unit, tier: Tier, wanted: Mapping[str, Move]) -> Moving:
    """Return what moves with those of the calls that get another provider, and are in a tier.

    None of it ever changes: it may be read before the unit that moves it.
    """
    moves = {call_id: move.move_id for call_id, move in wanted.items() if move.reassigns}
    if not moves:
        return ()
    lists = _LISTS[unit.dialect]
    key = f"d.accounted_at_us - d.accounted_at_us % {QUARTER_US}, n.move_id, {_SHARED_COLUMNS}"
    key = f"{key}, {_IS_FOLDED}"
    sums = [*CALL_ADDS.values(), *(_of_folded(adds) for adds in ATTEMPT_ADDS.values())]
    sql = joined(
        "SELECT",
        key,
        ",",
        ", ".join(f"CAST(sum({one}) AS BIGINT)" for one in sums),
        f", {lists}({_of_folded('a.latency_ms')}), {lists}({_of_folded('a.first_byte_ms')}),",
        f"{lists}({call_id_of(unit)}) FILTER (WHERE d.attempt_started_at_us IS NULL)",
        f"FROM {with_pairs(unit, tier.details.name)} GROUP BY",
        ", ".join(map(str, range(1, ATTEMPT_SUMS.start - len(CALL_MEASURES) + 1))),
    )
    rows = await fetch(unit, sql, pairs(unit, moves))
    return [_read(row) for row in rows] if unit.dialect == "sqlite" else rows


async def sum_up(
    unit: Unit, tier: Tier, changed: Mapping[str, Move], moving: Moving, days: Days
) -> tuple[MovedSums, list[Apart]]:
    """Return what moves, with what adjustments have made of it, and which attempts stand apart."""
    sums = MovedSums(days, {move.move_id: move for move in changed.values()})
    apart: list[str] = []
    for row in moving:
        sums.add_alike(row)
        apart += row[APART] or ()
    if not moving:
        return sums, []
    corrections: Mapping[str, Measures] = {}
    if await _are_adjusted(unit, moving):
        corrections = await _add_corrections(unit, tier, changed, sums)
    return sums, await _add_apart(unit, tier, changed, sums, (apart, corrections))


async def _add_apart(
    unit: Unit,
    tier: Tier,
    changed: Mapping[str, Move],
    sums: MovedSums,
    apart: tuple[Sequence[str], Mapping[str, Measures]],
) -> list[Apart]:
    """Add the attempts that have rows of their own, with what was corrected of them."""
    call_ids, corrections = apart
    if not call_ids:
        return []
    sql = joined(
        f"SELECT {call_id_of(unit)}, d.accounted_at_us, a.number, a.provider,",
        f"coalesce(a.upstream_provider_name, ''), {_SHARED_COLUMNS},",
        "a.model, a.http_status, a.usage_source, a.latency_ms,",
        ", ".join(ATTEMPT_ADDS.values()),
        f"FROM {tier.rows.name} AS a JOIN {tier.details.name} AS d ON d.call_id = a.call_id",
        f"WHERE a.call_id {among(unit)} AND a.number = d.attempt_count",
    )
    found: list[Apart] = []
    shared_end = 5 + SHARED.stop - SHARED.start
    for row in await fetch(unit, sql, (scope(unit, call_ids),)):
        call_id, at_us, number, provider, upstream = row[:5]
        found.append(Apart(call_id, number))
        move = changed[call_id]
        if (provider, upstream) != move.old[:2]:
            continue
        measures: Measures = row[shared_end + 4 :]
        more = corrections.get(call_id)
        if more is not None:
            measures = tuple([one + other for one, other in zip(measures, more, strict=True)])
        of_attempt = row[shared_end : shared_end + 4]
        sums.add_apart(at_us, move.move_id, row[5:shared_end], of_attempt, measures)
    return found


async def _add_corrections(
    unit: Unit, tier: Tier, changed: Mapping[str, Move], sums: MovedSums
) -> dict[str, Measures]:
    """Add what adjustments change; return it by call of the serving attempts that stand apart."""
    # Through their own index first: hardly any call has one.
    sql = joined(
        f"SELECT {call_id_of(unit)}, d.accounted_at_us, {_IS_FOLDED}, d.attempt_count, j.attempt,",
        f"{_SHARED_COLUMNS},",
        ", ".join([*CALL_ADJUSTMENTS.values(), *ATTEMPT_ADJUSTMENTS.values()]),
        f"FROM adjustments AS j JOIN {tier.details.name} AS d ON d.call_id = j.call_id",
        f"WHERE j.call_id {among(unit)} GROUP BY d.call_id, j.attempt",
    )
    call_ids = [call_id for call_id, move in changed.items() if move.reassigns]
    found: dict[str, Measures] = {}
    shared_end = 5 + SHARED.stop - SHARED.start
    calls_end = shared_end + len(CALL_ADJUSTMENTS)
    for row in await fetch(unit, sql, (scope(unit, call_ids),)):
        call_id, at_us, is_folded, attempts, attempt = row[:5]
        about = at_us, changed[call_id].move_id, row[5:shared_end]
        of_call = zip(CALL_ADJUSTMENTS, row[shared_end:calls_end], strict=True)
        sums.add_call(*about, _measures(CALL_MEASURES, dict(of_call)))
        of_attempt = zip(ATTEMPT_ADJUSTMENTS, row[calls_end:], strict=True)
        more = _measures(ATTEMPT_MEASURES, dict(of_attempt))
        if is_folded and attempt == 1:
            sums.add_attempt(*about, more)
        elif not is_folded and attempt == attempts:
            found[call_id] = more
    return found


async def _are_adjusted(unit: Unit, moving: Moving) -> bool:
    """Return whether any call of their time was adjusted."""
    quarters = [row[QUARTER] for row in moving]
    sql = "SELECT 1 FROM adjustments WHERE accounted_at_us >= ? AND accounted_at_us < ? LIMIT 1"
    return bool(await fetch(unit, sql, (min(quarters), max(quarters) + QUARTER_US)))


def _measures(names: Sequence[str], some: Mapping[str, Any]) -> Measures:
    return tuple([int(some.get(name, 0)) for name in names])  # PostgreSQL sums to a decimal


def _read(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row of SQLite, whose lists are texts, as PostgreSQL has it."""
    return (*row[:LATENCIES], *[msgspec.json.decode(one) for one in row[LATENCIES:]])
