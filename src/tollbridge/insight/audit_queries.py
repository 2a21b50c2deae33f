"""All SQL of the audit log: who changed what, when, and from what to what? Read-only."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import or_, select, tuple_

from tollbridge.insight.pages import ROWS_MAX
from tollbridge.storage.audit import audit_entries
from tollbridge.storage.unit import Unit


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries; None is any."""

    actor: str | None = None
    action: str | None = None
    """Whole, such as keys.revoke, or its first part: keys."""
    subject: str | None = None
    from_us: int | None = None
    to_us: int | None = None
    """Not included."""


class AuditEntry(msgspec.Struct, frozen=True):
    """One change."""

    audit_id: str
    at_us: int
    actor: str
    action: str
    subject: str
    details: Mapping[str, Any] | None

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands in the log, for the next page."""
        return self.at_us, self.audit_id


async def list_entries(
    unit: Unit, wanted: AuditFilter, before: tuple[int, str] | None, limit: int
) -> list[AuditEntry]:
    """Return a page of entries, the newest first, older than the place `before`."""
    columns = audit_entries.c
    query = select(audit_entries).order_by(columns.at_us.desc(), columns.audit_id.desc())
    if wanted.actor is not None:
        query = query.where(columns.actor == wanted.actor)
    if wanted.action is not None:
        inside = columns.action.startswith(wanted.action + ".", autoescape=True)
        query = query.where(or_(columns.action == wanted.action, inside))
    if wanted.subject is not None:
        query = query.where(columns.subject == wanted.subject)
    if wanted.from_us is not None:
        query = query.where(columns.at_us >= wanted.from_us)
    if wanted.to_us is not None:
        query = query.where(columns.at_us < wanted.to_us)
    if before is not None:
        query = query.where(tuple_(columns.at_us, columns.audit_id) < before)
    rows = await unit.connection.execute(query.limit(min(limit, ROWS_MAX)))
    return [
        AuditEntry(row.audit_id, row.at_us, row.actor, row.action, row.subject, row.details)
        for row in rows
    ]
