"""Is everything as it should be? No key is needed to ask.

All of it is answered from memory, so that it answers while the database does not.
"""

from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel, Field

from tollbridge.api.deps import ControlOf
from tollbridge.api.figures import HealthStatus, WorkerFigures
from tollbridge.api.metrics import FiguresCollector
from tollbridge.core.errors import PermissionDeniedError

router = APIRouter(tags=["health"])


class WorkerHealth(BaseModel):
    """One worker, as its last pulse told."""

    worker: str
    pid: int
    calls_under_way: int
    drains_under_way: int
    faults: int
    spool_has_room: bool
    breakers: dict[str, str] = Field(description="Endpoint → open or half_open.")


class Health(BaseModel):
    """How this node is."""

    status: HealthStatus
    problems: list[str] = Field(description="What is not as it should be, in words.")
    office: str
    database: str = Field(description="ok or away.")
    spool_pending_records: int
    spool_pending_bytes: int
    drain_lag_s: float
    open_calls: int = Field(description="Begun and not yet ended, as far as the drain has read.")
    quarantined: int = Field(description="Records that could not be closed; tollbridge replay.")
    unreadable_lines: int
    jobs_under_way: int
    job_oldest_s: float = Field(description="Age of the oldest job under way.")
    jobs_stuck: int = Field(description="Past their time, or met by faults of ours.")
    workers_expected: int
    workers: list[WorkerHealth]


class Ready(BaseModel):
    """Whether calls can be served."""

    ready: bool


@router.get("/healthz")
async def health(control: ControlOf) -> Health:
    """Tell how this node is. Always 200: `status` says ok or degraded."""
    figures = control.services.figures()
    problems = figures.problems()
    return Health(
        status=HealthStatus.DEGRADED if problems else HealthStatus.OK,
        problems=problems,
        office="ok",
        database="ok" if figures.database_is_up else "away",
        spool_pending_records=figures.spool_pending_records,
        spool_pending_bytes=figures.spool_pending_bytes,
        drain_lag_s=figures.drain_lag_s,
        open_calls=figures.open_calls,
        quarantined=figures.quarantined,
        unreadable_lines=figures.unreadable_lines,
        jobs_under_way=figures.jobs.under_way,
        job_oldest_s=figures.jobs.oldest_s,
        jobs_stuck=figures.jobs.stuck,
        workers_expected=figures.workers_expected,
        workers=[_worker(worker) for worker in figures.workers],
    )


@router.get("/readyz", responses={503: {"model": Ready, "description": "No worker serves."}})
async def ready(control: ControlOf, response: Response) -> Ready:
    """Tell whether calls can be served: 200, or 503 while no worker is there."""
    is_ready = bool(control.services.figures().workers)
    response.status_code = 200 if is_ready else 503
    return Ready(ready=is_ready)


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request, control: ControlOf) -> Response:
    """Give the figures in Prometheus' text format, to this machine alone."""
    if not _is_local(request):
        raise PermissionDeniedError("metrics are for loopback addresses only")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FiguresCollector(control.services.figures()))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _worker(worker: WorkerFigures) -> WorkerHealth:
    return WorkerHealth(
        worker=worker.worker,
        pid=worker.pid,
        calls_under_way=worker.calls_under_way,
        drains_under_way=worker.drains_under_way,
        faults=worker.faults,
        spool_has_room=worker.spool_has_room,
        breakers={name: state for name, state in worker.breakers.items() if state != "closed"},
    )


def _is_local(request: Request) -> bool:
    # The worker replaces whatever the caller said here. Without the header the request came over
    # the office's own socket, which only this machine can open.
    forwarded = request.headers.getlist("x-forwarded-for")
    if not forwarded:
        return True
    try:
        addresses = [ip_address(part.strip()) for one in forwarded for part in one.split(",")]
    except ValueError:
        return False
    return all(
        address.is_loopback
        or bool(address.version == 6 and address.ipv4_mapped and address.ipv4_mapped.is_loopback)
        for address in addresses
    )
