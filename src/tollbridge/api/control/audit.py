"""Who changed what, when, and from what to what?"""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import AwareDatetime, BaseModel, Field

from tollbridge.api.control.page import NextCursor, PageQuery, cut, decode_cursor
from tollbridge.api.deps import ADMIN, ControlOf
from tollbridge.core.clock import to_text, to_us
from tollbridge.insight.audit_queries import AuditEntry, AuditFilter, list_entries

router = APIRouter(prefix="/audit", tags=["audit"])

Word = Annotated[str | None, Field(default=None, max_length=255)]


class AuditQuery(PageQuery):
    """Which entries of the log, and which page of them."""

    actor: Word = Field(default=None, description="Who: a user's name, or cli:NAME.")
    action: Word = Field(default=None, description="Such as keys.revoke; or its first part: keys.")
    subject: Word = Field(default=None, description="What was changed, such as key:ci.")
    from_: AwareDatetime | None = Field(default=None, alias="from", description="ISO 8601.")
    to: AwareDatetime | None = Field(default=None, description="Not included.")


class Change(BaseModel):
    """One change."""

    audit_id: str
    at: str
    actor: str = Field(description="A user, with their key's name where one was used; or cli:NAME.")
    action: str
    subject: str = Field(description="kind:name, such as key:ci.")
    details: dict[str, Any] | None = Field(
        description="What is worth knowing, of a change often `from` and `to`; never a secret."
    )
    history: str | None = Field(
        description="The address of the subject's own history, where it has one that tells more."
    )


class AuditPage(BaseModel):
    """A page of changes, the newest first."""

    changes: list[Change]
    next_cursor: NextCursor


@router.get("", dependencies=[ADMIN])
async def list_page(
    query: Annotated[AuditQuery, QueryParameters()], control: ControlOf
) -> AuditPage:
    """List what was changed by hand, the newest first; nothing here is ever altered. Admins only.

    What applying the configuration file does is not in it: the file says that itself.
    """
    before = None if query.cursor is None else decode_cursor(query.cursor, tuple[int, str])
    wanted = AuditFilter(
        actor=query.actor,
        action=query.action,
        subject=query.subject,
        from_us=None if query.from_ is None else to_us(query.from_),
        to_us=None if query.to is None else to_us(query.to),
    )
    async with control.services.database.read() as unit:
        rows = await list_entries(unit, wanted, before, query.limit + 1)
    page, following = cut(rows, query.limit, lambda row: row.place)
    return AuditPage(
        changes=[_change(row) for row in page],
        next_cursor=following,
    )


def _change(row: AuditEntry) -> Change:
    return Change(
        audit_id=row.audit_id,
        at=to_text(row.at_us),
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        details=None if row.details is None else dict(row.details),
        history=_history(row),
    )


def _history(row: AuditEntry) -> str | None:
    kind, _, name = row.subject.partition(":")
    named = quote(name, safe="")
    match kind, row.action.partition(".")[0]:
        case "model", _:
            return f"/api/v1/models/actions/history?name={named}"
        case "price", _:
            provider, _, model = name.partition("/")
            provider, model = quote(provider, safe=""), quote(model, safe="")
            return f"/api/v1/prices/history?provider={provider}&model={model}"
        case "plan", _:
            return f"/api/v1/plans/{named}/versions"
        case "user", "subscriptions":
            return f"/api/v1/subscriptions/{named}/history"
        case "backfill", _:
            return f"/api/v1/attribution/backfill/{named}"
        case _:
            return None
