"""What do calls in the books cost by the prices that are known now?

Pure. An attempt is rated again by the usage that was recorded, at the moment when it began; what
it costs now is its own figure, or that of the last adjustment. Where the two differ, a
correction follows. What a provider reported that it charged, and what it cannot bill, stays.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from tollbridge.core.account import CostOrigin, Rated
from tollbridge.core.usage import Usage
from tollbridge.recording.rollups import Dimension

Place = tuple[int, str]
"""(accounted_at_us, call id): where a run stands among the calls, the oldest first."""


class StoredAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt in the books, as far as it is rated again."""

    number: int
    provider: str
    model: str
    served_model: str | None
    started_at_us: int
    usage: Usage
    cost_origin: str | None
    cost_nanousd: int | None
    """What it costs now: the last adjustment counts."""
    sequence: int
    """Of its last adjustment; 0 where there is none."""
    dimension: Dimension
    """What its sums are kept under."""


class StoredCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call in the books with its attempts."""

    call_id: str
    accounted_at_us: int
    dimension: Dimension
    attempts: tuple[StoredAttempt, ...]
    request_count: int = 1
    is_charged: bool = True
    """Whether budgets pay for it; for what somebody else carried, only where its source says so."""

    @property
    def place(self) -> Place:
        """Where it stands among the calls."""
        return self.accounted_at_us, self.call_id

    @property
    def cost_nanousd(self) -> int | None:
        """What it costs now; None where that of an attempt is not known."""
        return _total([one.cost_nanousd for one in self.attempts])


class Only(msgspec.Struct, frozen=True):
    """Which attempts; "" is any. A model is the one that was asked for or the one that served."""

    provider: str = ""
    model: str = ""
    marked: bool = False
    """Only calls that were priced as another provider's than the one who served."""

    def takes(self, attempt: StoredAttempt) -> bool:
        """Return whether an attempt is meant."""
        return self.provider in {"", attempt.provider} and (
            self.model in {"", attempt.model, attempt.served_model}
        )


RateAgain = Callable[[StoredAttempt], Rated]


class AttemptCorrection(msgspec.Struct, frozen=True):
    """What one attempt costs now."""

    attempt: StoredAttempt
    rated: Rated
    after_nanousd: int

    @property
    def difference_nanousd(self) -> int:
        """What is added to the sum of what is known."""
        return self.after_nanousd - (self.attempt.cost_nanousd or 0)


class CallCorrection(msgspec.Struct, frozen=True):
    """What changes of one call."""

    call: StoredCall
    attempts: tuple[AttemptCorrection, ...]
    charge_difference_nanousd: int
    """The account pays a call once all of it has a price."""
    becomes_priced: bool

    @property
    def difference_nanousd(self) -> int:
        """What is added to the sum of what is known."""
        return sum(one.difference_nanousd for one in self.attempts)

    @property
    def changes_charges(self) -> bool:
        """Whether a budget may have to pay more or less."""
        return self.call.is_charged and any(one.difference_nanousd for one in self.attempts)

    def charge_difference_of(self, provider: str) -> int:
        """Return what a budget pays more or less: one of all of the call, or of one provider."""
        if not provider:
            return self.charge_difference_nanousd
        of_provider = [one for one in self.attempts if one.attempt.provider == provider]
        return sum(one.difference_nanousd for one in of_provider) if self.call.is_charged else 0


class Findings(msgspec.Struct, kw_only=True):
    """What a batch, or all batches of a run, came to."""

    calls: int = 0
    adjustments: int = 0
    calls_priced: int = 0
    """Calls that had no price, and have one now."""
    unpriced: int = 0
    """Attempts that have no price now either."""
    price_gone: int = 0
    """Attempts that had a price and find none now: they keep what they cost."""
    budgets_unknown: int = 0
    """Calls whose budgets were not corrected: the evidence that names them is purged."""
    difference_nanousd: int = 0
    charge_difference_nanousd: int = 0
    by_provider: dict[str, int] = {}
    """Provider → difference in nano-USD, of those that have one."""

    def add(self, other: "Findings") -> None:
        """Count in what another batch came to."""
        for name in self.__struct_fields__:
            if name != "by_provider":
                setattr(self, name, getattr(self, name) + getattr(other, name))
        for provider, amount in other.by_provider.items():
            self.by_provider[provider] = self.by_provider.get(provider, 0) + amount


def reconsider(
    calls: Sequence[StoredCall], only: Only, rate_again: RateAgain
) -> tuple[list[CallCorrection], Findings]:
    """Return what is to be corrected of some calls, and what was found."""
    findings = Findings(calls=len(calls))
    corrections: list[CallCorrection] = []
    for call in calls:
        correction = _of_call(call, only, rate_again, findings)
        if correction is None:
            continue
        corrections.append(correction)
        findings.adjustments += len(correction.attempts)
        findings.calls_priced += correction.becomes_priced
        findings.difference_nanousd += correction.difference_nanousd
        findings.charge_difference_nanousd += correction.charge_difference_nanousd
    findings.by_provider = provider_differences(corrections)
    return corrections, findings


def provider_differences(corrections: Sequence[CallCorrection]) -> dict[str, int]:
    """Return provider → what it bills more or less, in nano-USD, without zeros."""
    sums: dict[str, int] = {}
    for correction in corrections:
        for one in correction.attempts:
            provider = one.attempt.provider
            sums[provider] = sums.get(provider, 0) + one.difference_nanousd
    return {provider: amount for provider, amount in sums.items() if amount}


def _of_call(
    call: StoredCall, only: Only, rate_again: RateAgain, findings: Findings
) -> CallCorrection | None:
    corrected: list[AttemptCorrection] = []
    for attempt in call.attempts:
        if attempt.cost_origin not in {None, CostOrigin.COMPUTED} or not only.takes(attempt):
            continue
        rated = rate_again(attempt)
        after = rated.cost_nanousd
        if after is None:
            if attempt.cost_nanousd is None:
                findings.unpriced += 1
            else:
                findings.price_gone += 1
        elif after != attempt.cost_nanousd:
            corrected.append(AttemptCorrection(attempt, rated, after))
    if not corrected:
        return None
    costs: Mapping[int, int] = {one.attempt.number: one.after_nanousd for one in corrected}
    before = call.cost_nanousd
    total = _total([costs.get(one.number, one.cost_nanousd) for one in call.attempts])
    return CallCorrection(
        call,
        tuple(corrected),
        charge_difference_nanousd=(total or 0) - (before or 0) if call.is_charged else 0,
        becomes_priced=before is None and total is not None,
    )


def _total(costs: Sequence[int | None]) -> int | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
