"""Is everything as it should be? No key is needed to ask.

All of it is answered from memory, so that it answers while the database does not.
"""

from collections.abc import Iterator
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from pydantic import BaseModel, Field

from tollbridge.api.deps import ControlOf
from tollbridge.api.figures import HealthStatus, OfficeFigures, WorkerFigures
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
    registry.register(_Figures(control.services.figures()))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Figures(Collector):
    """The figures of one moment, as Prometheus' families."""

    def __init__(self, figures: OfficeFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        figures = self._figures
        yield _gauge(
            "database_up", "Whether the last transaction succeeded.", figures.database_is_up
        )
        yield _gauge("workers_expected", "Workers of this node.", figures.workers_expected)
        yield _gauge("workers", "Workers that are linked.", len(figures.workers))
        yield _gauge(
            "spool_pending_records", "Records not drained yet.", figures.spool_pending_records
        )
        yield _gauge("spool_pending_bytes", "Bytes not drained yet.", figures.spool_pending_bytes)
        yield _gauge("drain_lag_seconds", "Age of the oldest such record.", figures.drain_lag_s)
        yield _gauge("quarantined_records", "Records in quarantine.", figures.quarantined)
        yield _gauge("open_calls", "Calls begun and not yet ended.", figures.open_calls)
        yield _counter(
            "unreadable_lines", "Spool lines that were no record.", figures.unreadable_lines
        )
        yield _counter("office_faults", "Errors of ours in the office.", figures.faults)
        jobs = figures.jobs
        yield _gauge("media_jobs_under_way", "Jobs begun and not yet ended.", jobs.under_way)
        yield _gauge("media_job_oldest_seconds", "Age of the oldest of them.", jobs.oldest_s)
        yield _gauge("media_jobs_stuck", "Jobs past their time, or met by faults.", jobs.stuck)
        yield from _of_workers(figures.workers)


def _of_workers(workers: tuple[WorkerFigures, ...]) -> Iterator[Metric]:
    under_way = GaugeMetricFamily(
        "tollbridge_calls_under_way", "Calls being served.", labels=["worker"]
    )
    drains = GaugeMetricFamily(
        "tollbridge_drains_under_way", "Calls read on without a caller.", labels=["worker"]
    )
    room = GaugeMetricFamily(
        "tollbridge_spool_has_room", "Whether calls are let in.", labels=["worker"]
    )
    faults = CounterMetricFamily("tollbridge_worker_faults", "Errors of ours.", labels=["worker"])
    not_carried = CounterMetricFamily(
        "tollbridge_not_carried", "Requests for addresses that are not carried.", labels=["worker"]
    )
    breakers = GaugeMetricFamily(
        "tollbridge_breaker_open",
        "Breakers that are not closed.",
        labels=["worker", "endpoint", "state"],
    )
    for worker in workers:
        labels = [worker.worker]
        under_way.add_metric(labels, worker.calls_under_way)
        drains.add_metric(labels, worker.drains_under_way)
        room.add_metric(labels, worker.spool_has_room)
        faults.add_metric(labels, worker.faults)
        not_carried.add_metric(labels, worker.not_carried)
        for endpoint, state in worker.breakers.items():
            if state != "closed":
                breakers.add_metric([worker.worker, endpoint, state], 1)
    yield from (under_way, drains, room, faults, not_carried, breakers)


def _gauge(name: str, description: str, value: float) -> Metric:
    return GaugeMetricFamily(f"tollbridge_{name}", description, value=value)


def _counter(name: str, description: str, value: float) -> Metric:
    return CounterMetricFamily(f"tollbridge_{name}", description, value=value)


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
