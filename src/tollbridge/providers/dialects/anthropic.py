"""How do requests, answers, streams and errors look in Anthropic's wire format?

Source: Anthropic's API reference for messages, counting tokens, streaming and errors, and what its
SDK sends.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.errors import BugError, TollbridgeError
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.chat import translate
from tollbridge.providers.dialects.chat.codec import COUNT_TOKENS
from tollbridge.providers.dialects.chat.reading import answer_as, frame_as
from tollbridge.providers.dialects.chat.streaming import PassedStream
from tollbridge.providers.dialects.duplicates import Fields
from tollbridge.providers.dialects.openai_requests import Name, Tokens, require, understood
from tollbridge.providers.dialects.openai_stream import USAGE_BYTES_MAX, StreamFailedError
from tollbridge.providers.request import (
    UNNAMED,
    Answer,
    MalformedAnswerError,
    Request,
    label_of,
)
from tollbridge.providers.wire import JSON, Given, Outgoing, StreamReader, UsageMerge

NAME = "anthropic"
TARGET = "/v1/messages"

_ATTACHMENT = b'"image"'
# What stands elsewhere bills as input and has no bytes here: documents, and what the provider's
# own tools fetch in the course of the answer.
_FILES = (b'"document"', b'"container_upload"', b'"web_search_', b'"web_fetch_', b'"mcp_servers"')
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
# The key as JSON writes it: inside a string its quotes would be escaped.
_SAYS_SOMETHING = re.compile(rb'"type"\s*:\s*"(?:message_|error")|"error"\s*:\s*\{')
_CONTENT = b'"content_block_delta"'

_ERROR_TYPES: Mapping[int, str] = MappingProxyType(
    {
        400: "invalid_request_error",
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        504: "timeout_error",
    }
)


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _Counted(msgspec.Struct):
    messages: msgspec.Raw
    model: Name = UNNAMED


class _Create(_Counted, kw_only=True):
    max_tokens: Tokens
    stream: bool | None = None
    metadata: _Metadata | None = None


_CREATE_FIELDS = Fields("messages", ["model", "max_tokens", "stream", "metadata"])
_COUNTED_FIELDS = Fields("messages", ["model"])


class AnthropicFace:
    """Anthropic's format as callers speak it."""

    name = NAME

    def parse(
        self, operation: Operation, body: bytes, path: str = "", content_type: bytes = JSON
    ) -> Request:
        """Check a caller's body; unknown fields pass. The path tells what is counted only.

        Raises InvalidRequestError naming what is wrong and, where known, the parameter.
        """
        del operation, content_type  # only chats are asked for in this format
        counts = path.partition("?")[0].endswith(COUNT_TOKENS)
        return understood(_read_counted if counts else _read_create, body)

    def render_outputs(self, request: Request, given: Given, created_s: int) -> tuple[bytes, bytes]:
        """Raise BugError: media have no answers of this form."""
        del request, given, created_s
        raise BugError("Anthropic's format has no media")

    def render_error(self, error: TollbridgeError) -> bytes:
        """Return an error as Anthropic's SDK expects it."""
        kind = _ERROR_TYPES.get(error.status)
        if kind is None:
            kind = "invalid_request_error" if error.status < 500 else "api_error"
        told: dict[str, Any] = {"type": kind, "message": error.message, "code": error.code}
        if error.details:
            told["details"] = dict(error.details)
        return _encode({"type": "error", "error": told})

    def error_event(self, error: TollbridgeError) -> bytes:
        """Return the frame that ends a stream which broke."""
        return b"event: error\ndata: %b\n\n" % self.render_error(error)


