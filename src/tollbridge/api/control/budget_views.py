"""How is a budget shown and said over the API?"""

from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.page import NextCursor
from tollbridge.core.amounts import AMOUNT_MAX, amount_text, parse_amount
from tollbridge.core.clock import to_text
from tollbridge.core.errors import ConfigurationError, InvalidRequestError
from tollbridge.core.limits import LimitKind
from tollbridge.insight.resource_queries import BudgetNow
from tollbridge.ledger.budgets import (
    LIMIT_FIELDS,
    NAME_LENGTH_MAX,
    SELECTOR_FIELDS,
    BudgetTerms,
    check_terms,
)
from tollbridge.ledger.periods import END_OF_TIME_US

AMOUNT_LENGTH_MAX = 40


class Budget(BaseModel):
    """A budget with what is used of it in the running period, in the unit of its kind.

    Money is in US dollars and credits in credits, as decimal text; all else are whole numbers, as
    text too.
    """

    budget_id: str
    name: str
    subject: str = Field(description="Whom it binds, such as key:ci.")
    kind: str = Field(
        description="What it counts: money, credits, calls, tokens, images, videos or audio."
    )
    limit: str = Field(description="0 allows none.")
    spent: str = Field(description="Counted in the running period.")
    held: str = Field(description="Granted to workers, or set aside for calls under way.")
    left: str = Field(description="limit - spent - held, and never less than 0.")
    bucket: str | None = Field(description="Only calls of this bucket count; null: of any.")
    category: str | None = Field(description="Only calls of this category count; null: of any.")
    model: str | None = Field(description="Only calls for this name count; null: for any.")
    provider: str | None = Field(
        description="Only what this provider was asked counts, whoever else served; null: all."
    )
    period: str
    period_start: str
    period_end: str
    resets_at: str | None = Field(description="When it begins anew; null: never.")
    hard: bool = Field(description="Whether calls are refused; else they are only counted.")
    enabled: bool
    source: str = Field(description="file: the configuration file alone changes it; or api.")
    limit_usd: str | None = Field(description="`limit`, of money.")
    spent_usd: str | None = Field(description="`spent`, of money.")
    corrected_usd: str | None = Field(
        description="Of `spent_usd`, what corrections of past calls added, or with a minus took "
        "away; they may take it over the limit, or below nothing."
    )
    leased_usd: str | None = Field(description="`held`, of money.")


class BudgetPage(BaseModel):
    """A page of budgets, by name."""

    budgets: list[Budget]
    next_cursor: NextCursor


class Limits(BaseModel):
    """How much is allowed, of one thing; 0 allows none."""

    model_config = ConfigDict(extra="forbid")

    limit_usd: str | None = Field(
        default=None, max_length=AMOUNT_LENGTH_MAX, description='Decimal text such as "1.00".'
    )
    limit_credits: str | None = Field(
        default=None, max_length=AMOUNT_LENGTH_MAX, description='Decimal text such as "250".'
    )
    limit_calls: int | None = Field(default=None, le=AMOUNT_MAX, strict=True)
    limit_tokens: int | None = Field(default=None, le=AMOUNT_MAX, strict=True)
    limit_images: int | None = Field(default=None, le=AMOUNT_MAX, strict=True)
    limit_videos: int | None = Field(default=None, le=AMOUNT_MAX, strict=True)
    limit_audio: int | None = Field(default=None, le=AMOUNT_MAX, strict=True)


class BudgetOrder(Limits):
    """A new budget. It has exactly one of the limits."""

    name: str = Field(min_length=1, max_length=NAME_LENGTH_MAX)
    subject: str = Field(
        max_length=255,
        description="organisation:default, or project:, user:, key: or customer: and a name.",
    )
    period: str = Field(
        default="month", description="hour, day, week, month, quarter, year or total."
    )
    hard: bool = True
    bucket: str | None = None
    category: str | None = None
    model: str | None = None
    provider: str | None = None


class BudgetChange(Limits):
    """What is changed of a budget; what is left out stays. It goes on counting the same thing."""

    period: str | None = None
    hard: bool | None = None
    enabled: bool | None = Field(default=None, description="false switches it off.")


