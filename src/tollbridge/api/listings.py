"""How are the models that can be asked for listed, in each wire format?

Sources: the references of OpenAI, Anthropic and Google for their lists of models.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tollbridge.api.addresses import ANTHROPIC, GEMINI
from tollbridge.core.errors import ModelNotFoundError
from tollbridge.routing.part import ModelListing

CREATED_AT = "1970-01-01T00:00:00Z"
"""What Anthropic's shape must have and nobody here knows."""
GEMINI_METHODS = ("generateContent", "streamGenerateContent", "countTokens")
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
        shown = [_for_gemini(one) for one in listings if one.category == TEXT]
        return msgspec.json.encode({"models": shown})
    return msgspec.json.encode({"object": "list", "data": [_for_openai(one) for one in listings]})


def show_model(listings: Sequence[ModelListing], face: str, name: str) -> bytes:
    """Return one model. Raises ModelNotFoundError."""
    show = {ANTHROPIC: _for_anthropic, GEMINI: _for_gemini}.get(face, _for_openai)
    for one in listings:
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


def _for_gemini(one: ModelListing) -> dict[str, Any]:
    return {
        "name": f"models/{one.model}",
        "displayName": one.model,
        "supportedGenerationMethods": list(GEMINI_METHODS),
    }
