"""What does a caller of Gemini's format ask of films, and what does that mean?

What it means is said as everybody else is asked (`asked`); what only Google has words for stays in
these, and only Google is then asked. Source: ai.google.dev (predictLongRunning), and what the
google-genai SDK sends.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.gemini_said import (
    data_url,
    limits_persons,
    object_at,
    object_said,
    objects_at,
    wrong,
)
from tollbridge.providers.dialects.tasks.asked import OWN_WORDS

INSTANCE = "instance"
PARAMETERS = "parameters"
_MEANS: Mapping[str, str] = MappingProxyType(
    {
        "sampleCount": "n",
        "durationSeconds": "seconds",
        "aspectRatio": "aspect_ratio",
        "resolution": "resolution",
        "negativePrompt": "negative_prompt",
        "generateAudio": "generate_audio",
        "seed": "seed",
    }
)
_NAMES: Mapping[str, str] = MappingProxyType(
    {**{ours: theirs for theirs, ours in _MEANS.items()}, "prompt": "instances[0].prompt"}
)


def fields_of_film(model: str, body: bytes) -> dict[str, Any]:
    """Return what a caller of predictLongRunning asks, as fields that everybody is asked by.

    Raises InvalidRequestError that names the field; what the fields themselves may be is checked
    where they are read.
    """
    said = object_said(body)
    instances = objects_at(said, "instances")
    if len(instances) != 1:
        raise wrong("instances", "exactly one is taken")
    instance = {name: value for name, value in instances[0].items() if value is not None}
    fields: dict[str, Any] = {"model": model, "prompt": instance.pop("prompt", None)}
    if "image" in instance:
        fields["image"] = _first_frame(instance.pop("image"))
    own: dict[str, dict[str, Any]] = {INSTANCE: instance} if instance else {}
    for name, value in object_at(said, PARAMETERS).items():
        if value is None:
            continue
        if name in _MEANS:
            fields[_MEANS[name]] = value
        elif name != "personGeneration" or limits_persons(value):
            own.setdefault(PARAMETERS, {})[name] = value
    if own:
        fields[OWN_WORDS] = own
    return fields


def _first_frame(image: object) -> str:
    """Return a picture as a data: URL. Raises InvalidRequestError."""
    held = cast("dict[str, Any]", image) if isinstance(image, dict) else {}
    inline = held.get("inlineData")
    if isinstance(inline, dict):  # as the reference shows it; the SDK has the other form
        held = cast("dict[str, Any]", inline)
    data = held.get("bytesBase64Encoded") or held.get("data")
    kind = held.get("mimeType")
    if not isinstance(data, str) or not isinstance(kind, str) or not kind.startswith("image/"):
        raise wrong("instances[0].image", "it is bytesBase64Encoded, with its mimeType")
    return data_url(data, kind)


def in_callers_words(error: InvalidRequestError) -> InvalidRequestError:
    """Return an error about a field by the name that the caller knows it by."""
    field = error.details.get("param")
    name = _NAMES.get(field) if isinstance(field, str) else None
    if name is None:
        return error
    said = error.message.replace(f"{field}:", f"{name}:", 1)
    return InvalidRequestError(said, details={**error.details, "param": name})
