"""How does a caller of Gemini's format get pictures and vectors, whoever made them?

Source: ai.google.dev, v1beta, and what the google-genai SDK reads.
"""

import base64
import struct
from collections.abc import Mapping
from typing import Any

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.media.answers import decoded, object_of, objects_in, usage_in
from tollbridge.providers.dialects.media.at_once import EVENT_STREAM
from tollbridge.providers.dialects.media.gemini_asked import EMBED_ONE, PREDICT
from tollbridge.providers.dialects.media.kinds import IMAGE_TYPES, image_kind
from tollbridge.providers.dialects.media.openai import outputs_of
from tollbridge.providers.dialects.media.texts import read_embedding
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.wire import JSON, Given, Output

STREAM = "streamGenerateContent"
FLOAT_BYTES = 4


def retold(request: Request, given: Given) -> Given:
    """Return an answer in OpenAI's shape as one for a caller of Gemini's format.

    Vectors are written at once; pictures are handed on as what was made, to be brought and
    rendered. Raises MalformedAnswerError for an answer that holds neither.
    """
    fields = object_of(given.body)
    if request.operation is Operation.EMBEDDING:
        return msgspec.structs.replace(given, body=_embeddings(request, fields), content_type=JSON)
    outputs = outputs_of(fields)
    if not outputs:
        raise MalformedAnswerError("the answer has no picture")
    return msgspec.structs.replace(given, body=b"", outputs=tuple(outputs))


def render_pictures(request: Request, given: Given) -> tuple[bytes, bytes]:
    """Return body and content type of an answer with pictures, as the address has them."""
    own = request.original
    if own is not None and own.method == PREDICT:
        predictions = [_prediction(one) for one in given.outputs]
        return msgspec.json.encode({"predictions": predictions}), JSON
    candidates = [
        {
            "content": {"role": "model", "parts": [{"inlineData": _blob(one, "data")}]},
            "finishReason": "STOP",
            "index": index,
        }
        for index, one in enumerate(given.outputs)
    ]
    answer: dict[str, Any] = {"candidates": candidates}
    usage = _usage(given.counts)
    if usage is not None:
        answer["usageMetadata"] = usage
    answer["modelVersion"] = given.answer.served_model or request.model
    if given.answer.response_id is not None:
        answer["responseId"] = given.answer.response_id
    return as_asked(request, msgspec.json.encode(answer))


def as_asked(request: Request, body: bytes) -> tuple[bytes, bytes]:
    """Return body and content type of a whole answer: as the only frame, to whoever streams."""
    own = request.original
    if own is not None and own.method == STREAM:
        return b"data: %b\r\n\r\n" % body, EVENT_STREAM
    return body, JSON


def _embeddings(request: Request, fields: Mapping[str, Any]) -> bytes:
    own = request.original
    found = sorted(objects_in(fields, "data"), key=_index)
    vectors = [{"values": _values(one.get("embedding"))} for one in found]
    texts = len(read_embedding(request).texts)
    if len(vectors) != texts:
        raise MalformedAnswerError(f"{len(vectors)} vectors for {texts} texts")
    is_one = own is not None and own.method == EMBED_ONE
    answer: dict[str, Any] = {"embedding": vectors[0]} if is_one else {"embeddings": vectors}
    tokens = (usage_in(fields) or {}).get("prompt_tokens")
    if type(tokens) is int:
        answer["usageMetadata"] = {"promptTokenCount": tokens, "totalTokenCount": tokens}
    return msgspec.json.encode(answer)


def _index(one: Mapping[str, Any]) -> int:
    index = one.get("index")
    return index if type(index) is int else 0


def _values(found: object) -> list[float]:
    try:
        if isinstance(found, str):
            packed = decoded(found)
            return list(struct.unpack(f"<{len(packed) // FLOAT_BYTES}f", packed))
        return msgspec.convert(found, list[float])
    except (msgspec.ValidationError, struct.error) as error:
        raise MalformedAnswerError("a vector is no list of numbers") from error


def _prediction(output: Output) -> dict[str, str]:
    told = _blob(output, "bytesBase64Encoded")
    if output.text:
        told["prompt"] = output.text
    return told


def _blob(output: Output, name: str) -> dict[str, str]:
    """Return a picture itself: it has been brought, this format knows no links."""
    data = output.data or b""
    kind = output.content_type.partition(";")[0].strip()
    if not kind.startswith("image/"):
        kind = IMAGE_TYPES[image_kind(data) or "png"]
    return {"mimeType": kind, name: base64.b64encode(data).decode()}


def _usage(counts: Mapping[str, int]) -> dict[str, int] | None:
    read, made = counts.get(Unit.INPUT.value), counts.get(Unit.OUTPUT.value)
    if read is None or made is None:
        return None
    return {
        "promptTokenCount": read,
        "candidatesTokenCount": made,
        "totalTokenCount": read + made,
    }
