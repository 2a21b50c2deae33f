"""What does a caller of Gemini's format ask of pictures and vectors, and what does that mean?

What it means is said in OpenAI's words, in which every wire of media is asked; what these have no
word for is named, and only Google itself then serves the call. Source: ai.google.dev, v1beta
(embedContent, batchEmbedContents, predict, generateContent of the models of pictures), and what
the google-genai SDK sends.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.demand import Demand
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.gemini_said import (
    WORD_CHARACTERS_MAX,
    data_url,
    limits_persons,
    object_at,
    object_said,
    objects_at,
    wrong,
)
from tollbridge.providers.dialects.media.images import parse_image
from tollbridge.providers.dialects.media.limits import MediaLimits
from tollbridge.providers.request import Original, Request
from tollbridge.providers.wire import JSON

NAME = "gemini"
EMBED_ONE = "embedContent"
EMBED_MANY = "batchEmbedContents"
PREDICT = "predict"
SAMPLES = 4
"""Pictures that Imagen makes where nobody says how many."""
COMMON_SIZE = "1K"
"""What every model of pictures makes, about: it need not be asked for."""
RATIO_CHARACTERS_MAX = 16
DIMENSIONS_MAX = 2**16

# What changes nothing in a picture: what Google's filters let through and how it tells of it.
_UNHEARD = frozenset(
    {"includeRaiReason", "includeSafetyAttributes", "safetySetting", "language", "addWatermark"}
)
_FORMATS: Mapping[str, str] = MappingProxyType({"image/png": "png", "image/jpeg": "jpeg"})
_AROUND_A_TALK = frozenset({"model", "safetySettings", "labels", "serviceTier"})
_UNSPECIFIED = "TASK_TYPE_UNSPECIFIED"
# For what a vector is made: two others have words for it too.
_TASKS: Mapping[str, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        "cohere": (
            "input_type",
            {
                "RETRIEVAL_QUERY": "search_query",
                "RETRIEVAL_DOCUMENT": "search_document",
                "CLASSIFICATION": "classification",
                "CLUSTERING": "clustering",
            },
        ),
        "jina": (
            "task",
            {
                "RETRIEVAL_QUERY": "retrieval.query",
                "RETRIEVAL_DOCUMENT": "retrieval.passage",
                "CLASSIFICATION": "classification",
                "CLUSTERING": "separation",
                "SEMANTIC_SIMILARITY": "text-matching",
            },
        ),
    }
)


class _Meaning:
    """What was said, as fields of OpenAI's format, and the first thing that has no word there."""

    def __init__(self, model: str) -> None:
        self.fields: dict[str, Any] = {"model": model}
        self.loss = ""

    def lose(self, what: str) -> None:
        """Note what nobody else can be told."""
        self.loss = self.loss or f"only Gemini's own format has {what}"


def parse_embedding(model: str, method: str, body: bytes) -> Request:
    """Check a call for vectors. Raises InvalidRequestError that names the field."""
    said = object_said(body)
    if method == EMBED_ONE:
        requests = [said]
    else:
        requests = objects_at(said, "requests")
        if not requests:
            raise wrong("requests", "at least one is needed")
    meaning = _Meaning(model)
    texts = [_text(one, place, meaning) for place, one in enumerate(requests)]
    meaning.fields["input"] = texts
    for name in said if method == EMBED_MANY else ():
        if name not in {"requests", "model"}:
            meaning.lose(name)
    dimensions = _shared(requests, "outputDimensionality", meaning)
    if dimensions is not None:
        if type(dimensions) is not int or not 1 <= dimensions <= DIMENSIONS_MAX:
            raise wrong("outputDimensionality", f"a whole number up to {DIMENSIONS_MAX}")
        meaning.fields["dimensions"] = dimensions
    bodies = _for_a_task(_shared(requests, "taskType", meaning), meaning)
    return Request(
        Operation.EMBEDDING,
        msgspec.json.encode(meaning.fields),
        model,
        attachments=sum("inlineData" in part for one in requests for part in _parts_of(one)),
        has_files=any("fileData" in part for one in requests for part in _parts_of(one)),
        original=Original(NAME, method, msgspec.json.encode(said), meaning.loss, bodies),
    )


