"""How do requests, answers and errors look in OpenAI's wire format?

Source: OpenAI's API reference for chat completions, completions, embeddings and errors, and what
its SDK sends and retries (requests as of openai-python 2).
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, cast

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.errors import InvalidRequestError, TollbridgeError
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.duplicates import Fields
from tollbridge.providers.dialects.openai_stream import with_tier
from tollbridge.providers.request import UNNAMED, Answer, MalformedAnswerError, Request, label_of

TARGETS: Mapping[Operation, str] = {
    Operation.CHAT_COMPLETION: "/chat/completions",
    Operation.COMPLETION: "/completions",
    Operation.EMBEDDING: "/embeddings",
}

# The keys of content parts that bill by what they hold, as JSON writes them; a part's type counts
# once more, and too many is on the safe side.
ATTACHMENTS = (b'"image_url"', b'"input_audio"')
FILE = b'"file"'
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")

# Under these quirks an endpoint deviates from the dialect; endpoints.toml says which has which.
NO_STREAM_OPTIONS = "no_stream_options"
MAX_COMPLETION_TOKENS = "max_completion_tokens"

Tokens = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Choices = Annotated[int, msgspec.Meta(ge=1, le=1024)]
# What a usage object may take in our records; no known one comes near.
USAGE_BYTES_MAX = 64 * 1024
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


class _Answer(msgspec.Struct):
    usage: Any = None
    model: Any = None
    id: Any = None
    choices: list[msgspec.Raw] | None = None
    data: list[msgspec.Raw] | None = None
    error: Any = None
    service_tier: Any = None
    provider: Any = None


class OpenAI:
    """OpenAI's dialect: checks requests, composes bodies for a candidate, reads answers."""

    name = "openai"

    def __init__(self) -> None:
        self._chat = msgspec.json.Decoder(_Chat).decode
        self._completion = msgspec.json.Decoder(_Completion).decode
        self._embedding = msgspec.json.Decoder(_Embedding).decode
        self._fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
        self._answer = msgspec.json.Decoder(_Answer).decode
        self._encode = msgspec.json.Encoder().encode

    def parse(self, operation: Operation, body: bytes) -> Request:
        """Check a caller's body; unknown fields pass.

        Raises InvalidRequestError naming what is wrong and, where known, the parameter.
        """
        try:
            if not body.isascii():
                body.decode("utf-8")
            if operation is Operation.CHAT_COMPLETION:
                return self._read_chat(body)
            if operation is Operation.COMPLETION:
                return self._read_completion(body)
            return self._read_embedding(body)
        except UnicodeDecodeError as error:
            raise InvalidRequestError("the body is not valid UTF-8") from error
        except msgspec.ValidationError as error:
            raise _invalid(str(error)) from error
        except msgspec.DecodeError as error:
            raise InvalidRequestError(f"the body is not valid JSON: {error}") from error
        except RecursionError as error:
            raise InvalidRequestError("the body is nested too deeply") from error

    def body_for(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> bytes:
        """Return the body as this candidate gets it; the caller's own bytes where nothing differs.

        `output_tokens_cap` is sent where the caller gave no limit of its own and a hard limit
        needs one. Usage is asked for in streams, unless the endpoint refuses the option.
        """
        changes: dict[str, Any] = {}
        if model != request.model:
            changes["model"] = model
        if (
            output_tokens_cap is not None
            and request.output_tokens_max is None
            and request.operation is not Operation.EMBEDDING
        ):
            modern = MAX_COMPLETION_TOKENS in endpoint.quirks
            changes["max_completion_tokens" if modern else "max_tokens"] = output_tokens_cap
        asks = request.stream and not request.asks_usage
        if asks and NO_STREAM_OPTIONS not in endpoint.quirks:
            changes["stream_options"] = {"include_usage": True}
        if not changes:
            return request.body
        fields: dict[str, Any] = self._fields(request.body)
        options = fields.get("stream_options")
        if options is not None and "stream_options" in changes and bytes(options) != b"null":
            changes["stream_options"] = {**msgspec.json.decode(options), "include_usage": True}
        fields.update(changes)
        return self._encode(fields)

    def read_answer(self, body: bytes) -> Answer:
        """Read a whole answer with status 200.

        Raises MalformedAnswerError where it is no JSON of this dialect, or an error in disguise.
        """
        try:
            answer = self._answer(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedAnswerError(f"the answer is not the dialect's JSON: {error}") from error
        if answer.error and not answer.choices and not answer.data:
            raise MalformedAnswerError("an error in a 200")
        if answer.choices is None and answer.data is None:
            raise MalformedAnswerError("the answer has neither choices nor data")
        is_object = isinstance(answer.usage, dict)
        usage = cast("dict[str, Any]", answer.usage) if is_object else None
        if len(body) > USAGE_BYTES_MAX and len(self._encode(usage)) > USAGE_BYTES_MAX:
            usage = None
        if usage is not None:
            usage = with_tier(usage, answer.service_tier)
        return Answer(usage, label_of(answer.model), label_of(answer.id), label_of(answer.provider))

    def render_error(self, error: TollbridgeError) -> bytes:
        """Return an error as OpenAI's SDK expects it."""
        return self._encode({"error": _error_object(error)})

    def error_event(self, error: TollbridgeError) -> bytes:
        """Return the frame that ends a stream which broke."""
        return b"data: %b\n\n" % self.render_error(error)

    def _read_chat(self, body: bytes) -> Request:
        chat = self._chat(body)
        CHAT_FIELDS.refuse_twice(body, chat.messages)
        _require(chat.messages, "messages", list[msgspec.Raw], b"[")
        plain = body
        if b"\\u00" in body and _ESCAPED_LETTER.search(body) is not None:
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
        _require(embedding.input, "input", str | list[msgspec.Raw], b'["')
        customer = label_of(embedding.user)
        return Request(Operation.EMBEDDING, body, embedding.model, customer=customer)


def _prompts(prompt: msgspec.Raw) -> int:
    """Return how many prompts a completion has: a list of numbers is one, said in tokens."""
    if not prompt:
        return 1
    _require(prompt, "prompt", str | list[msgspec.Raw] | None, b'["n')
    if bytes(memoryview(prompt)[:1]) != b"[":
        return 1
    prompts: list[msgspec.Raw] = msgspec.json.decode(prompt, type=list[msgspec.Raw])
    if not prompts or bytes(prompts[0])[:1].isdigit():
        return 1
    return len(prompts)


def _require(value: msgspec.Raw, name: str, kind: Any, begins: bytes) -> None:
    """Raise ValidationError where a long field's value, not decoded so far, is of another kind."""
    if bytes(memoryview(value)[:1]) in begins:
        return
    try:
        msgspec.json.decode(value, type=kind)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{error} - at `$.{name}`") from error


def _invalid(message: str) -> InvalidRequestError:
    problem, _, place = message.partition(" - at `$")
    parameter = place.rstrip("`").lstrip(".")
    if problem.startswith("Object missing required field"):
        parameter = parameter or problem.rpartition("field `")[2].rstrip("`")
    words = f"{problem} at {parameter}" if parameter and place else problem
    return InvalidRequestError(words, details={"param": parameter or None})


def _error_object(error: TollbridgeError) -> dict[str, Any]:
    kinds = {
        401: "invalid_request_error",
        402: "insufficient_quota",
        403: "permission_error",
        404: "invalid_request_error",
        429: "rate_limit_error",
    }
    kind = kinds.get(error.status)
    if kind is None:
        kind = "invalid_request_error" if error.status < 500 else "server_error"
    details = dict(error.details)
    return {
        "message": error.message,
        "type": kind,
        "param": details.pop("param", None),
        "code": details.pop("code", None) or error.code,
        **({"details": details} if details else {}),
    }
