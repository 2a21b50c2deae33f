"""How do requests and answers of OpenAI's responses API look?

A provider that has it gets the caller's own bytes; for others the request is translated as a chat.
Source: OpenAI's API reference for responses, and what its SDK sends (openai-python 2).
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.errors import BugError, InvalidRequestError, TollbridgeError
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.duplicates import Fields
from tollbridge.providers.dialects.openai_errors import error_object
from tollbridge.providers.dialects.openai_requests import Name, Tokens, require, understood
from tollbridge.providers.dialects.openai_stream import USAGE_BYTES_MAX
from tollbridge.providers.dialects.responses_stream import ResponseObject
from tollbridge.providers.request import (
    UNNAMED,
    Answer,
    MalformedAnswerError,
    Request,
    label_of,
)
from tollbridge.providers.wire import JSON, Given

RESPONSES = "responses"
"""The quirk of an endpoint of the openai dialect that has the responses API too."""
TARGET = "/responses"

_IMAGES = (b'"input_image"', b'"input_audio"')
_FILE = b'"input_file"'
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")


class _Create(msgspec.Struct):
    input: msgspec.Raw = msgspec.Raw()
    model: Name = UNNAMED
    stream: bool | None = None
    max_output_tokens: Tokens | None = None
    previous_response_id: str | None = None
    background: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None


_FIELDS = Fields("input", [name for name in _Create.__struct_fields__ if name != "input"])


class ResponsesFace:
    """The responses API as callers speak it."""

    name = "responses"

    def parse(
        self, operation: Operation, body: bytes, path: str = "", content_type: bytes = JSON
    ) -> Request:
        """Check a caller's body; unknown fields pass.

        Raises InvalidRequestError naming what is wrong and, where known, the parameter.
        """
        del operation, path, content_type
        return understood(_read, body)

    def render_outputs(self, request: Request, given: Given, created_s: int) -> tuple[bytes, bytes]:
        """Raise BugError: media have no answers of this form."""
        del request, given, created_s
        raise BugError("the responses API has no media")

    def render_error(self, error: TollbridgeError) -> bytes:
        """Return an error as OpenAI's SDK expects it."""
        return _encode({"error": error_object(error)})

    def error_event(self, error: TollbridgeError) -> bytes:
        """Return the frame that ends a stream which broke."""
        told = error_object(error)
        event = {
            "type": "error",
            "code": told["code"],
            "message": told["message"],
            "param": told["param"],
            "sequence_number": 0,
        }
        return b"event: error\ndata: %b\n\n" % _encode(event)


def has_responses(endpoint: Endpoint) -> bool:
    """Return whether an endpoint has the responses API itself."""
    return RESPONSES in endpoint.quirks


def compose_response(request: Request, model: str, output_tokens_cap: int | None) -> bytes:
    """Return the body as this candidate gets it; the caller's own bytes where nothing differs."""
    changes: dict[str, Any] = {}
    if model != request.model:
        changes["model"] = model
    if output_tokens_cap is not None and request.output_tokens_max is None:
        changes["max_output_tokens"] = output_tokens_cap
    if not changes:
        return request.body
    fields: dict[str, Any] = _fields(request.body)
    fields.update(changes)
    return _encode(fields)


def is_response(body: bytes) -> bool:
    """Return whether an answer is a response, and no chat completion."""
    try:
        return _response(body).output is not None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def read_response(headers: Mapping[bytes, bytes], body: bytes) -> Given:
    """Read a whole response.

    Raises MalformedAnswerError where it is none, or says that it failed.
    """
    try:
        response = _response(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedAnswerError(f"the answer is not the dialect's JSON: {error}") from error
    if response.output is None:
        raise MalformedAnswerError("the answer has no output")
    if response.status == "failed":
        raise MalformedAnswerError("a failed response in a 200")
    usage = response.tiered_usage
    if usage is not None and len(_encode(usage)) > USAGE_BYTES_MAX:
        usage = None
    answer = Answer(
        usage, label_of(response.model), label_of(response.id), label_of(response.provider)
    )
    content_type = headers.get(b"content-type", JSON)
    return Given(answer, body, content_type, counts=response.tool_counts)


def _read(body: bytes) -> Request:
    asked = _create(body)
    _FIELDS.refuse_twice(body, asked.input)
    if asked.input:
        require(asked.input, "input", str | list[msgspec.Raw] | None, b'["n')
    if asked.background:
        # Its usage would be told to nobody: what is not counted is not carried.
        raise InvalidRequestError(
            "responses in the background are not carried", details={"param": "background"}
        )
    plain = body
    if b"\\u00" in body and _ESCAPED_LETTER.search(body) is not None:
        # No way of writing a name hides an attachment.
        plain = _encode(msgspec.json.decode(body))
    return Request(
        Operation.CHAT_COMPLETION,
        body,
        asked.model,
        bool(asked.stream),
        asks_usage=True,
        output_tokens_max=asked.max_output_tokens,
        customer=label_of(asked.safety_identifier or asked.user),
        attachments=sum([plain.count(part) for part in _IMAGES]),
        # What stands in an earlier response bills as input, and has no bytes here.
        has_files=_FILE in plain or asked.previous_response_id is not None,
        dialect=ResponsesFace.name,
        state_id=asked.previous_response_id,
    )


_create = msgspec.json.Decoder(_Create).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_response = msgspec.json.Decoder(ResponseObject).decode
_encode = msgspec.json.Encoder().encode
