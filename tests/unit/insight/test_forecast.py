"""A forecast equals plain arithmetic, knows nothing of what comes, and says when it cannot."""

from math import sin, sqrt, tau

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.insight.forecast import (
    BASELINE,
    FOLDS_MAX,
    SEASON_DAYS,
    Job,
    Path,
    band,
    baseline,
    conclude,
    deviations_of,
    jobs_of,
    judge,
    plan_of,
    total_spans,
    trials_of,
)
from tollbridge.insight.forecast_limits import Pot, runs_out, used_up

DAYS_MIN = 14
amounts = st.integers(0, 10**9).map(float)
histories = st.lists(amounts, min_size=DAYS_MIN, max_size=80)


@given(histories, st.integers(1, 40))
def test_the_baseline_is_the_same_day_of_the_week_before(history: list[float], days: int) -> None:
    path = baseline(Job(tuple(history), days))
    for ahead in range(days):
        at = len(history) + ahead
        while at >= len(history):
            at -= SEASON_DAYS
        assert path.mean[ahead] == history[at]


@given(histories, st.integers(1, 40))
def test_its_deviations_are_those_of_a_random_walk_by_weekday(
    history: list[float], days: int
) -> None:
    """Counted plainly: which step is how often in a day, and in the sum of the days up to it."""
    path = baseline(Job(tuple(history), days))
    steps = [history[at] - history[at - SEASON_DAYS] for at in range(SEASON_DAYS, len(history))]
    variance = sum(one**2 for one in steps) / len(steps)
    for last in range(days):
        in_day = [at for at in range(last + 1) if at % SEASON_DAYS == last % SEASON_DAYS]
        times = [sum(later >= at and (later - at) % SEASON_DAYS == 0 for later in range(last + 1))
                 for at in range(last + 1)]  # fmt: skip
        assert path.deviation[last] == pytest.approx(sqrt(variance * len(in_day)))
        total = sqrt(variance * sum(count**2 for count in times))
        assert path.total_deviation[last] == pytest.approx(total)


@given(st.lists(amounts, min_size=SEASON_DAYS, max_size=SEASON_DAYS), st.integers(2, 8))
def test_a_week_that_repeats_is_forecast_without_error(week: list[float], weeks: int) -> None:
    [found] = conclude(plan_of([week * weeks], 30, DAYS_MIN), 0.9)
    assert found is not None
    assert list(found.path.mean) == (week * 5)[:30]
    assert max(found.path.total_deviation) == 0
    if weeks > 2:
        assert found.accuracy is not None
        assert found.accuracy.mean_absolute_error == 0
        assert found.accuracy.coverage == 1


@given(st.lists(amounts, max_size=DAYS_MIN - 1))
def test_too_few_days_have_no_forecast(history: list[float]) -> None:
    assert conclude(plan_of([history], 30, DAYS_MIN), 0.9) == [None]


@given(histories)
def test_a_test_is_shown_only_days_before_those_it_is_tested_on(history: list[float]) -> None:
    """And each of the tested days has come."""
    tests = trials_of(history, DAYS_MIN)
    assert len(tests) <= FOLDS_MAX
    for test in tests:
        assert DAYS_MIN <= len(test.history) <= len(history) - test.days
        assert list(test.history) == history[: len(test.history)]
    assert bool(tests) == (len(history) >= DAYS_MIN + SEASON_DAYS)


@given(histories, st.integers(0, 79), amounts)
def test_what_comes_later_changes_no_forecast_of_a_test(
    history: list[float], place: int, value: float
) -> None:
    at = place % len(history)
    changed = [*history[:at], value, *history[at + 1 :]]
    before, after = trials_of(history, DAYS_MIN), trials_of(changed, DAYS_MIN)
    for one, other in zip(before, after, strict=True):
        if at >= len(one.history):
            assert baseline(one) == baseline(other)


@given(histories)
def test_the_error_is_that_of_the_tested_days(history: list[float]) -> None:
    [found] = conclude(plan_of([history], 7, DAYS_MIN), 0.9)
    assert found is not None
    tests = trials_of(history, DAYS_MIN)
    if not tests:
        assert found.accuracy is None
        return
    errors: list[float] = []
    came: list[float] = []
    for test in tests:
        for ahead in range(test.days):
            actual = history[len(test.history) + ahead]
            came.append(actual)
            errors.append(abs(actual - test.history[-SEASON_DAYS + ahead % SEASON_DAYS]))
    assert found.accuracy is not None
    assert found.accuracy.mean_absolute_error == pytest.approx(sum(errors) / len(errors))
    if sum(came):
        assert found.accuracy.relative_error == pytest.approx(sum(errors) / sum(came))
    else:
        assert found.accuracy.relative_error is None


