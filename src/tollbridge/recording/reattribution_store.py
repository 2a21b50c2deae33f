"""How is it written down that calls were served by another provider, with all their sums?"""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tollbridge.recording import statements
from tollbridge.recording.archive_tables import Tier
from tollbridge.recording.audit import (
    ATTEMPT_ADDS,
    ATTEMPT_ADJUSTMENTS,
    CALL_ADDS,
    CALL_ADJUSTMENTS,
)
from tollbridge.recording.moved_sums import (
    AT,
    ATTEMPT_COUNT,
    ATTEMPT_SUMS,
    CALL_SUMS,
    COST_ORIGIN,
    FOLDED,
    MovedSums,
    corrected,
    emptied,
)
from tollbridge.recording.reassign import Move, Served, needs_rating
from tollbridge.recording.rollups import Days, Row
from tollbridge.recording.scope_store import (
    add,
    add_sums,
    among,
    call_id_of,
    fetch,
    put,
    scope,
    uuid_place,
)
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import ATTEMPT_MEASURES, CALL_MEASURES, ROLLUPS
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


def _of_folded(expression: str) -> str:
    """Return an expression about an attempt as one about the detail row that says it."""
    return re.sub(
        r"\ba\.(\w+)", lambda found: _OF_FOLDED.get(found[1], f"d.{found[1]}"), expression
    )


_MOVING = joined(
    "d.accounted_at_us,",
    "d.bucket, d.category, d.operation, coalesce(d.requested_model, ''), d.label, d.project,",
    "d.user_name, d.key_id, d.key_name, d.http_status, d.usage_source,",
    "CASE WHEN d.attempt_started_at_us IS NULL THEN 0 ELSE 1 END, d.attempt_count,",
    "d.cost_origin,",
    _of_folded("a.latency_ms"),
    ",",
    ", ".join(CALL_ADDS.values()),
    ",",
    ", ".join(_of_folded(adds) for adds in ATTEMPT_ADDS.values()),
)
_UPDATE_SQLITE = """
UPDATE {details} SET actual_provider_name = ?, upstream_provider_name = ?, attribution_rule = ?,
    attribution_confidence = ?, attribution_evidence = ?
WHERE call_id IN (SELECT value FROM json_each(?)) AND +actual_provider_name = ?
    AND coalesce(upstream_provider_name, '') = ? AND attribution_rule = ?
    AND attribution_confidence = ?
RETURNING call_id
"""
_UPDATE_POSTGRESQL = """
UPDATE {details} AS d SET actual_provider_name = m.provider, upstream_provider_name = m.upstream,
    attribution_rule = m.rule, attribution_confidence = m.confidence,
    attribution_evidence = m.evidence
FROM unnest($1::uuid[], $2::bigint[]) AS n(call_id, move_id)
JOIN unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[])
    AS m(move_id, provider, upstream, rule, confidence, evidence, old_provider, old_upstream,
    old_rule, old_confidence) ON m.move_id = n.move_id
WHERE d.call_id = n.call_id AND d.actual_provider_name = m.old_provider
    AND coalesce(d.upstream_provider_name, '') = m.old_upstream
    AND d.attribution_rule = m.old_rule AND d.attribution_confidence = m.old_confidence
RETURNING d.call_id::text
"""
_MOVE = """
INSERT INTO attribution_moves (run_id, move_id, old_provider, old_upstream, old_rule,
    old_confidence, old_evidence, new_provider, new_upstream, new_rule, new_confidence,
    new_evidence, calls) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, move_id) DO UPDATE SET calls = attribution_moves.calls + excluded.calls
"""


class Applied(msgspec.Struct, frozen=True):
    """What a batch really changed."""

    changed: Mapping[str, Move]
    provider_costs: Mapping[str, int]
    """Provider → what it bills more or less, in nano-USD; together they are zero."""
    marked: int
    """Calls that are to be rated again by it."""


