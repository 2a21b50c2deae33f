"""What do others call our units, and for how many of them is their price?

One table for the configuration file, imports, exports and the API. A name that prices nothing
that we count stands in `SKIPPED`, with the reason.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from tollbridge.core.usage import Unit


class Priced(NamedTuple):
    """A price is for `per` of `unit`."""

    unit: str
    per: int


MILLION = 1_000_000
THOUSAND = 1_000
HOUR_MS = 3_600_000

# How many of a unit a price is stated for where nobody says otherwise.
PER_OF: Mapping[str, int] = MappingProxyType(
    {
        **{unit.value: MILLION for unit in Unit},
        Unit.IMAGE.value: 1,
        Unit.VIDEO.value: 1,
        Unit.VIDEO_MS.value: THOUSAND,
        Unit.AUDIO_MS.value: THOUSAND,
        Unit.COMPUTE_MS.value: THOUSAND,
        Unit.MESSAGE.value: THOUSAND,
        Unit.PAGE.value: 1,
        Unit.ANNOTATED_PAGE.value: 1,
        Unit.WEB_SEARCH.value: 1,
        Unit.STORAGE_SEARCH.value: 1,
        Unit.SEARCH.value: 1,
        Unit.REQUEST.value: 1,
    }
)

PIECES = frozenset(
    {
        Unit.IMAGE,
        Unit.PIXEL,
        Unit.PIXEL_FRAME,
        Unit.VIDEO,
        Unit.VIDEO_MS,
        Unit.AUDIO_MS,
        Unit.CHARACTER,
        Unit.COMPUTE_MS,
        Unit.MESSAGE,
        Unit.PAGE,
        Unit.ANNOTATED_PAGE,
        Unit.WEB_SEARCH,
        Unit.STORAGE_SEARCH,
        Unit.SEARCH,
        Unit.REQUEST,
    }
)
"""What is not counted in tokens."""
TOKENS = frozenset(unit.value for unit in Unit if unit not in PIECES)

# Names of the configuration file and the API: tokens per million, everything else per one.
FILE_NAMES: Mapping[str, Priced] = MappingProxyType(
    {
        **{unit: Priced(unit, MILLION) for unit in sorted(TOKENS)},
        "cache_write_5m": Priced(Unit.CACHE_WRITE.value, MILLION),
        "image": Priced(Unit.IMAGE.value, 1),
        "megapixel": Priced(Unit.PIXEL.value, MILLION),
        "megapixel_frame": Priced(Unit.PIXEL_FRAME.value, MILLION),
        "video": Priced(Unit.VIDEO.value, 1),
        "video_second": Priced(Unit.VIDEO_MS.value, THOUSAND),
        "audio_second": Priced(Unit.AUDIO_MS.value, THOUSAND),
        "audio_minute": Priced(Unit.AUDIO_MS.value, 60 * THOUSAND),
        "audio_hour": Priced(Unit.AUDIO_MS.value, HOUR_MS),
        "character": Priced(Unit.CHARACTER.value, 1),
        "compute_second": Priced(Unit.COMPUTE_MS.value, THOUSAND),
        "message": Priced(Unit.MESSAGE.value, 1),
        "page": Priced(Unit.PAGE.value, 1),
        "annotated_page": Priced(Unit.ANNOTATED_PAGE.value, 1),
        "web_search": Priced(Unit.WEB_SEARCH.value, 1),
        "storage_search": Priced(Unit.STORAGE_SEARCH.value, 1),
        "search": Priced(Unit.SEARCH.value, 1),
        "request": Priced(Unit.REQUEST.value, 1),
    }
)

# Units of media_prices.csv, which say how many they are for.
MEDIA_NAMES: Mapping[str, Priced] = MappingProxyType(
    {
        "1M_input_tokens": Priced(Unit.INPUT.value, MILLION),
        "1M_cached_input_tokens": Priced(Unit.CACHE_READ.value, MILLION),
        "1M_cache_write_tokens": Priced(Unit.CACHE_WRITE.value, MILLION),
        "1M_cache_write_5m_tokens": Priced(Unit.CACHE_WRITE.value, MILLION),
        "1M_cache_write_1h_tokens": Priced(Unit.CACHE_WRITE_1H.value, MILLION),
        "1M_input_audio_tokens": Priced(Unit.AUDIO_INPUT.value, MILLION),
        "1M_input_image_tokens": Priced(Unit.IMAGE_INPUT.value, MILLION),
        "1M_output_tokens": Priced(Unit.OUTPUT.value, MILLION),
        "1M_output_audio_tokens": Priced(Unit.AUDIO_OUTPUT.value, MILLION),
        "1M_output_image_tokens": Priced(Unit.IMAGE_OUTPUT.value, MILLION),
        "1K_characters": Priced(Unit.CHARACTER.value, THOUSAND),
        "1M_characters": Priced(Unit.CHARACTER.value, MILLION),
        "1K_searches": Priced(Unit.SEARCH.value, THOUSAND),
        "1K_calls": Priced(Unit.REQUEST.value, THOUSAND),
        "call": Priced(Unit.REQUEST.value, 1),
    }
)

# Price keys of genai-prices.
GENAI_NAMES: Mapping[str, Priced] = MappingProxyType(
    {
        "input_mtok": Priced(Unit.INPUT.value, MILLION),
        "cache_read_mtok": Priced(Unit.CACHE_READ.value, MILLION),
        "cache_write_mtok": Priced(Unit.CACHE_WRITE.value, MILLION),
        "cache_write_5m_mtok": Priced(Unit.CACHE_WRITE.value, MILLION),
        "cache_write_1h_mtok": Priced(Unit.CACHE_WRITE_1H.value, MILLION),
        "input_audio_mtok": Priced(Unit.AUDIO_INPUT.value, MILLION),
        "input_image_mtok": Priced(Unit.IMAGE_INPUT.value, MILLION),
        "input_video_mtok": Priced(Unit.VIDEO_INPUT.value, MILLION),
        "cache_audio_read_mtok": Priced(Unit.CACHE_AUDIO_READ.value, MILLION),
        "cache_image_read_mtok": Priced(Unit.CACHE_IMAGE_READ.value, MILLION),
        "output_mtok": Priced(Unit.OUTPUT.value, MILLION),
        "output_reasoning_mtok": Priced(Unit.REASONING.value, MILLION),
        "output_audio_mtok": Priced(Unit.AUDIO_OUTPUT.value, MILLION),
        "output_image_mtok": Priced(Unit.IMAGE_OUTPUT.value, MILLION),
        "output_video_mtok": Priced(Unit.VIDEO_OUTPUT.value, MILLION),
        "output_citation_mtok": Priced(Unit.CITATION.value, MILLION),
        "input_mchars": Priced(Unit.CHARACTER.value, MILLION),
        "input_text_messages_kcount": Priced(Unit.MESSAGE.value, THOUSAND),
        "audio_hours": Priced(Unit.AUDIO_MS.value, HOUR_MS),
        "input_document_kpages": Priced(Unit.PAGE.value, THOUSAND),
        "input_annotated_document_kpages": Priced(Unit.ANNOTATED_PAGE.value, THOUSAND),
        "rerank_searches_kcount": Priced(Unit.SEARCH.value, THOUSAND),
        "web_searches_kcount": Priced(Unit.WEB_SEARCH.value, THOUSAND),
        "storage_searches_kcount": Priced(Unit.STORAGE_SEARCH.value, THOUSAND),
        "requests_kcount": Priced(Unit.REQUEST.value, THOUSAND),
    }
)

_NOT_REPORTED = "no provider that we read reports this split; it is billed in the unit around it"

SKIPPED: Mapping[str, str] = MappingProxyType(
    {
        "1K_tokens": "a label by which routes were chosen, not a tariff",
        "input_audio_hours": "the same figure as audio_hours, for its input side: one is enough",
        "output_audio_hours": "sound that is made is counted by audio_hours, whoever made it",
        "input_gpixels": "pixels are counted of what is made, not of what is given",
        "social_searches_kcount": "no answer that we read says how many there were",
        "code_executions_kcount": "no answer that we read says how many there were",
    }
)


def find(name: str) -> Priced | None:
    """Return what an outside name prices, None where it is unknown or skipped."""
    return FILE_NAMES.get(name) or MEDIA_NAMES.get(name) or GENAI_NAMES.get(name)


def why_skipped(name: str) -> str | None:
    """Return why a known name is not read, None where it is read or unknown."""
    if name in SKIPPED:
        return SKIPPED[name]
    # Text, tool and other splits of genai-prices that no unit of ours has.
    return _NOT_REPORTED if name.endswith("_mtok") and name not in GENAI_NAMES else None
