"""What is counted of media finds its price among those that come with the program."""

from decimal import Decimal

import pytest

from tests.support.media import NOVEMBER_US, seed_book
from tollbridge.core.money import to_usd
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.rating.rate import rate

HD = {"size": "1024x1792", "quality": "hd"}


@pytest.mark.parametrize(
    ("provider", "model", "counts", "facts", "usd"),
    [
        ("openai", "dall-e-3", {"image": 1}, HD, "0.12"),
        ("openai", "dall-e-3", {"image": 1}, {**HD, "quality": "standard"}, "0.08"),
        ("openai", "gpt-image-1", {"image": 2}, {"size": "1536x1024", "quality": "low"}, "0.032"),
        (
            "openai",
            "gpt-image-1",
            {"image": 1, "input": 50, "output": 4160, "image_output": 4160},
            {"size": "1024x1024", "quality": "high"},
            "0.16665",
        ),
        ("replicate", "black-forest-labs/flux-schnell", {"image": 4}, {}, "0.012"),
        (
            "replicate",
            "black-forest-labs/flux-schnell",
            {"image": 4, "compute_ms": 1210, "pixel": 4_194_304},
            {},
            "0.012",
        ),
        ("wavespeed", "flux-kontext-pro", {"image": 2, "pixel": 2_097_152}, {}, "0.08"),
        ("stability", "stable-image-core", {"image": 1}, {"size": "1024x1024"}, "0.03"),
        ("stability", "edit/inpaint", {"image": 1}, {"size": "1024x1024"}, "0.05"),
        ("elevenlabs", "eleven_multilingual_v2", {"character": 420}, {}, "0.042"),
        ("openai", "tts-1", {"character": 1234, "audio_ms": 80_000}, {}, "0.01851"),
        ("openai", "whisper-1", {"audio_ms": 36_710}, {}, "0.0037"),
        ("groq", "whisper-large-v3-turbo", {"audio_ms": 90_000}, {}, "0.001"),
        ("cohere", "rerank-v3.5", {"search": 1}, {}, "0.002"),
        ("cohere", "rerank-v3.5", {"search": 1, "input": 150}, {}, "0.002"),
        (
            "jina",
            "jina-reranker-v2-base-multilingual",
            {"search": 1, "input": 815},
            {},
            "0.00004075",
        ),
        (
            "wavespeed",
            "alibaba/wan-2.5/text-to-video",
            {"video": 1, "video_ms": 5000},
            {"resolution": "720p", "duration_s": "5"},
            "0.5",
        ),
        (
            "openai",
            "sora-2-pro",
            {"video": 1, "video_ms": 8000},
            {"size": "1792x1024", "duration_s": "8"},
            "4",
        ),
        (
            "xai",
            "grok-imagine-image-2.0",
            {"image": 1},
            {"quality": "low", "size": "1024x1024"},
            "0.04",
        ),
    ],
)
def test_what_was_made_costs_what_the_list_says(
    provider: str, model: str, counts: dict[str, int], facts: dict[str, str], usd: str
) -> None:
    usage = Usage(counts, UsageSource.REPORTED, facts=facts)
    rated = rate(usage, provider, (model,), NOVEMBER_US, seed_book())
    assert rated.cost_nanousd is not None, rated.unpriced_reason
    assert to_usd(rated.cost_nanousd) == Decimal(usd)
    lines = sum(Decimal(component.amount_usd) for component in rated.components)
    assert lines + Decimal(rated.rounding_usd) == Decimal(usd)
