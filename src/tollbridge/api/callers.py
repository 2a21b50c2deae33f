"""Who asks the office for work, with an API key as the data plane takes it?"""

from typing import Annotated

from fastapi import Depends, Request

from tollbridge.access.authenticate import require
from tollbridge.access.keys import KeyEntry, Scope
from tollbridge.api.deps import ControlOf
from tollbridge.core.errors import InvalidRequestError, NotFoundError
from tollbridge.jobs.service import MediaJobs

LABEL_CHARACTERS_MAX = 128
TAGS_MAX = 8


async def key_of(request: Request, control: ControlOf) -> KeyEntry:
    """Return the key that was sent, wherever it stood.

    Raises AuthenticationError, and PermissionDeniedError for a key that may not make calls.
    """
    headers = request.headers
    scheme, _, sent = headers.get("authorization", "").partition(" ")
    credential = sent.strip() if scheme.lower() == "bearer" else None
    credential = (
        credential
        or headers.get("x-api-key")
        or headers.get("x-goog-api-key")
        or request.query_params.get("key")
    )
    async with control.services.database.read() as unit:
        ring = await control.key_rings.current(unit)
    entry = ring.authenticate(credential, control.services.clock.now_us())
    require(entry, Scope.CALL)
    return entry


KeyOf = Annotated[KeyEntry, Depends(key_of)]


def jobs_of(control: ControlOf) -> MediaJobs:
    """Return the office's jobs. Raises NotFoundError where there are none here."""
    jobs = control.services.jobs
    if jobs is None:
        raise NotFoundError("jobs are not taken here")
    return jobs


JobsOf = Annotated[MediaJobs, Depends(jobs_of)]


def customer_of(request: Request) -> str | None:
    """Return whom of the application's customers a request is for, where a header says so."""
    return request.headers.get("x-tollbridge-customer", "")[:LABEL_CHARACTERS_MAX] or None


def tags_of(request: Request) -> tuple[str, ...]:
    """Return the application's labels. Raises InvalidRequestError for too many."""
    sent = request.headers.get("x-tollbridge-tags", "").split(",")
    tags = tuple(one.strip()[:LABEL_CHARACTERS_MAX] for one in sent if one.strip())
    if len(tags) > TAGS_MAX:
        raise InvalidRequestError(f"at most {TAGS_MAX} tags can be carried")
    return tags
