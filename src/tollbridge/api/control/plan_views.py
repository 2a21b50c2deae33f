"""How are plans, their limits and subscriptions shown, and how is a limit read?"""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.wallet_views import credits_text, read_credits
from tollbridge.core.clock import to_text
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import parse_usd, to_nanousd, to_usd, usd_text
from tollbridge.ledger.plans import (
    DESCRIPTION_LENGTH_MAX,
    FEATURES_MAX,
    MONTHLY_COST,
    NAME_LENGTH_MAX,
    RULES,
    Measure,
    PlanRow,
    PlanTerms,
    PlanVersion,
    Tier,
    Used,
)

COST_NAME = "monthly_cost_usd"
LIMITS_MAX = 100
IS_ENFORCED = True
"""Whether calls on the live path are refused by a plan's limits."""
ENFORCED = "A call that one of the plan's limits has no room for is refused."

CREDITS = (
    "Credits that each month of a subscription brings into the user's wallet; what is not spent "
    "expires with the month."
)

Amount = Annotated[str, Field(max_length=40, description='Decimal text such as "29.00".')]
PlanName = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
LimitValue = Annotated[int, Field(ge=0, strict=True)] | Annotated[str, Field(max_length=40)] | None
LimitOrder = Annotated[
    dict[str, LimitValue],
    Field(
        max_length=LIMITS_MAX,
        description="By name: text_calls, search_calls, <bucket>_calls, <bucket>_tokens (whole "
        "numbers), monthly_cost_usd (decimal text). 0 allows none, null is unlimited.",
    ),
]


class PlanLimit(BaseModel):
    """One limit of a plan."""

    limit: int | str | None = Field(
        description="Null: unlimited. 0: none allowed. Decimal text for money."
    )
    unlimited: bool


class Plan(BaseModel):
    """A plan."""

    plan_id: int
    name: str
    tier: Tier
    price_monthly_usd: str
    price_yearly_usd: str
    limits: dict[str, PlanLimit] = Field(description="Every limit there may be, by name.")
    features: list[str]
    description: str
    credits_per_period: str = Field(description=CREDITS)
    version: int
    active: bool = Field(description="False: withdrawn; who has it keeps it.")
    default: bool = Field(description="Whether it holds for whoever has no subscription.")
    enforced: bool = Field(description=ENFORCED)
    created_at: str
    updated_at: str


class PlanOrder(BaseModel):
    """What a new plan says. A limit that is left out is unlimited."""

    model_config = ConfigDict(extra="forbid")

    name: PlanName
    tier: Tier
    price_monthly_usd: Amount
    price_yearly_usd: Amount
    limits: LimitOrder = {}
    features: list[str] = Field(default=[], max_length=FEATURES_MAX)
    description: str = Field(default="", max_length=DESCRIPTION_LENGTH_MAX)
    credits_per_period: str = Field(default="0", max_length=40, description=CREDITS)


class PlanChange(BaseModel):
    """What is changed of a plan; what is left out stays, each limit too."""

    model_config = ConfigDict(extra="forbid")

    name: PlanName | None = None
    tier: Tier | None = None
    price_monthly_usd: Amount | None = None
    price_yearly_usd: Amount | None = None
    limits: LimitOrder = {}
    features: list[str] | None = Field(default=None, max_length=FEATURES_MAX)
    description: str | None = Field(default=None, max_length=DESCRIPTION_LENGTH_MAX)
    credits_per_period: str | None = Field(default=None, max_length=40, description=CREDITS)
    active: bool | None = None
    default: bool | None = Field(
        default=None,
        description="True: it holds for whoever has no subscription. False: none does"
        ", where this one did.",
    )
    version: int | None = Field(
        default=None, description="The version that was read; 409 where it is no longer that."
    )


class PlanVersionShown(BaseModel):
    """What a plan said from one moment on."""

    version: int
    name: str
    tier: Tier
    price_monthly_usd: str
    price_yearly_usd: str
    limits: dict[str, PlanLimit]
    features: list[str]
    description: str
    credits_per_period: str = Field(description=CREDITS)
    changed_at: str
    changed_by: str


class LimitUse(BaseModel):
    """How much of one limit is used in the running month."""

    name: str
    buckets: list[str] = Field(description="Which are counted together.")
    used: int | str = Field(description="Decimal text for money.")
    limit: int | str | None
    unlimited: bool
    remaining: int | str | None = Field(description="Null: unlimited.")
    percentage: float | None = Field(description="Of the limit; null where there is none.")


def shown_plan(row: PlanRow) -> Plan:
    """Return a plan as it is shown."""
    terms = row.terms
    return Plan(
        plan_id=row.plan_id,
        name=terms.name,
        tier=terms.tier,
        price_monthly_usd=usd_text(terms.price_monthly_nanousd),
        price_yearly_usd=usd_text(terms.price_yearly_nanousd),
        limits=shown_limits(terms.limits),
        features=list(terms.features),
        description=terms.description,
        credits_per_period=credits_text(terms.microcredits_per_period),
        version=row.version,
        active=row.is_active,
        default=row.is_default,
        enforced=IS_ENFORCED,
        created_at=to_text(row.created_at_us),
        updated_at=to_text(row.updated_at_us),
    )


