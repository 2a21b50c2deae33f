"""How is anything asked for in one way, and finished though nobody waits?

The office's half of `POST /api/v1/generate`: films, and whatever is asked for as a job. What is
answered at once is the workers' (`api/generate.py`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tollbridge.api.callers import JobsOf, KeyOf, customer_of, tags_of
from tollbridge.api.deps import ControlOf
from tollbridge.core.call import Status
from tollbridge.core.clock import to_text
from tollbridge.core.errors import UpstreamError
from tollbridge.jobs.job import Job, job_id_of
from tollbridge.jobs.planning import Order
from tollbridge.providers.dialects.generated import OPERATIONS, fields_of
from tollbridge.providers.dialects.tasks.hooks import Heard

router = APIRouter(tags=["generate"])
hooks = APIRouter(tags=["generate"])

RESULT_NAMES: Mapping[str, str] = {"VIDEO": "videoUrl", "IMAGE": "imageUrl", "AUDIO": "audioUrl"}
LIMIT_MAX = 100


class GenerateOrder(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    category: Literal["TEXT", "IMAGE", "VIDEO", "AUDIO"]
    action: str | None = Field(default=None, max_length=64, description="For the log alone.")
    prompt: str = Field(min_length=1, max_length=32_000)
    model: str | None = Field(default=None, max_length=200)
    options: dict[str, Any] = Field(default={}, description="size, seconds, quality, voice …")
    mode: Literal["sync", "job"] = "sync"
    webhook_url: str | None = Field(default=None, max_length=2000)


class Generated(BaseModel):
    """What came of it."""

    result: dict[str, str] | None = Field(description="text, imageUrl, videoUrl or audioUrl.")
    provider: str | None = Field(description="Who made it.")
    call_id: str
    job: str | None = None
    status: str | None = Field(default=None, description="PENDING, PROCESSING, COMPLETED, FAILED.")
    status_url: str | None = None
    error: dict[str, str] | None = None
    created_at: str | None = None
    finished_at: str | None = None
    webhook_secret: str | None = Field(
        default=None, description="With which the webhook is signed; in this answer alone."
    )


@router.post("/generate", responses={202: {"model": Generated}})
async def generate(
    order: GenerateOrder,
    request: Request,
    response: Response,
    key: KeyOf,
    jobs: JobsOf,
    control: ControlOf,
) -> Generated:
    """Make something: a film is waited for as long as a caller may, then it goes on as a job."""
    operation = OPERATIONS[order.category]
    secret: str | None = None
    if order.webhook_url is not None:
        secret = await control.services.check_webhook(order.webhook_url, key.key_id)
    fields = fields_of(operation, order.prompt, order.model, order.options)
    job = await jobs.create(
        Order(
            key=key,
            operation=operation,
            fields=fields,
            path="/api/v1/generate",
            received_at_us=jobs.clock.now_us(),
            request_bytes=len(order.prompt.encode()),
            customer=customer_of(request),
            tags=tags_of(request),
            webhook_url=order.webhook_url,
        )
    )
    if order.mode == "sync":
        job = await jobs.wait(job, control.services.generate_wait_s)
        if job.status is Status.FAILED and job.error is not None:
            raise UpstreamError(job.error.message, details={"code": job.error.code})
    if not job.is_finished:
        response.status_code = 202
    found = generated(job)
    found.webhook_secret = secret
    return found


class JobsQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(default=None, max_length=200, description="`next_cursor`.")
    limit: int = Field(default=20, ge=1, le=LIMIT_MAX)


class JobPage(BaseModel):
    """A page of a key's jobs, the newest first."""

    jobs: list[Generated]
    next_cursor: str | None = Field(description="Of the next page: `after`; null at the end.")


@router.get("/jobs")
async def list_page(
    key: KeyOf,
    jobs: JobsOf,
    query: Annotated[JobsQuery, Query()],
) -> JobPage:
    """List what this key has asked for as jobs, films too."""
    start = None if query.after is None else job_id_of(query.after)
    found = await jobs.list_page(key, start, query.limit + 1, newest_first=True, operation=None)
    page = found[: query.limit]
    return JobPage(
        jobs=[generated(job) for job in page],
        next_cursor=page[-1].job_id if len(found) > query.limit else None,
    )


@router.get("/jobs/{job}")
async def show(job: str, key: KeyOf, jobs: JobsOf) -> Generated:
    """Say how a job stands, and what it made."""
    return generated(await jobs.get(job_id_of(job), key))


@router.delete("/jobs/{job}")
async def cancel(job: str, key: KeyOf, jobs: JobsOf) -> Generated:
    """End a job that is under way, at its provider too where that can be done."""
    found = await jobs.get(job_id_of(job), key)
    await jobs.stop(found)
    return generated(found)


@hooks.post("/hooks/{endpoint}/{token}", status_code=202, include_in_schema=False)
async def hook(endpoint: str, token: str, request: Request, jobs: JobsOf) -> dict[str, bool]:
    """Hear that something became of a task: it is looked at, and nothing said here is believed.

    What is not the endpoint's, or too old, is refused; what was heard before is let be.
    """
    heard = Heard(dict(request.headers.items()), await request.body())
    return {"heard": await jobs.on_webhook(endpoint, token, heard)}


def generated(job: Job) -> Generated:
    """Return how a job stands."""
    category = job.opened.category.value.upper()
    finished_us, error = job.finished_at_us, job.error
    made = job.outputs[0] if job.status is Status.COMPLETED and job.outputs else None
    result: dict[str, str] | None = None
    if made is not None and made.text and not made.url:
        result = {"text": made.text}
    elif made is not None:
        address = made.url
        if address.startswith("/"):  # it lies behind the provider's key: passed through
            address = f"/v1/videos/{job.job_id}/content"
        result = {RESULT_NAMES[category]: address}
    return Generated(
        result=result,
        provider=job.provider if job.is_finished else None,
        call_id=job.job_id,
        job=job.job_id,
        status=job.status.value,
        status_url=f"/api/v1/jobs/{job.job_id}",
        error=None if error is None else {"code": error.code, "message": error.message},
        created_at=to_text(job.created_at_us),
        finished_at=None if finished_us is None else to_text(finished_us),
    )
