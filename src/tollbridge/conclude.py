"""What follows from a call's evidence: how much, who, at what cost?

The pure stages 6 to 8, for the drain and for a worker whose call is under a hard limit.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from tollbridge.attribution.attribute import NO_ATTEMPT, attribute_attempt
from tollbridge.attribution.reported import attribute_report
from tollbridge.attribution.ruling import Rules, builtin_rules
from tollbridge.core.account import (
    CHARGED,
    OVERRUN,
    AttemptAccount,
    CallAccount,
    CostOrigin,
    Rated,
)
from tollbridge.core.call import AttemptOutcome, Ending, Hold, Status
from tollbridge.core.evidence import AttemptEvidence, CallEvidence
from tollbridge.core.limits import LimitKind
from tollbridge.core.usage import NO_USAGE, UPSTREAM, Usage, UsageSource
from tollbridge.ledger.amounts import AttemptUse, amounts_of
from tollbridge.metering.estimate import EstimateRules
from tollbridge.metering.measured import spoken
from tollbridge.metering.meter import meter, owes_nothing
from tollbridge.metering.report import meter_report
from tollbridge.rating.book import PriceBook
from tollbridge.rating.rate import cost_of, rate

T = TypeVar("T")
_PLAIN_COUNTS = frozenset({LimitKind.CALLS, LimitKind.VIDEOS, LimitKind.AUDIO})
"""What is known without looking at what was used."""
_MONEY = LimitKind.MONEY
BREAKABLE = frozenset({AttemptOutcome.UNKNOWN, AttemptOutcome.CUT_SHORT, AttemptOutcome.BROKE})


class Conclusions(msgspec.Struct, frozen=True):
    """What the pure stages read besides the evidence."""

    book: PriceBook
    estimates: EstimateRules
    rules: Rules | None = None
    """Of attribution; None: those that come with Tollbridge. Workers need none."""


def conclude(evidence: CallEvidence, conclusions: Conclusions) -> CallAccount:
    """Return the account of one ended call."""
    opened, closed = evidence.opened, evidence.closed
    rules = conclusions.rules or builtin_rules()
    attempts = tuple(
        [_account(attempt, evidence, conclusions, rules) for attempt in closed.attempts]
    )
    last = attempts[-1] if attempts else None  # who served, or else who was asked last
    cost_nanousd: int | None = 0
    for attempt in attempts:
        part = attempt.rated.cost_nanousd
        cost_nanousd = None if part is None or cost_nanousd is None else cost_nanousd + part
    completed = closed.ending is Ending.COMPLETE
    # What somebody else carried costs, but our budgets pay for it only where its source says so.
    is_charged = opened.report is None or opened.report.charges
    charge_nanousd = (cost_nanousd or 0) if is_charged else 0
    amounts, overrun = _amounts(evidence, attempts, charge_nanousd) if opened.holds else ((), False)
    return CallAccount(
        evidence=evidence,
        attempts=attempts,
        status=Status.COMPLETED if completed else Status.FAILED,
        usage=NO_USAGE if last is None else last.usage,
        attribution=NO_ATTEMPT if last is None else last.attribution,
        cost_nanousd=cost_nanousd,
        charge_nanousd=charge_nanousd,
        amounts=amounts,
        accounted_at_us=closed.closed_at_us,
        flags=_flags(
            attempts,
            cost_nanousd,
            overrun=overrun,
            charged_report=is_charged and opened.report is not None,
        ),
    )


def _amounts(
    evidence: CallEvidence, attempts: Sequence[AttemptAccount], charge_nanousd: int
) -> tuple[tuple[int, ...], bool]:
    """Return what a call counts in the limit of each hold, and whether one of them is exceeded."""
    opened = evidence.opened
    holds, is_reported = opened.holds, opened.report is not None
    uses = [AttemptUse(one.evidence, one.usage, one.rated.cost_nanousd) for one in attempts]
    amounts = amounts_of(holds, evidence, uses, charge_nanousd)
    # What is not set aside cannot be exceeded; of a report, the room that there was.
    for hold, amount in zip(holds, amounts, strict=True):
        if amount > hold.amount and (hold.lease_id or is_reported):
            return amounts, True
    return amounts, False


class Taken(msgspec.Struct, frozen=True):
    """What a worker takes from its purses for an ended call."""

    charge_nanousd: int
    amounts: tuple[int, ...]
    """One for each hold, as `CallAccount.amounts`."""
    is_all_money: bool
    """Whether each of them is the charge."""


def taken_of(evidence: CallEvidence, holds: Sequence[Hold], conclusions: Conclusions) -> Taken:
    """Return what `conclude` says that the call counts in its limits: a worker's need."""
    is_all_money, counts_only, rates = True, True, False
    for hold in holds:
        kind = hold.kind
        if kind is _MONEY:
            rates, counts_only = True, False
            if hold.provider:
                is_all_money = False
        else:
            is_all_money = False
            if kind not in _PLAIN_COUNTS:
                counts_only = False
    if is_all_money:
        charge_nanousd = charge_of(evidence, conclusions)
        return Taken(charge_nanousd, (charge_nanousd,) * len(holds), is_all_money)
    uses: list[AttemptUse] = []
    total: int | None = 0
    for attempt in evidence.closed.attempts:
        use = (
            AttemptUse(attempt, NO_USAGE)
            if counts_only
            else _use(attempt, evidence, conclusions, rates=rates)
        )
        uses.append(use)
        total = None if total is None or use.cost_nanousd is None else total + use.cost_nanousd
    charge_nanousd = total or 0
    return Taken(charge_nanousd, amounts_of(holds, evidence, uses, charge_nanousd), is_all_money)


