"""Who changed what by hand, and when?

Rows are written in the transaction of the change itself, and never changed or deleted.
"""

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
    # What else is worth knowing; no secrets, money as decimal strings.
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
