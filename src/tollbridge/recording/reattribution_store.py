"""How is it written down that calls were served by another provider, with all their sums?"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from tollbridge.recording import statements
from tollbridge.recording.archive_tables import Tier
from tollbridge.recording.moved_sums import MovedSums, emptied
from tollbridge.recording.moving_store import Apart, Moving, load_moving, sum_up
from tollbridge.recording.reassign import Move, Served, needs_rating
from tollbridge.recording.rollups import Days, Row
from tollbridge.recording.scope_store import (
    add,
    add_sums,
    among,
    call_id_of,
    copy,
    fetch,
    pairs,
    put,
    scope,
    uuid_place,
)
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import ROLLUPS
from tollbridge.storage.unit import Unit

_UPDATE_SQLITE = """
UPDATE {details} SET actual_provider_name = ?, upstream_provider_name = ?, attribution_rule = ?,
    attribution_confidence = ?, attribution_evidence = ?
WHERE call_id IN (SELECT value FROM json_each(?)) AND +actual_provider_name = ?
    AND coalesce(upstream_provider_name, '') = ? AND attribution_rule = ?
    AND attribution_confidence = ?
RETURNING call_id, accounted_at_us, cost_origin
"""
_UPDATE_POSTGRESQL = """
UPDATE {details} AS d SET actual_provider_name = m.provider, upstream_provider_name = m.upstream,
    attribution_rule = m.rule, attribution_confidence = m.confidence,
    attribution_evidence = m.evidence
FROM unnest($1::text::uuid[], $2::text::bigint[]) AS n(call_id, move_id)
JOIN unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[])
    AS m(move_id, provider, upstream, rule, confidence, evidence, old_provider, old_upstream,
    old_rule, old_confidence) ON m.move_id = n.move_id
WHERE d.call_id = n.call_id AND d.actual_provider_name = m.old_provider
    AND coalesce(d.upstream_provider_name, '') = m.old_upstream
    AND d.attribution_rule = m.old_rule AND d.attribution_confidence = m.old_confidence
RETURNING d.call_id::text, d.accounted_at_us, d.cost_origin
"""
_MOVE = """
INSERT INTO attribution_moves (run_id, move_id, old_provider, old_upstream, old_rule,
    old_confidence, old_evidence, new_provider, new_upstream, new_rule, new_confidence,
    new_evidence, calls) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, move_id) DO UPDATE SET calls = attribution_moves.calls + excluded.calls
