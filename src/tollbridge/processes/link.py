"""How do workers and the office talk?

Over a unix socket in the data directory, in frames: four bytes of length, then one message as
MessagePack. The office listens; a worker says hello and is told everything it needs.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from tollbridge.core.limits import (
    LeaseCorrection,
    LeaseGrant,
    LeaseRecall,
    LeaseRefusal,
    LeaseRequest,
    LeaseReturn,
    PurseState,
)
from tollbridge.providers.keys import KeyReport
from tollbridge.routing.health import BreakerReport

FRAME_BYTES_MAX = 512 * 1024 * 1024
_LENGTH_BYTES = 4


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """A worker introduces itself: which process it is, and what it still holds."""

    worker: str
    pid: int
    purses: tuple[PurseState, ...] = ()


class Pulse(msgspec.Struct, frozen=True, tag="pulse"):
    """How a worker is, once a second."""

    worker: str
    calls_under_way: int
    drains_under_way: int
    faults: int
    not_carried: int
    spool_has_room: bool
    breakers: dict[str, str] = {}
    breaker_reports: tuple[BreakerReport, ...] = ()
    key_reports: tuple[KeyReport, ...] = ()


class Part(msgspec.Struct, frozen=True, tag="part"):
    """One part of the snapshot, new: its name, its version, and its content as MessagePack."""

    name: str
    version: int
    content: bytes


FromWorker = Hello | Pulse | LeaseRequest | LeaseReturn
FromOffice = Part | LeaseGrant | LeaseRefusal | LeaseRecall | LeaseCorrection


Message = FromWorker | FromOffice


class LinkBrokenError(ConnectionError):
    """The other end is gone, or speaks something else."""


class Wire:
    """One end of a connection: messages out at once, messages in one by one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Message).decode

    def send(self, message: Message) -> None:
        """Hand a message to the socket. Never waits; on a broken link it goes nowhere."""
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > FRAME_BYTES_MAX:
            self._writer.close()  # nobody takes anything at the other end
            return
        body = self._encode(message)
        self._writer.write(len(body).to_bytes(_LENGTH_BYTES, "big") + body)

    async def receive(self) -> Message:
        """Wait for the next message.

        Raises LinkBrokenError where the other end is gone or sends what is no message.
        """
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES), "big")
            if length > FRAME_BYTES_MAX:
                raise LinkBrokenError(f"a frame of {length} bytes")
            return self._decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError, msgspec.MsgspecError) as error:
            raise LinkBrokenError(str(error)) from error

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def connect(socket_path: str) -> Wire:
    """Connect to the office. Raises OSError where nobody listens."""
    reader, writer = await asyncio.open_unix_connection(socket_path, limit=1024 * 1024)
    return Wire(reader, writer)


async def listen(
    socket_path: str, serve: Callable[[Wire], Awaitable[None]]
) -> asyncio.AbstractServer:
    """Listen for workers; `serve` is run for each connection until it returns."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer)
        try:
            await serve(wire)
        finally:
            wire.close()

    return await asyncio.start_unix_server(accept, socket_path, limit=1024 * 1024)
