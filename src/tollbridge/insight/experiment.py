"""Which arm of an experiment did better, and how sure is that, however often one has looked?

Pure arithmetic. The unit is the subject (a user or a key), since all calls of one have the same
arm and are alike: a mean over calls is a ratio of two sums over subjects, and its variance is that
of the linearised ratio (Cochran, "Sampling Techniques", 3rd ed., chapters 2 and 6).

Whoever looks again and again at intervals of a fixed sample size finds a difference some day where
there is none. These hold at all looks together: they are those of the mixture sequential
probability ratio test with a normal mixture (Johari, Koomen, Pekelis and Walsh, "Peeking at A/B
Tests", KDD 2017). For that they are wider.
"""

from collections.abc import Mapping, Sequence
from math import log, sqrt

import msgspec

from tollbridge.insight.axes import Sums
from tollbridge.insight.statistics import wilson
from tollbridge.routing.experiments import ExperimentTerms, Objective
from tollbridge.routing.part import Trial
from tollbridge.routing.trials import arm_of

SUBJECTS_MIN = 10
"""In each arm, below which no interval is told: their variance would be a guess."""
ALPHA = 0.05
"""Of all comparisons of one measure together."""
MIXTURE_SHARE = 0.1
"""The mixture is as wide as a tenth of what the first arm has: differences that matter."""
MIXTURE_SUCCESS = 0.02
"""Of the share of calls that succeed."""


class Subject(msgspec.Struct, frozen=True):
    """What one user or key came to."""

    calls: int
    completed: int
    cost_nanousd: int
    latency_ms: int
    unpriced: int = 0

    @classmethod
    def of(cls, sums: Sums) -> "Subject":
        """Return it of some sums; how long all attempts of a call took is its latency."""
        return cls(
            sums.calls, sums.completed, sums.cost_nanousd, sums.latency_ms_sum, sums.unpriced
        )


class Mean(msgspec.Struct, frozen=True):
    """A mean over calls, and the variance of it; None where that is not known."""

    value: float
    variance: float | None


class Difference(msgspec.Struct, frozen=True):
    """How much more an arm has than the first; between which bounds the truth is."""

    value: float
    low: float | None
    high: float | None

    @property
    def is_sure(self) -> bool:
        """Whether it is not nothing."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class ArmResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of one arm came to, whoever served them in the end."""

    name: str
    subjects: int
    calls: int
    completed: int
    cost_nanousd: int
    unpriced: int
    means: Mapping[Objective, Mean]
    differences: Mapping[Objective, Difference]
    """To the first arm, which has none."""


class Result(msgspec.Struct, frozen=True):
    """What an experiment has found so far."""

    arms: tuple[ArmResult, ...]
    best: str | None
    """The arm that is surely better by the objective than the first; or the first, where all
    others are surely worse. None: nothing is sure."""
    reason: str | None
    """Why there is no best; else None."""


def by_arm(trial: Trial, sums: Mapping[str, Sums]) -> list[list[Subject]]:
    """Return the subjects of each arm. `sums`: what each user or key came to, by name."""
    arms: list[list[Subject]] = [[] for _ in trial.arms]
    for name, one in sorted(sums.items()):
        if one.calls > 0:
            arms[arm_of(trial, name)].append(Subject.of(one))
    return arms


def result_of(terms: ExperimentTerms, arms: Sequence[Sequence[Subject]]) -> Result:
    """Return what an experiment has found."""
    means = [_means(subjects) for subjects in arms]
    alpha = ALPHA / max(1, len(arms) - 1)
    results = tuple(
        ArmResult(
            name=arm.name,
            subjects=len(subjects),
            calls=sum(one.calls for one in subjects),
            completed=sum(one.completed for one in subjects),
            cost_nanousd=sum(one.cost_nanousd for one in subjects),
            unpriced=sum(one.unpriced for one in subjects),
            means=means[place],
            differences={}
            if place == 0
            else {
                what: difference(means[0][what], mean, mixture_of(what, means[0][what]), alpha)
                for what, mean in means[place].items()
                if what in means[0]
            },
        )
        for place, (arm, subjects) in enumerate(zip(terms.arms, arms, strict=True))
    )
    best, reason = _best(terms, results)
    return Result(results, best, reason)


