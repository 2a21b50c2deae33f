"""What does a plan allow, and how is that said?

A plan's limits have names: `text_calls` (the four buckets of text together), `search_calls` (the
five of search), `<bucket>_calls`, `<bucket>_tokens` and `monthly_cost_nanousd`. A limit that is
not there is none: unlimited. 0 allows nothing. A call must pass all that apply to its bucket; who
really serves it is never asked.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from tollbridge.core.call import Bucket
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.limits import LimitKind

NAME_LENGTH_MAX = 50
DESCRIPTION_LENGTH_MAX = 1000
FEATURE_LENGTH_MAX = 200
FEATURES_MAX = 100
# As for budgets: a billion dollars in nano-USD, and room in 64 bits for sums.
MONEY_NANOUSD_MAX = 10**18
COUNT_MAX = 10**15
UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""What no name has; some of it no database can hold."""

TEXT_BUCKETS = (Bucket.GEMINI, Bucket.OPENAI, Bucket.ANTHROPIC, Bucket.MISTRAL)
SEARCH_BUCKETS = (Bucket.TAVILY, Bucket.SERPER, Bucket.METAPHOR, Bucket.FIRECRAWL, Bucket.EXA)
TEXT_CALLS = "text_calls"
SEARCH_CALLS = "search_calls"
MONTHLY_COST = "monthly_cost_nanousd"


class Measure(StrEnum):
    """What a plan's limit counts."""

    CALLS = "calls"
    TOKENS = "tokens"
    COST = "cost"


KIND_OF: Mapping[Measure, LimitKind] = MappingProxyType(
    {
        Measure.CALLS: LimitKind.CALLS,
        Measure.TOKENS: LimitKind.TOKENS,
        Measure.COST: LimitKind.MONEY,
    }
)
"""As what the limit of a plan counts."""


class Tier(StrEnum):
    """The standing of a plan among others."""

    FREE = "free"
    BASIC = "basic"
    PRO = "pro"
    ENTERPRISE = "enterprise"


class Rule(msgspec.Struct, frozen=True):
    """A limit that a plan may have: what it counts, over which buckets together."""

    name: str
    measure: Measure
    buckets: tuple[str, ...]


def _rules() -> tuple[Rule, ...]:
    every = tuple(bucket.value for bucket in Bucket)
    return (
        Rule(TEXT_CALLS, Measure.CALLS, tuple(one.value for one in TEXT_BUCKETS)),
        Rule(SEARCH_CALLS, Measure.CALLS, tuple(one.value for one in SEARCH_BUCKETS)),
        *(Rule(f"{one}_calls", Measure.CALLS, (one,)) for one in every),
        *(Rule(f"{one}_tokens", Measure.TOKENS, (one,)) for one in every),
        Rule(MONTHLY_COST, Measure.COST, every),
    )


RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _rules()})
"""Every limit that a plan may have, by name, in the order in which they are checked."""
RULES_OF: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        bucket.value: tuple(rule for rule in RULES.values() if bucket.value in rule.buckets)
        for bucket in Bucket
    }
)
"""Those that a call of a bucket must pass."""


class PlanTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan says. Prices are what a period costs, in nano-USD."""

    name: str
    tier: Tier
    price_monthly_nanousd: int
    price_yearly_nanousd: int
    limits: dict[str, int] = {}
    """By name; what is absent is unlimited, 0 allows nothing."""
    features: tuple[str, ...] = ()
    description: str = ""
    microcredits_per_period: int = 0
    """What each month of a subscription brings; what is not spent expires with the month."""

    def limit(self, name: str) -> int | None:
        """Return one limit, None where there is none."""
        return self.limits.get(name)


class PlanRow(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as the control plane shows it."""

    plan_id: int
    terms: PlanTerms
    version: int
    """How often it was written: 1 is as it was made."""
    is_active: bool
    """False: nobody can subscribe to it any more; who has it keeps it."""
    is_default: bool
    """Whether it holds for whoever has no subscription."""
    created_at_us: int
    updated_at_us: int


class PlanVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan said from one moment on."""

    plan_id: int
    version: int
    terms: PlanTerms
    changed_at_us: int
    changed_by: str


class Used(msgspec.Struct, frozen=True):
    """What a user has used of a period, by bucket. Cost is of what has a price.

    Of a limit that the ledger counts, its figure decides.
    """

    calls: dict[str, int] = {}
    tokens: dict[str, int] = {}
    cost_nanousd: int = 0
    counted: dict[str, int] = {}
    """Rule → what the ledger has counted of it in this period."""

    def of(self, rule: Rule) -> int:
        """Return how much of a limit is used."""
        counted = self.counted.get(rule.name)
        if counted is not None:
            return counted
        if rule.measure is Measure.COST:
            return self.cost_nanousd
        counts = self.calls if rule.measure is Measure.CALLS else self.tokens
        return sum(counts.get(bucket, 0) for bucket in rule.buckets)


def check_terms(terms: PlanTerms) -> None:
    """Raise InvalidRequestError, naming the field, where a plan cannot be kept."""
    _check_texts(terms)
    for param in ("price_monthly", "price_yearly"):
        if not 0 <= getattr(terms, f"{param}_nanousd") <= MONEY_NANOUSD_MAX:
            raise _wrong(param, f"{param} is between 0 and a billion US dollars")
    if not 0 <= terms.microcredits_per_period <= MONEY_NANOUSD_MAX:
        raise _wrong("credits_per_period", "credits_per_period is not negative, nor beyond count")
    for name, amount in terms.limits.items():
        rule = RULES.get(name)
        if rule is None:
            raise _wrong("limits", f"{name!r} is no limit of a plan")
        most = MONEY_NANOUSD_MAX if rule.measure is Measure.COST else COUNT_MAX
        if not 0 <= amount <= most:
            raise _wrong(
                f"limits.{name}",
                f"{name} is 0 (none allowed), more, or null (unlimited); not negative",
            )


def _check_texts(terms: PlanTerms) -> None:
    bounds = (
        ("name", (terms.name,), 1, NAME_LENGTH_MAX),
        ("description", (terms.description,), 0, DESCRIPTION_LENGTH_MAX),
        ("features", terms.features, 1, FEATURE_LENGTH_MAX),
    )
    for param, texts, least, most in bounds:
        for text in texts:
            if not least <= len(text) <= most:
                raise _wrong(param, f"{param}: a text of {least} to {most} characters")
            if text != text.strip() or UNSPEAKABLE.search(text):
                raise _wrong(
                    param, f"{param}: no spaces around it, nor characters that cannot be shown"
                )
    if len(terms.features) > FEATURES_MAX:
        raise _wrong("features", f"at most {FEATURES_MAX} features")


def _wrong(param: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details={"param": param})
