"""What holds a call back, and how do workers and the office agree on what is left?

Every limit is held the same way: the office grants amounts of it to workers (leases), a worker
keeps what it was granted in a purse and takes from there without asking. What a budget, a plan or
a wallet counts is kept in the database (`DURABLE`); calls per minute and concurrent calls are
counted by the office of the node, in memory.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec


class LimitKind(StrEnum):
    """What a limit counts."""

    MONEY = "money"  # nano-USD
    CREDITS = "credits"  # micro-credits: 1 credit is 1,000,000
    CALLS = "calls"
    TOKENS = "tokens"
    IMAGES = "images"
    VIDEOS = "videos"  # calls for films
    AUDIO = "audio"  # calls for speech and transcription
    CALLS_PER_MINUTE = "calls_per_minute"
    CONCURRENT_CALLS = "concurrent_calls"


DURABLE = frozenset(LimitKind) - {LimitKind.CALLS_PER_MINUTE, LimitKind.CONCURRENT_CALLS}
"""What is counted in the database, over a period and all nodes."""
WALLET_PREFIX = "wallet:"
"""How the id of a wallet's limit begins."""
MODEL_LENGTH_MAX = 256
"""Of the name that an application asks for, wherever a route, a limit or a statement says it."""
CATEGORY_COUNTED: Mapping[LimitKind, str] = MappingProxyType(
    {LimitKind.IMAGES: "image", LimitKind.VIDEOS: "video", LimitKind.AUDIO: "audio"}
)
"""The only category whose calls a kind counts."""


class Selector(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of a subject's calls, which ones count? What is empty lets every call count."""

    buckets: tuple[str, ...] = ()
    category: str = ""
    model: str = ""
    """The name that the application asks for."""
    provider: str = ""
    """Counts at the attempt: what this provider was asked, whatever else served the call."""


EVERY_CALL = Selector()


class Limit(msgspec.Struct, frozen=True, omit_defaults=True):
    """One limit that applies to calls."""

    limit_id: str
    kind: LimitKind
    name: str
    amount: int
    """In the kind's unit: nano-USD, micro-credits, or a count."""
    period: str = "month"
    """hour, day, week, month, quarter, year or total; ignored by what is counted in memory."""
    hard: bool = True
    """False: nothing is refused for it; what is used is counted all the same."""
    selector: Selector = EVERY_CALL


class Need(msgspec.Struct, frozen=True, array_like=True):
    """So much of one limit: `needed` for the waiting call, `wanted` to have some in stock."""

    limit_id: str
    needed: int
    wanted: int


class LeaseRequest(msgspec.Struct, frozen=True, tag="lease_request"):
    """A worker asks for amounts of all these limits, all or none.

    `request_id` 0 is a refill that nobody waits for. `deadline_us` bounds how long the office may
    look for room before it must answer.
    """

    request_id: int
    needs: tuple[Need, ...]
    deadline_us: int = 0


class Granted(msgspec.Struct, frozen=True, array_like=True):
    """An amount added to one worker's lease."""

    limit_id: str
    lease_id: str
    period_start_us: int
    period_end_us: int
    amount: int


class LeaseGrant(msgspec.Struct, frozen=True, tag="lease_grant"):
    """The office's yes."""

    request_id: int
    granted: tuple[Granted, ...]


class LeaseRefusal(msgspec.Struct, frozen=True, tag="lease_refusal"):
    """The office's no: which limit has no room, and what is known of it."""

    request_id: int
    limit_id: str
    used: int
    limit: int
    resets_at_us: int
    available: int = 0


class LeaseRecall(msgspec.Struct, frozen=True, tag="lease_recall"):
    """The office asks all workers to return what they do not need of one limit now."""

    limit_id: str


class Returned(msgspec.Struct, frozen=True, array_like=True):
    """A free amount that goes back."""

    limit_id: str
    lease_id: str
    amount: int


class LeaseReturn(msgspec.Struct, frozen=True, tag="lease_return"):
    """A worker gives free amounts back."""

    returned: tuple[Returned, ...]


class LeaseCorrection(msgspec.Struct, frozen=True, tag="lease_correction"):
    """What was posted differs from what the worker took: spent changes by `difference`."""

    lease_id: str
    limit_id: str
    difference: int


class PurseState(msgspec.Struct, frozen=True, array_like=True):
    """What a worker holds of one limit; told to an office that has just started."""

    limit_id: str
    lease_id: str
    period_start_us: int
    granted: int
    held: int
    spent: int
    returned: int
