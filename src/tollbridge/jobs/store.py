"""How are jobs kept?"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, Select, case, delete, func, insert, select, update

from tollbridge.core.call import OnContentFiltered, Status
from tollbridge.core.clock import SECOND_US
from tollbridge.core.evidence import AttemptEvidence, Opened
from tollbridge.jobs.job import Job, JobError, JobFigures, MadeThing, Phase, Shown, plain
from tollbridge.jobs.tables import media_jobs
from tollbridge.storage.unit import Unit

PAGE_ROWS_MAX = 100

_C = media_jobs.c
_encode = msgspec.json.Encoder().encode


async def add(unit: Unit, job: Job) -> None:
    """Insert a job."""
    caller = job.opened.caller
    await unit.connection.execute(
        insert(media_jobs).values(
            job_id=job.job_id,
            node=job.node,
            token=job.token,
            key_id=caller.key_id,
            user=caller.user,
            operation=job.opened.operation.value,
            category=job.opened.category.value,
            created_at_us=job.created_at_us,
            deadline_at_us=job.deadline_at_us,
            opened=_encode(job.opened).decode(),
            candidates=plain(job.candidates),
            on_content_filtered=job.on_content_filtered.value,
            counted=plain(job.counted),
            shown=plain(job.shown),
            webhook_url=job.webhook_url,
            asks_to_stop=False,
            is_deleted=False,
            **_changing(job),
        )
    )


async def save(unit: Unit, job: Job) -> None:
    """Write what changes of a job while it goes on."""
    await unit.connection.execute(
        update(media_jobs).where(_C.job_id == job.job_id).values(**_changing(job))
    )


async def find(unit: Unit, job_id: str) -> Job | None:
    """Return a job, deleted or not, None where there is none."""
    found = await unit.connection.execute(select(media_jobs).where(_C.job_id == job_id))
    row = found.first()
    return None if row is None else _job(row)


async def find_by_token(unit: Unit, token: str) -> str | None:
    """Return the id of the job that a provider's webhook means."""
    found = await unit.connection.execute(select(_C.job_id).where(_C.token == token))
    return found.scalar()


async def list_unfinished(unit: Unit, node: str, after: str = "") -> list[str]:
    """Return a page of the ids of jobs that this office has to bring to their end."""
    wanted = select(_C.job_id).where(_C.node == node, _C.finished_at_us.is_(None))
    if after:
        wanted = wanted.where(_C.job_id > after)
    found = await unit.connection.execute(wanted.order_by(_C.job_id).limit(PAGE_ROWS_MAX))
    return list(found.scalars())


async def count_unfinished(unit: Unit, node: str, at_most: int) -> int:
    """Return how many jobs this office has under way, counted up to a limit."""
    inner = select(_C.job_id).where(_C.node == node, _C.finished_at_us.is_(None)).limit(at_most)
    found = await unit.connection.execute(inner)
    return len(found.all())


async def list_of_key(
    unit: Unit,
    key_id: str,
    *,
    operation: str | None,
    after: str | None,
    newest_first: bool,
    limit: int,
) -> list[Job]:
    """Return a page of a key's jobs that are not deleted, by age; `operation` None: of all."""
    wanted: Select[Any] = select(media_jobs).where(_C.key_id == key_id, _C.is_deleted.is_(False))
    if operation is not None:
        wanted = wanted.where(_C.operation == operation)
    if after is not None:
        wanted = wanted.where(_C.job_id < after if newest_first else _C.job_id > after)
    order = _C.job_id.desc() if newest_first else _C.job_id
    found = await unit.connection.execute(wanted.order_by(order).limit(limit))
    return [_job(row) for row in found]


async def list_all(
    unit: Unit, *, unfinished: bool, after: str | None = None, limit: int = PAGE_ROWS_MAX
) -> list[Job]:
    """Return a page of everybody's jobs, the newest first; deleted ones too."""
    wanted: Select[Any] = select(media_jobs)
    if unfinished:
        wanted = wanted.where(_C.finished_at_us.is_(None))
    if after is not None:
        wanted = wanted.where(_C.job_id < after)
    found = await unit.connection.execute(wanted.order_by(_C.job_id.desc()).limit(limit))
    return [_job(row) for row in found]


