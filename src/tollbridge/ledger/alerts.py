"""When is somebody told that a limit is nearly used up, and in which words? Pure.

A threshold is told once for ever: by subject, period, limit and threshold. Where a jump passes
several at once, the highest alone is told, and those below it never are.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from tollbridge.core.amounts import UNIT_NAMES, amount_text
from tollbridge.core.clock import to_datetime
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.limits import LimitKind

THRESHOLDS = (50, 80, 90, 100)
"""In per cent of a limit, where nobody says otherwise."""
THRESHOLD_MAX = 1000
THRESHOLDS_MAX = 10
WARNING_FROM = 80
ERROR_FROM = 100
EXPIRY = 0
"""In place of a threshold: a grant will expire."""


class Source(StrEnum):
    """Of what an alert tells."""

    BUDGET = "budget"
    PLAN = "plan"
    WALLET = "wallet"
    GRANT = "grant"  # of a wallet, which expires


class Severity(StrEnum):
    """How urgent it is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one limit is used in a period."""

    source: Source
    limit_id: str
    name: str
    """What people call the limit."""
    subject: str
    kind: LimitKind
    used: int
    limit: int
    """In the kind's unit; 0 allows none."""
    period_start_us: int
    period_end_us: int | None
    """None where the period has no end."""
    bucket: str = ""
    """Where the limit counts one bucket alone."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is told."""

    alert_id: str
    standing: Standing
    threshold: int
    """In per cent; EXPIRY for a grant."""
    severity: Severity
    title: str
    message: str
    created_at_us: int
    superseded_at_us: int | None = None
    """Since when a higher threshold of the same limit and period has been told."""


def highest_crossed(standing: Standing, thresholds: Iterable[int]) -> int | None:
    """Return the highest threshold, in per cent, that is reached; None where none is.

    Of a limit that allows none, the first use reaches them all.
    """
    if standing.used <= 0:
        return None
    reached = [one for one in thresholds if standing.used * 100 >= one * standing.limit]
    return max(reached, default=None)


def severity_of(threshold: int) -> Severity:
    """Return how urgent it is that a threshold is reached."""
    if threshold >= ERROR_FROM:
        return Severity.ERROR
    return Severity.WARNING if threshold >= WARNING_FROM or threshold == EXPIRY else Severity.INFO


def words_of(standing: Standing, threshold: int) -> tuple[str, str]:
    """Return title and message."""
    used, limit = (
        amount_text(standing.kind, standing.used),
        amount_text(standing.kind, standing.limit),
    )
    unit = UNIT_NAMES.get(standing.kind, standing.kind.value)
    end = standing.period_end_us
    until = "" if end is None else f" It begins anew at {_instant(end)}."
    match standing.source:
        case Source.GRANT:
            title = f"Wallet {standing.name}: {used} {unit} expire"
            expiry = "" if end is None else f" at {_instant(end)}"
            return title, f"{used} of {limit} {unit} are left of a grant that expires{expiry}."
        case Source.WALLET:
            title = f"Wallet {standing.name}: {threshold} % used"
            left = amount_text(standing.kind, standing.limit - standing.used)
            return title, f"{left} {unit} are left of {limit} since the last top-up."
        case _:
            what = "Budget" if standing.source is Source.BUDGET else "Plan limit"
            title = f"{what} {standing.name}: {threshold} % used"
            return title, f"{used} of {limit} {unit} are used, for {standing.subject}.{until}"


def _instant(at_us: int) -> str:
    return f"{to_datetime(at_us):%Y-%m-%d %H:%M} UTC"


def check_thresholds(thresholds: Sequence[int]) -> tuple[int, ...]:
    """Return thresholds in order; none switches alerts off. Raises InvalidRequestError."""
    found = tuple(sorted(set(thresholds)))
    if len(found) > THRESHOLDS_MAX or any(not 0 < one <= THRESHOLD_MAX for one in found):
        raise InvalidRequestError(
            f"thresholds are at most {THRESHOLDS_MAX} whole numbers from 1 to {THRESHOLD_MAX}",
            details={"param": "thresholds"},
        )
    return found
