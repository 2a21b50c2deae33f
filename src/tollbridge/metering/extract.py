"""Where does a provider's answer say what was used, and what do its numbers mean?

Pure functions of plain values. The relay is handed `usage_of_answer` and `merge_usage` by the
composition root; `extract` reads what they gathered. A new dialect adds its rows to `PATHS`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import msgspec

from tollbridge.core.usage import Unit

COUNT_MAX = 10**12
"""A count above this is a fault of the provider, not a use."""
MERGE_DEPTH_MAX = 4
"""Objects nested deeper are replaced whole; no known usage object nests more than two deep."""
MERGE_FIELDS_MAX = 256
"""Fields of one merged object; more would let a provider fill our memory frame by frame."""

INPUT = Unit.INPUT.value
OUTPUT = Unit.OUTPUT.value
REASONING = Unit.REASONING.value
SERVICE_TIER = "service_tier"
"""The tier that really served: Anthropic says it in its usage, OpenAI beside it."""
FACT_LENGTH_MAX = 100
_FACTS = (
    (SERVICE_TIER, SERVICE_TIER),
    ("serviceTier", SERVICE_TIER),  # Gemini
    ("speed", "speed"),  # Anthropic: fast answers cost more
    ("inference_geo", "inference_geo"),  # Anthropic: so may those of one region
)
_FACT_FIELDS = frozenset(field for field, _ in _FACTS)
OTHER_MODEL = "other_model"
"""A flag: the provider ran another model too, whose tokens are not among the counts."""


class Paths(msgspec.Struct, frozen=True):
    """Where one dialect's usage object keeps its counts. Of several names the first valid wins."""

    counts: tuple[tuple[str, str], ...]
    """(field, unit) at the top of the object."""
    details: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """(field of a nested object, its (field, unit) pairs)."""
    cached_details: tuple[str, tuple[tuple[str, str], ...]] = ("", ())
    """Likewise, of an object nested in one of these: which parts of the cached tokens were what."""
    total: str = ""
    """The field that says how many tokens there were in all, where there is one."""
    added: tuple[tuple[str, str], ...] = ()
    """(field, whole): what the provider counts beside the whole that contains it with us."""
    modalities: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    """(field of a list that splits a count by modality, its (modality, unit) pairs)."""
    silent: str = ""
    """The unit that is left out where there was none of it."""
    usage: str = "usage"
    """The field of an answer that has the object."""
    holders: tuple[str, ...] = ("x_groq", "response")
    """Fields of an answer or a frame that may hold it instead of the answer itself."""


_INPUT_DETAILS = (
    ("cached_tokens", Unit.CACHE_READ.value),
    ("cache_write_tokens", Unit.CACHE_WRITE.value),
    ("audio_tokens", Unit.AUDIO_INPUT.value),
    ("image_tokens", Unit.IMAGE_INPUT.value),
    ("video_tokens", Unit.VIDEO_INPUT.value),
)
_CACHED_DETAILS = (
    ("audio_tokens", Unit.CACHE_AUDIO_READ.value),
    ("image_tokens", Unit.CACHE_IMAGE_READ.value),
)
_OUTPUT_DETAILS = (
    ("reasoning_tokens", REASONING),
    ("audio_tokens", Unit.AUDIO_OUTPUT.value),
    ("image_tokens", Unit.IMAGE_OUTPUT.value),
)

