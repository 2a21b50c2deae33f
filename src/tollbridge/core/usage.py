"""How much was used, in which units, and how sure are we?"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Unit(StrEnum):
    """What is counted, always in whole numbers: therefore milliseconds and pixels.

    Counts are inclusive: `input` contains its cached, audio and image parts.
    """

    # Tokens
    INPUT = "input"
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"  # of the provider's default lifetime, and of any
    CACHE_WRITE_1H = "cache_write_1h"
    AUDIO_INPUT = "audio_input"
    IMAGE_INPUT = "image_input"
    VIDEO_INPUT = "video_input"
    CACHE_AUDIO_READ = "cache_audio_read"
    CACHE_IMAGE_READ = "cache_image_read"
    OUTPUT = "output"
    REASONING = "reasoning"
    AUDIO_OUTPUT = "audio_output"
    IMAGE_OUTPUT = "image_output"
    VIDEO_OUTPUT = "video_output"
    CITATION = "citation"
    # Pictures, films and sound
    IMAGE = "image"
    PIXEL = "pixel"  # summed over the images
    PIXEL_FRAME = "pixel_frame"  # summed over the frames of all videos
    VIDEO = "video"  # clips
    VIDEO_MS = "video_ms"
    AUDIO_MS = "audio_ms"
    CHARACTER = "character"
    # The rest
    COMPUTE_MS = "compute_ms"
    MESSAGE = "message"
    PAGE = "page"
    ANNOTATED_PAGE = "annotated_page"
    WEB_SEARCH = "web_search"
    STORAGE_SEARCH = "storage_search"
    SEARCH = "search"  # a rerank's search unit
    REQUEST = "request"


# What a unit is counted in too. Where it has a price of its own, the billable count of each of
# these is itself without it. A part of two wholes is named in both: a lattice, not a tree.
PARENTS_OF: Mapping[Unit, tuple[Unit, ...]] = {
    Unit.CACHE_READ: (Unit.INPUT,),
    Unit.CACHE_WRITE: (Unit.INPUT,),
    Unit.CACHE_WRITE_1H: (Unit.CACHE_WRITE,),
    Unit.AUDIO_INPUT: (Unit.INPUT,),
    Unit.IMAGE_INPUT: (Unit.INPUT,),
    Unit.VIDEO_INPUT: (Unit.INPUT,),
    Unit.CACHE_AUDIO_READ: (Unit.CACHE_READ, Unit.AUDIO_INPUT),
    Unit.CACHE_IMAGE_READ: (Unit.CACHE_READ, Unit.IMAGE_INPUT),
    Unit.REASONING: (Unit.OUTPUT,),
    Unit.AUDIO_OUTPUT: (Unit.OUTPUT,),
    Unit.IMAGE_OUTPUT: (Unit.OUTPUT,),
    Unit.VIDEO_OUTPUT: (Unit.OUTPUT,),
    Unit.CITATION: (Unit.OUTPUT,),
    Unit.ANNOTATED_PAGE: (Unit.PAGE,),
}


class UsageSource(StrEnum):
    """Where the counts come from."""

    REPORTED = "reported"  # the provider said so
    DRAINED = "drained"  # the provider said so after the caller had left
    ESTIMATED = "estimated"  # the provider said nothing; counted from bytes and chunks
    NONE = "none"  # nothing is known


class Usage(msgspec.Struct, frozen=True):
    """Counts per unit with their source. An absent unit is unknown, never zero."""

    counts: dict[str, int]
    source: UsageSource
    flags: tuple[str, ...] = ()
    reported_charge_usd: str | None = None
    """What the provider says it charged, decimal text in USD, where it says so."""
    facts: dict[str, str] = {}
    """What else a price may depend on, as the answer has it: service_tier, size, quality …"""

    def get(self, unit: str) -> int | None:
        """Return the count of one unit, None where it is unknown."""
        return self.counts.get(unit)


UPSTREAM = "upstream"
"""The fact that says who ran the model behind an aggregator: a price may depend on it."""
FACTS = frozenset(
    {
        UPSTREAM,
        "audio",
        "duration_s",
        "inference_geo",
        "quality",
        "resolution",
        "service_tier",
        "size",
        "speed",
        "variant",
    }
)
"""Every fact that any wire format tells: a price that waits for another one never holds."""
NO_USAGE = Usage(counts={}, source=UsageSource.NONE)