def parse_predict(model: str, body: bytes, limits: MediaLimits) -> Request:
    """Check a call for pictures of Imagen. Raises InvalidRequestError that names the field."""
    said = object_said(body)
    instances = objects_at(said, "instances")
    if len(instances) != 1:
        raise wrong("instances", "exactly one is taken")
    meaning = _Meaning(model)
    for name in instances[0]:
        if name != "prompt":
            meaning.lose(name)
    meaning.fields["prompt"] = _prompt(instances[0].get("prompt"), "instances[0].prompt", limits)
    parameters = object_at(said, "parameters")
    n = parameters.get("sampleCount")
    meaning.fields["n"] = SAMPLES if n is None else _count(n, "sampleCount", limits)
    for name, value in parameters.items():
        if name == "outputOptions":
            _output_options(object_at(parameters, name), meaning)
        elif name in {"imageSize", "sampleImageSize"}:
            _resolution(value, name, meaning)
        elif name == "personGeneration":
            if limits_persons(value):
                meaning.lose(f"personGeneration={str(value)[:WORD_CHARACTERS_MAX]}")
        elif name not in _UNHEARD and name != "sampleCount" and value is not None:
            _parameter(name, value, meaning)
    return _pictured(Operation.IMAGE_GENERATION, PREDICT, said, meaning, limits)


def parse_pictures(chat: Request, method: str, limits: MediaLimits) -> Request:
    """Return what a call of generateContent for a picture asks.

    Raises InvalidRequestError that names the field.
    """
    said = object_said(chat.body)
    meaning = _Meaning(chat.model)
    contents = said.get("contents")
    turns = (
        objects_at(said, "contents")
        if isinstance(contents, list)
        else [object_at(said, "contents")]
    )
    for name in said:
        if name not in _AROUND_A_TALK and name not in {"contents", "generationConfig"}:
            meaning.lose(name)
    if len(turns) > 1 or any(turn.get("role") not in {None, "user"} for turn in turns):
        meaning.lose("a talk of several turns about pictures")
    texts: list[str] = []
    pictures: list[str] = []
    for part in _parts_in(turns[-1] if turns else {}):
        _take_part(part, texts, pictures, meaning)
    meaning.fields["prompt"] = _prompt("\n".join(texts), "contents", limits)
    if pictures:
        meaning.fields["image"] = pictures
    _picture_config(object_at(said, "generationConfig"), meaning, limits)
    operation = Operation.IMAGE_EDIT if pictures else Operation.IMAGE_GENERATION
    return _pictured(operation, method, said, meaning, limits)


def parse_speech(chat: Request, method: str, limits: MediaLimits) -> Request:
    """Return what a call of generateContent for speech asks: nobody but Google speaks in a talk.

    Raises InvalidRequestError that names the field.
    """
    said = object_said(chat.body)
    contents = said.get("contents")
    turns = objects_at(said, "contents") if isinstance(contents, list) else []
    parts = [part for turn in turns for part in _parts_in(turn)]
    text = "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    if not text.strip():
        raise wrong("contents", "there are no words to speak")
    if len(text) > limits.speech_characters_max:
        raise wrong("contents", f"at most {limits.speech_characters_max} characters are spoken")
    loss = "only Gemini's own format has speech within a talk"
    return Request(
        Operation.AUDIO_SPEECH,
        msgspec.json.encode({"model": chat.model, "input": text}),
        chat.model,
        attachments=chat.attachments,
        has_files=chat.has_files,
        demand=Demand({Unit.CHARACTER.value: len(text)}),
        original=Original(NAME, method, msgspec.json.encode(said), loss),
    )


def _pictured(
    operation: Operation,
    method: str,
    said: Mapping[str, Any],
    meaning: _Meaning,
    limits: MediaLimits,
) -> Request:
    request = parse_image(operation, msgspec.json.encode(meaning.fields), JSON, limits)
    original = Original(NAME, method, msgspec.json.encode(said), meaning.loss)
    return msgspec.structs.replace(request, original=original)


def _picture_config(config: dict[str, Any], meaning: _Meaning, limits: MediaLimits) -> None:
    for name, value in config.items():
        if name == "candidateCount" and value is not None:
            meaning.fields["n"] = _count(value, name, limits)
        elif name == "imageConfig":
            for inner, wanted in object_at(config, name).items():
                if inner == "imageSize":
                    _resolution(wanted, inner, meaning)
                elif inner == "aspectRatio":
                    _parameter(inner, wanted, meaning)
                elif wanted is not None:
                    meaning.lose(f"{name}.{inner}")
        elif name == "seed" and value is not None:
            meaning.fields["seed"] = value
        elif name not in {"responseModalities", "maxOutputTokens"} and value is not None:
            meaning.lose(f"{name} for pictures")


