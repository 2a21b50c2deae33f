"""How does a caller get a stream who did not ask for events?

Gemini's streaming address without alt=sse answers one JSON array, an element for each frame, as
they come. Source: Google's reference for streamGenerateContent.
"""

from tollbridge.providers.frames import data_of, split_frames
from tollbridge.providers.passage import HeaderLines, Reply, WrappedReply
from tollbridge.providers.streaming import EVENT_STREAM
from tollbridge.providers.wire import JSON


class ArrayReply(WrappedReply):
    """A reply whose event frames become the elements of one JSON array."""

    __slots__ = ("_has_elements",)

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply)
        self._has_elements = False

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        """Send a whole answer; the only frame of what nobody streams is the only element."""
        if EVENT_STREAM in headers:
            headers, body = headers.replace(EVENT_STREAM, JSON, 1), self._elements(body) + b"]"
        await super().whole(status, headers, body)

    async def start(self, status: int, headers: HeaderLines) -> None:
        """Send status and headers of a stream."""
        await super().start(status, headers.replace(EVENT_STREAM, JSON, 1))

    async def send(self, data: bytes) -> None:
        """Send a part of a stream; waits while the caller does not read."""
        elements = self._elements(data)
        if elements:
            await super().send(elements)

    def push(self, data: bytes) -> None:
        """Send a part of a stream now."""
        elements = self._elements(data)
        if elements:
            super().push(elements)

    async def finish(self) -> None:
        """End the array, and the stream."""
        if not self.gone:
            await super().send(b"]" if self._has_elements else b"[]")
        await super().finish()

    async def break_off(self, last: bytes) -> None:
        """End the stream without the array's end, after a last element."""
        await super().break_off(self._elements(last))

    def _elements(self, frames: bytes) -> bytes:
        out = bytearray()
        for frame in split_frames(frames):
            data = data_of(frame)
            if data:
                out += b",\r\n" if self._has_elements else b"["
                out += data
                self._has_elements = True
        return bytes(out)
