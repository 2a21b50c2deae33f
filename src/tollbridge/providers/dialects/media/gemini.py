"""How are pictures and vectors asked of Gemini, and what do its answers say?

Source: ai.google.dev, v1beta. Imagen makes pictures by `predict`; the models whose pictures are
part of a talk by `generateContent`. The part of the gemini wire format that is not text.
"""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.plan import Endpoint
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.media.answers import (
    decoded,
    filtered,
    given_pictures,
    object_in,
    object_of,
    objects_in,
    only,
    picture_of,
    unstreamed,
)
from tollbridge.providers.dialects.media.images import (
    ImageAsk,
    aspect_ratio,
    nothing_lost,
    read_image,
)
from tollbridge.providers.dialects.media.texts import read_embedding, render_embeddings
from tollbridge.providers.request import Answer, Request, label_of
from tollbridge.providers.wire import Given, Outgoing, Output, UntranslatableError

WHO = "gemini"
IMAGEN = "imagen"
IMAGEN_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4")
RATIOS = (*IMAGEN_RATIOS, "2:3", "3:2", "4:5", "5:4", "21:9")
IMAGEN_MOST = 4
RESOLUTION = "resolution"
OWN = frozenset({"aspect_ratio", RESOLUTION})
IMAGEN_OWN = OWN | {"negative_prompt", "seed"}
IMAGES = frozenset({Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT})


class GeminiMedia:
    """Pictures and vectors of Gemini."""

    operations = IMAGES | {Operation.EMBEDDING}

    def compose(self, request: Request, endpoint: Endpoint, model: str) -> Outgoing:
        """Return the request as it gets it. Raises UntranslatableError."""
        del endpoint
        if request.dialect != "openai" or request.operation not in self.operations:
            raise UntranslatableError(f"{WHO} is asked for no {request.operation.value}")
        address = f"/models/{quote(model.removeprefix('models/'), safe='')}"
        if request.operation is Operation.EMBEDDING:
            return Outgoing(f"{address}:batchEmbedContents", _embedded(request, model))
        unstreamed(request, WHO)
        ask = read_image(request)
        if model.removeprefix("models/").startswith(IMAGEN):
            return Outgoing(f"{address}:predict", _predicted(request, ask))
        return Outgoing(f"{address}:generateContent", _generated(ask))

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read a whole answer. Raises MalformedAnswerError, RefusedError where all is filtered."""
        del headers
        fields = object_of(body)
        if request.operation is Operation.EMBEDDING:
            return _vectors(request, fields)
        if "predictions" in fields:
            return _predictions(request, fields)
        return _parts(request, fields)


def _predicted(request: Request, ask: ImageAsk) -> bytes:
    if request.operation is Operation.IMAGE_EDIT:
        raise UntranslatableError("imagen changes no pictures here")
    only(ask.n, IMAGEN_MOST, "imagen")
    nothing_lost(ask, IMAGEN_OWN, "imagen")
    parameters: dict[str, Any] = {"sampleCount": ask.n}
    ratio = aspect_ratio(ask, IMAGEN_RATIOS, "imagen")
    if ratio is not None:
        parameters["aspectRatio"] = ratio
    for name, own in (
        (RESOLUTION, "imageSize"),
        ("negative_prompt", "negativePrompt"),
        ("seed",) * 2,
    ):
        if ask.fields.get(name) is not None:
            parameters[own] = ask.fields[name]
    if "imageSize" in parameters:
        parameters["imageSize"] = str(parameters["imageSize"]).upper()
    return msgspec.json.encode({"instances": [{"prompt": ask.prompt}], "parameters": parameters})


def _generated(ask: ImageAsk) -> bytes:
    only(ask.n, 1, WHO)
    nothing_lost(ask, OWN, WHO)
    if ask.mask is not None:
        raise UntranslatableError(f"{WHO} takes no mask")
    parts: list[dict[str, Any]] = [{"text": ask.prompt}]
    for picture in ask.pictures:
        if picture.url is not None:
            raise UntranslatableError(f"{WHO} takes pictures, not their addresses")
        data = base64.b64encode(picture.data).decode()
        parts.append({"inlineData": {"mimeType": picture.content_type, "data": data}})
    generation: dict[str, Any] = {"responseModalities": ["TEXT", "IMAGE"]}
    image: dict[str, Any] = {}
    ratio = aspect_ratio(ask, RATIOS, WHO)
    if ratio is not None:
        image["aspectRatio"] = ratio
    if ask.fields.get(RESOLUTION) is not None:
        image["imageSize"] = str(ask.fields[RESOLUTION]).upper()
    if image:
        generation["imageConfig"] = image
    contents = [{"role": "user", "parts": parts}]
    return msgspec.json.encode({"contents": contents, "generationConfig": generation})


def _embedded(request: Request, model: str) -> bytes:
    ask = read_embedding(request)
    name = f"models/{model.removeprefix('models/')}"
    shared: dict[str, Any] = {"model": name}
    if ask.dimensions is not None:
        shared["outputDimensionality"] = ask.dimensions
    requests = [{**shared, "content": {"parts": [{"text": text}]}} for text in ask.texts]
    return msgspec.json.encode({"requests": requests})


def _predictions(request: Request, fields: dict[str, Any]) -> Given:
    outputs: list[Output] = []
    reasons: list[str] = []
    for one in objects_in(fields, "predictions"):
        if one.get("bytesBase64Encoded"):
            kind = label_of(one.get("mimeType")) or ""
            outputs.append(picture_of(decoded(one["bytesBase64Encoded"]), kind))
        elif one.get("raiFilteredReason"):
            reasons.append(str(one["raiFilteredReason"]))
    if not outputs:
        raise filtered(reasons[0] if reasons else "all pictures were filtered")
    answer = Answer(usage=None, served_model=None, response_id=None)
    return given_pictures(request, outputs, answer, {})


def _parts(request: Request, fields: dict[str, Any]) -> Given:
    usage = object_in(fields, "usageMetadata")
    outputs: list[Output] = []
    reason = label_of(object_in(fields, "promptFeedback").get("blockReason"))
    for candidate in objects_in(fields, "candidates"):
        reason = label_of(candidate.get("finishReason")) or reason
        for part in objects_in(object_in(candidate, "content"), "parts"):
            inline = object_in(part, "inlineData")
            if inline and not part.get("thought"):
                kind = label_of(inline.get("mimeType")) or ""
                outputs.append(picture_of(decoded(inline.get("data")), kind))
    if not outputs:
        raise filtered(f"no picture was made: {reason or 'no reason was given'}")
    answer = Answer(
        usage=usage or None,
        served_model=label_of(fields.get("modelVersion")),
        response_id=label_of(fields.get("responseId")),
    )
    return given_pictures(request, outputs, answer, {})


def _vectors(request: Request, fields: dict[str, Any]) -> Given:
    vectors = [one.get("values") for one in objects_in(fields, "embeddings")]
    usage = object_in(fields, "usageMetadata")
    tokens = usage.get("promptTokenCount")
    counts = {Unit.INPUT.value: tokens} if type(tokens) is int and tokens >= 0 else {}
    answer = Answer(usage=usage or None, served_model=None, response_id=None)
    rendered = render_embeddings(request, request.model, vectors, counts.get(Unit.INPUT.value))
    return Given(answer, rendered, counts=counts)
