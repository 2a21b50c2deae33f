"""How are pictures, transcripts and vectors asked of Hugging Face? Its text is OpenAI's.

Source: huggingface.co/docs/inference-providers. `hf-inference` runs tasks at addresses of its own;
a model whose name ends in `:PROVIDER` is run by another, of which those are carried here that
take OpenAI's format for pictures.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import quote

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.plan import Endpoint
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.media.answers import (
    NO_NAMES,
    given_pictures,
    object_of,
    only,
    picture_of,
    unstreamed,
)
from tollbridge.providers.dialects.media.images import nothing_lost, read_image
from tollbridge.providers.dialects.media.kinds import AUDIO_TYPES
from tollbridge.providers.dialects.media.openai import with_model
from tollbridge.providers.dialects.media.sounds import (
    Transcript,
    read_transcription,
    render_transcript,
)
from tollbridge.providers.dialects.media.texts import read_embedding, render_embeddings
from tollbridge.providers.dialects.openai import OpenAIWire
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.wire import Given, Outgoing, UntranslatableError

WHO = "huggingface"
OWN_PROVIDER = "hf-inference"
ABOVE_V1 = 1
"""The endpoint's base URL ends with /v1, for text; the providers stand beside that."""
OPENAI_IMAGES: Mapping[str, str] = MappingProxyType({"nscale": "/nscale/v1/images/generations"})
PARAMETERS = ("negative_prompt", "num_inference_steps", "guidance_scale", "seed", "scheduler")
TRANSCRIPT_FORMATS = frozenset({"json", "text"})
TASKS = frozenset({Operation.IMAGE_GENERATION, Operation.AUDIO_TRANSCRIPTION, Operation.EMBEDDING})


class HuggingFaceWire(OpenAIWire):
    """Hugging Face's wire format: OpenAI's for text, tasks for everything else."""

    name = "huggingface"

    def compose(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> Outgoing:
        """Return the request as it gets it. Raises UntranslatableError."""
        operation = request.operation
        if operation in {Operation.CHAT_COMPLETION, Operation.COMPLETION}:
            return super().compose(request, endpoint, model, output_tokens_cap)
        if request.dialect != "openai" or operation not in TASKS:
            raise UntranslatableError(f"{WHO} is asked for no {operation.value}")
        unstreamed(request, WHO)
        name, _, provider = model.partition(":")
        if provider in OPENAI_IMAGES and operation is Operation.IMAGE_GENERATION:
            if request.original is not None:
                nothing_lost(read_image(request), (), WHO)
            return Outgoing(OPENAI_IMAGES[provider], with_model(request, name), above=ABOVE_V1)
        if provider not in {"", OWN_PROVIDER}:
            raise UntranslatableError(f"what {provider} takes for {operation.value} is not carried")
        target = f"/{OWN_PROVIDER}/models/{quote(name, safe='/')}"
        if operation is Operation.IMAGE_GENERATION:
            accepts = ((b"accept", b"image/png"),)
            return Outgoing(target, _pictured(request), headers=accepts, above=ABOVE_V1)
        if operation is Operation.EMBEDDING:
            wanted = read_embedding(request)
            if wanted.dimensions is not None:
                raise UntranslatableError(f"{WHO} gives vectors as long as the model makes them")
            body = msgspec.json.encode({"inputs": wanted.texts})
            return Outgoing(f"{target}/pipeline/feature-extraction", body, above=ABOVE_V1)
        ask = read_transcription(request)
        if ask.audio_format not in TRANSCRIPT_FORMATS or ask.language is not None:
            raise UntranslatableError(f"{WHO} gives the words alone, of a language it finds out")
        kind = AUDIO_TYPES[ask.kind].encode()
        return Outgoing(target, ask.audio.data, content_type=kind, above=ABOVE_V1)

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read a whole answer. Raises MalformedAnswerError."""
        if request.operation not in TASKS:
            return super().read(request, headers, body)
        kind = headers.get(b"content-type", b"").decode("latin-1")
        if request.operation is Operation.IMAGE_GENERATION:
            if kind.startswith("application/json"):
                return super().read(request, headers, body)
            return given_pictures(request, [picture_of(body, kind)], NO_NAMES, {})
        if request.operation is Operation.EMBEDDING:
            return _vectors(request, body)
        fields = object_of(body)
        if not isinstance(fields.get("text"), str):
            raise MalformedAnswerError("the answer has no text")
        audio_format = read_transcription(request).audio_format
        length_ms = request.demand.counts.get(Unit.AUDIO_MS.value)
        rendered, content_type = render_transcript(
            Transcript(fields["text"]), audio_format, length_ms
        )
        return Given(NO_NAMES, rendered, content_type)


def _pictured(request: Request) -> bytes:
    ask = read_image(request)
    only(ask.n, 1, WHO)
    nothing_lost(ask, PARAMETERS, WHO)
    parameters: dict[str, Any] = {
        name: ask.fields[name] for name in PARAMETERS if ask.fields.get(name) is not None
    }
    sides = ask.sides()
    if sides is not None:
        parameters["width"], parameters["height"] = sides
    return msgspec.json.encode({"inputs": ask.prompt, "parameters": parameters})


def _vectors(request: Request, body: bytes) -> Given:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedAnswerError(f"the answer is not JSON: {error}") from error
    vectors = cast("list[object]", found) if isinstance(found, list) else []
    return Given(NO_NAMES, render_embeddings(request, request.model, vectors, None))
