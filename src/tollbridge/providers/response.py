"""What has come of a provider's answer so far, and how is it read?"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from tollbridge.providers.failures import (
    BrokenConnectionError,
    ResponseTooLargeError,
    TransportError,
)


class Link(Protocol):
    """What a response needs of the connection that fills it."""

    def pause_reading(self) -> None:
        """Leave the socket unread: nobody takes more for now."""
        ...

    def resume_reading(self) -> None:
        """Read the socket on, after the buffered bytes were taken."""
        ...

    def abandon(self) -> None:
        """Close: the caller wants no more of this response."""
        ...


class Response:
    """One response. Header names are lowercase; trailers are dropped.

    Of a whole response, `body` holds all bytes. A streamed one is read with
    `chunk = response.take() or await response.read()` until that is `b""`, its clean end, or
    poured into a sink. One reader at a time. `close()` it on every way out; that is free after
    the end.
    """

    __slots__ = (
        "_arrival",
        "_chunks",
        "_failure",
        "_link",
        "_sink",
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
        self._failure: BaseException | None = None
        self._link: Link | None = link
        self._sink: Callable[[bytes], None] | None = None
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

    async def pour(self, sink: Callable[[bytes], None]) -> None:
        """Hand the rest of the body to `sink`, each read when it comes; return at the clean end.

        No task is woken for a read: `sink` is called by the connection, and must not wait. Where
        it can take no more for now it calls `hold`, and `go_on` later; where the body is not what
        it should be it calls `stop`. Raises what `read` raises, and what `stop` was told.
        A cancelled pour closes the connection.
        """
        data = self.take()
        if data:
            sink(data)
        if self._link is not None and self._failure is None:
            self._sink = sink
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            except BaseException:
                self.close()
                raise
            finally:
                self._sink = None
        self.raise_failure()

    def hold(self) -> None:
        """Leave the socket unread until `go_on`."""
        if self._link is not None and not self.paused:
            self.paused = True
            self._link.pause_reading()

    def go_on(self) -> None:
        """Read on after `hold`."""
        if self._link is not None and self.paused:
            self.paused = False
            self._link.resume_reading()

    def stop(self, failure: BaseException) -> None:
        """Let `pour` raise this: the body need not be read on."""
        self._sink = None
        if self._failure is None:
            self._failure = failure
        self._wake()

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
        if self._failure is None:
            said = "the response was closed by its reader"
            self._failure = BrokenConnectionError(said, written=True)
        link.abandon()

    # What follows is called by the connection alone.

    def deliver(self, piece: bytes) -> None:
        """Pass body bytes on, or keep them until the connection has read all there is."""
        sink = self._sink
        if sink is None:
            self._chunks.append(piece)
            self.buffered_bytes += len(piece)
            return
        try:
            sink(piece)
        except BaseException as bug:
            self.stop(bug)  # whoever waits for the end has to know of it
            raise

    def arrived(self) -> None:
        """Let the waiting sender or reader run, unless the bytes have been passed on."""
        if self._sink is None:
            self._wake()

    def finish(self) -> None:
        """Note the clean end of the message."""
        self.complete = True
        self._link = None
        if self.whole_bytes_max is not None:
            chunks = self._chunks
            self.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            chunks.clear()
        self._wake()

    def fail(self, failure: TransportError) -> None:
        """Note that the message breaks off here. The sender gets it at once, a reader in order."""
        self._link = None
        if self._failure is None:
            self._failure = failure
        self._wake()

    def raise_failure(self) -> None:
        """Raise what broke the response off, if anything did."""
        if self._failure is not None:
            raise self._failure

    def _wake(self) -> None:
        """Let whoever waits run."""
        arrival, self._arrival = self._arrival, None
        if arrival is not None and not arrival.done():
            arrival.set_result(None)
