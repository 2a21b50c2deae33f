"""How are calls of the past attributed again, or that taken back, by whoever looks at the page?

Each request looks at so many calls and no more, and says how far its run has come; the next one
goes on from there. So nothing is lost when somebody leaves, and `tollbridge backfill` can take a
run over.
"""

from contextlib import suppress

import msgspec
from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tollbridge.api.control.reattribution import BackfillRun, run_fields
from tollbridge.api.deps import AdminOf, Control, ControlOf, actor_of
from tollbridge.core.clock import to_us
from tollbridge.core.errors import ConflictError, InvalidRequestError, NotFoundError
from tollbridge.insight.changes import RunRow
from tollbridge.insight.queries import is_call_id
from tollbridge.insight.reattribution_queries import find_run
from tollbridge.reattribution import Detector, keep, make_detector, make_tools
from tollbridge.recording.reattribute import begin, reattribute, revert
from tollbridge.recording.reattribution_runs_store import DONE, Wanted

CALLS_DEFAULT = 5_000
CALLS_MAX = 20_000
BATCH_CALLS = 500
"""Looked at without a pause: the office has other work as well."""

router = APIRouter(prefix="/attribution/backfill", tags=["attribution"])


class StepOrder(BaseModel):
    """How far this request goes."""

    model_config = ConfigDict(extra="forbid")

    calls_max: int = Field(
        default=CALLS_DEFAULT, ge=1, le=CALLS_MAX, description="Look at about so many, then answer."
    )


class BackfillOrder(StepOrder):
    """Which calls, by which rules."""

    rules: str | None = Field(
        default=None,
        max_length=32,
        description="A version that was in force once, or `builtin`; null: those in force.",
    )
    since: AwareDatetime | None = Field(default=None, description="By the end of a call.")
    until: AwareDatetime | None = Field(default=None, description="Not included; null: now.")


class _EnoughError(Exception):
    """So many calls were looked at as one request may."""


class _Bound:
    """Counts calls, and says when they are enough."""

    def __init__(self, calls_max: int) -> None:
        self._left = calls_max

    def __call__(self, calls: int) -> None:
        self._left -= calls
        if self._left <= 0:
            raise _EnoughError


@router.post("")
async def start(order: BackfillOrder, admin: AdminOf, control: ControlOf) -> BackfillRun:
    """Begin a run, or go on with the one about just this; `state` says whether it has ended."""
    services = control.services
    since_us = None if order.since is None else to_us(order.since)
    until_us = None if order.until is None else to_us(order.until)
    end_us = services.clock.now_us() if until_us is None else until_us
    if since_us is not None and since_us >= end_us:
        raise InvalidRequestError("`since` is not before `until`", details={"param": "since"})
    detector = await make_detector(services.database, order.rules, control.provider_names.resolve)
    await keep(services.database, order.rules)
    wanted = Wanted(
        rules_version=detector.version,
        since_us=since_us,
        until_us=until_us,
        actor=actor_of(admin),
    )
    return await _step(control, wanted, detector, order.calls_max)


@router.post("/{run_id}/continue")
async def go_on(run_id: str, order: StepOrder, admin: AdminOf, control: ControlOf) -> BackfillRun:
    """Go on with a run that has not ended. 409 where another process is at it."""
    row = await _found(control, run_id)
    if row.state == DONE:
        raise ConflictError(f"the run {run_id} has ended")
    wanted = Wanted(
        rules_version=row.rules_version,
        since_us=row.since_us,
        until_us=row.until_us,
        reverts_run_id=row.reverts_run_id,
        actor=actor_of(admin),
    )
    version = row.rules_version or None
    detector = await make_detector(
        control.services.database, version, control.provider_names.resolve
    )
    return await _step(control, wanted, detector, order.calls_max)


@router.post("/{run_id}/revert")
async def take_back(
    run_id: str, order: StepOrder, admin: AdminOf, control: ControlOf
) -> BackfillRun:
    """Take back what a run changed, as far as no later one has; that is a run of its own."""
    await _found(control, run_id)
    detector = await make_detector(control.services.database, None, control.provider_names.resolve)
    wanted = Wanted(reverts_run_id=run_id, actor=actor_of(admin))
    return await _step(control, wanted, detector, order.calls_max)


async def _step(
    control: Control, wanted: Wanted, detector: Detector, calls_max: int
) -> BackfillRun:
    """Work on a run until it ends, or has looked at so many calls."""
    database = control.services.database
    tools = msgspec.structs.replace(
        make_tools(detector, control.services.billing_zone),
        batch_calls=min(BATCH_CALLS, calls_max),
    )
    run = await begin(database, wanted)
    work = reattribute if wanted.reverts_run_id is None else revert
    with suppress(_EnoughError):
        await work(database, run, tools, on_progress=_Bound(calls_max))
    return BackfillRun(**run_fields(await _found(control, run.run_id)))


async def _found(control: Control, run_id: str) -> RunRow:
    async with control.services.database.read() as unit:
        row = await find_run(unit, run_id) if is_call_id(run_id) else None
    if row is None:
        raise NotFoundError(f"there is no run {run_id!r}")
    return row
