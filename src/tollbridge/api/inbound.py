"""What has a caller sent, and is there room for it?"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from tollbridge.api.reply import Receive
from tollbridge.core.call import Operation
from tollbridge.core.errors import BodyTooLargeError, InvalidRequestError, OverloadedError

TAGS_MAX = 8
LABEL_CHARACTERS_MAX = 128


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


class CallInbound:
    """One request on the data plane. `release` it on every way out."""

    __slots__ = (
        "_content_length",
        "_limits",
        "_receive",
        "_room",
        "_taken",
        "credential",
        "customer",
        "method",
        "operation",
        "path",
        "received_at_us",
        "tags",
    )

    def __init__(
        self,
        scope: Mapping[str, Any],
        operation: Operation,
        received_at_us: int,
        receive: Receive,
        room: Room,
        limits: BodyLimits,
    ) -> None:
        self.method = str(scope["method"])
        self.path = str(scope["path"])
        self.operation = operation
        self.received_at_us = received_at_us
        self.credential: str | None = None
        self.customer: str | None = None
        self.tags: tuple[str, ...] = ()
        self._receive = receive
        self._room = room
        self._limits = limits
        self._taken = 0
        self._content_length: int | None = None

    def read_headers(self, headers: Sequence[tuple[bytes, bytes]], query: bytes) -> None:
        """Take what is acted on out of the headers; the rest goes nowhere."""
        for name, value in headers:
            if name == b"authorization":
                if value[:7].lower() == b"bearer ":
                    self.credential = value[7:].strip().decode("latin-1")
            elif name in {b"x-api-key", b"x-goog-api-key"}:
                self.credential = self.credential or value.decode("latin-1")
            elif name == b"content-length":
                self._content_length = int(value)
            elif name == b"x-tollbridge-customer":
                self.customer = value.decode("utf-8", "replace")[:LABEL_CHARACTERS_MAX] or None
            elif name == b"x-tollbridge-tags":
                self.tags = _tags(value)
            elif name == b"content-encoding" and value != b"identity":
                raise InvalidRequestError("encoded request bodies are not carried")
        if self.credential is None and query:
            self.credential = _key_of(query)

    async def body(self) -> bytes:
        """Return the whole body, within the limits.

        Raises BodyTooLargeError, OverloadedError, or InvalidRequestError where it ends early.
        """
        stated = self._content_length
        if stated is not None:
            self._check(stated)
            self._take(stated)
        first = await self._receive()
        data: bytes = first.get("body", b"")
        if first["type"] == "http.request" and not first.get("more_body"):
            self._note(len(data), stated)
            return data
        parts = [data]
        size = len(data)
        message = first
        while message.get("more_body"):
            message = await self._receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            self._note(size, stated)
        if message["type"] != "http.request":
            raise InvalidRequestError("the body ended before its stated length")
        return b"".join(parts)

    def release(self) -> None:
        """Give back the room that the body took."""
        self._room.give_back(self._taken)
        self._taken = 0

    def _note(self, size: int, stated: int | None) -> None:
        if stated is None:
            self._check(size)
            self._take(size - self._taken)

    def _check(self, size: int) -> None:
        if size > self._limits.body_bytes_max:
            raise BodyTooLargeError(f"the body is over {self._limits.body_bytes_max} bytes")

    def _take(self, size: int) -> None:
        self._room.take(size)
        self._taken += size


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
