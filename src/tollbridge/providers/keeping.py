"""What did the caller get, where a key or route wants it kept?

The reply of such a call is wrapped, so that no other call pays for it. Of a stream the text is
kept, put together from its frames as they pass; never more of it than is kept in the end.
"""

from tollbridge.core.content import Content, ContentKind, ContentPart, clipped
from tollbridge.providers.passage import HeaderLines, Reply, WrappedReply
from tollbridge.providers.stream_text import StreamText


class KeptContent:
    """What one call asks and is answered, each up to a size."""

    __slots__ = ("_answer", "_bytes_max", "_prompt", "_stream")

    def __init__(self, prompt: bytes, bytes_max: int) -> None:
        self._prompt = prompt
        self._bytes_max = bytes_max
        self._answer: ContentPart | None = None
        self._stream: StreamText | None = None

    def watching(self, reply: Reply) -> Reply:
        """Return a way back to the caller that is the given one, and is listened to."""
        return _HeardReply(reply, self)

    def record(self, call_id: str, at_us: int) -> Content:
        """Return what there is to keep; without an answer where the caller got none."""
        prompt = clipped(ContentKind.PROMPT, self._prompt, self._bytes_max)
        answer = self._answer if self._stream is None else self._stream.part()
        return Content(call_id, at_us, (prompt,) if answer is None else (prompt, answer))

    def take_whole(self, body: bytes) -> None:
        """Hear a whole answer."""
        self._answer = clipped(ContentKind.ANSWER, body, self._bytes_max)

    def take_frames(self, frames: bytes) -> None:
        """Hear a part of a stream."""
        if self._stream is None:
            self._stream = StreamText(self._bytes_max)
        self._stream.take(frames)


class _HeardReply(WrappedReply):
    """A reply whose content is heard on its way."""

    __slots__ = ("_kept",)

    def __init__(self, reply: Reply, kept: KeptContent) -> None:
        super().__init__(reply)
        self._kept = kept

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        self._kept.take_whole(body)
        await super().whole(status, headers, body)

    async def send(self, data: bytes) -> None:
        self._kept.take_frames(data)
        await super().send(data)

    def push(self, data: bytes) -> None:
        self._kept.take_frames(data)
        super().push(data)
