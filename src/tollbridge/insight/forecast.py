"""How much comes in the days ahead, how sure is that, and how wrong would it have been before?

Pure arithmetic over one number for each day. What is to come is a path: for each day ahead its
mean and standard deviation, and the standard deviation of the sum up to it, since the errors of
several days are not independent of each other.

The baseline is the seasonal-naive forecast: each day is as the same day of the week before. Its
errors add up by week, independently for each day of it (a seasonal random walk), which gives all
its deviations in closed form. Any other model answers jobs with paths; it is tested on days that it
was not shown, and taken where it erred less there than the baseline.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

import msgspec

SEASON_DAYS = 7
"""A week: usage has working days and days off."""
DAYS_AHEAD_MAX = 90
FOLDS_MAX = 3
"""So many times in the past a forecast is made and compared with what came."""
SHORT_TEST_DAYS = SEASON_DAYS
LONG_TEST_DAYS = 4 * SEASON_DAYS
"""How far each of them looks ahead: as a week, or where the past is long enough as a month."""
BASELINE = "seasonal_naive"


class Job(msgspec.Struct, frozen=True):
    """A forecast that is to be made: from these days, of so many that follow."""

    history: tuple[float, ...]
    days: int
    has_total: bool = True
    """Whether it is asked too how sure the sum of the days is: a test does not."""


class Path(msgspec.Struct, frozen=True):
    """What is expected of the days ahead, the first one first."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    """Standard deviation of each day."""
    total_deviation: tuple[float, ...]
    """Standard deviation of the sum of all days up to it, with it; empty where nobody asked."""


class Accuracy(msgspec.Struct, frozen=True):
    """How wrong a model was on days that it was not shown."""

    folds: int
    days: int
    """How far each fold looked ahead."""
    mean_absolute_error: float
    """Of a day."""
    relative_error: float | None
    """Σ of the days' absolute errors by Σ of what came; None where nothing came."""
    total_relative_error: float | None
    """The same of each fold's sum; None likewise."""
    coverage: float
    """Share of the days that were within the band; with an honest band about its confidence."""


class Forecast(msgspec.Struct, frozen=True):
    """A path, the model that it is from, and how that one did on days it was not shown."""

    model: str
    path: Path
    accuracy: Accuracy | None
    """None: too few days to test it."""
    baseline_accuracy: Accuracy | None


class Span(msgspec.Struct, frozen=True):
    """An expected amount, and the band around it."""

    expected: float
    low: float
    high: float


class Series(msgspec.Struct, frozen=True):
    """One number for each day of the past, and how a model is tested on it."""

    history: tuple[float, ...]
    tests: tuple[Job, ...] | None
    """None: too few days for a forecast at all."""


class Plan(msgspec.Struct, frozen=True):
    """All that is to be forecast at once."""

    days: int
    series: tuple[Series, ...]


