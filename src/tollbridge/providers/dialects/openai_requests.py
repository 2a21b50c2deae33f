"""What of an OpenAI request for text must be understood, and is it well formed?

Source: OpenAI's API reference for chat completions, completions and embeddings, and what its SDK
sends (requests as of openai-python 2).
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.duplicates import Fields
from tollbridge.providers.request import UNNAMED, Request, label_of

# The keys of content parts that bill by what they hold, as JSON writes them; a part's type counts
# once more, and too many is on the safe side.
ATTACHMENTS = (b'"image_url"', b'"input_audio"')
FILE = b'"file"'
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")

Tokens = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Choices = Annotated[int, msgspec.Meta(ge=1, le=1024)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Chat(msgspec.Struct):
    messages: msgspec.Raw
    model: Name = UNNAMED
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    n: Choices | None = None
    user: str | None = None
    safety_identifier: str | None = None


class _Completion(msgspec.Struct):
    model: Name = UNNAMED
    prompt: msgspec.Raw = msgspec.Raw()
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: Tokens | None = None
    n: Choices | None = None
    best_of: Choices | None = None
    user: str | None = None


class _Embedding(msgspec.Struct):
    input: msgspec.Raw
    model: Name = UNNAMED
    user: str | None = None


# What is acted on, beside the one long field: see duplicates.py.
CHAT_FIELDS = Fields("messages", [name for name in _Chat.__struct_fields__ if name != "messages"])
COMPLETION_FIELDS = Fields(
    "prompt", [name for name in _Completion.__struct_fields__ if name != "prompt"]
)
EMBEDDING_FIELDS = Fields(
    "input", [name for name in _Embedding.__struct_fields__ if name != "input"]
)


class TextRequests:
    """Checks requests for text and embeddings."""

    def __init__(self) -> None:
        self._chat = msgspec.json.Decoder(_Chat).decode
        self._completion = msgspec.json.Decoder(_Completion).decode
        self._embedding = msgspec.json.Decoder(_Embedding).decode
        self._encode = msgspec.json.Encoder().encode

    def parse(self, operation: Operation, body: bytes) -> Request:
        """Check a caller's body; unknown fields pass.

        Raises InvalidRequestError naming what is wrong and, where known, the parameter.
        """
        if operation is Operation.CHAT_COMPLETION:
            return understood(self._read_chat, body)
        if operation is Operation.COMPLETION:
            return understood(self._read_completion, body)
        return understood(self._read_embedding, body)

    def _read_chat(self, body: bytes) -> Request:
        chat = self._chat(body)
        CHAT_FIELDS.refuse_twice(body, chat.messages)
        require(chat.messages, "messages", list[msgspec.Raw], b"[")
        plain = body
        # One byte is looked for much faster than several; without it nothing is escaped.
        if b"\\" in body and b"\\u00" in body and _ESCAPED_LETTER.search(body) is not None:
            # No way of writing a name hides an attachment.
            plain = self._encode(msgspec.json.decode(body))
        return Request(
            Operation.CHAT_COMPLETION,
            body,
            chat.model,
            bool(chat.stream),
            chat.stream_options is not None and bool(chat.stream_options.include_usage),
            chat.max_completion_tokens or chat.max_tokens,
            chat.n or 1,
            label_of(chat.safety_identifier or chat.user),
            sum([plain.count(part) for part in ATTACHMENTS]),
            FILE in plain,
        )

    def _read_completion(self, body: bytes) -> Request:
        completion = self._completion(body)
        COMPLETION_FIELDS.refuse_twice(body, completion.prompt)
        return Request(
            Operation.COMPLETION,
            body,
            completion.model,
            bool(completion.stream),
            completion.stream_options is not None and bool(completion.stream_options.include_usage),
            completion.max_tokens,
            max(completion.n or 1, completion.best_of or 1) * _prompts(completion.prompt),
            label_of(completion.user),
        )

    def _read_embedding(self, body: bytes) -> Request:
        embedding = self._embedding(body)
        EMBEDDING_FIELDS.refuse_twice(body, embedding.input)
        require(embedding.input, "input", str | list[msgspec.Raw], b'["')
        customer = label_of(embedding.user)
        return Request(Operation.EMBEDDING, body, embedding.model, customer=customer)


def understood(read: Callable[[bytes], Request], body: bytes) -> Request:
    """Return what `read` makes of a JSON body. Raises InvalidRequestError for what it is not."""
    try:
        if not body.isascii():
            body.decode("utf-8")
        return read(body)
    except UnicodeDecodeError as error:
        raise InvalidRequestError("the body is not valid UTF-8") from error
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from error
    except msgspec.DecodeError as error:
        raise InvalidRequestError(f"the body is not valid JSON: {error}") from error
    except RecursionError as error:
        raise InvalidRequestError("the body is nested too deeply") from error


def _prompts(prompt: msgspec.Raw) -> int:
    """Return how many prompts a completion has: a list of numbers is one, said in tokens."""
    if not prompt:
        return 1
    require(prompt, "prompt", str | list[msgspec.Raw] | None, b'["n')
    if bytes(memoryview(prompt)[:1]) != b"[":
        return 1
    prompts: list[msgspec.Raw] = msgspec.json.decode(prompt, type=list[msgspec.Raw])
    if not prompts or bytes(prompts[0])[:1].isdigit():
        return 1
    return len(prompts)


def require(value: msgspec.Raw, name: str, kind: Any, begins: bytes) -> None:
    """Raise ValidationError where a long field's value, not decoded so far, is of another kind."""
    if bytes(memoryview(value)[:1]) in begins:
        return
    try:
        msgspec.json.decode(value, type=kind)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{error} - at `$.{name}`") from error


def invalid(message: str) -> InvalidRequestError:
    """Return what msgspec says of a body, in our words and with the parameter it is about."""
    problem, _, place = message.partition(" - at `$")
    parameter = place.rstrip("`").lstrip(".")
    if problem.startswith("Object missing required field"):
        parameter = parameter or problem.rpartition("field `")[2].rstrip("`")
    words = f"{problem} at {parameter}" if parameter and place else problem
    return InvalidRequestError(words, details={"param": parameter or None})