Moving = Mapping[str, tuple[Any, ...]]
"""By call id: what moves with a call, in the order of moved_sums."""


async def load_moving(unit: Unit, tier: Tier, wanted: Mapping[str, Move]) -> Moving:
    """Return what moves with those of the calls that get another provider, and are in a tier.

    None of it ever changes: it may be read before the unit that moves it.
    """
    call_ids = [call_id for call_id, move in wanted.items() if move.reassigns]
    if not call_ids:
        return {}
    sql = joined(
        "SELECT",
        call_id_of(unit),
        ",",
        _MOVING,
        f"FROM {tier.details.name} AS d WHERE d.call_id {among(unit)}",
    )
    return {row[0]: row for row in await fetch(unit, sql, (scope(unit, call_ids),))}


async def apply(
    unit: Unit,
    tier: Tier,
    run_id: str,
    wanted: Mapping[str, Move],
    moving: Moving,
    days: Days,
) -> Applied:
    """Give calls of one tier another provider, with all their sums, in this unit.

    A call that is not there, or says something else than its change expects, is left.
    """
    changed = {call_id: wanted[call_id] for call_id in await _update(unit, tier, wanted)}
    if not changed:
        return Applied({}, {}, 0)
    reassigned = {call_id: moving[call_id] for call_id, one in changed.items() if one.reassigns}
    sums = await _sums(unit, tier, reassigned, wanted, days)
    await _write_attempts(unit, tier, reassigned, wanted)
    await _write_changes(unit, run_id, changed)
    marked = await _mark(unit, reassigned, wanted)
    await _move_sums(unit, sums)
    return Applied(changed, sums.provider_costs(), marked)


async def _update(unit: Unit, tier: Tier, wanted: Mapping[str, Move]) -> Sequence[str]:
    """Let rows say who served, where they say what is expected; return of which calls they do.

    From here on nobody else moves, corrects or rates these calls again.
    """
    name = tier.details.name
    if unit.dialect == "sqlite":
        update = _UPDATE_SQLITE.format(details=name)
        of_move: dict[Move, list[str]] = {}
        for call_id, move in wanted.items():
            of_move.setdefault(move, []).append(call_id)

        def run(raw: sqlite3.Connection) -> list[str]:
            changed: list[str] = []
            for move, call_ids in of_move.items():
                parameters = (*_named(move.new), scope(unit, call_ids), *move.old[:4])
                changed += [row[0] for row in raw.execute(update, parameters)]
            return changed

        return await unit.run_script_sync(run)
    # In one order everywhere, so that no two runs wait for each other in a circle.
    call_ids = sorted(wanted)
    moves = {move.move_id: move for move in wanted.values()}
    said = [(*_named(move.new), *move.old[:4]) for move in moves.values()]
    rows = await (await unit.postgres_driver()).fetch(
        _UPDATE_POSTGRESQL.format(details=name),
        call_ids,
        [wanted[call_id].move_id for call_id in call_ids],
        list(moves),
        *statements.arrays(said),
    )
    return [row[0] for row in rows]


async def _sums(
    unit: Unit,
    tier: Tier,
    rows: Moving,
    wanted: Mapping[str, Move],
    days: Days,
) -> MovedSums:
    """Return what moves, with what adjustments have made of it."""
    sums = MovedSums(days)
    if not rows:
        return sums
    adjusted = await _adjustments(unit, tier, rows)
    apart = [call_id for call_id, row in rows.items() if not row[FOLDED]]
    for call_id, row in rows.items():
        corrections = adjusted.get(call_id) if adjusted else None
        sums.add_call(_adjusted(row, corrections) if corrections else row, wanted[call_id])
    if apart:
        sql = joined(
            f"SELECT {call_id_of(unit)}, a.provider, coalesce(a.upstream_provider_name, ''),",
            "a.model, a.http_status, a.usage_source, a.latency_ms,",
            ", ".join(ATTEMPT_ADDS.values()),
            f"FROM {tier.rows.name} AS a JOIN {tier.details.name} AS d ON d.call_id = a.call_id",
            f"WHERE a.call_id {among(unit)} AND a.number = d.attempt_count",
        )
        for call_id, provider, upstream, *of_attempt in await fetch(
            unit, sql, (scope(unit, apart),)
        ):
            if (provider, upstream) != wanted[call_id].old[:2]:
                continue
            row = rows[call_id]
            measures = tuple(of_attempt[4:])
            for number, _, more in adjusted.get(call_id, ()):
                if number == row[ATTEMPT_COUNT]:
                    measures = corrected(measures, ATTEMPT_MEASURES, more)
            sums.add_attempt(row, wanted[call_id], tuple(of_attempt[:4]), measures)
    return sums


