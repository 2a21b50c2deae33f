"""Which JSON does an answer take, as one body and as a stream of frames?

Source of the shapes: OpenAI's API reference for chat completions, completions and embeddings.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from tollbridge.sandbox import usage
from tollbridge.sandbox.answer import Answer
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.usage import Usage

encode = msgspec.json.Encoder().encode

ROLE: Final = 0
CONTENT: Final = 1
FINISH: Final = 2
USAGE: Final = 3
EXTRA: Final = 4


class Shape(NamedTuple):
    """One of the two text surfaces: what differs between chat and legacy completions."""

    id_prefix: str
    body_object: str
    chunk_object: str
    is_chat: bool
    usage_object: Callable[[Usage], dict[str, Any]]


CHAT: Final = Shape(
    id_prefix="chatcmpl-",
    body_object="chat.completion",
    chunk_object="chat.completion.chunk",
    is_chat=True,
    usage_object=usage.chat_object,
)
TEXT: Final = Shape(
    id_prefix="cmpl-",
    body_object="text_completion",
    chunk_object="text_completion",
    is_chat=False,
    usage_object=usage.completion_object,
)


class Frame(NamedTuple):
    """The JSON of one `data:` line, what it is, and how many completion tokens it carries."""

    kind: int
    payload: bytes
    tokens: int = 0
    usage_object: dict[str, Any] | None = None


class StreamForm(NamedTuple):
    """How the caller wants the stream: with the usage chunk, with the padding field."""

    include_usage: bool
    include_obfuscation: bool


def body(answer: Answer, shape: Shape, script: Script) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the unstreamed body, and the usage object in it (empty: there is none)."""
    choices: list[dict[str, Any]] = []
    tokens = 0
    for index, choice in enumerate(answer.choices):
        tokens += choice.tokens
        said: dict[str, Any] = {"index": index}
        if shape.is_chat:
            said["message"] = {
                "role": "assistant",
                "content": choice.text,
                "refusal": None,
                "annotations": [],
            }
        else:
            said["text"] = choice.text
        said["logprobs"] = None
        said["finish_reason"] = choice.finish_reason
        choices.append(said)
    document: dict[str, Any] = {
        "id": answer.id,
        "object": shape.body_object,
        "created": answer.created,
        "model": answer.model,
        "choices": choices,
    }
    told = usage.reported(shape.usage_object(answer.usage(tokens)), script.usage)
    if script.usage != "missing":
        document["usage"] = told
    if shape.is_chat:
        document["service_tier"] = "default"
    document["system_fingerprint"] = answer.fingerprint
    return document, told or {}


class Frames:
    """The frames of one streamed answer, in order, made one at a time."""

    def __init__(self, answer: Answer, shape: Shape, script: Script, form: StreamForm) -> None:
        self._answer = answer
        self._shape = shape
        self._script = script
        self._form = form
        self._tokens = 0
        head: dict[str, Any] = {
            "id": answer.id,
            "object": shape.chunk_object,
            "created": answer.created,
            "model": answer.model,
        }
        if shape.is_chat:
            head["service_tier"] = "default"
        head["system_fingerprint"] = answer.fingerprint
        self._head = encode(head)[:-1] + b',"choices":['
        self._pad = shape.is_chat and form.include_obfuscation
        self._tail = b',"usage":null' if form.include_usage else b""

    def __iter__(self) -> Iterator[Frame]:
        """Yield role, content, finish and usage frames; the choices take turns."""
        choices = self._answer.choices
        if self._shape.is_chat:
            for index in range(len(choices)):
                delta = b'{"role":"assistant","content":"","refusal":null}'
                yield self._frame(ROLE, self._choice(index, delta, b"null"))
        for at in range(max(len(choice.pieces) for choice in choices)):
            for index, choice in enumerate(choices):
                if at < len(choice.pieces):
                    yield self._content(index, choice.pieces[at], choice.counts[at])
        for index, choice in enumerate(choices):
            said = b"{}" if self._shape.is_chat else b'""'
            reason = encode(choice.finish_reason)
            yield self._frame(FINISH, self._choice(index, said, reason))
        if self._form.include_usage and self._script.usage != "missing":
            yield self._usage()
            if self._script.usage_then_extra_chunk:
                extra = b'],"moderation":{"flagged":false},"usage":null}'
                yield Frame(EXTRA, self._head + extra)

    def _content(self, index: int, piece: str, tokens: int) -> Frame:
        self._tokens += tokens
        said = encode(piece)
        if self._shape.is_chat:
            said = b'{"content":' + said + b"}"
        return self._frame(CONTENT, self._choice(index, said, b"null"), tokens)

    def _choice(self, index: int, said: bytes, finish_reason: bytes) -> bytes:
        name = b"delta" if self._shape.is_chat else b"text"
        return b'{"index":%d,"%b":%b,"logprobs":null,"finish_reason":%b}' % (
            index,
            name,
            said,
            finish_reason,
        )

    def _frame(self, kind: int, choice: bytes, tokens: int = 0) -> Frame:
        tail = self._tail
        told = None
        if self._script.usage_in_every_chunk:
            told = self._told()
            tail = b',"usage":' + encode(told)
        if self._pad:
            tail += b',"obfuscation":"%b"' % (b"x" * (1 + (len(choice) * 7) % 16))
        return Frame(kind, self._head + choice + b"]" + tail + b"}", tokens, told)

    def _usage(self) -> Frame:
        told = self._told()
        payload = self._head + b'],"usage":' + encode(told) + b"}"
        return Frame(USAGE, payload, 0, told)

    def _told(self) -> dict[str, Any] | None:
        honest = self._shape.usage_object(self._answer.usage(self._tokens))
        return usage.reported(honest, self._script.usage)
