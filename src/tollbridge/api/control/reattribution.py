"""Which calls of the past were given another provider, by which run, and from what to what?"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi import Query as QueryParameters
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tollbridge.api.control.page import (
    NextCursor,
    PageQuery,
    cut,
    decode_cursor,
    instant_text,
)
from tollbridge.api.deps import ControlOf, admin_of
from tollbridge.core.clock import to_us
from tollbridge.core.errors import InvalidRequestError, NotFoundError
from tollbridge.insight.changes import ChangeRow, MoveRow, RunRow
from tollbridge.insight.queries import is_call_id
from tollbridge.insight.reattribution_queries import (
    find_run,
    list_changes,
    list_moves,
    list_runs,
)
from tollbridge.reattribution import make_detector
from tollbridge.recording.reattribute import count_calls, preview
from tollbridge.recording.reattribution_runs_store import Run, Wanted

PREVIEW_CALLS_MAX = 100_000
PREVIEW_BATCH_CALLS = 500
"""Looked at without a pause: the office has other work as well."""

router = APIRouter(
    prefix="/attribution/backfill", tags=["attribution"], dependencies=[Depends(admin_of)]
)


class Attributed(BaseModel):
    """Who served, as a call's row says it."""

    provider: str
    upstream_provider: str | None
    rule_id: str
    confidence: str
    evidence: str


class BackfillRun(BaseModel):
    """One run over calls of the past."""

    run_id: str
    reverts_run_id: str | None = Field(description="The run that it takes back.")
    rules_version: str | None = Field(description="Null where it takes a run back.")
    since: str | None
    until: str | None
    actor: str
    state: str = Field(description="running, also where its process was killed, or done.")
    calls: int = Field(description="Looked at so far.")
    changed: int
    reassigned: int = Field(description="Of the changed: another provider, or upstream one.")
    marked: int = Field(description="Of these: priced as another provider's, to be rated again.")
    left_alone: int = Field(description="Not taken back: a later run changed them again.")
    started_at: str | None
    ended_at: str | None


class BackfillRunPage(BaseModel):
    """A page of runs, the newest first."""

    runs: list[BackfillRun]
    next_cursor: NextCursor


class Move(BaseModel):
    """From what to what calls were changed."""

    old: Attributed
    new: Attributed
    calls: int


class BackfillRunInFull(BackfillRun):
    """One run, and what it changed."""

    moves: list[Move] = Field(description="The most frequent first, at most 1,000.")


class CallChange(BaseModel):
    """One call that was changed."""

    call_id: str
    old: Attributed
    new: Attributed


class CallChangePage(BaseModel):
    """A page of the calls that a run changed."""

    changes: list[CallChange]
    next_cursor: NextCursor


class PreviewOrder(BaseModel):
    """Which calls, by which rules."""

    model_config = ConfigDict(extra="forbid")

    rules: str | None = Field(
        default=None,
        max_length=32,
        description="A version that was in force once, or `builtin`; null: those in force.",
    )
    since: AwareDatetime | None = Field(default=None, description="By the end of a call.")
    until: AwareDatetime | None = Field(default=None, description="Not included; null: now.")
    calls_max: int = Field(
        default=PREVIEW_CALLS_MAX, ge=1, le=PREVIEW_CALLS_MAX, description="Look at no more."
    )


class PreviewMove(BaseModel):
    """One kind of change."""

    move: str = Field(description="From whom to whom, and by which rule.")
    calls: int
    examples: list[str] = Field(description="Ids of some of the calls.")


class BackfillPreview(BaseModel):
    """What a backfill would come to; nothing is written."""

    rules_version: str
    calls: int = Field(description="Looked at, the oldest first.")
    total: int = Field(description="About how many there are.")
    complete: bool = Field(description="False: there are more than `calls_max`.")
    changed: int
    reassigned: int = Field(description="Of the changed: another provider, or upstream one.")
    marked: int = Field(description="Of these: priced as another provider's.")
    moves: list[PreviewMove] = Field(description="The most frequent first.")