_Corrections = list[tuple[int, dict[str, int], dict[str, int]]]
"""Attempt, and what its adjustments change of the measures of the call and of the attempt."""


async def _adjustments(unit: Unit, tier: Tier, rows: Moving) -> dict[str, _Corrections]:
    sql = "SELECT 1 FROM adjustments WHERE accounted_at_us >= ? AND accounted_at_us <= ? LIMIT 1"
    if not await fetch(unit, sql, _first_and_last(rows)):
        return {}
    # Through their own index first: hardly any call has one.
    sql = joined(
        f"SELECT {call_id_of(unit, 'j')}, j.attempt,",
        ", ".join([*CALL_ADJUSTMENTS.values(), *ATTEMPT_ADJUSTMENTS.values()]),
        f"FROM adjustments AS j JOIN {tier.details.name} AS d ON d.call_id = j.call_id",
        f"WHERE j.call_id {among(unit)} GROUP BY j.call_id, j.attempt",
    )
    found: dict[str, _Corrections] = {}
    of_call = len(CALL_ADJUSTMENTS)
    for call_id, attempt, *amounts in await fetch(unit, sql, (scope(unit, list(rows)),)):
        whole = [int(amount) for amount in amounts]  # PostgreSQL sums to a decimal
        found.setdefault(call_id, []).append(
            (
                attempt,
                dict(zip(CALL_ADJUSTMENTS, whole[:of_call], strict=True)),
                dict(zip(ATTEMPT_ADJUSTMENTS, whole[of_call:], strict=True)),
            )
        )
    return found


def _adjusted(row: tuple[Any, ...], corrections: _Corrections) -> tuple[Any, ...]:
    of_call, of_attempt = row[CALL_SUMS], row[ATTEMPT_SUMS]
    for attempt, call_more, attempt_more in corrections:
        of_call = corrected(of_call, CALL_MEASURES, call_more)
        if row[FOLDED] and attempt == 1:
            of_attempt = corrected(of_attempt, ATTEMPT_MEASURES, attempt_more)
    return (*row[: CALL_SUMS.start], *of_call, *of_attempt)


async def _write_attempts(unit: Unit, tier: Tier, rows: Moving, wanted: Mapping[str, Move]) -> None:
    """Let a serving attempt's own row say it too, where it said the same as the call's."""
    sql = joined(
        "UPDATE",
        tier.rows.name,
        "SET provider = ?, upstream_provider_name = ?",
        f"WHERE call_id = {uuid_place(unit)} AND number = ?",
        "AND provider = ? AND coalesce(upstream_provider_name, '') = ?",
    )
    await put(
        unit,
        sql,
        [
            (
                *_named(wanted[call_id].new)[:2],
                call_id,
                row[ATTEMPT_COUNT],
                *wanted[call_id].old[:2],
            )
            for call_id, row in rows.items()
            if not row[FOLDED]
        ],
    )


