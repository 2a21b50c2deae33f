"""Which JSON does an answer take, as one body and as a stream of chunks?"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from tollbridge.sandbox import usage
from tollbridge.sandbox.answer import Answer, Choice, ToolCall
from tollbridge.sandbox.dialects.manner import Document, Manner, OpenAIManner, Shape
from tollbridge.sandbox.frame import CONTENT, EXTRA, FINISH, ROLE, USAGE, Frame, encode
from tollbridge.sandbox.script import Script

OPENAI_MANNER = OpenAIManner()


class StreamForm(NamedTuple):
    """How the caller wants the stream: with the usage chunk, with the padding field."""

    include_usage: bool
    include_obfuscation: bool
    continuous_usage: bool = False


def body(
    answer: Answer, shape: Shape, script: Script, manner: Manner = OPENAI_MANNER
) -> tuple[Document, Document]:
    """Return the unstreamed body, and the usage object in it (empty: there is none)."""
    choices: list[Document] = []
    for index, choice in enumerate(answer.choices):
        said: Document = {"index": index}
        if shape.is_chat:
            said["message"] = _message(choice, manner)
        else:
            said["text"] = choice.text
        said["logprobs"] = None
        said["finish_reason"] = choice.finish_reason
        choices.append(said)
    document = _head(answer, shape.body_object, manner)
    document["choices"] = choices
    told = tell(answer, shape, script, manner, answer.tokens)
    if script.usage != "missing":
        document["usage"] = told
    tier = manner.tier(script)
    if shape.is_chat and tier is not None:
        document["service_tier"] = tier
    fingerprint = manner.fingerprint(answer)
    document["system_fingerprint"] = fingerprint
    manner.dress_body(document, answer, script)
    return document, told or {}


def tell(
    answer: Answer, shape: Shape, script: Script, manner: Manner, tokens: int
) -> Document | None:
    """Return the usage object as it goes out; None stands for missing and null."""
    form = manner.form(shape)
    told = usage.reported(form.tell(answer.usage(tokens)), script.usage, form)
    if script.cache_hit and told is not None:
        told = usage.reported(told, "zero")
    if told is not None:
        manner.dress_usage(told, script)
    return told


class Frames:
    """The frames of one streamed answer, in order, made one at a time."""

    def __init__(
        self,
        answer: Answer,
        shape: Shape,
        script: Script,
        form: StreamForm,
        manner: Manner = OPENAI_MANNER,
    ) -> None:
        self._answer = answer
        self._shape = shape
        self._script = script
        self._manner = manner
        self._tokens = 0
        self._made = 0
        self._asked = form.include_usage or manner.usage_unasked
        self._shows_null = form.include_usage and manner.usage_at in {"own", "content"}
        self._pads = shape.is_chat and form.include_obfuscation and manner.obfuscates
        self._every = script.usage_in_every_chunk or (form.include_usage and form.continuous_usage)
        self._head = _head(answer, shape.chunk_object, manner)
        tier = manner.tier(script)
        if shape.is_chat and tier is not None:
            self._head["service_tier"] = tier
        fingerprint = manner.fingerprint(answer)
        if fingerprint is not None:
            self._head["system_fingerprint"] = fingerprint

    def __iter__(self) -> Iterator[Frame]:
        """Yield role, content, finish and usage frames; the choices take turns."""
        for opening in self._manner.opening(self._answer, self._script):
            yield Frame(ROLE, encode(opening))
        choices = self._answer.choices
        if self._shape.is_chat:
            for index, choice in enumerate(choices):
                yield self._role(index, choice)
        for index, choice in enumerate(choices):
            yield from self._thoughts(index, choice)
            if choice.tool_call is not None:
                yield from self._tool_call(index, choice.tool_call, choice.tool_tokens)
        longest = max(len(choice.pieces) for choice in choices)
        for at in range(longest):
            for index, choice in enumerate(choices):
                if at < len(choice.pieces):
                    is_last = at == longest - 1 and index == len(choices) - 1
                    yield self._content(index, choice.pieces[at], choice.counts[at], last=is_last)
        yield from self._ending()

    def _ending(self) -> Iterator[Frame]:
        choices = self._answer.choices
        place = self._manner.usage_at
        told = self._told() if self._asked and self._script.usage != "missing" else None
        for index, choice in enumerate(choices):
            said: Any = {} if self._shape.is_chat else ""
            is_last = index == len(choices) - 1 and place == "finish"
            made = self._choice(index, said, choice.finish_reason)
            yield self._chunk(FINISH, made, told=told if is_last else None)
        if not self._asked or self._script.usage == "missing":
            return
        if place == "after":
            said = {"role": "assistant", "content": ""} if self._shape.is_chat else ""
            last = self._choice(len(choices) - 1, said, choices[-1].finish_reason)
            yield self._chunk(USAGE, last, told=told)
        elif place == "own":
            yield self._chunk(USAGE, None, told=told, tells=True)
        if self._script.usage_then_extra_chunk:
            yield self._chunk(EXTRA, None, extra={"moderation": {"flagged": False}})

    def _role(self, index: int, choice: Choice) -> Frame:
        """Return the first chunk of a choice; what is thought in secret has been thought by now."""
        hidden = len(choice.thoughts) if self._manner.thoughts_key is None else 0
        self._tokens += hidden
        said = {"role": "assistant", "content": ""}
        return self._chunk(ROLE, self._choice(index, said), hidden)

    def _thoughts(self, index: int, choice: Choice) -> Iterator[Frame]:
        key = self._manner.thoughts_key
        if key is None:
            return
        for thought in choice.thoughts:
            self._tokens += 1
            yield self._chunk(CONTENT, self._choice(index, {key: thought}), 1)

    def _tool_call(self, index: int, call: ToolCall, tokens: int) -> Iterator[Frame]:
        """Yield a call: id and name first, then its arguments in two parts."""
        opening = _tool_call(call) | {"index": 0}
        opening["function"] = {"name": call.name, "arguments": ""}
        middle = len(call.arguments) // 2
        halves = (call.arguments[:middle], call.arguments[middle:])
        parts: list[Document] = [opening]
        parts += [{"index": 0, "function": {"arguments": half}} for half in halves]
        for at, part in enumerate(parts):
            share = tokens if at == len(parts) - 1 else 0
            self._tokens += share
            yield self._chunk(CONTENT, self._choice(index, {"tool_calls": [part]}), share)

    def _content(self, index: int, piece: str, tokens: int, *, last: bool) -> Frame:
        self._tokens += tokens
        said: Any = {"content": piece} if self._shape.is_chat else piece
        told: Document | None = None
        if last and self._asked and self._manner.usage_at == "content":
            told = self._told()
        return self._chunk(CONTENT, self._choice(index, said), tokens, told)

    def _choice(self, index: int, said: Any, finish_reason: str | None = None) -> Document:
        name = "delta" if self._shape.is_chat else "text"
        return {"index": index, name: said, "logprobs": None, "finish_reason": finish_reason}

    def _chunk(
        self,
        kind: int,
        choice: Document | None,
        tokens: int = 0,
        told: Document | None = None,
        *,
        tells: bool = False,
        extra: Document | None = None,
    ) -> Frame:
        chunk = dict(self._head)
        chunk["choices"] = [] if choice is None else [choice]
        if extra is not None:
            chunk |= extra
        if self._every and told is None and not tells and kind != EXTRA:
            told = self._told()
            if told is not None:
                told |= self._script.usage_at_start
        if told is not None or tells or self._shows_null:
            chunk["usage"] = told
        self._manner.dress_chunk(chunk, self._answer, self._script, self._made)
        self._made += 1
        if self._pads and choice is not None:
            chunk["obfuscation"] = "x" * (1 + (self._made * 7) % 16)
        return Frame(kind, encode(chunk), tokens, told)

    def _told(self) -> Document | None:
        return tell(self._answer, self._shape, self._script, self._manner, self._tokens)


def _head(answer: Answer, kind: str, manner: Manner) -> Document:
    return {
        "id": manner.identify(answer),
        "object": kind,
        "created": answer.created,
        "model": answer.model,
    }


def _message(choice: Choice, manner: Manner) -> Document:
    call = choice.tool_call
    message: Document = {
        "role": "assistant",
        "content": choice.text if call is None else None,
        "refusal": None,
        "annotations": [],
    }
    if manner.thoughts_key is not None and choice.thoughts:
        message[manner.thoughts_key] = "".join(choice.thoughts)
    if call is not None:
        message["tool_calls"] = [_tool_call(call)]
    return message


def _tool_call(call: ToolCall) -> Document:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": f"call_{call.id}", "type": "function", "function": function}