def test_the_model_that_erred_less_is_taken() -> None:
    """A week that grows is met by a model that knows so; one that knows nothing is not taken."""
    history = [float(day) for day in range(60)]
    plan = plan_of([history, [1.0] * 5], 10, DAYS_MIN)
    jobs = jobs_of(plan)
    assert [job.has_total for job in jobs].count(True) == sum(
        bool(one.tests) for one in plan.series
    )
    assert {job.history for job in jobs} == {tuple(history[: len(job.history)]) for job in jobs}

    def line(job: Job, slope: float) -> Path:
        mean = tuple(job.history[-1] + slope * (day + 1) for day in range(job.days))
        return Path(mean, (1.0,) * job.days, (1.0,) * job.days)

    good, short = conclude(plan, 0.9, "line", [line(job, 1) for job in jobs])
    assert good is not None
    assert good.model == "line"
    assert good.path.mean[0] == 60
    assert good.accuracy is not None
    assert good.accuracy.mean_absolute_error == 0
    assert good.baseline_accuracy is not None
    assert good.baseline_accuracy.mean_absolute_error > 1
    assert short is None
    [bad, _] = conclude(plan, 0.9, "line", [line(job, 1000) for job in jobs])
    assert bad is not None
    assert bad.model == BASELINE


def test_the_band_of_noise_around_a_week_holds_about_what_it_promises() -> None:
    """Of a known season with known noise: the sum is met within 5 %, the band holds 90 %."""
    noise = [((day * 7919) % 101 - 50) / 50 for day in range(400)]
    history = [100 + 30 * sin(tau * day / 7) + 5 * noise[day] for day in range(400)]
    learnt, came = history[:330], history[330:]
    [found] = conclude(plan_of([learnt], 70, DAYS_MIN), 0.9)
    assert found is not None
    ends = total_spans(found.path, 70, 1.0, 0.9)
    assert ends[29].expected == pytest.approx(sum(came[:30]), rel=0.05)
    assert ends[29].low <= sum(came[:30]) <= ends[29].high
    assert found.accuracy is not None
    assert found.accuracy.coverage >= 0.8
    assert judge(history, [], [], 0.9) is None


@given(amounts, amounts, st.floats(0.5, 0.99))
def test_a_band_holds_its_middle_and_nothing_below_zero(
    expected: float, deviation: float, confidence: float
) -> None:
    found = band(expected, deviation, confidence)
    assert 0 <= found.low <= found.expected <= found.high
    assert deviations_of(0.95) == pytest.approx(1.959964)


@given(histories, st.floats(0, 1))
def test_of_the_day_that_runs_only_what_is_left_of_it_is_to_come(
    history: list[float], left: float
) -> None:
    path = baseline(Job(tuple(history), 20))
    for day, span in enumerate(total_spans(path, 20, left, 0.9)):
        whole = sum(path.mean[: day + 1])
        assert span.expected == pytest.approx(whole - path.mean[0] * (1 - left), abs=1e-6)


@given(histories, st.integers(-10, 10**10))
def test_a_limit_is_used_up_on_the_first_day_that_brings_it_there(
    history: list[float], left: int
) -> None:
    totals = total_spans(baseline(Job(tuple(history), 30)), 30, 1.0, 0.9)
    found = used_up(float(left), totals)
    assert found.already == (left <= 0)
    if left > 0:
        days = [day for day in range(30) if totals[day].expected >= left]
        assert found.expected == (days[0] if days else None)
        if found.expected is not None:
            assert found.earliest is not None
            assert found.earliest <= found.expected
        if found.latest is not None:
            assert found.expected is not None
            assert found.latest >= found.expected
    # A wallet whose grants never expire is nothing else.
    starts_us = [day * 86_400_000_000 for day in range(30)]
    pots = [Pot(left / 2), Pot(left / 2)] if left > 0 else []
    wallet = runs_out(pots, 0.0 if left > 0 else float(left), totals, starts_us)
    assert wallet.expected == found.expected or left > 0


def test_what_expires_on_the_way_is_not_there_to_be_spent() -> None:
    totals = total_spans(baseline(Job((10.0,) * 14, 10)), 10, 1.0, 0.9)
    starts_us = list(range(0, 100, 10))
    assert runs_out([Pot(45.0), Pot(20.0)], 0.0, totals, starts_us).expected == 6
    # Of the first, 20 are spent before it is gone on the third day; the other lasts two days more.
    assert runs_out([Pot(45.0, 20), Pot(20.0)], 0.0, totals, starts_us).expected == 3
    assert runs_out([Pot(45.0, 20)], 0.0, totals, starts_us).expected == 2
    assert runs_out([Pot(45.0, 20)], 15.0, totals, starts_us).expected == 3
    assert runs_out([], 0.0, totals, starts_us).already
