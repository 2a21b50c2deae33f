"""Which providers can the sandbox play?"""

from typing import Final

from tollbridge.sandbox.dialect import Dialect
from tollbridge.sandbox.dialects import (
    aimlapi,
    anthropic,
    elevenlabs,
    gemini_media,
    openai,
    openrouter,
    piapi,
    replicate,
    rerank,
    runware,
    stability,
    wavespeed,
    xai,
)

OPENAI: Final = openai.OPENAI

DIALECTS: Final[tuple[Dialect, ...]] = (
    OPENAI,
    openai.AZURE,
    anthropic.DIALECT,
    gemini_media.DIALECT,
    openrouter.DIALECT,
    xai.DIALECT,
    openai.GROQ,
    openai.MISTRAL,
    openai.DEEPSEEK,
    openai.TOGETHER,
    openai.VLLM,
    openai.HUGGINGFACE,
    aimlapi.DIALECT,
    piapi.DIALECT,
    rerank.COHERE,
    rerank.JINA,
    stability.DIALECT,
    replicate.DIALECT,
    wavespeed.DIALECT,
    elevenlabs.DIALECT,
    runware.DIALECT,
)
