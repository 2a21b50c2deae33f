"""How far has a call come, and how does the caller hear of it?"""

from collections.abc import Callable
from typing import Protocol

from tollbridge.core.call import Ending, OnCallerLeft
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.providers.verdict import FINAL

HeaderLines = bytes
"""Response headers as on the wire, each line with its CRLF, without those of the framing."""


class Reply(Protocol):
    """The way back to the caller."""

    @property
    def call_id(self) -> str | None:
        """Told to the caller with whatever answer it gets, once the call has it."""
        ...

    @call_id.setter
    def call_id(self, call_id: str | None) -> None: ...

    @property
    def gone(self) -> bool:
        """Whether nobody reads any more."""
        ...

    @property
    def stalled(self) -> bool:
        """Whether the caller was dropped because it stopped reading."""
        ...

    @property
    def cut_off(self) -> bool:
        """Whether the caller went while it still had to take a part of what was sent."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether what was sent waits for the caller to read it."""
        ...

    @property
    def started(self) -> bool:
        """Whether status and headers have gone out."""
        ...

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        """Call back once when the caller leaves, at once if it has left."""
        ...

    def watch_room(self, on_room: Callable[[], None] | None) -> None:
        """Call back each time when the caller has read what made it full, or is gone."""
        ...

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        """Send a whole answer."""
        ...

    async def start(self, status: int, headers: HeaderLines) -> None:
        """Send status and headers of a stream."""
        ...

    async def send(self, data: bytes) -> None:
        """Send a part of a stream; waits while the caller does not read."""
        ...

    def push(self, data: bytes) -> None:
        """Send a part of a stream now, to a caller who is not gone; mind `is_full`."""
        ...

    async def drain(self) -> None:
        """Wait while the caller does not read."""
        ...

    async def finish(self) -> None:
        """End the stream cleanly."""
        ...

    async def break_off(self, last: bytes) -> None:
        """End the stream so that the caller sees that it is not whole, after a last frame."""
        ...


class WrappedReply:
    """A reply that passes everything on to another one; what is done on the way is a subclass's."""

    __slots__ = ("_reply",)

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    @property
    def call_id(self) -> str | None:
        """Told to the caller with whatever answer it gets, once the call has it."""
        return self._reply.call_id

    @call_id.setter
    def call_id(self, call_id: str | None) -> None:
        self._reply.call_id = call_id

    @property
    def gone(self) -> bool:
        """Whether nobody reads any more."""
        return self._reply.gone

    @property
    def stalled(self) -> bool:
        """Whether the caller was dropped because it stopped reading."""
        return self._reply.stalled

    @property
    def cut_off(self) -> bool:
        """Whether the caller went while it still had to take a part of what was sent."""
        return self._reply.cut_off

    @property
    def is_full(self) -> bool:
        """Whether what was sent waits for the caller to read it."""
        return self._reply.is_full

    @property
    def started(self) -> bool:
        """Whether status and headers have gone out."""
        return self._reply.started

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        """Call back once when the caller leaves, at once if it has left."""
        self._reply.watch(on_gone)

    def watch_room(self, on_room: Callable[[], None] | None) -> None:
        """Call back each time when the caller has read what made it full, or is gone."""
        self._reply.watch_room(on_room)

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        """Send a whole answer."""
        await self._reply.whole(status, headers, body)

    async def start(self, status: int, headers: HeaderLines) -> None:
        """Send status and headers of a stream."""
        await self._reply.start(status, headers)

    async def send(self, data: bytes) -> None:
        """Send a part of a stream; waits while the caller does not read."""
        await self._reply.send(data)

    def push(self, data: bytes) -> None:
        """Send a part of a stream now, to a caller who is not gone; mind `is_full`."""
        self._reply.push(data)

    async def drain(self) -> None:
        """Wait while the caller does not read."""
        await self._reply.drain()

    async def finish(self) -> None:
        """End the stream cleanly."""
        await self._reply.finish()

    async def break_off(self, last: bytes) -> None:
        """End the stream so that the caller sees that it is not whole, after a last frame."""
        await self._reply.break_off(last)


class Passage:
    """One call on its way: what is known, and how it ends as far as is known."""

    __slots__ = (
        "attempts",
        "call_id",
        "caller_left_policy",
        "deadline_s",
        "drained",
        "ending",
        "error",
        "final_classes",
        "http_status",
        "output_tokens_cap",
        "policy",
        "response_bytes",
        "stop",
        "stop_reason",
    )

    def __init__(
        self, call_id: str, first: AttemptEvidence, deadline_s: float, output_tokens_cap: int | None
    ) -> None:
        self.call_id = call_id
        self.attempts: list[AttemptEvidence] = [first]
        self.deadline_s = deadline_s
        """On the monotonic clock."""
        self.output_tokens_cap = output_tokens_cap
        self.ending = Ending.CUT_SHORT
        self.http_status = 499
        self.response_bytes = 0
        self.error: str | None = None
        self.final_classes = FINAL
        """What one candidate says so is asked of nobody else."""
        self.policy = OnCallerLeft.DRAIN
        self.caller_left_policy: OnCallerLeft | None = None
        self.drained = False
        self.stop: Callable[[str], None] | None = None
        """Stops the work on this call, for a reason."""
        self.stop_reason: str | None = None

    def note_caller_left(self, reply: Reply) -> None:
        """Conclude that the caller did not get the answer to its end."""
        self.caller_left_policy = self.policy
        if reply.stalled:
            self.ending = Ending.CALLER_STOPPED_READING
        elif reply.started:
            self.ending = Ending.CALLER_LEFT
        elif reply.gone:
            self.ending = Ending.CALLER_LEFT_BEFORE_FIRST_BYTE
        if not reply.started:
            self.http_status = 499
