"""Whose usage does the demo show: which teams, asking which models of which providers?

Only names; every price and every provider of a report is found by the installation itself.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from tollbridge.core.call import Bucket, Category, Operation

DEMO: Final = "demo"
"""The source, and the node, that all of it is marked with."""


class Client(msgspec.Struct, frozen=True):
    """A key that asks."""

    key: str
    user: str
    project: str
    weight: int
    categories: tuple[Category, ...]
    customers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class Door(msgspec.Struct, frozen=True):
    """One candidate: the endpoint that is asked, and for which model."""

    endpoint: str
    provider: str
    dialect: str
    model: str
    served_model: str | None = None
    upstreams: tuple[str, ...] = ()
    """Whom an aggregator names: OpenRouter in a field of its answer, Hugging Face in a header."""
    usd_per_million: tuple[str, str] | None = None
    """Of an aggregator that says what it charged: for a million tokens in, and out."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is asked for again and again. Sizes are medians."""

    weight: int
    operation: Operation
    bucket: Bucket
    label: str
    doors: tuple[Door, ...]
    """The first is expected; the others are asked where it fails."""
    fails_percent: float = 1.0
    """Of the asks of the first door."""
    latency_ms: int = 1500
    input_tokens: int = 0
    output_tokens: int = 0
    counts: Mapping[str, tuple[int, ...]] = {}
    """Unit → one of these, where it is not tokens."""
    facts: Mapping[str, str] = {}
    streams_percent: int = 0
    caches_percent: int = 0
    path: str = "/v1/chat/completions"


class Foreign(msgspec.Struct, frozen=True, kw_only=True):
    """Something that another gateway carries and reports, so that rules must say who served."""

    weight: int
    record: Mapping[str, object]
    tokens: tuple[int, int] | None = None
    completed_percent: int = 100
    cost_usd: str | None = None
    latency_ms: int = 900


TEXT, IMAGE, VIDEO, AUDIO = Category.TEXT, Category.IMAGE, Category.VIDEO, Category.AUDIO
EMBEDDING, RERANK, SEARCH = Category.EMBEDDING, Category.RERANK, Category.SEARCH

CLIENTS: Final = (
    Client("web-production", "storefront", "web", 34, (TEXT, EMBEDDING, RERANK, SEARCH),
           ("northwind", "contoso", "fabrikam", "tailspin"), ("feature:assistant", "tier:paid")),
    Client("web-staging", "storefront", "web", 6, (TEXT, EMBEDDING), (), ("env:staging",)),
    Client("mobile-app", "mobile", "mobile", 20, (TEXT, AUDIO, SEARCH),
           ("northwind", "contoso"), ("feature:voice",)),
    Client("studio", "studio", "media", 14, (IMAGE, VIDEO, AUDIO, TEXT),
           ("wingtip", "fabrikam"), ("feature:campaign",)),
    Client("podcast-pipeline", "studio", "media", 7, (AUDIO, TEXT), (), ("feature:podcast",)),
    Client("support-bot", "support", "support", 15, (TEXT, EMBEDDING, RERANK),
           ("contoso", "tailspin"), ("feature:helpdesk", "tier:paid")),
    Client("notebooks", "research", "research", 8,
           (TEXT, EMBEDDING, IMAGE, SEARCH), (), ("env:experiment",)),
)  # fmt: skip

OPENROUTER: Final = ("Azure", "OpenAI")