class AnthropicWire:
    """Anthropic's format as providers speak it."""

    name = NAME

    def compose(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> Outgoing:
        """Return the request as this candidate gets it. Raises UntranslatableError."""
        if request.dialect != NAME:
            body = translate.compose(request, NAME, endpoint, model, output_tokens_cap)
            return Outgoing(TARGET, body)
        body = request.body
        if model != request.model:
            fields: dict[str, Any] = _fields(body)
            fields["model"] = model
            body = _encode(fields)
        target = f"{TARGET}/{COUNT_TOKENS}" if request.variant == COUNT_TOKENS else TARGET
        return Outgoing(target, body)

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read a whole answer. Raises MalformedAnswerError."""
        if request.dialect != NAME:
            return translate.read(request, NAME, body)
        said = answer_as(_answer, body)
        content_type = headers.get(b"content-type", JSON)
        if said.content is None:
            raise MalformedAnswerError("the answer has no content")
        usage = said.usage
        if len(body) > USAGE_BYTES_MAX and len(_encode(usage)) > USAGE_BYTES_MAX:
            usage = None
        return Given(Answer(usage, label_of(said.model), label_of(said.id)), body, content_type)

    def stream(
        self, request: Request, attempt: AttemptEvidence, merge_usage: UsageMerge
    ) -> StreamReader:
        """Return a reader of the stream that answers `request`."""
        if request.dialect != NAME:
            return translate.stream(request, NAME, attempt, merge_usage)
        return AnthropicStream(attempt, merge_usage)


class _Message(msgspec.Struct):
    id: Any = None
    model: Any = None
    content: list[msgspec.Raw] | None = None
    usage: dict[str, Any] | None = None


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Frame(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    delta: _Delta | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


class AnthropicStream(PassedStream):
    """Reads a stream whose frames go to the caller as they are."""

    def pass_on(self, whole: bytes) -> bytes:
        """Read whole frames; those that only carry content are not looked at one by one."""
        if self._begun and _SAYS_SOMETHING.search(whole) is None:
            self._attempt.chunks += whole.count(_CONTENT)
            return whole
        return super().pass_on(whole)

    def _look(self, frame: bytes, data: bytes) -> None:
        self._attempt.chunks += data.count(_CONTENT)
        if _SAYS_SOMETHING.search(data) is None:
            return
        said = frame_as(_frame, data)
        if said.type == "error" or said.error is not None:
            raise StreamFailedError(frame, data, said.error)
        usage = said.usage
        if said.type == "message_start" and said.message is not None:
            self._begun = True
            self._attempt.served_model = label_of(said.message.model)
            self._attempt.response_id = label_of(said.message.id)
            usage = said.message.usage
        if usage is not None:  # cumulative: what comes later replaces, nothing is added
            self._note_usage(usage, len(data))
        if said.type == "message_stop" or (said.delta is not None and said.delta.stop_reason):
            self.finished = True


def _read_create(body: bytes) -> Request:
    asked = _create(body)
    _CREATE_FIELDS.refuse_twice(body, asked.messages)
    require(asked.messages, "messages", list[msgspec.Raw], b"[")
    plain = _plain(body)
    return Request(
        Operation.CHAT_COMPLETION,
        body,
        asked.model,
        bool(asked.stream),
        asks_usage=True,
        output_tokens_max=asked.max_tokens,
        customer=label_of(asked.metadata.user_id) if asked.metadata is not None else None,
        attachments=plain.count(_ATTACHMENT),
        has_files=any(name in plain for name in _FILES),
        dialect=NAME,
    )


def _read_counted(body: bytes) -> Request:
    asked = _counted(body)
    _COUNTED_FIELDS.refuse_twice(body, asked.messages)
    require(asked.messages, "messages", list[msgspec.Raw], b"[")
    return Request(
        Operation.CHAT_COMPLETION,
        body,
        asked.model,
        output_tokens_max=1,
        dialect=NAME,
        variant=COUNT_TOKENS,
    )


def _plain(body: bytes) -> bytes:
    """Return a body in which no way of writing a name hides an attachment."""
    if b"\\u00" in body and _ESCAPED_LETTER.search(body) is not None:
        return _encode(msgspec.json.decode(body))
    return body


_create = msgspec.json.Decoder(_Create).decode
_counted = msgspec.json.Decoder(_Counted).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_answer = msgspec.json.Decoder(_Message).decode
_frame = msgspec.json.Decoder(_Frame).decode
_encode = msgspec.json.Encoder().encode
