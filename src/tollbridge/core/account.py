"""What was concluded from a call's evidence: usage, provider, price?"""

from enum import StrEnum

import msgspec

from tollbridge.core.call import Status
from tollbridge.core.evidence import AttemptEvidence, CallEvidence
from tollbridge.core.usage import Usage

OVERRUN = "overrun"
"""The flag of what cost more than was free for it."""
CHARGED = "charged"
"""The flag of what somebody else carried and our budgets pay for."""


class Confidence(StrEnum):
    """How sure we are of who served, strongest first."""

    REPORTED = "reported"
    OBSERVED = "observed"
    STRONG = "strong"
    WEAK = "weak"
    ASSUMED = "assumed"
    NONE = "none"


class CostOrigin(StrEnum):
    """Whose figure the cost is."""

    REPORTED = "reported"
    COMPUTED = "computed"
    NOTHING_OWED = "nothing_owed"  # refused, or never written


class Attribution(msgspec.Struct, frozen=True):
    """Who served, by which rule, how sure."""

    provider: str
    rule_id: str
    confidence: Confidence
    evidence: str
    upstream_provider: str | None = None


class CostComponent(msgspec.Struct, frozen=True):
    """One line of a price: quantity times rate. Decimals are text."""

    unit: str
    quantity: int
    rate_usd: str
    per: int
    """How many units the rate is for: 1,000,000 for tokens."""
    amount_usd: str
    price_version_id: str


class Rated(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an attempt costs. `cost_nanousd` None is unknown, with a reason."""

    cost_nanousd: int | None
    origin: CostOrigin | None = None
    computed_nanousd: int | None = None
    reported_nanousd: int | None = None
    components: tuple[CostComponent, ...] = ()
    rounding_usd: str = "0"
    """Cost minus the exact sum of the components, so that Σ components = cost."""
    unpriced_reason: str | None = None
    source: str | None = None
    """database or seed: where the price rows came from."""


class AttemptAccount(msgspec.Struct, frozen=True):
    """One attempt with its conclusions."""

    evidence: AttemptEvidence
    usage: Usage
    attribution: Attribution
    rated: Rated


class CallAccount(msgspec.Struct, frozen=True):
    """One call with its conclusions: what is settled and recorded."""

    evidence: CallEvidence
    attempts: tuple[AttemptAccount, ...]
    status: Status
    usage: Usage
    attribution: Attribution
    cost_nanousd: int | None
    """Σ of the attempts' costs; None where one of them is unknown."""
    charge_nanousd: int
    """What the account pays: the cost, 0 where it is unknown (and then flagged unpriced)."""
    accounted_at_us: int
    amounts: tuple[int, ...] = ()
    """What counts in the limit of each of `opened.holds`, in the unit of its kind."""
    flags: tuple[str, ...] = ()
    """unpriced, estimated, overrun, unknown_outcome …"""
