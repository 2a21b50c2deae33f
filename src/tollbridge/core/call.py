"""What is a call, who makes it, and in which words is it described?"""

import random
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from tollbridge.core.limits import LimitKind


class Category(StrEnum):
    """The kind of work that is asked for."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    EMBEDDING = "embedding"
    RERANK = "rerank"
    SEARCH = "search"


class Operation(StrEnum):
    """What a call asks a provider to do."""

    COMPLETION = "completion"
    CHAT_COMPLETION = "chat_completion"
    EMBEDDING = "embedding"
    RERANK = "rerank"
    IMAGE_GENERATION = "image_generation"
    IMAGE_EDIT = "image_edit"
    VIDEO_GENERATION = "video_generation"
    AUDIO_SPEECH = "audio_speech"
    AUDIO_TRANSCRIPTION = "audio_transcription"
    SEARCH = "search"  # by intake only


class Bucket(StrEnum):
    """The generic provider name that limits are counted by."""

    GEMINI = "gemini"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    MISTRAL = "mistral"
    WAVESPEED = "wavespeed"
    TAVILY = "tavily"
    SERPER = "serper"
    METAPHOR = "metaphor"
    FIRECRAWL = "firecrawl"
    STABILITY = "stability"
    EXA = "exa"
    VIDEO = "video"
    IMAGE_EDIT = "image_edit"
    AUDIO = "audio"


class Status(StrEnum):
    """Where a call stands."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Ending(StrEnum):
    """How a call ended. `cut_short` is what stands until something better is known."""

    CUT_SHORT = "cut_short"
    COMPLETE = "complete"
    CALLER_LEFT = "caller_left"
    CALLER_LEFT_BEFORE_FIRST_BYTE = "caller_left_before_first_byte"
    CALLER_STOPPED_READING = "caller_stopped_reading"
    PROVIDER_BROKE = "provider_broke"
    ALL_REFUSED = "all_refused"
    OVER_BUDGET = "over_budget"
    INTERNAL_ERROR = "internal_error"
    INTERRUPTED = "interrupted"  # declared by the drain: the process died while the call was open


class AttemptOutcome(StrEnum):
    """How one try of one endpoint ended."""

    CUT_SHORT = "cut_short"  # what stands until something better is known
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # refused, or broken before the request was written: nothing is owed
    BROKE = "broke"  # the answer began and did not end
    ABANDONED = "abandoned"  # we hung up because the caller left
    UNKNOWN = "unknown"  # written, and no answer: the provider may have worked and may bill


class ErrorClass(StrEnum):
    """Why an attempt failed (by body before status)."""

    INVALID_REQUEST = "invalid_request"
    CONTEXT_LENGTH = "context_length"
    UNSUPPORTED_PARAMETER = "unsupported_parameter"
    NOT_FOUND = "not_found"
    CONTENT_FILTERED = "content_filtered"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    UPSTREAM_ERROR = "upstream_error"
    MALFORMED_ANSWER = "malformed_answer"
    STREAM_ERROR = "stream_error"
    CONNECT = "connect"
    TIMEOUT = "timeout"
    BROKEN_CONNECTION = "broken_connection"


class OnCallerLeft(StrEnum):
    """What the relay does with the provider's answer when the caller has gone."""

    DRAIN = "drain"
    CANCEL = "cancel"


class OnContentFiltered(StrEnum):
    """Whether what one provider's filter refuses is asked of the next."""

    FINAL = "final"
    FALLBACK = "fallback"


CATEGORY_OF: Mapping[Operation, Category] = {
    Operation.COMPLETION: Category.TEXT,
    Operation.CHAT_COMPLETION: Category.TEXT,
    Operation.EMBEDDING: Category.EMBEDDING,
    Operation.RERANK: Category.RERANK,
    Operation.IMAGE_GENERATION: Category.IMAGE,
    Operation.IMAGE_EDIT: Category.IMAGE,
    Operation.VIDEO_GENERATION: Category.VIDEO,
    Operation.AUDIO_SPEECH: Category.AUDIO,
    Operation.AUDIO_TRANSCRIPTION: Category.AUDIO,
    Operation.SEARCH: Category.SEARCH,
}

MEDIA_BUCKET_OF: Mapping[Operation, Bucket] = {
    Operation.IMAGE_GENERATION: Bucket.STABILITY,
    Operation.IMAGE_EDIT: Bucket.IMAGE_EDIT,
    Operation.VIDEO_GENERATION: Bucket.VIDEO,
    Operation.AUDIO_SPEECH: Bucket.AUDIO,
    Operation.AUDIO_TRANSCRIPTION: Bucket.AUDIO,
}

VENDOR_BUCKETS = frozenset({Bucket.GEMINI, Bucket.OPENAI, Bucket.ANTHROPIC, Bucket.WAVESPEED})


class Caller(msgspec.Struct, frozen=True):
    """Who asks: the key, its user and its project, by the names they bore at that moment."""

    key_id: str
    key_name: str
    user: str
    project: str


class CreditTerms(msgspec.Struct, frozen=True, omit_defaults=True, rename={"minimum": "min"}):
    """How a call counts in credits, as it was agreed when the call came; one of the three ways."""

    tokens: int = 0
    """So many tokens are a credit."""
    minimum: int = 0
    """The least, in micro-credits, that a call counted by tokens takes."""
    image: int = 0
    """Micro-credits an image."""
    call: int = 0
    """Micro-credits a call."""


class Hold(msgspec.Struct, frozen=True, omit_defaults=True):
    """An amount of one limit set aside for one call, out of one lease.

    What it counts travels with the call, so that the books need not know what was configured.
    """

    lease_id: str
    budget_id: str
    period_start_us: int
    # By this name in the journal since the days when budgets were of money alone.
    amount: int = msgspec.field(name="amount_nanousd")
    """In the kind's unit: nano-USD, micro-credits, or a count."""
    kind: LimitKind = LimitKind.MONEY
    provider: str = ""
    """Only this provider's attempts count."""
    credits: CreditTerms | None = None


def bucket_of(operation: Operation, vendor: str | None) -> Bucket:
    """Return the bucket a live call counts in.

    `vendor` is the author of the requested label's model, where one is known. Media count in
    their category's bucket; text, embedding and rerank in their vendor's, else in `mistral`,
    the bucket of open-weight text.
    """
    media = MEDIA_BUCKET_OF.get(operation)
    if media is not None:
        return media
    if vendor == "google":
        return Bucket.GEMINI
    if vendor is not None and vendor in VENDOR_BUCKETS:
        return Bucket(vendor)
    return Bucket.MISTRAL


def new_id(now_us: int) -> str:
    """Return a new UUIDv7 as canonical text: sorted by its millisecond, 74 random bits."""
    chance = _chance(74)  # an id is no secret; it only must not repeat
    time = f"{now_us // 1000:012x}"
    rest = f"{chance & 0xFFFFFFFFFFFFFFF:015x}"
    return (
        f"{time[:8]}-{time[8:]}-7{chance >> 62:03x}-{8 | chance >> 60 & 3:x}{rest[:3]}-{rest[3:]}"
    )


def id_time_us(made_id: str) -> int | None:
    """Return when an id of `new_id` was made, to its millisecond; None for any other text."""
    digits = made_id.replace("-", "")
    if len(digits) != 32 or digits[12] != "7":
        return None
    try:
        return int(digits[:12], 16) * 1000
    except ValueError:
        return None


# Seeded by the system in each process; asking the system anew for each id costs more than the id.
_chance = random.getrandbits