async def _write_changes(unit: Unit, run_id: str, changed: Mapping[str, Move]) -> None:
    counts: dict[Move, int] = {}
    for move in changed.values():
        counts[move] = counts.get(move, 0) + 1
    moves = sorted(counts, key=lambda move: move.move_id)
    await put(
        unit, _MOVE, [(run_id, one.move_id, *one.old, *one.new, counts[one]) for one in moves]
    )
    if unit.dialect == "sqlite":
        sql = "INSERT INTO attribution_changes (run_id, call_id, move_id) VALUES (?, ?, ?)"
        rows = [(run_id, call_id, move.move_id) for call_id, move in changed.items()]
        await put(unit, sql, rows)
        return
    await (await unit.postgres_driver()).copy_records_to_table(
        "attribution_changes",
        records=[(run_id, call_id, move.move_id) for call_id, move in changed.items()],
        columns=("run_id", "call_id", "move_id"),
    )


async def _mark(unit: Unit, rows: Moving, wanted: Mapping[str, Move]) -> int:
    """Note whose price is another provider's now; one that got its own back is right again."""
    priced_as = await _priced_as(unit, rows)
    marks: list[tuple[str, int, str]] = []
    right: list[tuple[str]] = []
    for call_id, row in rows.items():
        move = wanted[call_id]
        if not needs_rating(move.old, move.new, row[COST_ORIGIN]):
            continue
        provider = priced_as.get(call_id)
        if provider is None:
            marks.append((call_id, row[AT], move.old.provider))
        elif provider == move.new.provider:
            right.append((call_id,))
    sql = f"INSERT INTO rerating_marks (call_id, accounted_at_us, provider) {_values(unit)}"
    await add(unit, sql, marks)
    await put(unit, joined("DELETE FROM rerating_marks WHERE call_id =", uuid_place(unit)), right)
    return len(marks)


async def _priced_as(unit: Unit, rows: Moving) -> dict[str, str]:
    """Return whose prices the calls have that are marked."""
    sql = "SELECT 1 FROM rerating_marks WHERE accounted_at_us >= ? AND accounted_at_us <= ? LIMIT 1"
    if not rows or not await fetch(unit, sql, _first_and_last(rows)):
        return {}
    sql = joined(
        "SELECT",
        call_id_of(unit),
        f", d.provider FROM rerating_marks AS d WHERE d.call_id {among(unit)}",
    )
    return {row[0]: row[1] for row in await fetch(unit, sql, (scope(unit, list(rows)),))}


def _first_and_last(rows: Moving) -> tuple[int, int]:
    instants = [row[AT] for row in rows.values()]
    return min(instants), max(instants)


def _values(unit: Unit) -> str:
    if unit.dialect == "sqlite":
        return "VALUES (?, ?, ?)"
    return "SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[])"


async def _move_sums(unit: Unit, sums: MovedSums) -> None:
    """Add what moves to the sums, in the drain's order of tables and keys."""
    rows = sums.rows()
    dimensions = [(key, *sums.dimensions[key]) for key in sorted(sums.dimensions)]
    await add(unit, statements.add_dimensions(unit.dialect), dimensions)
    for name, added in rows.items():
        await add_sums(unit, name, added)
    for name, added in rows.items():
        await _remove_empty(unit, name, added)


async def _remove_empty(unit: Unit, name: str, added: Sequence[Row]) -> None:
    """Remove the rows of which nothing is left, as if there never had been a call."""
    keys = statements.KEYS[name]
    starts = emptied(added, len(keys))
    if not starts:
        return
    measures = [column.name for column in ROLLUPS[name].c if column.name not in keys]
    nothing = " AND ".join(f"{measure} = 0" for measure in measures)
    # A page's calls are neighbours in time: one walk instead of a search for each row.
    here = f"{keys[0]} >= ? AND {keys[0]} <= ?"
    sql = joined("DELETE FROM", name, "WHERE", here, "AND", nothing)
    await put(unit, sql, [(starts[0], starts[-1])])


def _named(served: Served) -> tuple[Any, ...]:
    return (served.provider, served.upstream or None, *served[2:])
