"""What holds a call back, and how do workers and the office agree on what is left?

Every limit is held the same way: the office grants amounts of it to workers (leases), a worker
keeps what it was granted in a purse and takes from there without asking. Money is counted in
nano-USD and kept in the database; calls per minute and concurrent calls are counted by the office
of the node, in memory.
"""

from enum import StrEnum

import msgspec


class LimitKind(StrEnum):
    """What a limit counts."""

    MONEY = "money"
    CALLS_PER_MINUTE = "calls_per_minute"
    CONCURRENT_CALLS = "concurrent_calls"


class Limit(msgspec.Struct, frozen=True, omit_defaults=True):
    """One hard limit that applies to a key's calls."""

    limit_id: str
    kind: LimitKind
    name: str
    amount: int
    """nano-USD for money, else a count."""
    period: str = "month"
    """hour, day, week, month, quarter, year or total for money; ignored for the others."""


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
    """The posted charge differs from what the worker took: spent changes by `difference`."""

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
