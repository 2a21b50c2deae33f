"""How do requests, answers and errors look in OpenAI's wire format?

Source: OpenAI's API reference for chat completions, completions, embeddings and errors, and what
its SDK sends and retries (requests as of openai-python 2).
"""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.errors import TollbridgeError
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.chat import translate
from tollbridge.providers.dialects.chat.codec import MAX_COMPLETION_TOKENS, NO_STREAM_OPTIONS
from tollbridge.providers.dialects.media.face import parse_media, render_media
from tollbridge.providers.dialects.media.limits import DEFAULT_LIMITS, MediaLimits
from tollbridge.providers.dialects.media.openai import OpenAIMedia
from tollbridge.providers.dialects.openai_errors import error_object
from tollbridge.providers.dialects.openai_requests import TextRequests
from tollbridge.providers.dialects.openai_stream import (
    USAGE_BYTES_MAX,
    OpenAIStream,
    with_charge,
    with_tier,
)
from tollbridge.providers.dialects.responses import (
    TARGET,
    ResponsesFace,
    compose_response,
    has_responses,
    is_response,
    read_response,
)
from tollbridge.providers.dialects.responses_stream import EitherStream, EventStream
from tollbridge.providers.request import Answer, MalformedAnswerError, Request, label_of
from tollbridge.providers.wire import (
    JSON,
    Given,
    Outgoing,
    StreamReader,
    UntranslatableError,
    UsageMerge,
)

OPENAI = "openai"
TARGETS: Mapping[Operation, str] = {
    Operation.CHAT_COMPLETION: "/chat/completions",
    Operation.COMPLETION: "/completions",
    Operation.EMBEDDING: "/embeddings",
}

DEPLOYMENTS = "deployments"
"""The quirk of an endpoint whose addresses name the model."""

_OPTIONS = b'"stream_options"'

DEPLOYMENTS_VERSION = "2024-10-21"
"""The latest general version of the addresses that name a deployment."""


class _Answer(msgspec.Struct):
    usage: Any = None
    model: Any = None
    id: Any = None
    choices: list[msgspec.Raw] | None = None
    data: list[msgspec.Raw] | None = None
    error: Any = None
    service_tier: Any = None
    provider: Any = None
    meta: Any = None


class OpenAIFace:
    """OpenAI's dialect as callers speak it."""

    name = OPENAI

    def __init__(self, limits: MediaLimits = DEFAULT_LIMITS) -> None:
        self._text = TextRequests()
        self._limits = limits

    def parse(
        self, operation: Operation, body: bytes, path: str = "", content_type: bytes = JSON
    ) -> Request:
        """Check a caller's body; unknown fields pass.

        Raises InvalidRequestError naming what is wrong and, where known, the parameter.
        """
        del path  # the same body is good at every address
        if operation in TARGETS:
            return self._text.parse(operation, body)
        return parse_media(operation, body, content_type, self._limits)

    def render_outputs(self, request: Request, given: Given, created_s: int) -> tuple[bytes, bytes]:
        """Return body and content type of an answer to a call for media."""
        return render_media(request, given, created_s)

    def render_error(self, error: TollbridgeError) -> bytes:
        """Return an error as OpenAI's SDK expects it."""
        return _encode({"error": error_object(error)})

    def error_event(self, error: TollbridgeError) -> bytes:
        """Return the frame that ends a stream which broke."""
        return b"data: %b\n\n" % self.render_error(error)


