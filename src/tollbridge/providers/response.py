"""What has come of a provider's answer so far, and how is it read?"""

import asyncio
from typing import Protocol

from tollbridge.providers.failures import (
    BrokenConnectionError,
    ResponseTooLargeError,
    TransportError,
)


class Link(Protocol):
    """What a response needs of the connection that fills it."""

    def resume_reading(self) -> None:
        """Read the socket on, after the buffered bytes were taken."""
        ...

    def abandon(self) -> None:
        """Close: the caller wants no more of this response."""
        ...


class Response:
    """One response. Header names are lowercase; trailers are dropped.

    Of a whole response, `body` holds all bytes. A streamed one is read with
    `chunk = response.take() or await response.read()` until that is `b""`, its clean end.
    One reader at a time. `close()` it on every way out; that is free after the end.
    """

    __slots__ = (
        "_arrival",
        "_chunks",
        "_failure",
        "_link",
        "body",
        "buffered_bytes",
        "complete",
        "headers",
        "paused",
        "status",
        "whole_bytes_max",
    )

    def __init__(
        self, link: Link, arrival: asyncio.Future[None], whole_bytes_max: int | None
    ) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = False
        """The message is there to its last byte; some of it may still wait to be read."""
        self.buffered_bytes = 0
        self.whole_bytes_max = whole_bytes_max
        self._arrival: asyncio.Future[None] | None = arrival
        self._chunks: list[bytes] = []
        self._failure: TransportError | None = None
        self._link: Link | None = link
        self.paused = False
        """The socket is not read on until the buffered bytes are taken."""

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of a header, asked for in lowercase."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def take(self) -> bytes:
        """Return all body bytes that are here now, joined; `b""` means none yet, or the end."""
        chunks = self._chunks
        if not chunks:
            return b""
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.buffered_bytes = 0
        if self.paused:
            self.paused = False
            if self._link is not None:
                self._link.resume_reading()
        return data

    async def read(self) -> bytes:
        """Wait for body bytes and return all that are here; `b""` is the clean end.

        Bytes that came before a failure are returned before it is raised. Raises TruncatedError,
        DeadlineExceededError or ProtocolError. A cancelled read closes the connection.
        """
        if not self._chunks and self._link is not None:
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            except BaseException:
                self.close()
                raise
        data = self.take()
        if not data and self._failure is not None:
            raise self._failure
        return data

    async def read_all(self, bytes_max: int) -> bytes:
        """Return the rest of the body.

        Raises ResponseTooLargeError above `bytes_max`, after closing, and whatever `read` raises.
        """
        if self.whole_bytes_max is not None:
            return self.body
        chunks: list[bytes] = []
        size = 0
        while chunk := self.take() or await self.read():
            chunks.append(chunk)
            size += len(chunk)
            if size > bytes_max:
                self.close()
                raise ResponseTooLargeError(f"the body is over {bytes_max} bytes", written=True)
        return b"".join(chunks)

    def close(self) -> None:
        """Give the response up; unless it is complete, its connection is closed with it."""
        if self._link is None:
            return
        link, self._link = self._link, None
        self._chunks.clear()
        self._failure = BrokenConnectionError("the response was closed by its reader", written=True)
        link.abandon()

    # What follows is called by the connection alone.

    def deliver(self, piece: bytes) -> None:
        """Add body bytes; the connection wakes the reader when it has read all there is."""
        self._chunks.append(piece)
        self.buffered_bytes += len(piece)

    def wake(self) -> None:
        """Let the waiting sender or reader run."""
        arrival = self._arrival
        if arrival is not None:
            self._arrival = None
            if not arrival.done():
                arrival.set_result(None)

    def finish(self) -> None:
        """Note the clean end of the message."""
        self.complete = True
        self._link = None
        if self.whole_bytes_max is not None:
            chunks = self._chunks
            self.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            chunks.clear()
        self.wake()

    def fail(self, failure: TransportError) -> None:
        """Note that the message breaks off here. The sender gets it at once, a reader in order."""
        self._link = None
        self._failure = failure
        self.wake()

    def raise_failure(self) -> None:
        """Raise what broke the response off, if anything did."""
        if self._failure is not None:
            raise self._failure
