"""What has a caller sent, and is there room for it?"""

from collections.abc import Awaitable
from urllib.parse import unquote_to_bytes

import msgspec

from tollbridge.api.addresses import Address
from tollbridge.api.exchange import Exchange
from tollbridge.core.errors import BodyTooLargeError, InvalidRequestError, OverloadedError
from tollbridge.providers.wire import JSON

TAGS_MAX = 8
LABEL_CHARACTERS_MAX = 128
TRACE_CHARACTERS_MAX = 55
"""Of W3C's `traceparent`; later versions of it may add to these."""
ACTED_ON = frozenset(
    {
        b"anthropic-beta",
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"openai-beta",
        b"traceparent",
        b"x-api-key",
        b"x-goog-api-key",
        b"x-tollbridge-customer",
        b"x-tollbridge-tags",
    }
)
"""The headers that mean something to us."""
PASSED = frozenset({b"anthropic-beta", b"openai-beta"})
"""Of these, what a provider of the caller's own wire format gets too."""


class BodyLimits(msgspec.Struct, frozen=True):
    """Bounds of bodies."""

    body_bytes_max: int = 32 * 1024 * 1024
    inflight_body_bytes_max: int = 256 * 1024 * 1024


class Room:
    """The body bytes that a worker may hold at one moment."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.taken_bytes = 0

    def take(self, size: int) -> None:
        """Take room; raises OverloadedError where there is none."""
        if self.taken_bytes + size > self._bytes_max:
            raise OverloadedError("too many bodies are under way", retry_after_s=1)
        self.taken_bytes += size

    def give_back(self, size: int) -> None:
        """Give room back."""
        self.taken_bytes -= size


class Intake:
    """Takes one body in, as far as its limits and the worker's room allow. `release` it always."""

    __slots__ = ("_bytes_max", "_room", "_taken")

    def __init__(self, room: Room, bytes_max: int) -> None:
        self._room = room
        self._bytes_max = bytes_max
        self._taken = 0

    async def body(self, exchange: Exchange, stated_bytes: int | None) -> bytes:
        """Return the whole body; a stated length is checked before any of it is waited for.

        Raises BodyTooLargeError, OverloadedError, or InvalidRequestError where it ends early.
        """
        self._take(exchange.body_bytes if stated_bytes is None else stated_bytes)
        while not exchange.has_body:
            if exchange.gone:
                break
            await exchange.more()
            if stated_bytes is None:
                self._take(exchange.body_bytes)
        if exchange.gone:
            raise InvalidRequestError("the body ended before its stated length")
        return exchange.take_body()

    def release(self) -> None:
        """Give back the room that the body took."""
        self._room.give_back(self._taken)
        self._taken = 0

    def _take(self, size: int) -> None:
        """Take room for a body that has `size` bytes so far."""
        if size > self._bytes_max:
            raise BodyTooLargeError(f"the body is over {self._bytes_max} bytes")
        self._room.take(size - self._taken)
        self._taken = size


class CallInbound:
    """One request on the data plane, as the stages see it."""

    __slots__ = (
        "_content_length",
        "_exchange",
        "_intake",
        "address",
        "content_type",
        "credential",
        "customer",
        "face",
        "method",
        "operation",
        "passed",
        "path",
        "received_at_us",
        "tags",
        "trace",
    )

    def __init__(
        self, exchange: Exchange, address: Address, received_at_us: int, intake: Intake
    ) -> None:
        """Take what is acted on out of the request; the rest goes nowhere.

        Raises InvalidRequestError for headers that cannot be acted on.
        """
        self.method = exchange.method
        self.path = exchange.path
        self.address = exchange.path + address.query if address.query else exchange.path
        self.operation = address.operation
        self.face = address.face
        self.content_type = JSON
        self.passed: tuple[tuple[bytes, bytes], ...] = ()
        self.received_at_us = received_at_us
        self.credential: str | None = None
        self.customer: str | None = None
        self.tags: tuple[str, ...] = ()
        self.trace: str | None = None
        self._exchange = exchange
        self._intake = intake
        self._content_length: int | None = None
        for name, value in exchange.headers:
            if name in ACTED_ON:
                self._act_on(name, value)
        if self.credential is None and exchange.query:
            self.credential = _key_of(exchange.query)

    def body(self) -> Awaitable[bytes]:
        """Return the whole body, within the limits.

        Raises BodyTooLargeError, OverloadedError, or InvalidRequestError where it ends early.
        """
        return self._intake.body(self._exchange, self._content_length)

    def _act_on(self, name: bytes, value: bytes) -> None:
        if name == b"authorization":
            if value[:7].lower() == b"bearer ":
                self.credential = value[7:].strip().decode("latin-1")
        elif name == b"content-type":
            self.content_type = JSON if value == JSON else value
        elif name == b"content-length":
            self._content_length = int(value)
        elif name == b"content-encoding":
            if value != b"identity":
                raise InvalidRequestError("encoded request bodies are not carried")
        elif name in PASSED:
            self.passed = (*self.passed, (name, value))
        elif name == b"traceparent":
            self.trace = value[:TRACE_CHARACTERS_MAX].decode("latin-1")
        elif name.startswith(b"x-tollbridge-"):
            self._act_on_ours(name, value)
        else:
            self.credential = self.credential or value.decode("latin-1")

    def _act_on_ours(self, name: bytes, value: bytes) -> None:
        if name == b"x-tollbridge-tags":
            self.tags = _tags(value)
        else:
            self.customer = value.decode("utf-8", "replace")[:LABEL_CHARACTERS_MAX] or None


def _tags(value: bytes) -> tuple[str, ...]:
    parts = [part.strip() for part in value.decode("utf-8", "replace").split(",")]
    tags = tuple(part[:LABEL_CHARACTERS_MAX] for part in parts if part)
    if len(tags) > TAGS_MAX:
        raise InvalidRequestError(f"at most {TAGS_MAX} tags can be carried")
    return tags


def _key_of(query: bytes) -> str | None:
    for part in query.split(b"&"):
        if part.startswith(b"key="):
            return unquote_to_bytes(part[4:]).decode("latin-1")
    return None