def _use(
    attempt: AttemptEvidence, evidence: CallEvidence, conclusions: Conclusions, *, rates: bool
) -> AttemptUse:
    usage = meter(attempt, evidence.opened, evidence.closed, conclusions.estimates)
    if not rates:
        return AttemptUse(attempt, usage)
    # Without the lines of a bill; with them only where this finds no price.
    cost_nanousd = _priced(cost_of, attempt, evidence, usage, conclusions)
    if cost_nanousd is None:
        usage, rated = _rate(attempt, evidence, usage, conclusions)
        cost_nanousd = rated.cost_nanousd
    return AttemptUse(attempt, usage, cost_nanousd)


def charge_of(evidence: CallEvidence, conclusions: Conclusions) -> int:
    """Return what `conclude` says that the call is charged, and nothing else."""
    total = 0
    for attempt in evidence.closed.attempts:
        cost_nanousd = _use(attempt, evidence, conclusions, rates=True).cost_nanousd
        if cost_nanousd is None:
            return 0
        total += cost_nanousd
    return total


def _account(
    attempt: AttemptEvidence, evidence: CallEvidence, conclusions: Conclusions, rules: Rules
) -> AttemptAccount:
    report = evidence.opened.report
    if report is None:
        usage = meter(attempt, evidence.opened, evidence.closed, conclusions.estimates)
        attribution = attribute_attempt(attempt, rules)
    else:
        usage = meter_report(report, conclusions.estimates)
        attribution = attribute_report(report, attempt.dialect, rules)
        # Of a report it is only known now whom it bills.
        attempt = msgspec.structs.replace(attempt, provider=attribution.provider)
    upstream = attribution.upstream_provider
    if upstream is not None:
        # Behind an aggregator the price may depend on who ran the model.
        usage = msgspec.structs.replace(usage, facts={**usage.facts, UPSTREAM: upstream})
    usage, rated = _rate(attempt, evidence, usage, conclusions)
    return AttemptAccount(attempt, usage, attribution, rated)


def _rate(
    attempt: AttemptEvidence, evidence: CallEvidence, usage: Usage, conclusions: Conclusions
) -> tuple[Usage, Rated]:
    """Return what an attempt costs, and by which usage: speech may have to be estimated for it."""
    rated = _priced(rate, attempt, evidence, usage, conclusions)
    if rated.cost_nanousd is None:
        for estimated in spoken(usage):
            again = _priced(rate, attempt, evidence, estimated, conclusions)
            if again.cost_nanousd is not None:
                return estimated, again
    return usage, rated


def _priced(
    price: Callable[..., T],
    attempt: AttemptEvidence,
    evidence: CallEvidence,
    usage: Usage,
    conclusions: Conclusions,
) -> T:
    """Return what `rate` or `cost_of` says of an attempt by its usage as it is."""
    served = attempt.served_model
    return price(
        usage,
        attempt.provider,
        (attempt.model,) if served is None else (served, attempt.model),
        attempt.started_at_us,
        conclusions.book,
        nothing_owed=owes_nothing(attempt, evidence.closed),
    )


def _flags(
    attempts: tuple[AttemptAccount, ...],
    cost_nanousd: int | None,
    *,
    overrun: bool,
    charged_report: bool,
) -> tuple[str, ...]:
    flags: list[str] = []
    if charged_report:
        flags.append(CHARGED)
    if cost_nanousd is None:
        flags.append("unpriced")
    if overrun:
        flags.append(OVERRUN)
    for attempt in attempts:
        if attempt.usage.source is UsageSource.ESTIMATED:
            flags.append("estimated")
        if (
            attempt.evidence.outcome in BREAKABLE
            and attempt.rated.origin is not CostOrigin.NOTHING_OWED
        ):
            flags.append("unknown_outcome")
        flags.extend(attempt.usage.flags)
    return tuple(dict.fromkeys(flags))
