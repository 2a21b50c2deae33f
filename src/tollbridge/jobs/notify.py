"""How does a caller's server hear that a job is finished?

By a webhook in the manner of Standard Webhooks: `webhook-id`, `webhook-timestamp` and
`webhook-signature` (`v1,` and base64 of HMAC-SHA256 over "id.timestamp.body"), under a secret of
the key's own. It may be told twice; the id is the job's.
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import msgspec

from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.errors import OverloadedError
from tollbridge.jobs import store
from tollbridge.jobs.job import Job
from tollbridge.jobs.outside import Outside
from tollbridge.providers.fetch import FetchFailedError
from tollbridge.storage.unit import Database

DUE = "due"
TOLD = "told"
FAILED = "failed"
PREFIX = "whsec_"


class NotifyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How patiently somebody is told."""

    timeout_s: float = 15.0
    tries_max: int = 5
    wait_s: float = 2.0
    """Before the second try; doubled with each."""


class Notifier:
    """Tells of finished jobs; in the office's event loop."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        outside: Outside,
        signing_key: bytes,
        render: Callable[[Job], dict[str, Any]],
        limits: NotifyLimits | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._outside = outside
        self._signing_key = signing_key
        self._render = render
        self._limits = limits or NotifyLimits()
        self._telling: set[asyncio.Task[None]] = set()

    async def check(self, url: str, key_id: str) -> str:
        """Return the secret under which a key's webhooks are signed.

        Raises InvalidRequestError for an address that must not be reached.
        """
        await self._outside.check(url, "webhook_url")
        return PREFIX + base64.b64encode(self._secret(key_id)).decode()

    def tell(self, job_id: str) -> None:
        """Tell of a job's end, in its own time; of one that nobody is to be told of, nothing."""
        task = asyncio.create_task(self._tell(job_id))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def tell_what_is_left(self, node: str) -> None:
        """Tell of the jobs whose end an office before this one has not told."""
        async with self._database.read() as unit:
            left = await store.list_untold(unit, node)
        for job_id in left:
            self.tell(job_id)

    async def close(self) -> None:
        """Stop telling, before the database is closed; what is due is told by the next office."""
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def _tell(self, job_id: str) -> None:
        try:
            async with self._database.read() as unit:
                job = await store.find(unit, job_id)
            if job is None or job.webhook_url is None or job.webhook_state != DUE:
                return
            state = await self._send(job, job.webhook_url)
            async with self._database.write() as unit:
                await store.note_webhook(unit, job_id, state)
        except OverloadedError:
            return  # the database is away: the next office tells it

    async def _send(self, job: Job, url: str) -> str:
        body = msgspec.json.encode({"type": "job.finished", "data": self._render(job)})
        for number in range(self._limits.tries_max):
            if number:
                await asyncio.sleep(self._limits.wait_s * 2 ** (number - 1))
            headers = self._headers(job, body)
            deadline_s = self._clock.monotonic_s() + self._limits.timeout_s
            try:
                if await self._outside.post(url, headers, body, deadline_s) < 300:
                    return TOLD
            except FetchFailedError:
                continue
        return FAILED

    def _headers(self, job: Job, body: bytes) -> tuple[tuple[bytes, bytes], ...]:
        stamp = str(self._clock.now_us() // SECOND_US)
        secret = self._secret(job.opened.caller.key_id)
        return (
            (b"content-type", b"application/json"),
            (b"webhook-id", job.job_id.encode()),
            (b"webhook-timestamp", stamp.encode()),
            (b"webhook-signature", signature(secret, job.job_id, stamp, body)),
        )

    def _secret(self, key_id: str) -> bytes:
        return hmac.digest(self._signing_key, b"webhook\0" + key_id.encode(), hashlib.sha256)


def signature(secret: bytes, message_id: str, stamp: str, body: bytes) -> bytes:
    """Return the header that proves a webhook's sender."""
    signed = b"%b.%b.%b" % (message_id.encode(), stamp.encode(), body)
    return b"v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256))
