"""Which wire formats are built?"""

from collections.abc import Mapping
from types import MappingProxyType

from tollbridge.providers.dialects.anthropic import AnthropicFace, AnthropicWire
from tollbridge.providers.dialects.gemini import GeminiFace, GeminiWire
from tollbridge.providers.dialects.media.aimlapi import AimlapiWire
from tollbridge.providers.dialects.media.cohere import CohereWire
from tollbridge.providers.dialects.media.elevenlabs import ElevenLabsWire
from tollbridge.providers.dialects.media.huggingface import HuggingFaceWire
from tollbridge.providers.dialects.media.jina import JinaWire
from tollbridge.providers.dialects.media.limits import DEFAULT_LIMITS, MediaLimits
from tollbridge.providers.dialects.media.stability import StabilityWire
from tollbridge.providers.dialects.media.xai import XaiWire
from tollbridge.providers.dialects.openai import AzureWire, OpenAIFace, OpenAIWire
from tollbridge.providers.dialects.responses import ResponsesFace
from tollbridge.providers.dialects.tasks.every import every_task_wire
from tollbridge.providers.wire import Face, TaskWire, Wire


def faces(limits: MediaLimits = DEFAULT_LIMITS) -> Mapping[str, Face]:
    """Return the formats that callers speak; `limits` bound what they ask of media."""
    made: tuple[Face, ...] = (
        OpenAIFace(limits),
        ResponsesFace(),
        AnthropicFace(),
        GeminiFace(limits),
    )
    return MappingProxyType({face.name: face for face in made})


FACES = faces()
"""Those formats, for errors and answers: of a request they hold it to the customary limits."""


def wires() -> Mapping[str, Wire]:
    """Return the formats of providers that answer at once."""
    made: tuple[Wire, ...] = (
        AimlapiWire(),
        AnthropicWire(),
        AzureWire(),
        CohereWire(),
        ElevenLabsWire(),
        GeminiWire(),
        HuggingFaceWire(),
        JinaWire(),
        OpenAIWire(),
        StabilityWire(),
        XaiWire(),
    )
    return MappingProxyType({wire.name: wire for wire in made})


def task_wires() -> Mapping[str, TaskWire]:
    """Return the formats of providers whose work is submitted first and fetched later."""
    return MappingProxyType(dict(every_task_wire()))
