"""What does a stream say to its caller, in the wire format of whichever face?

Put together from its frames as they pass, for calls whose content is kept. Never more of it than is
kept in the end.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import msgspec

from tollbridge.core.content import ContentKind, ContentPart, clipped
from tollbridge.providers.frames import data_of, split_frames

Place = tuple[int, str]
"""A choice, and what of it: "" is its content."""

REASONING = "reasoning"
REFUSAL = "refusal"
_BLOCK_DELTAS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "text_delta": ("text", ""),
        "thinking_delta": ("thinking", REASONING),
        "input_json_delta": ("partial_json", "tool call {}"),
    }
)
"""Anthropic's deltas of a block: where the words stand, and what they are of."""
_RESPONSE_DELTAS: Mapping[str, str] = MappingProxyType(
    {
        "response.output_text.delta": "",
        "response.refusal.delta": REFUSAL,
        "response.reasoning_text.delta": REASONING,
        "response.reasoning_summary_text.delta": REASONING,
        "response.function_call_arguments.delta": "tool call {}",
    }
)
"""The responses API's events with words, and what they are of."""


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


class _Called(msgspec.Struct):
    name: Any = None
    args: msgspec.Raw = msgspec.Raw(b"{}")


class _Part(msgspec.Struct):
    text: Any = None
    thought: Any = None
    call: _Called | None = msgspec.field(default=None, name="functionCall")


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct):
    index: Any = 0
    content: _Content | None = None


class _Block(msgspec.Struct):
    type: Any = None
    name: Any = None


class _Frame(msgspec.Struct):
    choices: list[_Choice] | None = None
    """Of chat completions and completions."""
    candidates: list[_Candidate] | None = None
    """Of Gemini."""
    type: Any = None
    """Of Anthropic's events and those of responses, as all below."""
    delta: Any = None
    index: Any = 0
    output_index: Any = 0
    content_block: _Block | None = None
    item: _Block | None = None


_decode = msgspec.json.Decoder(_Frame).decode


class StreamText:
    """The text of one stream."""

    def __init__(self, bytes_max: int) -> None:
        self._left_bytes = bytes_max
        self._pieces: dict[Place, list[str]] = {}
        self._bytes = 0
        self._cut = False

    def take(self, frames: bytes) -> None:
        """Take whole frames; what is no frame with words says nothing."""
        for frame in split_frames(frames):
            data = data_of(frame)
            if not data.startswith(b"{"):
                continue
            try:
                said = _decode(data)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            for choice in said.choices or ():
                self._take_choice(choice)
            for candidate in said.candidates or ():
                self._take_candidate(candidate)
            if type(said.type) is str:
                self._take_event(said)

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
        index = _number(choice.index)
        self._add((index, ""), choice.text)
        delta = choice.delta
        if delta is None:
            return
        self._add((index, ""), delta.content)
        self._add((index, REASONING), delta.reasoning_content)
        self._add((index, REFUSAL), delta.refusal)
        for tool in delta.tool_calls or ():
            if tool.function is not None:
                place = (index, f"tool call {tool.index}")
                self._add(place, tool.function.name, " ")
                self._add(place, tool.function.arguments)

    def _take_candidate(self, candidate: _Candidate) -> None:
        index = _number(candidate.index)
        parts = candidate.content.parts if candidate.content is not None else None
        for part in parts or ():
            self._add((index, REASONING if part.thought is True else ""), part.text)
            if part.call is not None:
                place = (index, "tool calls")
                self._add(place, part.call.name, " ")
                self._add(place, bytes(part.call.args).decode("utf-8", "replace"), "\n")

    def _take_event(self, said: _Frame) -> None:
        kind, delta = said.type, said.delta
        if kind == "content_block_delta" and isinstance(delta, dict):
            fields = cast("dict[str, Any]", delta)
            field, name = _BLOCK_DELTAS.get(str(fields.get("type")), ("", ""))
            self._add((0, name.format(_number(said.index))), fields.get(field))
        elif kind in _RESPONSE_DELTAS:
            self._add((0, _RESPONSE_DELTAS[kind].format(_number(said.output_index))), delta)
        elif kind == "content_block_start" and said.content_block is not None:
            self._add((0, f"tool call {_number(said.index)}"), said.content_block.name, " ")
        elif kind == "response.output_item.added" and said.item is not None:
            self._add((0, f"tool call {_number(said.output_index)}"), said.item.name, " ")

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


def _number(value: object) -> int:
    return value if type(value) is int else 0