async def load_figures(unit: Unit, now_us: int, late_us: int) -> JobFigures:
    """Return how the jobs of all offices are; late is what is so long past its deadline."""
    found = await unit.connection.execute(
        select(
            func.count(),
            func.min(_C.created_at_us),
            func.coalesce(func.sum(case((_C.deadline_at_us < now_us - late_us, 1), else_=0)), 0),
        ).where(_C.finished_at_us.is_(None))
    )
    under_way, oldest_us, stuck = found.one()
    oldest_s = 0.0 if oldest_us is None else max(0.0, (now_us - oldest_us) / SECOND_US)
    return JobFigures(under_way=under_way, oldest_s=oldest_s, stuck=int(stuck))


async def ask_to_stop(unit: Unit, job_id: str) -> None:
    """Note that nobody wants a job's result any more."""
    await unit.connection.execute(
        update(media_jobs)
        .where(_C.job_id == job_id, _C.finished_at_us.is_(None))
        .values(asks_to_stop=True)
    )


async def mark_deleted(unit: Unit, job_id: str) -> None:
    """Let a job be seen no more; what it cost stays in the books."""
    await unit.connection.execute(
        update(media_jobs).where(_C.job_id == job_id).values(is_deleted=True, outputs=None)
    )


async def note_webhook(unit: Unit, job_id: str, state: str) -> None:
    """Write down how telling somebody of a job's end went."""
    await unit.connection.execute(
        update(media_jobs).where(_C.job_id == job_id).values(webhook_state=state)
    )


async def list_untold(unit: Unit, node: str) -> list[str]:
    """Return the ids of finished jobs whose end is still to be told."""
    found = await unit.connection.execute(
        select(_C.job_id)
        .where(_C.node == node, _C.webhook_state == "due", _C.finished_at_us.is_not(None))
        .order_by(_C.job_id)
        .limit(PAGE_ROWS_MAX)
    )
    return list(found.scalars())


async def prune(unit: Unit, before_us: int, rows_max: int) -> int:
    """Delete jobs that were finished before an instant; return how many, at most so many."""
    old = (
        select(_C.job_id)
        .where(_C.finished_at_us < before_us)
        .order_by(_C.finished_at_us)
        .limit(rows_max)
    )
    gone = await unit.connection.execute(
        delete(media_jobs).where(_C.job_id.in_(old.scalar_subquery()))
    )
    return gone.rowcount


def _changing(job: Job) -> dict[str, Any]:
    return {
        "status": job.status.value,
        "phase": job.phase.value,
        "updated_at_us": job.updated_at_us,
        "finished_at_us": job.finished_at_us,
        "progress_percent": job.progress_percent,
        "body": job.body.decode(),
        "candidate": job.candidate,
        "attempts": _encode(job.attempts).decode(),
        "task_id": job.task_id,
        "task_started_at_us": job.task_started_at_us,
        "outputs": plain(job.outputs),
        "output_endpoint": job.output_endpoint,
        "error": plain(job.error),
        "webhook_state": job.webhook_state,
    }


def _job(row: Row[Any]) -> Job:
    candidates: Sequence[Sequence[str]] = row.candidates
    counted: Sequence[Any] = row.counted
    return Job(
        job_id=row.job_id,
        node=row.node,
        token=row.token,
        opened=msgspec.json.decode(row.opened, type=Opened),
        body=row.body.encode(),
        candidates=tuple((one[0], one[1], one[2]) for one in candidates),
        on_content_filtered=OnContentFiltered(row.on_content_filtered),
        created_at_us=row.created_at_us,
        deadline_at_us=row.deadline_at_us,
        shown=msgspec.convert(row.shown, Shown),
        status=Status(row.status),
        phase=Phase(row.phase),
        candidate=row.candidate,
        attempts=msgspec.json.decode(row.attempts, type=tuple[AttemptEvidence, ...]),
        task_id=row.task_id,
        task_started_at_us=row.task_started_at_us,
        counted=tuple((one[0], one[1], one[2], one[3]) for one in counted),
        updated_at_us=row.updated_at_us,
        finished_at_us=row.finished_at_us,
        progress_percent=row.progress_percent,
        asks_to_stop=row.asks_to_stop,
        outputs=msgspec.convert(row.outputs or (), tuple[MadeThing, ...]),
        output_endpoint=row.output_endpoint,
        error=None if row.error is None else msgspec.convert(row.error, JobError),
        webhook_url=row.webhook_url,
        webhook_state=row.webhook_state,
        is_deleted=row.is_deleted,
    )