def _take_part(
    part: dict[str, Any], texts: list[str], pictures: list[str], meaning: _Meaning
) -> None:
    inline = object_at(part, "inlineData")
    kind = inline.get("mimeType")
    if isinstance(part.get("text"), str) and set(part) == {"text"}:
        texts.append(part["text"])
    elif inline and isinstance(inline.get("data"), str) and str(kind).startswith("image/"):
        pictures.append(data_url(inline["data"], str(kind)))
    else:
        meaning.lose(f"{', '.join(sorted(part))[:WORD_CHARACTERS_MAX]} beside a prompt")


def _parameter(name: str, value: object, meaning: _Meaning) -> None:
    """Note one wish for a picture by the name that everybody else knows it by."""
    if name == "aspectRatio":
        if not isinstance(value, str) or len(value) > RATIO_CHARACTERS_MAX:
            raise wrong(name, "text like 16:9")
        meaning.fields["aspect_ratio"] = value
    elif name == "negativePrompt":
        meaning.fields["negative_prompt"] = value
    elif name == "guidanceScale":
        meaning.fields["guidance_scale"] = value
    elif name == "seed":
        meaning.fields["seed"] = value
    else:
        meaning.lose(f"{name[:WORD_CHARACTERS_MAX]} for pictures")


def _output_options(options: dict[str, Any], meaning: _Meaning) -> None:
    for name, value in options.items():
        known = _FORMATS.get(str(value)) if name == "mimeType" else None
        if known is not None:
            meaning.fields["output_format"] = known
        elif value is not None:
            meaning.lose(f"outputOptions.{name[:WORD_CHARACTERS_MAX]}")


def _resolution(value: object, name: str, meaning: _Meaning) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not 0 < len(value) <= RATIO_CHARACTERS_MAX:
        raise wrong(name, "text like 1K")
    if value.upper() != COMMON_SIZE:
        meaning.fields["resolution"] = value.lower()


def _text(request: dict[str, Any], place: int, meaning: _Meaning) -> str:
    """Return what is to be embedded, as far as it is text."""
    if not isinstance(request.get("content"), dict):
        raise wrong(f"requests[{place}].content", "it is missing")
    for name, value in request.items():
        if name not in {"model", "content", "taskType", "outputDimensionality"} and (
            value is not None
        ):
            meaning.lose(f"{name[:WORD_CHARACTERS_MAX]} of what is embedded")
    parts = _parts_of(request)
    if not parts:
        raise wrong(f"requests[{place}].content.parts", "at least one is needed")
    if len(parts) > 1:
        meaning.lose("several parts of what is one vector")
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    if len(texts) < len(parts):
        meaning.lose("vectors of what is no text")
    return "".join(texts)


def _shared(requests: list[dict[str, Any]], name: str, meaning: _Meaning) -> Any:
    """Return what all requests say of one thing."""
    first = requests[0].get(name)
    if any(one.get(name) != first for one in requests):
        meaning.lose(f"a {name} of each text")
    return first


def _for_a_task(task: object, meaning: _Meaning) -> dict[str, bytes]:
    """Return the bodies for those who have a word for what the vectors are made for."""
    if task is None or task == _UNSPECIFIED:
        return {}
    if not isinstance(task, str):
        raise wrong("taskType", "it is a word")
    is_all_that_is_lost = not meaning.loss
    meaning.lose(f"taskType={task[:WORD_CHARACTERS_MAX]}")
    if not is_all_that_is_lost:
        return {}
    return {
        dialect: msgspec.json.encode({**meaning.fields, field: words[task]})
        for dialect, (field, words) in _TASKS.items()
        if task in words
    }


def _prompt(value: object, name: str, limits: MediaLimits) -> str:
    if not isinstance(value, str) or not value.strip():
        raise wrong(name, "it has no words")
    if len(value) > limits.prompt_characters_max:
        raise wrong(name, f"at most {limits.prompt_characters_max} characters are taken")
    return value


def _count(value: object, name: str, limits: MediaLimits) -> int:
    if type(value) is not int or not 1 <= value <= limits.images_max:
        raise wrong(name, f"a whole number from 1 to {limits.images_max}")
    return value


def _parts_of(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    return _parts_in(object_at(request, "content"))


def _parts_in(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    return objects_at(content, "parts") if content.get("parts") else []