_OPENAI = Paths(
    counts=(
        ("prompt_tokens", INPUT),
        ("input_tokens", INPUT),  # the responses API's names
        ("completion_tokens", OUTPUT),
        ("output_tokens", OUTPUT),
        ("num_cached_tokens", Unit.CACHE_READ.value),  # Mistral
        ("cached_tokens", Unit.CACHE_READ.value),  # Together
        ("prompt_cache_hit_tokens", Unit.CACHE_READ.value),  # DeepSeek
    ),
    details=(
        ("prompt_tokens_details", _INPUT_DETAILS),
        ("input_tokens_details", _INPUT_DETAILS),
        ("input_token_details", _INPUT_DETAILS),  # of transcripts
        ("completion_tokens_details", _OUTPUT_DETAILS),
        ("output_tokens_details", _OUTPUT_DETAILS),
    ),
    cached_details=("cached_tokens_details", _CACHED_DETAILS),
    total="total_tokens",
)
# The input is without what the cache took or gave; thoughts are inside the output.
_ANTHROPIC = Paths(
    counts=(
        ("input_tokens", INPUT),
        ("output_tokens", OUTPUT),
        ("cache_creation_input_tokens", Unit.CACHE_WRITE.value),
        ("cache_read_input_tokens", Unit.CACHE_READ.value),
    ),
    details=(
        ("cache_creation", (("ephemeral_1h_input_tokens", Unit.CACHE_WRITE_1H.value),)),
        ("output_tokens_details", (("thinking_tokens", REASONING),)),
        ("server_tool_use", (("web_search_requests", Unit.WEB_SEARCH.value),)),
    ),
    added=(("cache_creation_input_tokens", INPUT), ("cache_read_input_tokens", INPUT)),
    holders=("message",),
)
_INPUT_MODALITIES = (
    ("AUDIO", Unit.AUDIO_INPUT.value),
    ("IMAGE", Unit.IMAGE_INPUT.value),
    ("VIDEO", Unit.VIDEO_INPUT.value),
)
# Thoughts are beside the candidates, what tools put into the prompt is beside the prompt; the
# candidates are left out where nothing could be seen of them.
_GEMINI = Paths(
    counts=(
        ("promptTokenCount", INPUT),
        ("candidatesTokenCount", OUTPUT),
        ("thoughtsTokenCount", REASONING),
        ("cachedContentTokenCount", Unit.CACHE_READ.value),
    ),
    details=(),
    total="totalTokenCount",
    added=(("thoughtsTokenCount", OUTPUT), ("toolUsePromptTokenCount", INPUT)),
    modalities=(
        ("promptTokensDetails", _INPUT_MODALITIES),
        ("promptTokenDetails", _INPUT_MODALITIES),  # of embeddings
        ("toolUsePromptTokensDetails", _INPUT_MODALITIES),
        (
            "candidatesTokensDetails",
            (
                ("AUDIO", Unit.AUDIO_OUTPUT.value),
                ("IMAGE", Unit.IMAGE_OUTPUT.value),
                ("VIDEO", Unit.VIDEO_OUTPUT.value),
            ),
        ),
        (
            "cacheTokensDetails",
            (("AUDIO", Unit.CACHE_AUDIO_READ.value), ("IMAGE", Unit.CACHE_IMAGE_READ.value)),
        ),
    ),
    silent=OUTPUT,
    usage="usageMetadata",
    holders=(),
)
# `tokens` beside `billed_units` counts a preamble that nobody pays for.
_COHERE = Paths(
    counts=(),
    details=(
        (
            "billed_units",
            (
                ("input_tokens", INPUT),
                ("output_tokens", OUTPUT),
                ("search_units", Unit.SEARCH.value),
            ),
        ),
    ),
    holders=("delta",),
)

PATHS: Mapping[str, Paths] = MappingProxyType(
    {
        "openai": _OPENAI,
        "azure": _OPENAI,
        "xai": _OPENAI,
        "aimlapi": _OPENAI,
        "piapi": _OPENAI,
        "huggingface": _OPENAI,
        "jina": _OPENAI,
        "anthropic": _ANTHROPIC,
        "gemini": _GEMINI,
        "cohere": _COHERE,
    }
)


def usage_of_answer(dialect: str, answer: object) -> dict[str, Any] | None:
    """Return the raw usage object of a decoded body or stream frame, None where there is none.

    Of several (Groq says it twice) only the first is taken; with the service tier that stands
    beside it. An unknown dialect has none.
    """
    paths = PATHS.get(dialect)
    if paths is None or not isinstance(answer, dict):
        return None
    body = cast("dict[str, Any]", answer)
    for holder in (body, *[body.get(name) for name in paths.holders]):
        if isinstance(holder, dict):
            inner = cast("dict[str, Any]", holder)
            usage = inner.get(paths.usage)
            if isinstance(usage, dict):
                said = inner.get(SERVICE_TIER, body.get(SERVICE_TIER))
                return _with_tier(cast("dict[str, Any]", usage), said)
    return None


def _with_tier(usage: dict[str, Any], tier: object) -> dict[str, Any]:
    """Return a usage object with the service tier that the answer states beside it."""
    if not isinstance(tier, str) or usage.get(SERVICE_TIER) is not None:
        return usage
    return {**usage, SERVICE_TIER: tier}


