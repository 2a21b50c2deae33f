"""How do requests, answers, streams and errors look in Gemini's wire format?

Source: Google's API reference for generateContent and streamGenerateContent, and what the
google-genai SDK sends. The model, and whether an answer is streamed, stand in the address. What a
caller asks of pictures and vectors is read in `media/gemini_asked`.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.errors import InvalidRequestError, TollbridgeError
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.chat import translate
from tollbridge.providers.dialects.chat.reading import answer_as, frame_as
from tollbridge.providers.dialects.chat.streaming import PassedStream
from tollbridge.providers.dialects.duplicates import Fields
from tollbridge.providers.dialects.media.gemini import GeminiMedia
from tollbridge.providers.dialects.media.gemini_asked import (
    EMBED_MANY,
    EMBED_ONE,
    PREDICT,
    parse_embedding,
    parse_pictures,
    parse_predict,
    parse_speech,
)
from tollbridge.providers.dialects.media.gemini_given import STREAM, render_pictures
from tollbridge.providers.dialects.media.limits import DEFAULT_LIMITS, MediaLimits
from tollbridge.providers.dialects.openai_requests import Choices, Name, Tokens, understood
from tollbridge.providers.dialects.openai_stream import USAGE_BYTES_MAX, StreamFailedError
from tollbridge.providers.request import Answer, MalformedAnswerError, Request, label_of
from tollbridge.providers.wire import JSON, Given, Outgoing, StreamReader, UsageMerge

NAME = "gemini"
WHOLE = "generateContent"
PICTURES = "pictures"
SPEECH = "speech"
"""The variants of a request whose answer is to have a picture, or to be spoken, as its own
settings say."""
_METHODS: Mapping[Operation, frozenset[str]] = MappingProxyType(
    {
        Operation.CHAT_COMPLETION: frozenset({STREAM, WHOLE}),
        Operation.EMBEDDING: frozenset({EMBED_ONE, EMBED_MANY}),
        Operation.IMAGE_GENERATION: frozenset({PREDICT}),
    }
)
_MODELS = "/models/"
# Nearly all requests are for a few models.
REMEMBERED_ADDRESSES_MAX = 256
REMEMBERED_CHARACTERS_MAX = 200
_ATTACHMENTS = frozenset({b"inlineData", b"inline_data"})
# What stands elsewhere bills as input and has no bytes here: files, caches, what searches give.
_FILES = frozenset(
    {
        b"fileData",
        b"file_data",
        b"cachedContent",
        b"cached_content",
        b"googleSearch",
        b"google_search",
        b"urlContext",
        b"url_context",
    }
)
_DOCUMENT = b'/pdf"'  # as JSON writes it, its slash escaped or not
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
_LIMITS = frozenset(
    {b"maxOutputTokens", b"max_output_tokens", b"candidateCount", b"candidate_count"}
)
_CONFIGS = frozenset({b"generationConfig", b"generation_config"})
_MODALITIES = frozenset({b"responseModalities", b"response_modalities"})
_NAMES = _ATTACHMENTS | _FILES | _LIMITS | _CONFIGS | _MODALITIES
_VARIANTS = (("IMAGE", PICTURES), ("AUDIO", SPEECH))

_STATUSES: Mapping[int, str] = MappingProxyType(
    {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        402: "RESOURCE_EXHAUSTED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        409: "ABORTED",
        413: "INVALID_ARGUMENT",
        429: "RESOURCE_EXHAUSTED",
        500: "INTERNAL",
        502: "UNAVAILABLE",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }
)


class _Config(msgspec.Struct, rename="camel"):
    max_output_tokens: Tokens | None = None
    candidate_count: Choices | None = None
    response_modalities: list[str] | None = None


class _UnderscoredConfig(msgspec.Struct):
    """Google takes both ways of writing a name."""

    max_output_tokens: Tokens | None = None
    candidate_count: Choices | None = None
    response_modalities: list[str] | None = None


class _Generate(msgspec.Struct):
    contents: msgspec.Raw
    generation_config: msgspec.Raw = msgspec.Raw()
    camel_config: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="generationConfig")


_GENERATE_FIELDS = Fields("contents", ["generationConfig", "generation_config"])


class GeminiFace:
    """Gemini's format as callers speak it."""

    name = NAME

    def __init__(self, limits: MediaLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits

    def parse(
        self, operation: Operation, body: bytes, path: str = "", content_type: bytes = JSON
    ) -> Request:
        """Check a caller's body; of a chat unknown fields pass.

        `path` is the address: it names the model, and says whether the answer streams. Raises
        InvalidRequestError naming what is wrong.
        """
        del content_type  # always JSON
        model, method = _split(operation, path)
        if operation is Operation.EMBEDDING:
            return parse_embedding(model, method, body)
        if operation is Operation.IMAGE_GENERATION:
            return parse_predict(model, body, self._limits)
        request = understood(_read_generate, body)
        return msgspec.structs.replace(request, model=model, stream=method == STREAM)

    def as_pictures(self, chat: Request) -> Request:
        """Return a chat whose model makes pictures as the call for pictures that it is.

        Raises InvalidRequestError naming what is wrong.
        """
        return parse_pictures(chat, STREAM if chat.stream else WHOLE, self._limits)

    def as_speech(self, chat: Request) -> Request:
        """Return a chat whose model speaks as the call for speech that it is.

        Raises InvalidRequestError naming what is wrong.
        """
        return parse_speech(chat, STREAM if chat.stream else WHOLE, self._limits)

    def render_outputs(self, request: Request, given: Given, created_s: int) -> tuple[bytes, bytes]:
        """Return body and content type of an answer to a call for pictures."""
        del created_s  # no answer of this format says when
        return render_pictures(request, given)

    def render_error(self, error: TollbridgeError) -> bytes:
        """Return an error as the google-genai SDK expects it."""
        fallback = "INVALID_ARGUMENT" if error.status < 500 else "INTERNAL"
        told: dict[str, Any] = {
            "code": error.status,
            "message": error.message,
            "status": _STATUSES.get(error.status, fallback),
        }
        information: dict[str, Any] = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": error.code,
            "metadata": dict(error.details),
        }
        told["details"] = [information]
        return _encode({"error": told})

    def error_event(self, error: TollbridgeError) -> bytes:
        """Return the frame that ends a stream which broke."""
        return b"data: %b\n\n" % self.render_error(error)


