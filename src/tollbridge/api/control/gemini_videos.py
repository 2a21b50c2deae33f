"""How is a film asked for, and what has become of it? As Gemini's long-running operations.

Google's SDK names a film by what stands behind `files/` in its address, and it finds that in an
address only if this begins with https: a plain one is told as `files/NAME`, which it takes too.
It asked at v1beta before its version 3, and asks at v1 since.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.responses import Response

from tollbridge.api.callers import JobsOf, KeyOf, customer_of, tags_of
from tollbridge.api.control.sessions import is_https
from tollbridge.api.deps import Control, ControlOf
from tollbridge.api.told import FaceRoute
from tollbridge.core.call import ErrorClass, Operation, Status
from tollbridge.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
)
from tollbridge.jobs.job import Job, job_id_of
from tollbridge.jobs.planning import Order
from tollbridge.providers.dialects.tasks.gemini_asked import fields_of_film, in_callers_words

METHOD = ":predictLongRunning"
RESPONSE = "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse"
ID_DIGITS = 32
OUTPUTS_MAX = 10
_INTERNAL = 13
# google.rpc.Code of what ended a job.
_CODES: Mapping[str, int] = MappingProxyType(
    {
        "cancelled": 1,
        "timeout": 4,
        ErrorClass.INVALID_REQUEST.value: 3,
        ErrorClass.RATE_LIMITED.value: 8,
        ErrorClass.INSUFFICIENT_FUNDS.value: 8,
        ErrorClass.OVERLOADED.value: 14,
    }
)


class GeminiRoute(FaceRoute):
    """A route whose errors are told as Google's SDK expects them."""

    face = "gemini"


router = APIRouter(tags=["videos"], route_class=GeminiRoute)


@router.post("/v1beta/models/{model:path}:predictLongRunning")
@router.post("/v1/models/{model:path}:predictLongRunning", include_in_schema=False)
async def create(
    model: str, request: Request, response: Response, key: KeyOf, jobs: JobsOf
) -> dict[str, Any]:
    """Ask for a film as a caller of Gemini's format; it is made by the first that can."""
    received_at_us = jobs.clock.now_us()
    body = await request.body()
    try:
        job = await jobs.create(
            Order(
                key=key,
                operation=Operation.VIDEO_GENERATION,
                fields=fields_of_film(model, body),
                path=request.url.path,
                received_at_us=received_at_us,
                request_bytes=len(body),
                customer=customer_of(request),
                tags=tags_of(request),
            )
        )
    except InvalidRequestError as error:
        raise in_callers_words(error) from error
    response.headers["x-tollbridge-call-id"] = job.job_id
    return {"name": _name(model, job)}


@router.get("/v1beta/models/{model:path}/operations/{operation}")
@router.get("/v1/models/{model:path}/operations/{operation}", include_in_schema=False)
async def retrieve(
    model: str,
    operation: str,
    request: Request,
    response: Response,
    key: KeyOf,
    jobs: JobsOf,
    control: ControlOf,
) -> dict[str, Any]:
    """Say how a film stands that was asked for in Gemini's format."""
    job = await jobs.get(job_id_of(operation), key)
    response.headers["x-tollbridge-call-id"] = job.job_id
    return {"name": _name(model, job), **_state(job, _folder(request, control))}


@router.post("/v1beta/models/{model:path}/operations/{operation}:cancel")
@router.post("/v1/models/{model:path}/operations/{operation}:cancel", include_in_schema=False)
async def cancel(model: str, operation: str, key: KeyOf, jobs: JobsOf) -> dict[str, Any]:
    """End a film that is being made, where that can be done."""
    del model
    await jobs.stop(await jobs.get(job_id_of(operation), key))
    return {}


@router.get("/v1beta/files/{file}:download")
@router.get("/v1/files/{file}:download", include_in_schema=False)
async def download(file: str, key: KeyOf, jobs: JobsOf, control: ControlOf) -> Response:
    """Give a film to a caller of Gemini's format: passed through, or where it lies."""
    place = file[ID_DIGITS:]
    if place and not (place.isdecimal() and int(place) < OUTPUTS_MAX):
        raise NotFoundError("there is no such file")
    job = await jobs.get(job_id_of(file[:ID_DIGITS]), key)
    if job.status is not Status.COMPLETED:
        raise ConflictError("the film is not made")
    contents = control.services.contents
    if contents is None:
        raise NotFoundError("films are not passed through here")
    address = contents.address_of(job, int(place or 0))
    if address is not None:
        return RedirectResponse(address, 302)
    found = await contents.open(job, int(place or 0))
    headers = {"x-tollbridge-call-id": job.job_id}
    if found.length is not None:
        headers["content-length"] = str(found.length)
    return StreamingResponse(found.parts, 200, headers, found.content_type)


def _state(job: Job, folder: str) -> dict[str, Any]:
    """Return how a job stands, in the words of a long-running operation."""
    if not job.is_finished:
        return {"metadata": {"progressPercent": job.progress_percent}}
    if job.error is not None:
        if job.error.code == ErrorClass.CONTENT_FILTERED.value:
            return _done(
                {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [job.error.message]}
            )
        code = _CODES.get(job.error.code, _INTERNAL)
        return {"done": True, "error": {"code": code, "message": job.error.message}}
    name = job.job_id.replace("-", "")
    places = ["", *(str(place) for place in range(1, len(job.outputs)))]
    uris = [f"{folder}files/{name}{place}" for place in places]
    if folder:
        uris = [f"{uri}:download?alt=media" for uri in uris]
    return _done({"generatedSamples": [{"video": {"uri": uri}} for uri in uris]})


def _done(made: dict[str, Any]) -> dict[str, Any]:
    return {"done": True, "response": {"@type": RESPONSE, "generateVideoResponse": made}}


def _name(model: str, job: Job) -> str:
    return f"models/{model}/operations/{job.job_id.replace('-', '')}"


def _folder(request: Request, control: Control) -> str:
    """Return what stands before `files/` in a film's address, "" where it has no https."""
    if not is_https(request, control):
        return ""
    version = request.url.path.split("/", 2)[1]
    base = control.services.public_url.rstrip("/")
    if not base.startswith("https:"):
        base = f"https://{request.headers.get('host', '')}"
    return f"{base}/{version}/"
