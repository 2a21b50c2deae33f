"""What goes from the books of calls to the ledger, and what when the two disagree?"""

import msgspec


class Settlement(msgspec.Struct, frozen=True):
    """One call's charge against one budget period, through the lease that it held from."""

    lease_id: str
    budget_id: str
    period_start_us: int
    charge_nanousd: int


class Discrepancy(msgspec.Struct, frozen=True):
    """Two figures of the books that should be equal and are not."""

    kind: str
    """What was compared: leased, spent, batch, a roll-up's name …"""
    subject: str
    """A call, a measure, a roll-up's interval and dimension, a budget period's account, a batch."""
    expected: int
    found: int
