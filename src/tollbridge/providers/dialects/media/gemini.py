"""How are pictures and vectors asked of Gemini, and what do its answers say?

Source: ai.google.dev, v1beta. Imagen makes pictures by `predict`; the models whose pictures are
part of a talk by `generateContent`. The part of the gemini wire format that is not text. Whoever
asks in Gemini's own words has them passed on, and the answer as it came.
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
from tollbridge.providers.dialects.media.gemini_asked import EMBED_MANY, EMBED_ONE, NAME, PREDICT
from tollbridge.providers.dialects.media.gemini_given import as_asked
from tollbridge.providers.dialects.media.images import (
    ImageAsk,
    aspect_ratio,
    nothing_lost,
    read_image,
)
from tollbridge.providers.dialects.media.texts import read_embedding, render_embeddings
from tollbridge.providers.request import (
    Answer,
    MalformedAnswerError,
    Original,
    Request,
    label_of,
)
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
GENERATE = "generateContent"
_EMBEDDINGS = frozenset({EMBED_ONE, EMBED_MANY})
_AS_THEY_ARE = _EMBEDDINGS | {PREDICT}
"""Methods that are asked for upstream as the caller asked; a stream of a picture is asked whole."""


class GeminiMedia:
    """Pictures and vectors of Gemini."""

    operations = IMAGES | {Operation.EMBEDDING, Operation.AUDIO_SPEECH}

    def compose(self, request: Request, endpoint: Endpoint, model: str) -> Outgoing:
        """Return the request as it gets it. Raises UntranslatableError."""
        del endpoint
        if request.dialect != "openai" or request.operation not in self.operations:
            raise UntranslatableError(f"{WHO} is asked for no {request.operation.value}")
        address = f"/models/{quote(model.removeprefix('models/'), safe='')}"
        own = request.original
        if own is not None and own.face == NAME:
            if _is_at_home(own, model):
                method = own.method if own.method in _AS_THEY_ARE else GENERATE
                return Outgoing(f"{address}:{method}", _own_words(own, model))
            if own.loss:
                raise UntranslatableError(f"{model} is not asked by {own.method}, and {own.loss}")
        if request.operation is Operation.AUDIO_SPEECH:
            raise UntranslatableError(f"{WHO} speaks only within a talk of its own format")
        if request.operation is Operation.EMBEDDING:
            return Outgoing(f"{address}:{EMBED_MANY}", _embedded(request, model))
        unstreamed(request, WHO)
        ask = read_image(request)
        if model.removeprefix("models/").startswith(IMAGEN):
            return Outgoing(f"{address}:{PREDICT}", _predicted(request, ask))
        return Outgoing(f"{address}:{GENERATE}", _generated(ask))

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read a whole answer. Raises MalformedAnswerError, RefusedError where all is filtered."""
        del headers
        fields = object_of(body)
        own = request.original
        if request.operation is Operation.EMBEDDING:
            return _vectors(request, fields) if own is None else _own_vectors(request, fields, body)
        if request.operation is Operation.AUDIO_SPEECH:
            return _spoken(request, fields, body)
        is_predicted = "predictions" in fields
        if own is not None and own.method != PREDICT and not is_predicted and _has_words(fields):
            return _in_words(request, fields, body)
        given = _predictions(request, fields) if is_predicted else _parts(request, fields)
        if own is None or is_predicted != (own.method == PREDICT):
            return given
        told, content_type = as_asked(request, body)
        return msgspec.structs.replace(given, body=told, content_type=content_type, outputs=())


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
    return given_pictures(request, outputs, _names(fields), {})


def _is_at_home(own: Original, model: str) -> bool:
    """Return whether a model is asked by the method that the caller used."""
    if own.method in _EMBEDDINGS:
        return True
    return (own.method == PREDICT) == model.removeprefix("models/").startswith(IMAGEN)


def _own_words(own: Original, model: str) -> bytes:
    """Return the caller's own body, with the candidate's model wherever it names one."""
    if own.method not in _EMBEDDINGS:
        return own.body
    name = f"models/{model.removeprefix('models/')}"
    fields: dict[str, Any] = msgspec.json.decode(own.body)
    for one in objects_in(fields, "requests"):
        one["model"] = name
    if "model" in fields:
        fields["model"] = name
    return msgspec.json.encode(fields)


def _parts_said(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        part
        for candidate in objects_in(fields, "candidates")
        for part in objects_in(object_in(candidate, "content"), "parts")
    ]


def _has_words(fields: dict[str, Any]) -> bool:
    """Return whether an answer has words, and no picture."""
    parts = _parts_said(fields)
    has_picture = any("inlineData" in part for part in parts)
    return not has_picture and any(part.get("text") for part in parts)


def _in_words(request: Request, fields: dict[str, Any], body: bytes) -> Given:
    """Return what a model of pictures said instead of making one, to a caller of its own format."""
    told, content_type = as_asked(request, body)
    counts = {Unit.IMAGE.value: 0, Unit.IMAGE_OUTPUT.value: 0}
    return Given(_names(fields), told, content_type, counts=counts)


def _names(fields: dict[str, Any]) -> Answer:
    """Return the names that an answer gives of itself, with its usage object."""
    return Answer(
        usage=object_in(fields, "usageMetadata") or None,
        served_model=label_of(fields.get("modelVersion")),
        response_id=label_of(fields.get("responseId")),
    )


def _spoken(request: Request, fields: dict[str, Any], body: bytes) -> Given:
    """Return speech as it came; it is billed by its tokens."""
    parts = _parts_said(fields)
    if not any(object_in(part, "inlineData").get("data") for part in parts):
        reason = label_of(object_in(fields, "promptFeedback").get("blockReason"))
        raise filtered(f"nothing was spoken: {reason or 'no reason was given'}")
    told, content_type = as_asked(request, body)
    return Given(_names(fields), told, content_type)


def _vectors(request: Request, fields: dict[str, Any]) -> Given:
    vectors = [one.get("values") for one in objects_in(fields, "embeddings")]
    answer, counts = _used(fields)
    rendered = render_embeddings(request, request.model, vectors, counts.get(Unit.INPUT.value))
    return Given(answer, rendered, counts=counts)


def _own_vectors(request: Request, fields: dict[str, Any], body: bytes) -> Given:
    """Read vectors that go to the caller as they came."""
    one = object_in(fields, "embedding")
    found = [one] if one else objects_in(fields, "embeddings")
    texts = len(read_embedding(request).texts)
    if len(found) != texts or not all(isinstance(vector.get("values"), list) for vector in found):
        raise MalformedAnswerError(f"{len(found)} vectors for {texts} texts")
    answer, counts = _used(fields)
    return Given(answer, body, counts=counts)


def _used(fields: dict[str, Any]) -> tuple[Answer, dict[str, int]]:
    """Return what an answer with vectors says was used; few do, and then it is estimated."""
    usage = object_in(fields, "usageMetadata")
    tokens = usage.get("promptTokenCount")
    counts = {Unit.INPUT.value: tokens} if type(tokens) is int and tokens >= 0 else {}
    return Answer(usage=usage or None, served_model=None, response_id=None), counts
