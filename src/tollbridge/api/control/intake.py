"""How does another gateway report what it carried, and what became of it?

The addresses of gpustack's usage reports. A report is answered once it is on the disk; whoever
may report needs no database for it.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request
from fastapi import Query as QueryParameters
from pydantic import BaseModel, Field

from tollbridge.access.authenticate import KeyRing, require
from tollbridge.access.keys import Scope
from tollbridge.api.control.page import NextCursor, PageQuery, cut, decode_cursor
from tollbridge.api.deps import (
    ADMIN,
    JWT_HEAD,
    Bearer,
    Control,
    ControlOf,
    SessionCookie,
    viewer_of,
)
from tollbridge.core.clock import to_text
from tollbridge.core.errors import (
    AuthenticationError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
)
from tollbridge.core.report import REPORTS_PATH
from tollbridge.insight.queries import is_call_id
from tollbridge.recording.intake import Intake, Reporter
from tollbridge.recording.intake_check import GivenRecord
from tollbridge.recording.intake_store import (
    DUPLICATE,
    REPLAYED,
    BatchStanding,
    RefusalRow,
    find_batch,
    list_refusals,
)

router = APIRouter(tags=["intake"])
refusals = APIRouter(prefix="/intake/refusals", tags=["intake"])

DATABASE_WAIT_S = 1.0
DEFAULT_PROJECT = "default"
SourceName = Annotated[
    str | None,
    QueryParameters(
        max_length=128, description="For which source; without it that of the key's own name."
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=255, description="Records without an id count once under it and their index."
    ),
]
# Read as bytes and record by record: one bad record must not refuse the others.
BODY: Mapping[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One record, or a list of them. Only `model` is required; what is not "
        f"known is ignored. Fields: {', '.join(GivenRecord.__struct_fields__)}.",
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        {"type": "object", "required": ["model"]},
                        {"type": "array", "items": {"type": "object"}, "minItems": 1},
                    ]
                }
            }
        },
    }
}


class RejectedRecord(BaseModel):
    """A record that does not count."""

    index: int = Field(description="Its place in the batch, from 0.")
    reason: str = Field(description="A code: malformed, unknown_model, negative_count …")
    message: str


class IntakeReceipt(BaseModel):
    """What became of a batch; all of it is on the disk."""

    batch: str = Field(description="Its id, for GET /v2/usage/intake/{batch}.")
    accepted: int
    duplicates: int = Field(description="That count already, as far as is known now.")
    rejected: list[RejectedRecord]


class IntakeBatch(BaseModel):
    """What became of a batch in the books."""

    batch: str
    source: str
    received_at: str
    accepted: int = Field(description="What the spool took.")
    recorded: int = Field(description="What is in the usage.")
    duplicates: int
    pending: int = Field(description="What is on its way into the books.")
    rejected: list[RejectedRecord]


class RefusedReport(RejectedRecord):
    """A refused record with what it said."""

    batch: str
    source: str
    received_at: str
    state: str = Field(description="open, replayed or final.")
    raw: str | None


class RefusalPage(BaseModel):
    """A page of refused records, the oldest first."""

    refusals: list[RefusedReport]
    next_cursor: NextCursor


class RefusalQuery(PageQuery):
    """Which refused records."""

    source: Annotated[str | None, Field(max_length=128)] = None
    state: Literal["open", "replayed", "final"] | None = "open"


async def reporter_of(
    request: Request,
    control: ControlOf,
    credentials: Bearer,
    cookie: SessionCookie,
    source: SourceName = None,
) -> Reporter:
    """Return who reports, and for which source. Raises AuthenticationError, PermissionDeniedError.

    A key reports for the source of its own name, and for those that name it; an admin for all.
    """
    credential = None if credentials is None else credentials.credentials
    if credential is None and cookie is None:
        raise AuthenticationError("no API key was sent; send Authorization: Bearer and the key")
    if credential is None or credential.startswith(JWT_HEAD):
        viewer = await viewer_of(request, control, credentials, cookie)
        if not viewer.is_admin:
            raise PermissionDeniedError("only an admin, or a key with the scope intake, may report")
        return Reporter(source or viewer.user, DEFAULT_PROJECT)
    ring = await _ring(control)
    entry = ring.authenticate(credential, control.services.clock.now_us())
    require(entry, Scope.INTAKE)
    name = entry.caller.key_name
    wanted = source or name
    if wanted != name and Scope.ADMIN not in entry.scopes:
        known = (_intake(control).registry.last or {}).get(wanted)
        if known is None or name not in known.keys:
            raise PermissionDeniedError(f"this API key may not report for {wanted!r}")
    return Reporter(wanted, entry.caller.project)


@router.post(REPORTS_PATH, openapi_extra=dict(BODY))
async def take(
    request: Request,
    reporter: Annotated[Reporter, Depends(reporter_of)],
    control: ControlOf,
    idempotency_key: IdempotencyKey = None,
) -> IntakeReceipt:
    """Take what another gateway carried: one record or a list.

    Needs a key with the scope `intake`, or an admin. What is accepted is on the disk, and in the
    usage within a second; the database may be away meanwhile. 503 with retry-after where the spool
    has no room: nothing was taken then.
    """
    receipt = await _intake(control).take(
        await request.body(),
        reporter,
        idempotency_key,
        ask_database=control.services.figures().database_is_up,
    )
    return IntakeReceipt(
        batch=receipt.batch_id,
        accepted=receipt.accepted,
        duplicates=receipt.duplicates,
        rejected=[
            RejectedRecord(index=one.index, reason=one.reason, message=one.message)
            for one in receipt.refusals
        ],
    )


@router.get("/v2/usage/intake/{batch}")
async def show(
    batch: str, reporter: Annotated[Reporter, Depends(reporter_of)], control: ControlOf
) -> IntakeBatch:
    """Show what became of a batch; 404 until it has come into the books."""
    found = None
    if is_call_id(batch):
        async with control.services.database.read() as unit:
            found = await find_batch(unit, batch)
    if found is None or found.source != reporter.source:
        raise NotFoundError(f"there is no batch {batch[:64]!r} of {reporter.source!r} in the books")
    return _standing(found)


@refusals.get("", dependencies=[ADMIN])
async def list_refused(
    query: Annotated[RefusalQuery, QueryParameters()], control: ControlOf
) -> RefusalPage:
    """List records that were refused, the oldest first; `tollbridge intake replay` tries again."""
    after = None if query.cursor is None else decode_cursor(query.cursor, tuple[str, int])
    async with control.services.database.read() as unit:
        rows = await list_refusals(
            unit, source=query.source, state=query.state, after=after, limit=query.limit + 1
        )
    page, following = cut(rows, query.limit, lambda row: (row.batch_id, row.record_index))
    return RefusalPage(refusals=[_refused(row) for row in page], next_cursor=following)


def _intake(control: Control) -> Intake:
    intake = control.services.intake
    if intake is None:
        raise OverloadedError("reports are not taken here", retry_after_s=5)
    return intake


async def _ring(control: Control) -> KeyRing:
    """Return the keys: as they are, or, while the database is away, as they were last seen."""
    if control.services.figures().database_is_up:
        try:
            async with (
                asyncio.timeout(DATABASE_WAIT_S),
                control.services.database.read() as unit,
            ):
                return await control.key_rings.current(unit)
        except (OverloadedError, TimeoutError):
            pass
    ring = control.key_rings.last
    if ring is None:
        raise OverloadedError("the database does not answer", retry_after_s=1)
    return ring


def _standing(found: BatchStanding) -> IntakeBatch:
    duplicates = sum(1 for one in found.refusals if one.reason == DUPLICATE)
    rejected = [one for one in found.refusals if one.reason != DUPLICATE and one.state != REPLAYED]
    return IntakeBatch(
        batch=found.batch_id,
        source=found.source,
        received_at=to_text(found.received_at_us),
        accepted=found.accepted,
        recorded=found.recorded,
        duplicates=duplicates,
        pending=found.pending,
        rejected=[
            RejectedRecord(index=one.record_index, reason=one.reason, message=one.message)
            for one in rejected
        ],
    )


def _refused(row: RefusalRow) -> RefusedReport:
    return RefusedReport(
        index=row.record_index,
        reason=row.reason,
        message=row.message,
        batch=row.batch_id,
        source=row.source,
        received_at=to_text(row.received_at_us),
        state=row.state,
        raw=row.raw,
    )