@router.post("/preview")
async def show_preview(order: PreviewOrder, control: ControlOf) -> BackfillPreview:
    """Say what `tollbridge backfill` would change; writes nothing. Admins only."""
    services = control.services
    wanted = Wanted(
        since_us=None if order.since is None else to_us(order.since),
        until_us=None if order.until is None else to_us(order.until),
        actor="",
    )
    end_us = services.clock.now_us() if wanted.until_us is None else wanted.until_us
    if wanted.since_us is not None and wanted.since_us >= end_us:
        raise InvalidRequestError("`since` is not before `until`", details={"param": "since"})
    detector = await make_detector(services.database, order.rules, control.provider_names.resolve)
    run = Run(run_id="", wanted=wanted, end_us=end_us)
    total = await count_calls(services.database, run)
    found = await preview(
        services.database,
        wanted,
        detector,
        end_us=end_us,
        batch_calls=min(PREVIEW_BATCH_CALLS, order.calls_max),
        calls_max=order.calls_max,
    )
    most = sorted(found.moves.items(), key=lambda one: (-one[1], one[0]))
    return BackfillPreview(
        rules_version=detector.version,
        calls=found.calls,
        total=max(total, found.calls),
        complete=found.calls >= total,
        changed=found.changed,
        reassigned=found.reassigned,
        marked=found.marked,
        moves=[
            PreviewMove(move=text, calls=calls, examples=found.samples[text])
            for text, calls in most
        ],
    )


@router.get("")
async def list_page(
    query: Annotated[PageQuery, QueryParameters()], control: ControlOf
) -> BackfillRunPage:
    """List runs of `tollbridge backfill`, the newest first. Admins only."""
    before = _place(query)
    async with control.services.database.read() as unit:
        rows = await list_runs(unit, before, query.limit + 1)
    page, following = cut(rows, query.limit, lambda row: (row.run_id,))
    return BackfillRunPage(
        runs=[BackfillRun(**run_fields(row)) for row in page],
        next_cursor=following,
    )


@router.get("/{run_id}")
async def show(run_id: str, control: ControlOf) -> BackfillRunInFull:
    """Show one run: how far it has come, and from what to what it changed calls. Admins only."""
    async with control.services.database.read() as unit:
        row = await find_run(unit, run_id) if is_call_id(run_id) else None
        if row is None:
            raise NotFoundError(f"there is no run {run_id!r}")
        moves = await list_moves(unit, run_id)
    return BackfillRunInFull(
        **run_fields(row),
        moves=[Move(old=_old(one), new=_new(one), calls=one.calls) for one in moves],
    )


@router.get("/{run_id}/changes")
async def list_changed(
    run_id: str, query: Annotated[PageQuery, QueryParameters()], control: ControlOf
) -> CallChangePage:
    """List the calls that a run changed, with what they said before. Admins only."""
    after = _place(query)
    async with control.services.database.read() as unit:
        if not is_call_id(run_id) or await find_run(unit, run_id) is None:
            raise NotFoundError(f"there is no run {run_id!r}")
        rows = await list_changes(unit, run_id, after, query.limit + 1)
    page, following = cut(rows, query.limit, lambda row: (row.call_id,))
    return CallChangePage(
        changes=[CallChange(call_id=one.call_id, old=_old(one), new=_new(one)) for one in page],
        next_cursor=following,
    )


def _place(query: PageQuery) -> str | None:
    """Return the id that the page before ended with."""
    if query.cursor is None:
        return None
    [place] = decode_cursor(query.cursor, tuple[str])
    if not is_call_id(place):
        raise InvalidRequestError(
            "the cursor is not one of this list's", details={"param": "cursor"}
        )
    return place


def run_fields(row: RunRow) -> dict[str, Any]:
    """Return the fields of a run as the API shows it."""
    return {
        "run_id": row.run_id,
        "reverts_run_id": row.reverts_run_id,
        "rules_version": row.rules_version or None,
        "since": instant_text(row.since_us),
        "until": instant_text(row.until_us),
        "actor": row.actor,
        "state": row.state,
        "calls": row.calls,
        "changed": row.changed,
        "reassigned": row.reassigned,
        "marked": row.marked,
        "left_alone": row.left_alone,
        "started_at": instant_text(row.started_at_us),
        "ended_at": instant_text(row.ended_at_us),
    }


def _old(row: MoveRow | ChangeRow) -> Attributed:
    return Attributed(
        provider=row.old_provider,
        upstream_provider=row.old_upstream or None,
        rule_id=row.old_rule,
        confidence=row.old_confidence,
        evidence=row.old_evidence,
    )


def _new(row: MoveRow | ChangeRow) -> Attributed:
    return Attributed(
        provider=row.new_provider,
        upstream_provider=row.new_upstream or None,
        rule_id=row.new_rule,
        confidence=row.new_confidence,
        evidence=row.new_evidence,
    )