class OpenAIWire:
    """OpenAI's dialect as providers speak it: the caller's own bytes, wherever that can be."""

    name = OPENAI

    def __init__(self) -> None:
        self._fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
        self._answer = msgspec.json.Decoder(_Answer).decode
        self._media = OpenAIMedia()

    def compose(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> Outgoing:
        """Return the request as this candidate gets it. Raises UntranslatableError."""
        if request.dialect == OPENAI:
            target = TARGETS.get(request.operation)
            if target is not None:
                body = self.body_for(request, endpoint, model, output_tokens_cap)
                return Outgoing(self.target(target, endpoint, model), body)
            if request.operation not in self._media.operations:
                raise UntranslatableError(f"{request.operation.value} is not done at once here")
            outgoing = self._media.compose(request, endpoint, model)
            target = self.target(outgoing.target, endpoint, model)
            if target == outgoing.target:
                return outgoing
            return msgspec.structs.replace(outgoing, target=target)
        if request.dialect == ResponsesFace.name and has_responses(endpoint):
            body = compose_response(request, model, output_tokens_cap)
            return Outgoing(self.target(TARGET, endpoint, model), body)
        if request.operation is not Operation.CHAT_COMPLETION:
            raise UntranslatableError(f"{request.operation.value} is not done at once here")
        body = translate.compose(request, OPENAI, endpoint, model, output_tokens_cap)
        return Outgoing(self.target(TARGETS[request.operation], endpoint, model), body)

    def body_for(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> bytes:
        """Return the body as this candidate gets it; the caller's own bytes where nothing differs.

        `output_tokens_cap` is sent where the caller gave no limit of its own and a hard limit
        needs one. Usage is asked for in streams; an endpoint that refuses the option tells it
        unasked, and does not get the caller's either.
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
        refuses_options = False
        if request.stream:
            refuses_options = NO_STREAM_OPTIONS in endpoint.quirks and _OPTIONS in request.body
            if not request.asks_usage and NO_STREAM_OPTIONS not in endpoint.quirks:
                changes["stream_options"] = {"include_usage": True}
        if not changes and not refuses_options:
            return request.body
        fields: dict[str, Any] = self._fields(request.body)
        options = fields.get("stream_options")
        if options is not None and "stream_options" in changes and bytes(options) != b"null":
            changes["stream_options"] = {**msgspec.json.decode(options), "include_usage": True}
        fields.update(changes)
        if refuses_options:
            fields.pop("stream_options", None)
        return _encode(fields)

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read a whole answer. Raises MalformedAnswerError."""
        if request.dialect != OPENAI:
            if request.dialect == ResponsesFace.name and is_response(body):
                return read_response(headers, body)
            return translate.read(request, OPENAI, body)
        if request.operation not in TARGETS:
            return self._media.read(request, headers, body)
        return Given(self.read_answer(body), body, headers.get(b"content-type", JSON))

    def stream(
        self, request: Request, attempt: AttemptEvidence, merge_usage: UsageMerge
    ) -> StreamReader:
        """Return a reader of the stream that answers `request`."""
        if request.dialect != OPENAI:
            translated = translate.stream(request, OPENAI, attempt, merge_usage)
            if request.dialect == ResponsesFace.name:
                return EitherStream(EventStream(attempt, merge_usage), translated)
            return translated
        if request.operation not in TARGETS:
            return self._media.stream(request, attempt, merge_usage)
        return OpenAIStream(attempt, shows_usage=request.asks_usage, merge_usage=merge_usage)

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
        if len(body) > USAGE_BYTES_MAX and len(_encode(usage)) > USAGE_BYTES_MAX:
            usage = None
        if usage is not None:
            usage = with_tier(usage, answer.service_tier)
        if answer.meta is not None:
            usage = with_charge(usage, answer.meta)
        return Answer(usage, label_of(answer.model), label_of(answer.id), label_of(answer.provider))

    def target(self, target: str, endpoint: Endpoint, model: str) -> str:
        """Return the address of one operation below the endpoint's base URL."""
        del endpoint, model
        return target


class AzureWire(OpenAIWire):
    """OpenAI's dialect at Azure: the older addresses name the deployment.

    Source: Azure OpenAI's REST reference.
    """

    name = "azure"

    def target(self, target: str, endpoint: Endpoint, model: str) -> str:
        """Return the address of one operation below the endpoint's base URL."""
        if DEPLOYMENTS not in endpoint.quirks:
            return target
        return f"/deployments/{quote(model, safe='')}{target}?api-version={DEPLOYMENTS_VERSION}"


_encode = msgspec.json.Encoder().encode