def terms_of(order: BudgetOrder) -> BudgetTerms:
    """Return what a new budget says. Raises InvalidRequestError."""
    limit = limit_of(order)
    if limit is None:
        raise InvalidRequestError(
            f"a budget has a limit: one of {', '.join(LIMIT_FIELDS)}; without a budget there is "
            "none",
            details={"param": "limit_usd"},
        )
    kind, amount = limit
    selector = {name: getattr(order, name) or "" for name in SELECTOR_FIELDS}
    return checked(
        BudgetTerms(
            name=order.name,
            subject=order.subject,
            limit_amount=amount,
            period=order.period,
            hard=order.hard,
            kind=kind,
            **selector,
        )
    )


def changed_terms(terms: BudgetTerms, wanted: BudgetChange) -> BudgetTerms:
    """Return what a budget says after a change. Raises InvalidRequestError."""
    changes: dict[str, Any] = {}
    limit = limit_of(wanted)
    if limit is not None:
        kind, changes["limit_amount"] = limit
        if kind is not terms.kind:
            raise InvalidRequestError(
                f"the budget counts {terms.kind.value}: it cannot become one of {kind.value}",
                details={"param": _field_of(kind)},
            )
    for name in ("period", "hard"):
        value = getattr(wanted, name)
        if value is not None:
            changes[name] = value
    return checked(msgspec.structs.replace(terms, **changes))


def limit_of(said: Limits) -> tuple[LimitKind, int] | None:
    """Return what is limited, and to how much; None where no limit is named.

    Raises InvalidRequestError for several limits, for null, and for what is no amount.
    """
    named = [name for name in LIMIT_FIELDS if name in said.model_fields_set]
    if not named:
        return None
    if len(named) > 1:
        raise InvalidRequestError(
            f"a budget counts one thing: {' or '.join(named)}", details={"param": named[1]}
        )
    (name,) = named
    value, kind = getattr(said, name), LIMIT_FIELDS[name]
    details = {"param": name}
    if value is None:
        raise InvalidRequestError(
            f"{name} is null, which is no amount: 0 allows none; to lift the limit, switch the "
            "budget off",
            details=details,
        )
    try:
        return kind, parse_amount(kind, str(value))
    except ValueError as error:
        raise InvalidRequestError(f"{name}: {error}", details=details) from error


def checked(terms: BudgetTerms) -> BudgetTerms:
    """Return the terms. Raises InvalidRequestError where a budget cannot be kept so."""
    try:
        check_terms(terms)
    except ConfigurationError as error:
        raise InvalidRequestError(error.message) from error
    return terms


def budget_view(now: BudgetNow) -> Budget:
    """Return how a budget is shown."""
    row, state = now.row, now.state
    terms = row.terms
    kind = terms.kind

    def text(amount: int) -> str:
        return amount_text(kind, amount)

    def usd(amount: int) -> str | None:
        return text(amount) if kind is LimitKind.MONEY else None

    end_us = state.period_end_us
    return Budget(
        budget_id=row.budget_id,
        name=terms.name,
        subject=terms.subject,
        kind=kind.value,
        limit=text(terms.limit_amount),
        spent=text(state.spent),
        held=text(state.leased),
        left=text(max(0, terms.limit_amount - state.spent - state.leased)),
        bucket=terms.bucket or None,
        category=terms.category or None,
        model=terms.model or None,
        provider=terms.provider or None,
        period=terms.period,
        period_start=to_text(state.period_start_us),
        period_end=to_text(end_us),
        resets_at=None if end_us >= END_OF_TIME_US else to_text(end_us),
        hard=terms.hard,
        enabled=row.enabled,
        source=row.source,
        limit_usd=usd(terms.limit_amount),
        spent_usd=usd(state.spent),
        corrected_usd=usd(now.corrected_nanousd),
        leased_usd=usd(state.leased),
    )


def _field_of(kind: LimitKind) -> str:
    return next(name for name, one in LIMIT_FIELDS.items() if one is kind)
