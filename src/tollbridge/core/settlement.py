"""What goes from the books of calls to the ledger, and what when the two disagree?"""

import msgspec

from tollbridge.core.limits import LimitKind


class Settlement(msgspec.Struct, frozen=True):
    """What calls count against one limit's period, through the lease that they held from.

    Of a wallet it is one call's, which its statement names.
    """

    lease_id: str
    budget_id: str
    period_start_us: int
    amount: int
    """In the kind's unit: nano-USD, micro-credits, or a count."""
    kind: LimitKind = LimitKind.MONEY
    use: "CallUse | None" = None
    """What the call was, where a wallet pays for it."""


class CallUse(msgspec.Struct, frozen=True):
    """What a wallet's statement says of a call."""

    call_id: str
    operation: str
    model: str
    """The name that the application asked for."""
    tokens: int | None
    images: int | None


class Discrepancy(msgspec.Struct, frozen=True):
    """Two figures of the books that should be equal and are not."""

    kind: str
    """What was compared: leased, spent, batch, a roll-up's name …"""
    subject: str
    """A call, a measure, a roll-up's interval and dimension, a budget period's account, a batch."""
    expected: int
    found: int
