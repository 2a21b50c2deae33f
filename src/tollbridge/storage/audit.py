"""Who changed what by hand, and when?

Rows are written in the transaction of the change itself, and never changed or deleted.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Index, String, Table, insert

from tollbridge.core.call import new_id
from tollbridge.storage import kept
from tollbridge.storage.types import CallId, Instant, Json, metadata
from tollbridge.storage.unit import Unit

ACTOR_LENGTH_MAX = 128
ACTION_LENGTH_MAX = 64
SUBJECT_LENGTH_MAX = 255

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("audit_id", CallId, primary_key=True),
    Column("at_us", Instant, nullable=False),
    # cli:<user of the operating system>, user:<name>, key:<name>.
    Column("actor", String(ACTOR_LENGTH_MAX), nullable=False),
    # package.verb: ledger.release.
    Column("action", String(ACTION_LENGTH_MAX), nullable=False),
    # kind:name: node:node-7.
    Column("subject", String(SUBJECT_LENGTH_MAX), nullable=False),
    # What else is worth knowing, of a change often `from` and `to`; no secrets, money as decimal
    # strings.
    Column("details", Json),
    Index("ix_audit_entries_at_us", "at_us"),
)
kept.listen(audit_entries)


async def record(
    unit: Unit, actor: str, action: str, subject: str, details: dict[str, Any] | None = None
) -> None:
    """Write down in this unit what somebody does in it, at the database's time."""
    at_us = await unit.now_us()
    await unit.connection.execute(
        insert(audit_entries).values(
            audit_id=new_id(at_us),
            at_us=at_us,
            actor=actor[:ACTOR_LENGTH_MAX],
            action=action,
            subject=subject[:SUBJECT_LENGTH_MAX],
            details=details,
        )
    )


async def record_change(
    unit: Unit,
    actor: str,
    action: str,
    subject: str,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """Write down what differs between two states of a subject, as `from` and `to`.

    None is a subject that is not there. Nothing is written where nothing differs.
    """
    old, new = before or {}, after or {}
    names = [name for name in (*old, *(new.keys() - old.keys())) if _differs(name, old, new)]
    if not names and before is not None and after is not None:
        return
    details = {
        "from": None if before is None else {name: old[name] for name in names if name in old},
        "to": None if after is None else {name: new[name] for name in names if name in new},
    }
    await record(unit, actor, action, subject, details)


def _differs(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return name not in old or name not in new or old[name] != new[name]
