"""How much of pictures, sounds and words may one call bring, or ask for?"""

import msgspec


class MediaLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one call for media; what is beyond is refused before any provider is asked."""

    prompt_characters_max: int = 32_000
    """The longest that any image model takes."""
    images_max: int = 10
    """Pictures that one call may ask for."""
    images_given_max: int = 16
    """Pictures that one call may bring."""
    image_bytes_max: int = 20 * 1024 * 1024
    image_side_px_max: int = 8192
    speech_characters_max: int = 40_000
    """Characters that are to be spoken in one call."""
    audio_bytes_max: int = 25 * 1024 * 1024
    documents_max: int = 1000
    """Documents of one call for rerank."""
    form_parts_max: int = 64


DEFAULT_LIMITS = MediaLimits()
# What was checked once is not checked again by other bounds than it was.
UNBOUNDED = MediaLimits(
    prompt_characters_max=2**31,
    images_max=2**20,
    images_given_max=2**20,
    image_bytes_max=2**40,
    image_side_px_max=2**20,
    speech_characters_max=2**31,
    audio_bytes_max=2**40,
    documents_max=2**20,
    form_parts_max=2**20,
)
