"""What is a budget, and whom does it bind?"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from tollbridge.core.amounts import AMOUNT_MAX, amount_text
from tollbridge.core.call import Bucket, Category
from tollbridge.core.errors import ConfigurationError
from tollbridge.core.limits import (
    CATEGORY_COUNTED,
    DURABLE,
    MODEL_LENGTH_MAX,
    Limit,
    LimitKind,
    Selector,
)
from tollbridge.ledger.periods import PERIODS

SUBJECT_KINDS = ("organisation", "project", "user", "key", "customer")
NAME_LENGTH_MAX = 128
SUBJECT_LENGTH_MAX = 255
PROVIDER_LENGTH_MAX = 64


LIMIT_FIELDS: Mapping[str, LimitKind] = MappingProxyType(
    {
        "limit_usd": LimitKind.MONEY,
        "limit_credits": LimitKind.CREDITS,
        "limit_calls": LimitKind.CALLS,
        "limit_tokens": LimitKind.TOKENS,
        "limit_images": LimitKind.IMAGES,
        "limit_videos": LimitKind.VIDEOS,
        "limit_audio": LimitKind.AUDIO,
    }
)
"""By which name a limit of each kind is said, wherever budgets are declared."""
SELECTOR_FIELDS = ("bucket", "category", "model", "provider")


class BudgetSource(StrEnum):
    """Who may change a budget."""

    FILE = "file"
    API = "api"


class BudgetTerms(msgspec.Struct, frozen=True):
    """What a budget says. `subject` is `key:ci`, `user:…`, `project:…`, `customer:…` …"""

    name: str
    subject: str
    limit_amount: int
    """In the unit of `kind`; 0 allows none."""
    period: str = "month"
    hard: bool = True
    kind: LimitKind = LimitKind.MONEY
    bucket: str = ""
    """With `category`, `model` and `provider`: which calls count; empty: all."""
    category: str = ""
    model: str = ""
    provider: str = ""

    def limit(self, budget_id: str) -> Limit:
        """Return the limit that it is."""
        selector = Selector(
            buckets=(self.bucket,) if self.bucket else (),
            category=self.category,
            model=self.model,
            provider=self.provider,
        )
        return Limit(
            limit_id=budget_id,
            kind=LimitKind(self.kind),
            name=self.name,
            amount=self.limit_amount,
            period=self.period,
            hard=self.hard,
            selector=selector,
        )


TERMS = BudgetTerms.__struct_fields__
"""The columns of a budget that say its terms."""


class BudgetRow(msgspec.Struct, frozen=True):
    """A budget as the control plane shows it."""

    budget_id: str
    terms: BudgetTerms
    enabled: bool
    source: str
    created_at_us: int
    updated_at_us: int


class BudgetsApplied(msgspec.Struct, frozen=True):
    """What applying the configuration file's budgets did, by name."""

    changed: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()
    """Declared, but of that name there is a budget that the file does not own."""


class LimitNamed(msgspec.Struct, frozen=True):
    """What people call a limit, and what it counts; None where nobody knows it any more."""

    name: str | None = None
    kind: LimitKind | None = None


class LeaseOutstanding(msgspec.Struct, frozen=True):
    """A lease that still counts, and how much of it nobody has settled or returned."""

    lease_id: str
    budget_id: str
    budget_name: str | None
    """The budget's; of a plan's limit whose and which, of a wallet its; None: nobody knows."""
    period_start_us: int
    node: str
    worker: str
    state: str
    outstanding: int
    kind: LimitKind | None
    """In whose unit `outstanding` is; None where nobody knows the limit any more."""


class PeriodState(msgspec.Struct, frozen=True):
    """One budget's running period: half-open, counters in nano-USD."""

    budget_id: str
    period_start_us: int
    period_end_us: int
    spent: int
    leased: int


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
    if terms.kind not in DURABLE:
        raise ConfigurationError(f"{where}: a budget does not count {terms.kind.value}")
    if not 0 <= terms.limit_amount <= AMOUNT_MAX:
        most = amount_text(terms.kind, AMOUNT_MAX)
        raise ConfigurationError(f"{where}: the limit is between 0 (none allowed) and {most}")
    _check_selector(terms, where)


def check_change(before: BudgetTerms, after: BudgetTerms) -> None:
    """Raise ConfigurationError where a budget cannot become another one: its counters stay."""
    check_terms(after)
    if before.kind != after.kind:
        raise ConfigurationError(
            f"budget {before.name!r} counts {before.kind.value}: it cannot become one of "
            f"{after.kind.value}; give that one another name"
        )


def _check_selector(terms: BudgetTerms, where: str) -> None:
    for name, value, known in (
        ("bucket", terms.bucket, [one.value for one in Bucket]),
        ("category", terms.category, [one.value for one in Category]),
    ):
        if value and value not in known:
            raise ConfigurationError(f"{where}: {name} is one of {', '.join(known)}")
    only = CATEGORY_COUNTED.get(terms.kind)
    if only is not None and terms.category not in {"", only}:
        raise ConfigurationError(f"{where}: {terms.kind.value} are counted of {only} alone")
    for name, value, most in (
        ("model", terms.model, MODEL_LENGTH_MAX),
        ("provider", terms.provider, PROVIDER_LENGTH_MAX),
    ):
        if len(value) > most or value != value.strip() or (value and not value.isprintable()):
            raise ConfigurationError(f"{where}: {name} has at most {most} characters that show")
