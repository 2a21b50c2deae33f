"""Would a batch of calls pass a plan's limits? Pure; nothing is consumed.

Each operation is checked against what was used before and what the operations before it in the
batch would use: one that is refused uses nothing.
"""

from collections.abc import Iterable, Mapping

import msgspec

from tollbridge.core.money import usd_text
from tollbridge.ledger.plans import RULES, RULES_OF, Measure, Rule, Used


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One operation that somebody wants to make."""

    bucket: str
    calls: int = 1
    tokens: int = 0
    cost_nanousd: int | None = 0
    """None: it has no price. `is_price_needed` says whether that may be so."""
    is_price_needed: bool = False
    """Whether it is refused where it has no price and cost is limited: its model is named, and
    nobody knows what that costs."""


class LimitState(msgspec.Struct, frozen=True):
    """How much of one limit is used, before the operation. `limit` None is unlimited."""

    name: str
    measure: Measure
    used: int
    limit: int | None

    @property
    def remaining(self) -> int | None:
        """What is left of it, never below 0; None without a limit."""
        return None if self.limit is None else max(0, self.limit - self.used)


class Verdict(msgspec.Struct, frozen=True):
    """Whether one operation may go ahead."""

    allowed: bool
    limit: LimitState | None
    """The limit that refuses; else that of calls with the least left; None: none that counts."""
    message: str


def check(limits: Mapping[str, int], used: Used, wanted: Wanted) -> Verdict:
    """Return whether a plan's limits have room for one operation, given what is used.

    A limit that is absent is none. One that is used up refuses everything, whatever is wanted.
    """
    tightest: LimitState | None = None
    for rule in RULES_OF[wanted.bucket]:
        amount = limits.get(rule.name)
        state = LimitState(rule.name, rule.measure, used.of(rule), amount)
        if amount is None:
            if rule.measure is Measure.CALLS and tightest is None:
                tightest = state
            continue
        message = _refusal(rule, state, amount, wanted)
        if message is not None:
            return Verdict(allowed=False, limit=state, message=message)
        if rule.measure is Measure.CALLS and _is_tighter(state, tightest):
            tightest = state
    return Verdict(allowed=True, limit=tightest, message="allowed")


def add(used: Used, wanted: Wanted) -> Used:
    """Return what would be used after an operation."""
    rules = RULES_OF[wanted.bucket]
    return Used(
        calls=_plus(used.calls, wanted.bucket, wanted.calls),
        tokens=_plus(used.tokens, wanted.bucket, wanted.tokens),
        cost_nanousd=used.cost_nanousd + (wanted.cost_nanousd or 0),
        counted={
            name: count + (_asked(RULES[name], wanted) if RULES[name] in rules else 0)
            for name, count in used.counted.items()
        },
    )


def check_batch(limits: Mapping[str, int], used: Used, batch: Iterable[Wanted]) -> list[Verdict]:
    """Return a verdict for each operation of a batch, in order; they accumulate."""
    verdicts: list[Verdict] = []
    for wanted in batch:
        verdict = check(limits, used, wanted)
        if verdict.allowed:
            used = add(used, wanted)
        verdicts.append(verdict)
    return verdicts


def _refusal(rule: Rule, state: LimitState, amount: int, wanted: Wanted) -> str | None:
    """Return why a limit refuses an operation, None where it does not."""
    if amount == 0:
        return f"{rule.name}: the plan allows none"
    if rule.measure is Measure.COST and wanted.cost_nanousd is None and wanted.is_price_needed:
        return "this model has no price, and the plan limits the cost"
    asked = _asked(rule, wanted)
    if state.used < amount and state.used + asked <= amount:
        return None
    if rule.measure is Measure.COST:
        return (
            f"the plan's monthly cost has no room: {usd_text(state.used)} of {usd_text(amount)} "
            f"USD are used, and this may cost {usd_text(asked)}"
        )
    return f"{rule.name}: {state.used} of {amount} are used, and this needs {asked}"


def _asked(rule: Rule, wanted: Wanted) -> int:
    return {
        Measure.CALLS: wanted.calls,
        Measure.TOKENS: wanted.tokens,
        Measure.COST: wanted.cost_nanousd or 0,
    }[rule.measure]


def _is_tighter(state: LimitState, other: LimitState | None) -> bool:
    if other is None or other.remaining is None:
        return True
    return state.remaining is not None and state.remaining < other.remaining


def _plus(counts: Mapping[str, int], bucket: str, more: int) -> dict[str, int]:
    return {**counts, bucket: counts.get(bucket, 0) + more}
