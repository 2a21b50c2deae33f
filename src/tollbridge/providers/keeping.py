"""What did the caller get, where a key or route wants it kept?

The reply of such a call is wrapped, so that no other call pays for it. Of a stream the text is
kept, put together from its frames as they pass; never more of it than is kept in the end.
"""

from typing import Any

import msgspec

from tollbridge.core.content import Content, ContentKind, ContentPart, clipped
from tollbridge.providers.frames import data_of, split_frames
from tollbridge.providers.passage import HeaderLines, Reply, WrappedReply

Place = tuple[int, str]
"""A choice, and what of it: "" is its content."""


class _Function(msgspec.Struct):
    name: Any = None
    arguments: Any = None


class _ToolCall(msgspec.Struct):
    index: Any = 0
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    refusal: Any = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    index: Any = 0
    delta: _Delta | None = None
    text: Any = None


class _Frame(msgspec.Struct):
    choices: list[_Choice] | None = None


_decode = msgspec.json.Decoder(_Frame).decode


class StreamText:
    """The text of one stream."""

    def __init__(self, bytes_max: int) -> None:
        self._left_bytes = bytes_max
        self._pieces: dict[Place, list[str]] = {}
        self._bytes = 0
        self._cut = False

    def take(self, frames: bytes) -> None:
        """Take whole frames; what is no frame with a choice says nothing."""
        for frame in split_frames(frames):
            data = data_of(frame)
            if not data.startswith(b"{"):
                continue
            try:
                choices = _decode(data).choices
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            for choice in choices or ():
                self._take_choice(choice)

    def part(self) -> ContentPart:
        """Return the text; where there is more than one content, each below its name."""
        texts: list[str] = []
        for (index, name), pieces in sorted(self._pieces.items()):
            titles = [*([f"choice {index}"] if index else []), *([name] if name else [])]
            title = f"[{', '.join(titles)}]\n" if titles else ""
            texts.append(title + "".join(pieces))
        text = "\n\n".join(texts)
        return ContentPart(ContentKind.ANSWER, text, self._bytes, truncated=self._cut)

    def _take_choice(self, choice: _Choice) -> None:
        index = choice.index if type(choice.index) is int else 0
        self._add((index, ""), choice.text)
        delta = choice.delta
        if delta is None:
            return
        self._add((index, ""), delta.content)
        self._add((index, "reasoning"), delta.reasoning_content)
        self._add((index, "refusal"), delta.refusal)
        for tool in delta.tool_calls or ():
            if tool.function is not None:
                place = (index, f"tool call {tool.index}")
                self._add(place, tool.function.name, " ")
                self._add(place, tool.function.arguments)

    def _add(self, place: Place, piece: object, end: str = "") -> None:
        if type(piece) is not str or not piece:
            return
        body = (piece + end).encode("utf-8", "replace")
        self._bytes += len(body)
        if self._cut:
            return
        part = clipped(ContentKind.ANSWER, body, self._left_bytes)
        self._cut = part.truncated
        self._left_bytes -= len(body)
        if part.body:
            self._pieces.setdefault(place, []).append(part.body)


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
