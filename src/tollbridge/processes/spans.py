"""How do the spans of calls reach a collector, without anybody having to wait for it?

The drain hands over the calls that have just come into the books. Their spans are rendered at once
and wait in a queue of bounded length; what has no room there is dropped and counted. One message
at a time goes out, and again after a while where the collector is away or asks for patience. What
still waits when the office ends is lost: spans are a view of the books, which have all calls.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from itertools import islice
from typing import Any

import msgspec
import structlog

from tollbridge.api.figures import SpanFigures
from tollbridge.api.otlp_spans import spans_of, spans_payload, trace_of
from tollbridge.core.account import CallAccount
from tollbridge.core.errors import ConfigurationError, OverloadedError
from tollbridge.processes.logs import cause_of
from tollbridge.processes.people import OidcWeb
from tollbridge.providers.origin import Origin
from tollbridge.settings import Settings

PATH = "/v1/traces"
BATCH_CALLS_MAX = 512
"""Calls of one message."""
PATIENCE = frozenset({429, 502, 503, 504})
"""Answers after which the OTLP specification wants the same message to be sent again."""
WAIT_S_MAX = 300.0
"""Longest wait that a collector can ask for."""
RETRY_S_MAX = 60.0
"""Longest wait where it says nothing."""
ADDRESSES_MAX = 10_000

log: Any = structlog.get_logger()


class Spans:
    """The spans of one office on their way."""

    def __init__(
        self,
        settings: Settings,
        web: OidcWeb,
        headers: tuple[tuple[bytes, bytes], ...],
        base_urls: Mapping[str, str],
    ) -> None:
        """Take the collector's headers, and the base URLs of endpoints by name.

        Raises ConfigurationError where spans are asked for and there is no collector.
        """
        if settings.otlp_spans and not settings.otlp_endpoint:
            raise ConfigurationError("TOLLBRIDGE_OTLP_SPANS needs TOLLBRIDGE_OTLP_ENDPOINT")
        self._settings = settings
        self._web = web
        self._headers = ((b"content-type", b"application/json"), *headers)
        self.base_urls = base_urls
        self._addresses: dict[str, tuple[str, int] | None] = {}
        self._queue: deque[bytes] = deque()
        self._is_full_batch = asyncio.Event()
        self._figures = SpanFigures()

    def figures(self) -> SpanFigures | None:
        """Return what became of the spans; None where none are made."""
        if not self._settings.otlp_spans:
            return None
        return msgspec.structs.replace(self._figures, waiting=len(self._queue))

    def take(self, accounts: Sequence[CallAccount]) -> None:
        """Take calls that have just come into the books."""
        settings, queue, dropped = self._settings, self._queue, 0
        if not settings.otlp_spans:
            return
        for account in accounts:
            trace = trace_of(account, settings.otlp_spans_ratio)
            if trace is None:
                continue
            if len(queue) >= settings.otlp_spans_queued_max:
                dropped += 1
                continue
            queue.append(spans_of(account, trace, self._address_of))
        if dropped:
            self._count(dropped_full=dropped)
        if len(queue) >= BATCH_CALLS_MAX:
            self._is_full_batch.set()

    async def run(self) -> None:
        """Send for ever."""
        while True:
            self._is_full_batch.clear()
            if len(self._queue) < BATCH_CALLS_MAX:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.otlp_spans_interval_s):
                        await self._is_full_batch.wait()
            if self._queue:
                await self._send_batch()

    async def _send_batch(self) -> None:
        """Send the oldest spans, until the collector takes or refuses them."""
        calls = list(islice(self._queue, BATCH_CALLS_MAX))
        body = spans_payload(calls, self._settings.node, version("tollbridge"))
        wait_s = 1.0
        while True:
            try:
                status, asked_s = await self._ask(body)
                if 200 <= status < 300:
                    self._count(sent=len(calls))
                    break
                log.warning("spans_refused", action="telemetry", status=status)
                if status not in PATIENCE:
                    self._count(dropped_refused=len(calls))
                    break
            except OverloadedError as error:
                log.warning("spans_wait", action="telemetry", kind=cause_of(error))
                asked_s = None
            # They stay in the queue meanwhile, and count for its length.
            await asyncio.sleep(wait_s if asked_s is None else min(asked_s, WAIT_S_MAX))
            wait_s = min(wait_s * 2, RETRY_S_MAX)
        for _ in calls:
            self._queue.popleft()

    async def _ask(self, body: bytes) -> tuple[int, float | None]:
        """Return the status, and how long to wait in seconds; None where that is not said."""
        url = self._settings.otlp_endpoint.rstrip("/") + PATH
        timeout_s = self._settings.otlp_timeout_s
        answer = await self._web.exchange("POST", url, self._headers, body, timeout_s)
        return answer.status, answer.wait_s

    def _count(self, *, sent: int = 0, dropped_full: int = 0, dropped_refused: int = 0) -> None:
        so_far = self._figures
        self._figures = SpanFigures(
            sent=so_far.sent + sent,
            dropped_full=so_far.dropped_full + dropped_full,
            dropped_refused=so_far.dropped_refused + dropped_refused,
        )

    def _address_of(self, endpoint: str) -> tuple[str, int] | None:
        """Return host and port of an endpoint; None where it is not known any more."""
        base_url = self.base_urls.get(endpoint, "")
        if base_url not in self._addresses:
            if len(self._addresses) >= ADDRESSES_MAX:
                self._addresses.clear()
            try:
                origin = Origin.parse(base_url)
                self._addresses[base_url] = origin.host, origin.port
            except ValueError:
                self._addresses[base_url] = None
        return self._addresses[base_url]
