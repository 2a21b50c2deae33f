"""Which calls does a run of re-attribution look at next, and what do their rows say?"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tollbridge.core.evidence import AttemptEvidence
from tollbridge.recording.archive_tables import Tier
from tollbridge.recording.reassign import VIAS, Kept, KeptReport, Page, Served
from tollbridge.recording.reconsider import Place
from tollbridge.recording.scope_store import among, call_id_of, fetch, scope, uuid_place
from tollbridge.recording.statements import joined
from tollbridge.storage.unit import Unit

_SAID = """
    d.bucket, coalesce(d.requested_model, d.label), d.served_model, d.path, d.endpoint, d.dialect,
    d.http_status, d.error_class, d.cost_origin, d.actual_provider_name,
    coalesce(d.upstream_provider_name, ''), d.attribution_rule, d.attribution_confidence,
    d.attribution_evidence
"""
DIALECT, PROVIDER = 5, 9
"""Places in what a row says."""


class _KeptOpened(msgspec.Struct, frozen=True):
    report: dict[str, Any] | None = None


class _KeptClosed(msgspec.Struct, frozen=True):
    attempts: tuple[AttemptEvidence, ...] = ()
    opened: _KeptOpened | None = None


class _KeptRaw(msgspec.Struct, frozen=True):
    closed: _KeptClosed
    opened: _KeptOpened | None = None


async def load_page(
    unit: Unit, tier: Tier, span: tuple[int, int], after: Place, limit: int
) -> list[tuple[Any, ...]]:
    """Return (call id, instant, *what its row says) of calls in [from, to) behind a place."""
    sql = joined(
        f"SELECT {call_id_of(unit)}, d.accounted_at_us,",
        _SAID,
        f"FROM {tier.details.name} AS d WHERE d.accounted_at_us >= ? AND d.accounted_at_us < ?",
        f"AND (d.accounted_at_us > ? OR d.call_id > {uuid_place(unit)})",
        "ORDER BY d.accounted_at_us, d.call_id LIMIT ?",
    )
    return await fetch(unit, sql, (max(span[0], after[0]), span[1], after[0], after[1], limit))


async def as_page(unit: Unit, rows: Sequence[tuple[Any, ...]], aggregators: frozenset[str]) -> Page:
    """Return rows of `load_page` with the raw evidence of those that need it."""
    said = [row[2:] for row in rows]
    wanted = [
        str(row[0]) for row in rows if row[2 + DIALECT] in VIAS or row[2 + PROVIDER] in aggregators
    ]
    kept: dict[str, Kept] = {}
    if wanted:
        sql = joined(
            "SELECT",
            call_id_of(unit),
            ", d.raw FROM call_evidence AS d WHERE d.call_id",
            among(unit),
        )
        for call_id, raw in await fetch(unit, sql, (scope(unit, wanted),)):
            found = _read_kept(raw)
            if found is not None:
                kept[call_id] = found
    return Page([(str(row[0]), int(row[1])) for row in rows], said, kept)


async def load_changes(
    unit: Unit, run_id: str, after: str, limit: int
) -> list[tuple[str, Served, Served]]:
    """Return (call id, old, new) of calls that a run changed, behind one of them."""
    sql = joined(
        f"SELECT {call_id_of(unit)}, m.old_provider, m.old_upstream, m.old_rule, m.old_confidence,",
        "m.old_evidence, m.new_provider, m.new_upstream, m.new_rule, m.new_confidence,",
        "m.new_evidence FROM attribution_changes AS d JOIN attribution_moves AS m",
        "ON m.run_id = d.run_id AND m.move_id = d.move_id",
        f"WHERE d.run_id = {uuid_place(unit)} AND d.call_id > {uuid_place(unit)}",
        "ORDER BY d.call_id LIMIT ?",
    )
    rows = await fetch(unit, sql, (run_id, after, limit))
    return [(row[0], Served(*row[1:6]), Served(*row[6:11])) for row in rows]


def _read_kept(raw: str) -> Kept | None:
    """Return what raw evidence says of who served; None where it says nothing that is known."""
    try:
        found = msgspec.json.decode(raw, type=_KeptRaw)
    except msgspec.MsgspecError:
        return None
    opened = found.opened or found.closed.opened
    if opened is not None and opened.report is not None:
        return KeptReport(
            bool(opened.report.get("bucket_reported", False)), opened.report.get("provider")
        )
    return found.closed.attempts[-1] if found.closed.attempts else None