def facts_of(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return what else the answer says that a price may depend on."""
    facts: dict[str, str] = {}
    if _FACT_FIELDS.isdisjoint(raw):
        return facts
    for field, name in _FACTS:
        said = raw.get(field)
        if isinstance(said, str) and 0 < len(said) <= FACT_LENGTH_MAX and name not in facts:
            facts[name] = said.lower()
    return facts


def merge_usage(previous: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    """Return both usage objects as one: field-wise, later wins, null never overwrites.

    Providers that repeat usage in a stream send cumulative counts, so nothing is ever added up.
    Neither argument is changed.
    """
    return new if previous is None else _merge(previous, new, MERGE_DEPTH_MAX)


def _merge(previous: dict[str, Any], new: dict[str, Any], depth: int) -> dict[str, Any]:
    merged = dict(previous)
    for field, value in new.items():
        if value is None and field in merged:
            continue
        before = merged.get(field)
        if depth > 1 and isinstance(before, dict) and isinstance(value, dict):
            merged[field] = _merge(
                cast("dict[str, Any]", before), cast("dict[str, Any]", value), depth - 1
            )
        elif field in merged or len(merged) < MERGE_FIELDS_MAX:
            merged[field] = value
    return merged


def extract(
    dialect: str, raw: Mapping[str, Any], *, has_output: bool
) -> tuple[dict[str, int], list[str]]:
    """Read a raw usage object: counts per unit, and flags of what was wrong with it.

    `has_output` says whether the operation makes output tokens (a chat does, an embedding does
    not). An absent or null field stays absent; a zero stays zero; what is no integer between 0
    and COUNT_MAX is refused with the flag `count_refused:FIELD`.
    """
    counts: dict[str, int] = {}
    flags: list[str] = []
    paths = PATHS.get(dialect)
    if paths is None:
        return counts, ["dialect_unknown"]
    _read_all(paths, raw, counts, flags)
    if paths.silent and has_output and INPUT in counts:
        counts.setdefault(paths.silent, 0)
    if paths.added:
        _add_apart(paths, raw, counts)
    if "iterations" in raw and _names_other_model(raw):
        flags.append(OTHER_MODEL)
    total = raw.get(paths.total)
    if total is not None and _refused(total):
        flags.append(f"count_refused:{paths.total}")
        total = None
    if total is not None:
        _reconcile(counts, total, flags, has_output=has_output)
    elif counts.get(REASONING, 0) > counts.get(OUTPUT, COUNT_MAX):
        # More reasoning than output and no total to ask: it cannot be inside.
        counts[OUTPUT] += counts[REASONING]
        flags.append("reasoning_outside")
    return counts, flags


def _read_all(
    paths: Paths, raw: Mapping[str, Any], counts: dict[str, int], flags: list[str]
) -> None:
    """Read every count as the provider says it."""
    cached_field, cached_fields = paths.cached_details
    # Details first: their cached_tokens outrank the vendors' own names at the top.
    for holder, fields in paths.details:
        inner = raw.get(holder)
        if inner is not None and isinstance(inner, dict):
            details = cast("dict[str, Any]", inner)
            _read(details, fields, counts, flags)
            cached = details.get(cached_field)
            if isinstance(cached, dict):
                _read(cast("dict[str, Any]", cached), cached_fields, counts, flags)
    _read(raw, paths.counts, counts, flags)
    for field, parts in paths.modalities:
        _read_modalities(raw.get(field), field, parts, counts, flags)


def _add_apart(paths: Paths, raw: Mapping[str, Any], counts: dict[str, int]) -> None:
    """Add to its whole what the provider counts beside it."""
    for field, whole in paths.added:
        value = raw.get(field)
        if value is not None and whole in counts and not _refused(value):
            counts[whole] += value


def _names_other_model(raw: Mapping[str, Any]) -> bool:
    """Return whether an iteration of Anthropic's ran on a model whose tokens are counted nowhere.

    The counts at the top are those of the iterations of the type `message` alone.
    """
    iterations = raw.get("iterations")
    if not isinstance(iterations, list):
        return False
    for iteration in cast("list[Any]", iterations):
        if isinstance(iteration, dict):
            said = cast("dict[str, Any]", iteration)
            if said.get("model") is not None and said.get("type") != "message":
                return True
    return False


def _read_modalities(
    details: object,
    field: str,
    parts: tuple[tuple[str, str], ...],
    counts: dict[str, int],
    flags: list[str],
) -> None:
    """Add up what a list of {modality, tokenCount} says."""
    if not isinstance(details, list):
        return
    units = dict(parts)
    for detail in cast("list[Any]", details):
        if not isinstance(detail, dict):
            continue
        said = cast("dict[str, Any]", detail)
        unit = units.get(str(said.get("modality")))
        value = said.get("tokenCount")
        if unit is None or value is None:
            continue
        if _refused(value):
            flags.append(f"count_refused:{field}")
        else:
            counts[unit] = counts.get(unit, 0) + value


def _refused(value: object) -> bool:
    # A JSON true is a Python int; type() tells them apart.
    return type(value) is not int or not 0 <= value <= COUNT_MAX


def _read(
    holder: Mapping[str, Any],
    fields: tuple[tuple[str, str], ...],
    counts: dict[str, int],
    flags: list[str],
) -> None:
    for field, unit in fields:
        value = holder.get(field)
        if value is None or unit in counts:
            continue
        # As `_refused` has it, without the call: this is on each call's way, many times.
        if type(value) is int and 0 <= value <= COUNT_MAX:
            counts[unit] = value
        else:
            flags.append(f"count_refused:{field}")


def _reconcile(counts: dict[str, int], total: int, flags: list[str], *, has_output: bool) -> None:
    """Hold the counts against the total: the one rule that survives vendors' drift.

    total = input + output: reasoning is inside the output. total = input + output + reasoning:
    it is outside, and is added. Any other surplus is output that nobody classified.
    """
    whole_input, output = counts.get(INPUT), counts.get(OUTPUT)
    if whole_input is None and output is None:
        if has_output:
            flags.append("total_only")  # cannot be split
        else:
            counts[INPUT] = total
        return
    surplus = total - (whole_input or 0) - (output or 0)
    if surplus < 0:
        flags.append("total_mismatch")
    elif whole_input is None:
        counts[INPUT] = surplus
        flags.append("input_derived")
    elif output is None:
        if surplus or has_output:
            counts[OUTPUT] = surplus
            flags.append("output_derived")
    elif surplus:
        counts[OUTPUT] = output + surplus
        if surplus != counts.get(REASONING):
            flags.append("unclassified_output")