WORKS: Final = (
    Work(weight=26, operation=Operation.CHAT_COMPLETION, bucket=Bucket.OPENAI, label="gpt-4o-mini",
         doors=(Door("openai", "openai", "openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
                Door("openrouter", "openrouter", "openai", "openai/gpt-4o-mini",
                     upstreams=OPENROUTER, usd_per_million=("0.15", "0.60"))),
         latency_ms=1100, input_tokens=900, output_tokens=260, streams_percent=70,
         caches_percent=20),
    Work(weight=9, operation=Operation.CHAT_COMPLETION, bucket=Bucket.OPENAI, label="gpt-4o",
         doors=(Door("openai", "openai", "openai", "gpt-4o", "gpt-4o-2024-08-06"),
                Door("openrouter", "openrouter", "openai", "openai/gpt-4o",
                     upstreams=OPENROUTER, usd_per_million=("2.50", "10"))),
         fails_percent=2.5, latency_ms=2600, input_tokens=1500, output_tokens=480,
         streams_percent=80, caches_percent=25),
    Work(weight=13, operation=Operation.CHAT_COMPLETION, bucket=Bucket.ANTHROPIC,
         label="claude-sonnet-4-5",
         doors=(Door("anthropic", "anthropic", "anthropic", "claude-sonnet-4-5",
                     "claude-sonnet-4-5-20250929"),
                Door("openrouter", "openrouter", "openai", "anthropic/claude-sonnet-4.5",
                     upstreams=("Anthropic", "Amazon Bedrock", "Google"),
                     usd_per_million=("3", "15"))),
         fails_percent=4.0, latency_ms=4200, input_tokens=2600, output_tokens=700,
         streams_percent=85, caches_percent=40),
    Work(weight=17, operation=Operation.CHAT_COMPLETION, bucket=Bucket.GEMINI,
         label="gemini-2.5-flash",
         doors=(Door("google", "google", "gemini", "gemini-2.5-flash"),
                Door("openrouter", "openrouter", "openai", "google/gemini-2.5-flash",
                     upstreams=("Google",), usd_per_million=("0.30", "2.50"))),
         fails_percent=1.5, latency_ms=1300, input_tokens=1900, output_tokens=420,
         streams_percent=60),
    Work(weight=4, operation=Operation.CHAT_COMPLETION, bucket=Bucket.GEMINI,
         label="gemini-2.5-pro",
         doors=(Door("google", "google", "gemini", "gemini-2.5-pro"),),
         fails_percent=3.0, latency_ms=9000, input_tokens=5200, output_tokens=1400,
         streams_percent=40),
    Work(weight=8, operation=Operation.CHAT_COMPLETION, bucket=Bucket.MISTRAL,
         label="openai/gpt-oss-120b",
         doors=(Door("huggingface", "huggingface", "huggingface", "openai/gpt-oss-120b",
                     upstreams=("groq", "together", "nebius", "novita")),
                Door("groq", "groq", "openai", "openai/gpt-oss-120b")),
         fails_percent=14.0, latency_ms=1900, input_tokens=1200, output_tokens=380,
         streams_percent=50),
    Work(weight=3, operation=Operation.CHAT_COMPLETION, bucket=Bucket.MISTRAL,
         label="support-classifier",
         doors=(Door("vllm", "local", "openai", "support-classifier-7b"),),
         fails_percent=6.0, latency_ms=350, input_tokens=420, output_tokens=12),
    Work(weight=16, operation=Operation.EMBEDDING, bucket=Bucket.OPENAI,
         label="text-embedding-3-small", path="/v1/embeddings",
         doors=(Door("openai", "openai", "openai", "text-embedding-3-small"),),
         fails_percent=0.5, latency_ms=240, input_tokens=1400),
    Work(weight=6, operation=Operation.RERANK, bucket=Bucket.MISTRAL, label="rerank-v3.5",
         path="/v1/rerank", doors=(Door("cohere", "cohere", "cohere", "rerank-v3.5"),),
         latency_ms=420, counts={"search": (1, 1, 1, 2)}),
    Work(weight=5, operation=Operation.IMAGE_GENERATION, bucket=Bucket.STABILITY, label="dall-e-3",
         path="/v1/images/generations", doors=(Door("openai", "openai", "openai", "dall-e-3"),),
         fails_percent=5.0, latency_ms=14_000, counts={"image": (1,)},
         facts={"size": "1024x1024", "quality": "standard"}),
    Work(weight=9, operation=Operation.IMAGE_GENERATION, bucket=Bucket.STABILITY, label="flux",
         path="/v1/images/generations",
         doors=(Door("replicate", "replicate", "replicate", "black-forest-labs/flux-schnell"),
                Door("wavespeed", "wavespeed", "wavespeed",
                     "wavespeed-ai/qwen-image/text-to-image")),
         fails_percent=11.0, latency_ms=4200, counts={"image": (1, 1, 2, 4)}),
    Work(weight=3, operation=Operation.IMAGE_EDIT, bucket=Bucket.IMAGE_EDIT, label="image-edit",
         path="/v1/images/edits",
         doors=(Door("wavespeed", "wavespeed", "wavespeed", "alibaba/wan-2.5/image-edit"),),
         fails_percent=3.0, latency_ms=11_000, counts={"image": (1,)}),
    Work(weight=2, operation=Operation.VIDEO_GENERATION, bucket=Bucket.VIDEO, label="product-clip",
         path="/v1/videos",
         doors=(Door("google", "google", "gemini", "veo-3.1-fast-generate-preview"),
                Door("wavespeed", "wavespeed", "wavespeed", "alibaba/wan-2.5/text-to-video")),
         fails_percent=18.0, latency_ms=52_000, counts={"video_ms": (5000, 5000, 10_000)},
         facts={"resolution": "720p", "size": "1280x720"}),
    Work(weight=6, operation=Operation.AUDIO_SPEECH, bucket=Bucket.AUDIO, label="narration",
         path="/v1/audio/speech",
         doors=(Door("elevenlabs", "elevenlabs", "elevenlabs", "eleven_multilingual_v2"),
                Door("openai", "openai", "openai", "tts-1")),
         fails_percent=7.0, latency_ms=2900, counts={"character": (240, 480, 900, 1600)}),
    Work(weight=5, operation=Operation.AUDIO_TRANSCRIPTION, bucket=Bucket.AUDIO, label="whisper-1",
         path="/v1/audio/transcriptions", doors=(Door("openai", "openai", "openai", "whisper-1"),),
         fails_percent=2.0, latency_ms=3600, counts={"audio_ms": (30_000, 60_000, 180_000)}),
)  # fmt: skip

FOREIGN: Final = (
    Foreign(weight=7, record={"bucket": "tavily", "model": "search", "endpoint": "/search"},
            cost_usd="0.008", latency_ms=1400),
    Foreign(weight=4, record={"bucket": "serper", "model": "search", "endpoint": "/search"},
            cost_usd="0.001", latency_ms=800),
    Foreign(weight=3, record={"bucket": "exa", "model": "neural", "endpoint": "/search"},
            cost_usd="0.005", latency_ms=1700),
    Foreign(weight=6, record={"bucket": "gemini", "model": "gemini-2.5-flash",
                              "endpoint": "/v1beta/models/gemini-2.5-flash:generateContent"},
            tokens=(800, 200)),
    Foreign(weight=4, record={"bucket": "mistral", "model": "mistralai/Mistral-7B-Instruct-v0.3"},
            tokens=(700, 220), completed_percent=60),
    Foreign(weight=2, record={"bucket": "video", "model": "alibaba/wan-2.5/text-to-video",
                              "units": {"video_ms": 5000}}, cost_usd="0.5", latency_ms=61_000),
    Foreign(weight=2, record={"bucket": "stability", "model": "qwen-image",
                              "units": {"image": 1}}, cost_usd="0.02", latency_ms=5200),
    Foreign(weight=1, record={"bucket": "video", "model": "kling-v2.5-turbo",
                              "units": {"video_ms": 5000}}, latency_ms=61_000),
    Foreign(weight=2, record={"bucket": "audio", "model": "tts-1", "units": {"character": 700}}),
    Foreign(weight=2, record={"bucket": "stability", "model": "house-style-v3",
                              "units": {"image": 1}}, latency_ms=6000),
    Foreign(weight=2, record={"bucket": "audio", "model": "studio-voice-2"}, latency_ms=3100),
    Foreign(weight=2, record={"model": "internal-summarizer"}, tokens=(1500, 180),
            completed_percent=30),
)  # fmt: skip