class GeminiWire:
    """Gemini's format as providers speak it; its streams are always asked for as events."""

    name = NAME

    def __init__(self) -> None:
        self._media = GeminiMedia()

    def compose(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> Outgoing:
        """Return the request as this candidate gets it. Raises UntranslatableError."""
        if request.operation in self._media.operations:
            return self._media.compose(request, endpoint, model)
        if request.dialect == NAME:
            body = _capped(request, output_tokens_cap)
        else:
            body = translate.compose(request, NAME, endpoint, model, output_tokens_cap)
        method = f"{STREAM}?alt=sse" if request.stream else WHOLE
        return Outgoing(f"{_MODELS}{quote(model.removeprefix('models/'), safe='')}:{method}", body)

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read a whole answer. Raises MalformedAnswerError."""
        if request.operation in self._media.operations:
            return self._media.read(request, headers, body)
        if request.dialect != NAME:
            return translate.read(request, NAME, body)
        said = answer_as(_answer, body)
        if said.error is not None:
            raise MalformedAnswerError("an error in a 200")
        if not said.candidates and said.prompt_feedback is None:
            raise MalformedAnswerError("the answer has no candidates")
        usage = said.usage_metadata
        if len(body) > USAGE_BYTES_MAX and len(_encode(usage)) > USAGE_BYTES_MAX:
            usage = None
        answer = Answer(usage, label_of(said.model_version), label_of(said.response_id))
        return Given(answer, body, headers.get(b"content-type", JSON))

    def stream(
        self, request: Request, attempt: AttemptEvidence, merge_usage: UsageMerge
    ) -> StreamReader:
        """Return a reader of the stream that answers `request`."""
        if request.dialect != NAME:
            return translate.stream(request, NAME, attempt, merge_usage)
        return GeminiStream(attempt, merge_usage)


class _Candidate(msgspec.Struct, rename="camel"):
    finish_reason: str | None = None
    content: msgspec.Raw = msgspec.Raw()


class _Answer(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: Any = None
    usage_metadata: dict[str, Any] | None = None
    model_version: Any = None
    response_id: Any = None
    error: Any = None


class GeminiStream(PassedStream):
    """Reads a stream whose chunks go to the caller as they are."""

    def _look(self, frame: bytes, data: bytes) -> None:
        said = frame_as(_answer, data)
        if said.error is not None:
            raise StreamFailedError(frame, data, said.error)
        if not self._begun:
            self._begun = True
            self._attempt.served_model = label_of(said.model_version)
            self._attempt.response_id = label_of(said.response_id)
        for candidate in said.candidates or ():
            self._attempt.chunks += bool(candidate.content)
            self.finished = self.finished or candidate.finish_reason is not None
        if not said.candidates and said.prompt_feedback is not None:
            self.finished = True  # the prompt was blocked: there will be no candidate
        if said.usage_metadata is not None:
            self._note_usage(said.usage_metadata, len(data))


def _split(operation: Operation, path: str) -> tuple[str, str]:
    """Return (model, method) of an address. Raises InvalidRequestError."""
    return (
        _remembered(operation, path)
        if len(path) <= REMEMBERED_CHARACTERS_MAX
        else _cut(operation, path)
    )


def _cut(operation: Operation, path: str) -> tuple[str, str]:
    address = path.partition("?")[0]
    _, found, name = address.partition(_MODELS)
    model, colon, method = unquote(name).rpartition(":")
    if not found or not colon or method not in _METHODS.get(operation, ()):
        raise InvalidRequestError("the address names no model and method")
    try:
        return msgspec.convert(model, Name), method
    except msgspec.ValidationError as error:
        raise InvalidRequestError("the address names no model", details={"param": "model"}) from (
            error
        )


def _named(body: bytes) -> list[bytes]:
    """Return those of our names that a body has, as often as it has them.

    One pass: to look for them one by one costs more than all else that is done for a call.
    """
    return [piece for piece in body.split(b'"') if piece in _NAMES]


def _read_generate(body: bytes) -> Request:
    named = _named(body)
    if (b"\\" in body and b"\\u00" in body and _ESCAPED_LETTER.search(body) is not None) or (
        sum([name in _LIMITS for name in named]) > 1
        or sum([name in _CONFIGS for name in named]) > 1
    ):
        # Which of two equal names counts is not said, and no way of writing one hides an
        # attachment: the provider gets what we understood.
        body = _encode(msgspec.json.decode(body))
        named = _named(body)
    asked = _generate(body)
    _GENERATE_FIELDS.refuse_twice(body, asked.contents)
    limits = [
        limit
        for config in (asked.camel_config, asked.generation_config)
        if config
        for read in (_config, _underscored_config)
        if (limit := read(config)) is not None
    ]
    attachments = sum([name in _ATTACHMENTS for name in named])
    return Request(
        Operation.CHAT_COMPLETION,
        body,
        "",
        asks_usage=True,
        output_tokens_max=max([limit.max_output_tokens or 0 for limit in limits], default=0)
        or None,
        choices=max([limit.candidate_count or 1 for limit in limits], default=1),
        attachments=attachments,
        has_files=not _FILES.isdisjoint(named) or (attachments > 0 and _DOCUMENT in body),
        dialect=NAME,
        variant="" if _MODALITIES.isdisjoint(named) else _variant(limits),
    )


def _variant(configs: list[_Config | _UnderscoredConfig]) -> str:
    """Return what an answer is to be beside words."""
    asked = {one.upper() for config in configs for one in config.response_modalities or ()}
    return next((variant for word, variant in _VARIANTS if word in asked), "")


def _capped(request: Request, output_tokens_cap: int | None) -> bytes:
    """Return the caller's own bytes, with a limit where one is needed and none was given."""
    if output_tokens_cap is None or request.output_tokens_max is not None:
        return request.body
    fields: dict[str, Any] = _fields(request.body)
    name = "generation_config" if "generation_config" in fields else "generationConfig"
    config: dict[str, Any] = msgspec.json.decode(fields.get(name, b"null")) or {}
    fields[name] = {**config, "maxOutputTokens": output_tokens_cap}
    return _encode(fields)


_remembered = lru_cache(REMEMBERED_ADDRESSES_MAX)(_cut)
_generate = msgspec.json.Decoder(_Generate).decode
_config = msgspec.json.Decoder(_Config | None).decode
_underscored_config = msgspec.json.Decoder(_UnderscoredConfig | None).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_answer = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.Encoder().encode