"""


class Changed(NamedTuple):
    """A call whose row says another provider now."""

    call_id: str
    at_us: int
    cost_origin: str | None


class Applied(msgspec.Struct, frozen=True):
    """What a batch really changed."""

    changed: Mapping[str, Move]
    sums: MovedSums | None
    """What is still to be moved by `move_sums`; None is nothing."""
    marked: int
    """Calls that are to be rated again by it."""


async def apply(
    unit: Unit,
    tier: Tier,
    run_id: str,
    wanted: Mapping[str, Move],
    moving: Moving | None,
    days: Days,
) -> Applied:
    """Let calls of one tier say another provider, and keep what they said before.

    A call that is not there, or says something else than its change expects, is left. `moving` is
    what moves with all that are wanted, None where that was not read yet. In this unit,
    `move_sums` is to follow: until then no row is touched that another batch may touch.
    """
    rows = await _update(unit, tier, wanted)
    if not rows:
        return Applied({}, None, 0)
    changed = {row.call_id: wanted[row.call_id] for row in rows}
    if moving is None or len(changed) != len(wanted):
        moving = await load_moving(unit, tier, changed)
    sums, apart = await sum_up(unit, tier, changed, moving, days)
    await _write_attempts(unit, tier, apart, wanted)
    await copy(
        unit,
        "attribution_changes",
        ("run_id", "call_id", "move_id"),
        [(run_id, call_id, move.move_id) for call_id, move in changed.items()],
    )
    marked = await _mark(unit, [row for row in rows if changed[row.call_id].reassigns], wanted)
    return Applied(changed, sums, marked)


async def move_sums(unit: Unit, run_id: str, done: Applied) -> dict[str, int]:
    """Let the sums follow what `apply` changed in this unit.

    Returns provider → what it bills more or less, in nano-USD; together they are zero.
    """
    if done.sums is None:
        return {}
    rows = done.sums.rows()
    await _count_moves(unit, run_id, done.changed)
    # In the drain's order of tables and keys.
    dimensions = done.sums.dimensions
    added = [(key, *dimensions[key]) for key in sorted(dimensions)]
    await add(unit, statements.add_dimensions(unit.dialect), added)
    for name, sums in rows.items():
        await add_sums(unit, name, sums)
    for name, sums in rows.items():
        await _remove_empty(unit, name, sums)
    return done.sums.provider_costs()


async def _update(unit: Unit, tier: Tier, wanted: Mapping[str, Move]) -> Sequence[Changed]:
    """Let rows say who served, where they say what is expected; return which calls they are of.

    From here on nobody else moves, corrects or rates these calls again.
    """
    name = tier.details.name
    moves = {move.move_id: move for move in wanted.values()}
    if unit.dialect == "sqlite":
        update = _UPDATE_SQLITE.format(details=name)
        of_move: dict[int, list[str]] = {}
        for call_id, move in wanted.items():
            of_move.setdefault(move.move_id, []).append(call_id)

        def run(raw: sqlite3.Connection) -> list[Changed]:
            changed: list[Changed] = []
            for move_id, call_ids in of_move.items():
                move = moves[move_id]
                parameters = (*_named(move.new), scope(unit, call_ids), *move.old[:4])
                changed += map(Changed._make, raw.execute(update, parameters))
            return changed

        return await unit.run_script_sync(run)
    # In one order everywhere, so that no two runs wait for each other in a circle.
    sought = {call_id: wanted[call_id].move_id for call_id in sorted(wanted)}
    said = [(*_named(move.new), *move.old[:4]) for move in moves.values()]
    rows = await (await unit.postgres_driver()).fetch(
        _UPDATE_POSTGRESQL.format(details=name),
        *pairs(unit, sought),
        list(moves),
        *statements.arrays(said),
    )
    return [Changed(*row) for row in rows]


async def _write_attempts(
    unit: Unit, tier: Tier, apart: Sequence[Apart], wanted: Mapping[str, Move]
) -> None:
    """Let a serving attempt's own row say it too, where it said the same as the call's."""
    sql = joined(
        "UPDATE",
        tier.rows.name,
        "SET provider = ?, upstream_provider_name = ?",
        f"WHERE call_id = {uuid_place(unit)} AND number = ?",
        "AND provider = ? AND coalesce(upstream_provider_name, '') = ?",
    )
    rows = [
        (*_named(wanted[one.call_id].new)[:2], *one, *wanted[one.call_id].old[:2]) for one in apart
    ]
    await put(unit, sql, rows)


async def _count_moves(unit: Unit, run_id: str, changed: Mapping[str, Move]) -> None:
    counts: dict[int, int] = {}
    for move in changed.values():
        counts[move.move_id] = counts.get(move.move_id, 0) + 1
    moves = {move.move_id: move for move in changed.values()}
    rows = [(run_id, key, *moves[key].old, *moves[key].new, counts[key]) for key in sorted(moves)]
    await put(unit, _MOVE, rows)


async def _mark(unit: Unit, rows: Sequence[Changed], wanted: Mapping[str, Move]) -> int:
    """Note whose price is another provider's now; one that got its own back is right again."""
    priced_as = await _priced_as(unit, rows)
    marks: list[tuple[str, int, str]] = []
    right: list[str] = []
    for call_id, at_us, cost_origin in rows:
        move = wanted[call_id]
        if not needs_rating(move.old, move.new, cost_origin):
            continue
        provider = priced_as.get(call_id)
        if provider is None:
            marks.append((call_id, at_us, move.old.provider))
        elif provider == move.new.provider:
            right.append(call_id)
    await copy(unit, "rerating_marks", ("call_id", "accounted_at_us", "provider"), marks)
    if right:
        sql = joined("DELETE FROM rerating_marks WHERE call_id", among(unit))
        await put(unit, sql, [(scope(unit, right),)])
    return len(marks)


async def _priced_as(unit: Unit, rows: Sequence[Changed]) -> dict[str, str]:
    """Return whose prices the calls have that are marked."""
    if not rows:
        return {}
    instants = [row.at_us for row in rows]
    sql = "SELECT 1 FROM rerating_marks WHERE accounted_at_us >= ? AND accounted_at_us <= ? LIMIT 1"
    if not await fetch(unit, sql, (min(instants), max(instants))):
        return {}
    sql = joined(
        "SELECT",
        call_id_of(unit),
        f", d.provider FROM rerating_marks AS d WHERE d.call_id {among(unit)}",
    )
    return dict(await fetch(unit, sql, (scope(unit, [row.call_id for row in rows]),)))


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