def baseline(job: Job) -> Path:
    """Return the seasonal-naive forecast. The history has at least two weeks."""
    season = SEASON_DAYS
    history, days = job.history, job.days
    steps = [now - before for now, before in zip(history[season:], history, strict=False)]
    step = sqrt(sum(one * one for one in steps) / len(steps))
    week = history[-season:]
    # The step of a day comes again on the same day of each later week.
    weeks = [day // season + 1 for day in range(days)]
    total_deviation: list[float] = []
    squares = 0
    for day in range(days):
        # The step of a weekday's k-th week is in the sum once for that week and each later one:
        # 1² + 2² + … + weeks² for each weekday.
        squares += weeks[day] ** 2
        total_deviation.append(step * sqrt(squares))
    return Path(
        mean=tuple(week[day % season] for day in range(days)),
        deviation=tuple(step * sqrt(count) for count in weeks),
        total_deviation=tuple(total_deviation),
    )


def trials_of(history: Sequence[float], days_min: int) -> list[Job]:
    """Return the forecasts that test a model: of days that have come, from those before them alone.

    Each is made of at least `days_min` days. Empty where the past is too short.
    """
    room = len(history) - days_min
    days = (
        LONG_TEST_DAYS
        if room >= LONG_TEST_DAYS + (FOLDS_MAX - 1) * SEASON_DAYS
        else (SHORT_TEST_DAYS)
    )
    folds = min(FOLDS_MAX, (room - days) // SEASON_DAYS + 1) if room >= days else 0
    ends = (len(history) - days - fold * SEASON_DAYS for fold in range(folds))
    return [Job(tuple(history[:end]), days, has_total=False) for end in ends]


def judge(
    history: Sequence[float], tests: Sequence[Job], paths: Sequence[Path], confidence: float
) -> Accuracy | None:
    """Return how far the paths were from what came; None without tests."""
    if not tests:
        return None
    z = deviations_of(confidence)
    error = total_error = came = 0.0
    within = count = 0
    for test, path in zip(tests, paths, strict=True):
        first = len(test.history)
        actual = history[first : first + test.days]
        for value, mean, deviation in zip(actual, path.mean, path.deviation, strict=True):
            error += abs(value - mean)
            within += max(0.0, mean - z * deviation) <= value <= mean + z * deviation
        total_error += abs(sum(actual) - sum(path.mean))
        came += sum(actual)
        count += test.days
    return Accuracy(
        folds=len(tests),
        days=tests[0].days,
        mean_absolute_error=error / count,
        relative_error=error / came if came else None,
        total_relative_error=total_error / came if came else None,
        coverage=within / count,
    )


def plan_of(histories: Sequence[Sequence[float]], days: int, days_min: int) -> Plan:
    """Return what is to be forecast: each history with its tests, where it has `days_min` days."""
    return Plan(
        days=days,
        series=tuple(
            Series(
                tuple(history),
                None if len(history) < days_min else tuple(trials_of(history, days_min)),
            )
            for history in histories
        ),
    )


def jobs_of(plan: Plan) -> list[Job]:
    """Return all that another model than the baseline is asked for, in order.

    What cannot be tested is not taken before the baseline, and so not asked for.
    """
    jobs: list[Job] = []
    for one in plan.series:
        if one.tests:
            jobs += [*one.tests, Job(one.history, plan.days)]
    return jobs


def conclude(
    plan: Plan, confidence: float, model: str = BASELINE, paths: Sequence[Path] = ()
) -> list[Forecast | None]:
    """Return a forecast of each history; None of one that has too few days.

    `paths`: what `model` says to the jobs of the plan; without them the baseline is taken.
    """
    found: list[Forecast | None] = []
    at = 0
    for one in plan.series:
        if one.tests is None:
            found.append(None)
            continue
        own = _of_baseline(one, plan.days, confidence)
        if one.tests and paths:
            tested, ahead = paths[at : at + len(one.tests)], paths[at + len(one.tests)]
            at += len(one.tests) + 1
            accuracy = judge(one.history, one.tests, tested, confidence)
            own = _better(own, Forecast(model, ahead, accuracy, own.accuracy))
        found.append(own)
    return found


def _of_baseline(one: Series, days: int, confidence: float) -> Forecast:
    tests = one.tests or ()
    accuracy = judge(one.history, tests, [baseline(test) for test in tests], confidence)
    return Forecast(BASELINE, baseline(Job(one.history, days)), accuracy, accuracy)


def _better(own: Forecast, other: Forecast) -> Forecast:
    if own.accuracy is None or other.accuracy is None:
        return own
    is_better = other.accuracy.mean_absolute_error < own.accuracy.mean_absolute_error
    return other if is_better else own


def deviations_of(confidence: float) -> float:
    """Return within how many standard deviations a share of a normal distribution is."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def band(expected: float, deviation: float, confidence: float) -> Span:
    """Return an amount with its band; nothing is below zero."""
    half = deviations_of(confidence) * deviation
    return Span(max(0.0, expected), max(0.0, expected - half), max(0.0, expected + half))


def day_span(path: Path, day: int, confidence: float) -> Span:
    """Return what is expected of one day; 0 is the first one ahead."""
    return band(path.mean[day], path.deviation[day], confidence)


def total_spans(path: Path, days: int, first_share: float, confidence: float) -> list[Span]:
    """Return what is expected up to the end of each day ahead.

    `first_share` is what is left of the first day, which has begun: of it only that is to come. A
    day is never expected to take away what the days before it brought.
    """
    found: list[Span] = []
    expected = 0.0
    for day in range(days):
        share = first_share if day == 0 else 1.0
        expected += max(0.0, path.mean[day]) * share
        found.append(band(expected, path.total_deviation[day], confidence))
    return found
