"""How does a caller get what a job has made?

It lies with the provider. Either the caller is sent there, or it is passed through, as it comes.
"""

from collections.abc import AsyncGenerator, Callable
from typing import Literal

import msgspec

from tollbridge.core.clock import Clock
from tollbridge.core.errors import NotFoundError, UpstreamError
from tollbridge.core.plan import Endpoint
from tollbridge.jobs.job import Job
from tollbridge.jobs.outside import Outside
from tollbridge.providers.doors import credentials_of, secret_of
from tollbridge.providers.failures import TransportError
from tollbridge.providers.fetch import FetchFailedError
from tollbridge.providers.origin import Origin
from tollbridge.providers.response import Response

Manner = Literal["proxy", "redirect"]


class Content(msgspec.Struct, frozen=True):
    """What a job made, on its way."""

    content_type: str
    length: int | None
    parts: AsyncGenerator[bytes]


class Contents:
    """Passes results through."""

    def __init__(
        self,
        outside: Outside,
        endpoint_of: Callable[[str], Endpoint | None],
        clock: Clock,
        timeout_s: float,
        manner: Manner,
    ) -> None:
        self._outside = outside
        self._endpoint_of = endpoint_of
        self._clock = clock
        self._timeout_s = timeout_s
        self._manner = manner

    def address_of(self, job: Job, place: int = 0) -> str | None:
        """Return where the caller is to be sent; None where it is passed through.

        Of a job that made several things `place` says which.
        """
        url = _url(job, place)
        endpoint = self._endpoint(job)
        is_open = "://" in url and (endpoint is None or not _lies_at(url, endpoint))
        return url if self._manner == "redirect" and is_open else None

    async def open(self, job: Job, place: int = 0) -> Content:
        """Begin to pass a result through. Raises UpstreamError, NotFoundError."""
        endpoint = self._endpoint(job)
        url = _url(job, place)
        if url.startswith("/"):
            if endpoint is None:
                raise NotFoundError("the endpoint that keeps it is gone")
            url = endpoint.base_url.rstrip("/") + url
        if not url:
            raise NotFoundError("this job made nothing that lies anywhere")
        near = None if endpoint is None else Origin.parse(endpoint.base_url)
        credentials: tuple[tuple[bytes, bytes], ...] = ()
        if endpoint is not None:  # it lies with the account of the key that began it
            key = job.attempts[-1].key if job.attempts else None
            credentials = credentials_of(endpoint, secret_of(endpoint, key))
        deadline_s = self._clock.monotonic_s() + self._timeout_s
        try:
            response = await self._outside.get(url, deadline_s, near, credentials)
        except FetchFailedError as error:
            raise UpstreamError(f"the result cannot be fetched: {error}") from error
        if response.status != 200:
            response.close()
            raise UpstreamError(f"the result cannot be fetched: HTTP {response.status}")
        length = response.header(b"content-length") or b""
        return Content(
            (response.header(b"content-type") or b"application/octet-stream").decode("latin-1"),
            int(length) if length.isdigit() else None,
            _parts(response),
        )

    def _endpoint(self, job: Job) -> Endpoint | None:
        return None if job.output_endpoint is None else self._endpoint_of(job.output_endpoint)


def _url(job: Job, place: int) -> str:
    return job.outputs[place].url if place < len(job.outputs) else ""


def _lies_at(url: str, endpoint: Endpoint) -> bool:
    try:
        return Origin.parse(url) == Origin.parse(endpoint.base_url)
    except (ValueError, UnicodeError):
        return False


async def _parts(response: Response) -> AsyncGenerator[bytes]:
    try:
        while data := response.take() or await response.read():
            yield data
    except TransportError as error:
        raise UpstreamError(f"the result broke off: {error.message}") from error
    finally:
        response.close()
