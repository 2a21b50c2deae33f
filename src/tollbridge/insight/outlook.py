"""How long do budgets and wallets last?

A budget's days are read from the roll-ups, by its subject and what it counts; what they do not
hold (credits, pictures) goes on at the pace of its running period. A wallet's are in its statement.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from tollbridge.core.limits import LimitKind
from tollbridge.core.sight import Sight
from tollbridge.insight.axes import DAY_US, Axis, Slice
from tollbridge.insight.forecast import Accuracy, Span, total_spans
from tollbridge.insight.forecast_limits import Pot, UsedUp, runs_out, used_up
from tollbridge.insight.forecast_queries import wallet_days
from tollbridge.insight.forecast_usage import Days, Measure, Past, past_of
from tollbridge.insight.foretell import Forecaster, foretell, too_short
from tollbridge.insight.resource_queries import BudgetNow, list_budgets
from tollbridge.insight.wallet_queries import list_wallets
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.wallet_book import Book
from tollbridge.ledger.wallet_store import state_now
from tollbridge.ledger.wallets import Wallet
from tollbridge.storage.unit import Unit

AHEAD_DAYS = 90
"""How far is looked where no period ends before."""
PACE = "pace"
PACE_DAYS_MIN = 7
"""A pace is told of a period that has run so many days."""
AXIS_OF: Mapping[str, Axis | None] = {
    "organisation": None,
    "project": Axis.PROJECT,
    "user": Axis.USER,
    "key": Axis.KEY,
    "customer": Axis.CUSTOMER,
}
MEASURES: Mapping[LimitKind, Measure] = {
    LimitKind.MONEY: Measure.CHARGE,
    LimitKind.CALLS: Measure.COMPLETED,
    LimitKind.TOKENS: Measure.TOTAL_TOKENS,
    LimitKind.VIDEOS: Measure.COMPLETED,
    LimitKind.AUDIO: Measure.COMPLETED,
}
"""In which sums the days of a budget are, where they are in any."""


class Limited(msgspec.Struct, frozen=True, kw_only=True):
    """A budget, a wallet or a plan's limit as it is now, with what was used of it on each day."""

    what: Literal["budget", "wallet", "plan"]
    name: str
    subject: str
    kind: LimitKind
    limit: int | None
    """None of a wallet."""
    used: int | None
    """In the running period; None of a wallet."""
    left: int
    period: str | None = None
    counted_from_us: int | None = None
    """Since when `used` counts: its period's start, or when the budget was made."""
    period_end_us: int | None = None
    """None: it does not end within the days looked at, or not at all."""
    ahead_days: int
    history: tuple[int, ...] | None
    """None: no sums hold it."""
    pots: tuple[Pot, ...] | None = None
    """The grants of a wallet, in the order they are spent."""


class Page(msgspec.Struct, frozen=True):
    """Some of them, by name."""

    limited: tuple[Limited, ...]
    after: str | None
    """Behind which name to go on; None at the end."""


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """How long one of them lasts."""

    limited: Limited
    reason: str | None = None
    """Why nothing is said; else None."""
    model: str | None = None
    accuracy: Accuracy | None = None
    ahead: Span | None = None
    """What is used from now to the end of the period, or of the days looked at."""
    has_band: bool = True
    used_up: UsedUp | None = None


class Outlooks(msgspec.Struct, frozen=True):
    """All of them, and why there was the baseline alone, where there was."""

    outlooks: tuple[Outlook, ...]
    note: str | None


async def budgets_of(unit: Unit, sight: Sight | None, after: str, limit: int, days: Days) -> Page:
    """Return a page of the enabled budgets that may be seen, beginning behind a name.

    Disabled ones are in no page's rows, but count in its length.
    """
    found = await list_budgets(unit, days.zone, sight, after, limit + 1)
    enabled = [one for one in found[:limit] if one.row.enabled]
    asked: dict[tuple[object, ...], list[BudgetNow]] = {}
    for one in enabled:
        asked.setdefault(_question(one.row.terms), []).append(one)
    pasts = {key: await _past(unit, key, same, days) for key, same in asked.items()}
    return Page(
        tuple(_of_budget(one, pasts[_question(one.row.terms)], days) for one in enabled),
        found[limit - 1].row.terms.name if len(found) > limit else None,
    )


async def wallets_of(unit: Unit, sight: Sight | None, after: str, limit: int, days: Days) -> Page:
    """Return a page of wallets that may be seen, beginning behind a name."""
    rows = await list_wallets(unit, sight, after, limit + 1)
    found = rows[:limit]
    books = await state_now(unit, found)
    taken = await wallet_days(unit, [one.wallet_id for one in found], days)
    return Page(
        tuple(_of_wallet(one, books[one.wallet_id], taken[one.wallet_id]) for one in found),
        found[-1].terms.name if len(rows) > limit else None,
    )


