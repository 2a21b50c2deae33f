"""What is told of an experiment is plain arithmetic, and stays true however often one looks."""

import random
from decimal import Decimal
from math import exp, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.insight.axes import Sums
from tollbridge.insight.experiment import (
    ALPHA,
    SUBJECTS_MIN,
    Mean,
    Subject,
    broken_guardrail,
    by_arm,
    difference,
    half_width,
    mean_of,
    mixture_of,
    result_of,
)
from tollbridge.routing.experiments import ExperimentTerms, Objective
from tollbridge.routing.part import Arm, Trial
from tollbridge.routing.trials import arm_of

ARMS = (Arm("a", "one", "m"), Arm("b", "two", "m"))
TERMS = ExperimentTerms(name="try", model="m", category="text", arms=ARMS)
subjects = st.lists(
    st.tuples(st.integers(0, 10**9), st.integers(1, 500)), min_size=SUBJECTS_MIN, max_size=60
)


def users(count: int, calls: int = 20, cost: int = 1000, failed: int = 0) -> list[Subject]:
    """Return so many of about that, each a little different."""
    return [
        Subject(calls, calls - failed, calls * (cost + place % 7), calls * 300)
        for place in range(count)
    ]


@given(subjects)
def test_a_mean_is_that_of_all_calls(rows: list[tuple[int, int]]) -> None:
    """And its variance, with one call a subject, is that of any mean of as many."""
    totals, calls = [one for one, _ in rows], [of for _, of in rows]
    assert mean_of(totals, calls).value == pytest.approx(sum(totals) / sum(calls))
    each = mean_of(totals, [1] * len(totals))
    count, mean = len(totals), sum(totals) / len(totals)
    plain = sum((one - mean) ** 2 for one in totals) / (count - 1) / count
    assert each.variance == pytest.approx(plain, rel=1e-9, abs=1e-6)


def test_calls_of_one_subject_count_as_one_observation() -> None:
    """A thousand calls of each make nobody surer than ten do: they are alike."""
    few = mean_of([10 * cost for cost in range(20)], [10] * 20)
    many = mean_of([1000 * cost for cost in range(20)], [1000] * 20)
    assert few.value == many.value
    assert few.variance == pytest.approx(many.variance)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(0.001, 0.5))
def test_at_its_edge_the_likelihood_ratio_is_one_in_alpha(
    variance: float, mixture: float, alpha: float
) -> None:
    edge = half_width(variance, mixture, alpha)
    both = variance + mixture
    ratio = sqrt(variance / both) * exp(mixture * edge**2 / (2 * variance * both))
    assert ratio == pytest.approx(1 / alpha, rel=1e-6)
    assert edge > 1.96 * sqrt(variance) or alpha > 0.05


def test_looking_again_and_again_finds_nothing_where_there_is_nothing() -> None:
    """Of 400 comparisons of the same with itself, each looked at 40 times.

    With intervals for one look, many a time a difference would have been found: so this can fail.
    """
    draw = random.Random(3)
    found = fooled = 0
    for _ in range(400):
        arms: tuple[list[int], list[int]] = ([], [])
        ours = plain = False
        for _ in range(40):
            for arm in arms:
                arm += [round(draw.gauss(1000, 250)) for _ in range(10)]
            means = [mean_of(arm, [1] * len(arm)) for arm in arms]
            seen = difference(means[0], means[1], mixture_of(Objective.COST, means[0]), ALPHA)
            ours = ours or seen.is_sure
            deviation = sqrt((means[0].variance or 0) + (means[1].variance or 0))
            plain = plain or abs(seen.value) > 1.96 * deviation
        found += ours
        fooled += plain
    assert found / 400 <= ALPHA
    assert fooled / 400 > 3 * ALPHA


def test_a_real_difference_is_found_and_its_interval_holds_it() -> None:
    result = result_of(TERMS, [users(60, cost=1000), users(60, cost=700)])
    assert result.best == "b"
    cost = result.arms[1].differences[Objective.COST]
    assert cost.low is not None
    assert cost.high is not None
    assert cost.low < -300 < cost.high < 0
    assert not result.arms[1].differences[Objective.LATENCY].is_sure
    # All calls succeeded everywhere: that is no proof of sameness.
    success = result.arms[1].differences[Objective.SUCCESS]
    assert success.low is not None
    assert success.low < 0
    worse = result_of(TERMS, [users(60, cost=700), users(60, cost=1000)])
    assert worse.best == "a"


def test_without_enough_nothing_is_told() -> None:
    few = result_of(TERMS, [users(SUBJECTS_MIN), users(SUBJECTS_MIN - 1, cost=1)])
    assert few.best is None
    assert few.reason == f"fewer than {SUBJECTS_MIN} users in b"
    assert few.arms[1].differences[Objective.COST].low is None
    short = result_of(TERMS, [users(10, calls=4), users(10, calls=4, cost=1)])
    assert short.reason == "fewer than 50 calls in a and b"
    same = result_of(TERMS, [users(30), users(30)])
    assert same.reason == "no difference is sure yet"
    unknown = [*users(30, cost=1), Subject(1, 1, 0, 0, unpriced=1)]
    assert "no known cost" in (result_of(TERMS, [users(30), unknown]).reason or "")
    nobody = result_of(TERMS, [[], []])
    assert nobody.best is None
    assert nobody.arms[0].means == {}
    assert difference(Mean(1, None), Mean(2, 1), 1, 0.05).low is None


def test_of_several_arms_the_best_is_taken_and_each_is_held_to_more() -> None:
    arms = (*ARMS, Arm("c", "three", "m"))
    terms = ExperimentTerms(name="try", model="m", category="text", arms=arms)
    result = result_of(terms, [users(60), users(60, cost=800), users(60, cost=500)])
    assert result.best == "c"
    two = result_of(TERMS, [users(60), users(60, cost=800)])
    of_two, of_three = (one.arms[1].differences[Objective.COST] for one in (two, result))
    assert of_two.high is not None
    assert of_three.high is not None
    assert of_two.high < of_three.high


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 50), max_size=30))
def test_each_subject_counts_in_its_own_arm_alone(calls: dict[str, int]) -> None:
    trial = Trial("id", "try", "m", "text", "user", ARMS)
    arms = by_arm(trial, {name: Sums(calls=of, completed=of) for name, of in calls.items()})
    for place, arm in enumerate(arms):
        names = [name for name, of in calls.items() if of and arm_of(trial, name) == place]
        assert len(arm) == len(names)
        assert sum(one.calls for one in arm) == sum(calls[name] for name in names)


@pytest.mark.parametrize(
    ("failed", "calls", "said"),
    [
        (0, 100, None),
        (9, 100, None),
        (30, 100, "of the arm b 30 of 100 calls failed: more than 5.0%"),
        (9, 10, None),
    ],
)
def test_a_guardrail_stops_what_surely_fails_too_often(
    failed: int, calls: int, said: str | None
) -> None:
    """A few by chance, or of too few, stop nothing."""
    terms = ExperimentTerms(
        name="try", model="m", category="text", arms=ARMS, failed_share_max=Decimal("0.05")
    )
    arms = [users(5), [Subject(calls, calls - failed, 0, 0)]]
    assert broken_guardrail(terms, arms) == said
    assert broken_guardrail(TERMS, arms) is None
