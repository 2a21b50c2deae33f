"""How are the models that can be asked for listed, in each wire format?

Sources: the references of OpenAI, Anthropic and Google for their lists of models.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from tollbridge.api.addresses import ANTHROPIC, GEMINI
from tollbridge.core.errors import ModelNotFoundError
from tollbridge.routing.part import ModelListing

CREATED_AT = "1970-01-01T00:00:00Z"
"""What Anthropic's shape must have and nobody here knows."""
_TALK = ("generateContent", "streamGenerateContent")
GEMINI_METHODS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "text": (*_TALK, "countTokens"),
        "image": (*_TALK, "predict"),
        "audio": _TALK,
        "video": ("predictLongRunning",),
        "embedding": ("embedContent", "batchEmbedContents"),
    }
)
"""How Google's callers can ask for models, by category; others they cannot ask for at all."""
TEXT = "text"


def list_models(listings: Sequence[ModelListing], face: str) -> bytes:
    """Return the whole list; Anthropic's and Google's callers get what they can talk to."""
    if face == ANTHROPIC:
        shown = [_for_anthropic(one) for one in listings if one.category == TEXT]
        ends = {
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
        }
        return msgspec.json.encode({"data": shown, "has_more": False, **ends})
    if face == GEMINI:
        return msgspec.json.encode({"models": list(_each_for_gemini(listings).values())})
    return msgspec.json.encode({"object": "list", "data": [_for_openai(one) for one in listings]})


def show_model(listings: Sequence[ModelListing], face: str, name: str) -> bytes:
    """Return one model. Raises ModelNotFoundError."""
    if face == GEMINI:
        found = _each_for_gemini(listings).get(name)
        if found is not None:
            return msgspec.json.encode(found)
    show = _for_anthropic if face == ANTHROPIC else _for_openai
    for one in () if face == GEMINI else listings:
        if one.model == name:
            return msgspec.json.encode(show(one))
    raise ModelNotFoundError(f"there is no model {name!r} here", details={"param": "model"})


def _for_openai(one: ModelListing) -> dict[str, Any]:
    return {"id": one.model, "object": "model", "created": 0, "owned_by": one.provider}


def _for_anthropic(one: ModelListing) -> dict[str, Any]:
    return {
        "type": "model",
        "id": one.model,
        "display_name": one.model,
        "created_at": CREATED_AT,
    }


def _each_for_gemini(listings: Sequence[ModelListing]) -> dict[str, dict[str, Any]]:
    """Return each name once, with all that it does: it may stand in several categories."""
    found: dict[str, dict[str, Any]] = {}
    for one in listings:
        methods = GEMINI_METHODS.get(one.category)
        if methods is None:
            continue
        shown = found.setdefault(
            one.model,
            {
                "name": f"models/{one.model}",
                "displayName": one.model,
                "supportedGenerationMethods": [],
            },
        )
        known: list[str] = shown["supportedGenerationMethods"]
        known += [method for method in methods if method not in known]
    return found
