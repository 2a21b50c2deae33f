"""How is a film asked for, and what has become of it? As OpenAI's videos interface."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.responses import Response

from tollbridge.api.callers import JobsOf, KeyOf, customer_of, tags_of
from tollbridge.api.deps import ControlOf
from tollbridge.api.told import FaceRoute
from tollbridge.core.call import Operation, Status
from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import ConflictError, NotFoundError
from tollbridge.jobs.forms import fields_asked
from tollbridge.jobs.job import Job, job_id_of, video_id
from tollbridge.jobs.planning import Order

LIMIT_MAX = 100
POLL_AFTER_MS = "1000"
WORDS: Mapping[Status, str] = {
    Status.PENDING: "queued",
    Status.PROCESSING: "in_progress",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
}


class OpenAIRoute(FaceRoute):
    """A route whose errors are told as OpenAI's SDK expects them."""

    face = "openai"


router = APIRouter(prefix="/v1/videos", tags=["videos"], route_class=OpenAIRoute)


class VideoError(BaseModel):
    """Why a film was not made."""

    code: str
    message: str


class Video(BaseModel):
    """A film that was asked for."""

    id: str
    object: Literal["video"] = "video"
    created_at: int = Field(description="Seconds since 1970.")
    completed_at: int | None
    expires_at: None = None
    status: str = Field(description="queued, in_progress, completed or failed.")
    progress: int = Field(description="Percent.")
    model: str
    size: str
    seconds: str
    prompt: str
    remixed_from_video_id: None = None
    error: VideoError | None
    provider: str | None = Field(description="Who makes it, or made it.")


class VideoPage(BaseModel):
    """A page of a key's films."""

    object: Literal["list"] = "list"
    data: list[Video]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedVideo(BaseModel):
    """A film that is seen no more."""

    id: str
    object: Literal["video.deleted"] = "video.deleted"
    deleted: bool = True


@router.post("")
async def create(request: Request, response: Response, key: KeyOf, jobs: JobsOf) -> Video:
    """Ask for a film, in JSON or as a form; it is made by the first provider that can."""
    received_at_us = jobs.clock.now_us()
    body = await request.body()
    content_type = request.headers.get("content-type", "").encode("latin-1")
    job = await jobs.create(
        Order(
            key=key,
            operation=Operation.VIDEO_GENERATION,
            fields=fields_asked(body, content_type),
            path="/v1/videos",
            received_at_us=received_at_us,
            request_bytes=len(body),
            customer=customer_of(request),
            tags=tags_of(request),
        )
    )
    response.headers["x-tollbridge-call-id"] = job.job_id
    response.headers["openai-poll-after-ms"] = POLL_AFTER_MS
    return video_of(job)


@router.get("")
async def list_page(
    key: KeyOf,
    jobs: JobsOf,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 20,
    order: Literal["asc", "desc"] = "desc",
) -> VideoPage:
    """List the films that this key has asked for."""
    start = None if after is None else job_id_of(after)
    found = await jobs.list_page(key, start, limit + 1, newest_first=order == "desc")
    videos = [video_of(job) for job in found[:limit]]
    return VideoPage(
        data=videos,
        first_id=videos[0].id if videos else None,
        last_id=videos[-1].id if videos else None,
        has_more=len(found) > limit,
    )


@router.get("/{video}")
async def retrieve(video: str, response: Response, key: KeyOf, jobs: JobsOf) -> Video:
    """Say how a film stands."""
    job = await jobs.get(job_id_of(video), key)
    response.headers["x-tollbridge-call-id"] = job.job_id
    if not job.is_finished:
        response.headers["openai-poll-after-ms"] = POLL_AFTER_MS
    return video_of(job)


@router.get("/{video}/content")
async def content(
    video: str, key: KeyOf, jobs: JobsOf, control: ControlOf, variant: str = "video"
) -> Response:
    """Give the film itself: passed through, or where it lies."""
    job = await jobs.get(job_id_of(video), key)
    if variant != "video":
        raise NotFoundError(f"there is no {variant[:32]} of this film")
    if job.status is not Status.COMPLETED:
        raise ConflictError("the film is not made", details={"status": WORDS[job.status]})
    contents = control.services.contents
    if contents is None:
        raise NotFoundError("films are not passed through here")
    address = contents.address_of(job)
    if address is not None:
        return RedirectResponse(address, 302)
    found = await contents.open(job)
    headers = {"x-tollbridge-call-id": job.job_id}
    if found.length is not None:
        headers["content-length"] = str(found.length)
    return StreamingResponse(found.parts, 200, headers, found.content_type)


@router.delete("/{video}")
async def delete(video: str, key: KeyOf, jobs: JobsOf) -> DeletedVideo:
    """Let a film be seen no more; one that is being made is cancelled where that can be done."""
    job = await jobs.get(job_id_of(video), key)
    await jobs.delete(job)
    return DeletedVideo(id=video_id(job.job_id))


def video_of(job: Job) -> Video:
    """Return a job as OpenAI's SDK knows films."""
    shown = job.shown
    facts = job.attempts[-1].facts if job.attempts else {}
    finished_us = job.finished_at_us if job.status is Status.COMPLETED else None
    error = job.error
    return Video(
        id=video_id(job.job_id),
        created_at=job.created_at_us // SECOND_US,
        completed_at=None if finished_us is None else finished_us // SECOND_US,
        status=WORDS[job.status],
        progress=job.progress_percent,
        model=shown.model,
        size=shown.size or facts.get("size", ""),
        seconds=shown.seconds or facts.get("duration_s", ""),
        prompt=shown.prompt,
        error=None if error is None else VideoError(code=error.code, message=error.message),
        provider=job.provider,
    )