def mean_of(totals: Sequence[int], calls: Sequence[int]) -> Mean:
    """Return the mean over all calls of what subjects came to: Σ totals / Σ calls."""
    count, every = len(calls), sum(calls)
    value = sum(totals) / every
    if count < SUBJECTS_MIN:
        return Mean(value, None)
    errors = sum((total - value * of) ** 2 for total, of in zip(totals, calls, strict=True))
    return Mean(value, count / (count - 1) * errors / every**2)


def difference(first: Mean, other: Mean, mixture: float, alpha: float) -> Difference:
    """Return the difference of two means, with an interval that holds at every look."""
    value = other.value - first.value
    if first.variance is None or other.variance is None or mixture <= 0:
        return Difference(value, None, None)
    variance = first.variance + other.variance
    half = half_width(variance, mixture**2, alpha)
    return Difference(value, value - half, value + half)


def half_width(variance: float, mixture_variance: float, alpha: float) -> float:
    """Return how far from the estimate the truth may be, at all looks, but for a share `alpha`."""
    if variance <= 0:
        return 0.0
    both = variance + mixture_variance
    return sqrt(variance * both / mixture_variance * (2 * log(1 / alpha) + log(both / variance)))


def mixture_of(what: Objective, first: Mean) -> float:
    """Return the deviation of the mixture, in the measure's own unit."""
    return MIXTURE_SUCCESS if what is Objective.SUCCESS else MIXTURE_SHARE * first.value


def broken_guardrail(terms: ExperimentTerms, arms: Sequence[Sequence[Subject]]) -> str | None:
    """Return which arm surely fails too often, in words; None where none does, or none is told."""
    if terms.failed_share_max is None:
        return None
    for arm, subjects in zip(terms.arms, arms, strict=True):
        calls = sum(one.calls for one in subjects)
        failed = calls - sum(one.completed for one in subjects)
        bounds = wilson(failed, calls)
        # The lower bound: a few failures by chance stop nothing.
        if calls >= terms.calls_min and bounds and bounds[0] > float(terms.failed_share_max):
            return (
                f"of the arm {arm.name} {failed} of {calls} calls failed: more than "
                f"{float(terms.failed_share_max):.1%}"
            )
    return None


def _means(subjects: Sequence[Subject]) -> dict[Objective, Mean]:
    calls = [one.calls for one in subjects]
    if not sum(calls):
        return {}
    return {
        Objective.COST: mean_of([one.cost_nanousd for one in subjects], calls),
        Objective.LATENCY: mean_of([one.latency_ms for one in subjects], calls),
        Objective.SUCCESS: _at_least_by_chance(
            mean_of([one.completed for one in subjects], calls), sum(calls)
        ),
    }


def _at_least_by_chance(mean: Mean, calls: int) -> Mean:
    """Return a share whose variance is no less than that of independent calls.

    Where all calls succeeded, the spread of the subjects is nothing, and says nothing.
    """
    if mean.variance is None:
        return mean
    likely = (mean.value * calls + 2) / (calls + 4)
    return Mean(mean.value, max(mean.variance, likely * (1 - likely) / (calls + 4)))


def _best(terms: ExperimentTerms, results: Sequence[ArmResult]) -> tuple[str | None, str | None]:
    few = [one.name for one in results if one.subjects < SUBJECTS_MIN]
    if few:
        return None, f"fewer than {SUBJECTS_MIN} {terms.subject}s in {' and '.join(few)}"
    short = [one.name for one in results if one.calls < terms.calls_min]
    if short:
        return None, f"fewer than {terms.calls_min} calls in {' and '.join(short)}"
    objective = Objective(terms.objective)
    if objective is Objective.COST and any(one.unpriced for one in results):
        return None, "some calls have no known cost: by cost nothing can be decided"
    others = [(one, one.differences[objective]) for one in results[1:] if one.differences]
    sign = 1 if objective is Objective.SUCCESS else -1
    better = [one for one in others if one[1].is_sure and sign * one[1].value > 0]
    if better:
        return max(better, key=lambda one: sign * one[1].value)[0].name, None
    if len(others) == len(results) - 1 and all(one.is_sure for _, one in others):
        return results[0].name, None
    return None, "no difference is sure yet"
