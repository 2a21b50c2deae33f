"""What tests of callers of Gemini's format share, whatever they ask for."""

import base64
from typing import Any

import msgspec

from tests.support.media import endpoint, png
from tollbridge.providers.dialects.openai import OpenAIWire
from tollbridge.providers.originals import told_to
from tollbridge.providers.request import Answer, Request
from tollbridge.providers.wire import Outgoing

NO_NAMES = Answer(usage=None, served_model=None, response_id=None)
PICTURE = base64.b64encode(png()).decode()
GOOGLE = endpoint("google", dialect="gemini")


def told(request: Request, model: str = "dall-e-3", dialect: str = "openai") -> Outgoing:
    """Return what an endpoint of OpenAI's format is asked."""
    return OpenAIWire().compose(told_to(request, dialect), endpoint(), model, None)


def fields(outgoing: Outgoing) -> dict[str, Any]:
    return msgspec.json.decode(outgoing.body)