def shown_version(row: PlanVersion) -> PlanVersionShown:
    """Return what a plan said once."""
    terms = row.terms
    return PlanVersionShown(
        version=row.version,
        name=terms.name,
        tier=terms.tier,
        price_monthly_usd=usd_text(terms.price_monthly_nanousd),
        price_yearly_usd=usd_text(terms.price_yearly_nanousd),
        limits=shown_limits(terms.limits),
        features=list(terms.features),
        description=terms.description,
        credits_per_period=credits_text(terms.microcredits_per_period),
        changed_at=to_text(row.changed_at_us),
        changed_by=row.changed_by,
    )


def shown_limits(limits: Mapping[str, int]) -> dict[str, PlanLimit]:
    """Return every limit there may be, with what the plan says of it."""
    return {
        outer_name(name): PlanLimit(
            limit=None if amount is None else _shown_amount(name, amount),
            unlimited=amount is None,
        )
        for name in RULES
        for amount in (limits.get(name),)
    }


def shown_use(limits: Mapping[str, int], used: Used) -> list[LimitUse]:
    """Return how much of each limit is used."""
    uses: list[LimitUse] = []
    for name, rule in RULES.items():
        amount, count = limits.get(name), used.of(rule)
        rest = None if amount is None else max(0, amount - count)
        uses.append(
            LimitUse(
                name=outer_name(name),
                buckets=list(rule.buckets),
                used=_shown_amount(name, count),
                limit=None if amount is None else _shown_amount(name, amount),
                unlimited=amount is None,
                remaining=None if rest is None else _shown_amount(name, rest),
                percentage=percentage(count, amount),
            )
        )
    return uses


def percentage(used: int, limit: int | None) -> float | None:
    """Return how much of a limit is used, in percent to 2 places; 100 where nothing is allowed."""
    if limit is None:
        return None
    return 100.0 if limit == 0 else round(used * 100 / limit, 2)


def outer_name(name: str) -> str:
    """Return what a limit is called outside: money is shown in US dollars."""
    return COST_NAME if name == MONTHLY_COST else name


def read_terms(order: PlanOrder) -> PlanTerms:
    """Return what a new plan says. Raises InvalidRequestError."""
    return PlanTerms(
        name=order.name,
        tier=order.tier,
        price_monthly_nanousd=read_usd("price_monthly_usd", order.price_monthly_usd),
        price_yearly_nanousd=read_usd("price_yearly_usd", order.price_yearly_usd),
        limits=changed_limits({}, order.limits),
        features=tuple(order.features),
        description=order.description,
        microcredits_per_period=read_credits("credits_per_period", order.credits_per_period),
    )


def changed_terms(terms: PlanTerms, wanted: PlanChange) -> PlanTerms:
    """Return what a plan says after a change. Raises InvalidRequestError."""
    changes: dict[str, object] = {
        name: value
        for name, value in (
            ("name", wanted.name),
            ("tier", wanted.tier),
            ("description", wanted.description),
            ("features", None if wanted.features is None else tuple(wanted.features)),
        )
        if value is not None
    }
    for cycle in ("monthly", "yearly"):
        text = getattr(wanted, f"price_{cycle}_usd")
        if text is not None:
            changes[f"price_{cycle}_nanousd"] = read_usd(f"price_{cycle}_usd", text)
    if wanted.credits_per_period is not None:
        changes["microcredits_per_period"] = read_credits(
            "credits_per_period", wanted.credits_per_period
        )
    return msgspec.structs.replace(
        terms, **changes, limits=changed_limits(terms.limits, wanted.limits)
    )


def changed_limits(
    limits: Mapping[str, int], wanted: Mapping[str, int | str | None]
) -> dict[str, int]:
    """Return limits after a change: null takes one away. Raises InvalidRequestError."""
    changed = dict(limits)
    for outer, value in wanted.items():
        name = MONTHLY_COST if outer == COST_NAME else outer
        rule = RULES.get(name)
        if rule is None or outer == MONTHLY_COST:
            known = ", ".join(outer_name(one) for one in RULES)
            raise InvalidRequestError(
                f"{outer!r} is no limit of a plan; there are {known}",
                details={"param": f"limits.{outer}"},
            )
        if value is None:
            changed.pop(name, None)
        elif rule.measure is Measure.COST:
            changed[name] = read_usd(COST_NAME, str(value))
        elif isinstance(value, str):
            raise InvalidRequestError(
                f"{outer} is a whole number or null", details={"param": f"limits.{outer}"}
            )
        else:
            changed[name] = value
    return changed


def read_usd(param: str, text: str) -> int:
    """Return decimal text in US dollars as nano-USD. Raises InvalidRequestError."""
    try:
        amount = parse_usd(text)
    except ValueError as error:
        raise InvalidRequestError(f"{param}: {error}", details={"param": param}) from error
    # Beyond any amount of money, before it is made a number of that many digits.
    if not 0 <= amount <= to_usd(10**18):
        raise InvalidRequestError(
            f"{param} is between 0 and a billion US dollars", details={"param": param}
        )
    nanousd = to_nanousd(amount)
    if to_usd(nanousd) != amount:
        raise InvalidRequestError(f"{param} has at most 9 decimal places", details={"param": param})
    return nanousd


def _shown_amount(name: str, amount: int) -> int | str:
    return usd_text(amount) if name == MONTHLY_COST else amount
