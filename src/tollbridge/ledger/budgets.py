"""What is a budget, and whom does it bind?"""

from enum import StrEnum

import msgspec

from tollbridge.core.errors import ConfigurationError
from tollbridge.core.limits import Limit
from tollbridge.ledger.periods import PERIODS

SUBJECT_KINDS = ("organisation", "project", "user", "key", "customer")
NAME_LENGTH_MAX = 128
SUBJECT_LENGTH_MAX = 255
# 10^18 nano-USD: a billion dollars, with room to spare in 64 bits for sums.
LIMIT_NANOUSD_MAX = 10**18


class BudgetSource(StrEnum):
    """Who may change a budget."""

    FILE = "file"
    API = "api"


class BudgetTerms(msgspec.Struct, frozen=True):
    """What a budget says. `subject` is `key:ci`, `user:…`, `project:…`, `customer:…` …"""

    name: str
    subject: str
    limit_nanousd: int
    period: str = "month"
    hard: bool = True


class BudgetRow(msgspec.Struct, frozen=True):
    """A budget as the control plane shows it."""

    budget_id: str
    terms: BudgetTerms
    enabled: bool
    source: str
    created_at_us: int
    updated_at_us: int


class BudgetEntry(msgspec.Struct, frozen=True):
    """One hard budget for the workers: `limit.limit_id` is the budget's id."""

    limit: Limit
    subject: str


class LimitsPart(msgspec.Struct):
    """The hard budgets in force: what the snapshot of limits is compiled from."""

    budgets: list[BudgetEntry] = []


class BudgetsApplied(msgspec.Struct, frozen=True):
    """What applying the configuration file's budgets did, by name."""

    changed: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()
    """Declared, but of that name there is a budget that the file does not own."""


class LeaseOutstanding(msgspec.Struct, frozen=True):
    """A lease that still counts, and how much of it nobody has settled or returned."""

    lease_id: str
    budget_id: str
    budget_name: str | None
    period_start_us: int
    node: str
    worker: str
    state: str
    outstanding_nanousd: int


class PeriodState(msgspec.Struct, frozen=True):
    """One budget's running period: half-open, counters in nano-USD."""

    budget_id: str
    period_start_us: int
    period_end_us: int
    spent_nanousd: int
    leased_nanousd: int


def check_terms(terms: BudgetTerms) -> None:
    """Raise ConfigurationError, naming the field, where a budget cannot be kept."""
    kind, colon, name = terms.subject.partition(":")
    if not 0 < len(terms.name) <= NAME_LENGTH_MAX:
        raise ConfigurationError(f"a budget's name has 1 to {NAME_LENGTH_MAX} characters")
    where = f"budget {terms.name!r}"
    if not colon or not name or kind not in SUBJECT_KINDS:
        raise ConfigurationError(
            f"{where}: subject is one of {', '.join(SUBJECT_KINDS)}, a colon and a name",
        )
    if len(terms.subject) > SUBJECT_LENGTH_MAX:
        raise ConfigurationError(f"{where}: subject has at most {SUBJECT_LENGTH_MAX} characters")
    if terms.period not in PERIODS:
        raise ConfigurationError(f"{where}: period is one of {', '.join(PERIODS)}")
    if not 0 <= terms.limit_nanousd <= LIMIT_NANOUSD_MAX:
        raise ConfigurationError(f"{where}: the limit is between 0 and a billion US dollars")