async def outlooks(
    forecaster: Forecaster, limited: Sequence[Limited], days: Days, confidence: float
) -> Outlooks:
    """Return how long each lasts."""
    most = max((one.ahead_days for one in limited), default=1)
    told = await foretell(
        forecaster, [one.history or () for one in limited], max(1, most), confidence
    )
    found: list[Outlook] = []
    for one, forecast in zip(limited, told.forecasts, strict=True):
        if one.history is None:
            found.append(_by_pace(one, days))
        elif one.period == "hour":
            found.append(Outlook(limited=one, reason="its hour ends before a day does"))
        elif forecast is None:
            found.append(Outlook(limited=one, reason=too_short(one.history)))
        else:
            totals = total_spans(forecast.path, one.ahead_days, days.left_of_today, confidence)
            found.append(
                Outlook(
                    limited=one,
                    model=forecast.model,
                    accuracy=forecast.accuracy,
                    ahead=totals[-1],
                    used_up=_used_up(one, totals, days),
                )
            )
    return Outlooks(tuple(found), told.note)


def _question(terms: BudgetTerms) -> tuple[object, ...]:
    """Return what budgets have in common whose days are read at once."""
    subject = terms.subject.partition(":")[0]
    selector = (terms.bucket, terms.category, terms.model, terms.provider)
    return subject, terms.kind, *selector


async def _past(
    unit: Unit, key: tuple[object, ...], same: Sequence[BudgetNow], days: Days
) -> Past | None:
    """Return the days of budgets that count the same of one kind of subject; None: no sums do."""
    terms = same[0].row.terms
    measure = _measure(terms)
    if measure is None:
        return None
    axis = AXIS_OF[str(key[0])]
    only: dict[Axis, tuple[str, ...]] = {}
    # What a budget calls its model is the name that is asked for.
    for selected, value in (
        (Axis.BUCKET, terms.bucket),
        (Axis.CATEGORY, _category(terms)),
        (Axis.ROUTE, terms.model),
        (Axis.PROVIDER, terms.provider),
    ):
        if value:
            only[selected] = (value,)
    if axis is not None:
        only[axis] = tuple({one.row.terms.subject.partition(":")[2] for one in same})
    # Whoever may see a budget sees all that was spent of it, whosever calls those were.
    wanted = Slice(from_us=days.from_us, to_us=days.tomorrow_us, only=only)
    return await past_of(unit, wanted, axis, days, measure)


def _measure(terms: BudgetTerms) -> Measure | None:
    found = MEASURES.get(terms.kind)
    return Measure.COST if found is Measure.CHARGE and terms.provider else found


def _category(terms: BudgetTerms) -> str:
    counted = {LimitKind.VIDEOS: "video", LimitKind.AUDIO: "audio"}
    return counted.get(terms.kind, terms.category)


def _of_budget(one: BudgetNow, past: Past | None, days: Days) -> Limited:
    terms, state = one.row.terms, one.state
    name = terms.subject.partition(":")[2]
    axis = AXIS_OF[terms.subject.partition(":")[0]]
    history = None if past is None else past.days.get("" if axis is None else name, ())
    ahead = days.until(min(state.period_end_us, days.start_us(AHEAD_DAYS)))
    return Limited(
        what="budget",
        name=terms.name,
        subject=terms.subject,
        kind=LimitKind(terms.kind),
        limit=terms.limit_amount,
        used=state.spent,
        left=terms.limit_amount - state.spent,
        period=terms.period,
        counted_from_us=max(state.period_start_us, one.row.created_at_us),
        period_end_us=state.period_end_us if state.period_end_us <= days.start_us(366) else None,
        ahead_days=ahead,
        history=history,
    )


def _of_wallet(wallet: Wallet, book: Book, taken: tuple[int, ...]) -> Limited:
    grants = sorted((one for one in book.grants.values() if one.remaining), key=lambda o: o.order())
    return Limited(
        what="wallet",
        name=wallet.terms.name,
        subject=wallet.terms.subject,
        kind=wallet.terms.unit.limit_kind,
        limit=None,
        used=None,
        left=book.balance + wallet.terms.overdraft,
        ahead_days=AHEAD_DAYS,
        history=taken,
        pots=tuple(Pot(float(one.remaining), one.expires_at_us) for one in grants),
    )


def _used_up(one: Limited, totals: Sequence[Span], days: Days) -> UsedUp:
    if one.pots is None:
        return used_up(float(one.left), totals)
    spare = one.left - sum(pot.left for pot in one.pots)
    starts_us = [days.start_us(day) for day in range(one.ahead_days)]
    return runs_out(one.pots, spare, totals, starts_us)


def _by_pace(one: Limited, days: Days) -> Outlook:
    """Return how long a budget lasts at the pace of its period so far."""
    start_us = one.counted_from_us
    elapsed = 0.0 if start_us is None else (days.now_us - start_us) / DAY_US
    if elapsed < PACE_DAYS_MIN:
        reason = f"its days are in no sums, and its period runs for less than {PACE_DAYS_MIN} days"
        return Outlook(limited=one, reason=reason)
    each = (one.used or 0) / elapsed
    totals: list[Span] = []
    amount = 0.0
    for day in range(one.ahead_days):
        amount += each * (days.left_of_today if day == 0 else 1.0)
        totals.append(Span(amount, amount, amount))
    when = used_up(float(one.left), totals)
    return Outlook(
        limited=one,
        model=PACE,
        ahead=totals[-1],
        has_band=False,
        used_up=msgspec.structs.replace(when, earliest=None, latest=None),
    )
