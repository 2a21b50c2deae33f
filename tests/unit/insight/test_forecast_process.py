"""The process with better models answers, is ended when it is late, and is never needed."""

import asyncio
import os
from collections.abc import AsyncGenerator
from math import sin, tau

import pytest

from tollbridge.insight.forecast import BASELINE, Job, baseline, judge, trials_of
from tollbridge.insight.forecast_process import ForecastModels, ModelsAwayError
from tollbridge.insight.foretell import Forecaster, foretell

HISTORY = tuple(
    100 + 2 * day + 30 * sin(tau * day / 7) + (day * 7919 % 101 - 50) / 10 for day in range(120)
)


@pytest.fixture
async def models() -> AsyncGenerator[ForecastModels]:
    found = ForecastModels(timeout_s=120, idle_s=60)
    assert found.is_there  # the extra `forecast` is among what the tests are run with
    yield found
    await found.close()


@pytest.mark.slow
async def test_a_growing_week_is_forecast_better_than_by_the_baseline(
    models: ForecastModels,
) -> None:
    """And what is asked twice is answered alike, by the same process, in a long line too."""
    tests = trials_of(HISTORY, 14)
    jobs = [*tests, Job(HISTORY, 90)]
    paths = await models.paths(jobs)
    theirs = judge(HISTORY, tests, paths[:-1], 0.9)
    ours = judge(HISTORY, tests, [baseline(test) for test in tests], 0.9)
    assert theirs is not None
    assert ours is not None
    assert theirs.mean_absolute_error < ours.mean_absolute_error / 2
    ahead = paths[-1]
    assert [len(one) for one in (ahead.mean, ahead.deviation, ahead.total_deviation)] == [90] * 3
    assert sum(ahead.mean[:28]) == pytest.approx(28 * (100 + 2 * 134), rel=0.05)
    assert all(one > 0 for one in ahead.deviation)
    assert list(ahead.total_deviation) == sorted(ahead.total_deviation)
    pid = _pid(models)
    assert await models.paths(jobs * 20) == paths * 20
    assert _pid(models) == pid
    told = await foretell(Forecaster(models=models), [HISTORY, (1.0,) * 5], 30, 0.9)
    assert told.note is None
    [grown, short] = told.forecasts
    assert grown is not None
    assert grown.model == "theta"
    assert short is None
    # Nothing but zeros, or one figure alone, breaks nothing.
    flat = await models.paths([Job((0.0,) * 30, 5), Job((7.0,) * 30, 5)])
    assert [one.mean for one in flat] == [(0.0,) * 5, (7.0,) * 5]


@pytest.mark.slow
async def test_a_process_that_has_ended_is_started_anew(models: ForecastModels) -> None:
    job = Job((1.0, 2.0, 3.0) * 10, 3)
    first = await models.paths([job])
    os.kill(_pid(models), 9)
    assert await models.paths([job]) == first


async def test_who_takes_too_long_is_ended_and_the_baseline_answers() -> None:
    models = ForecastModels(timeout_s=0.01, idle_s=60)
    told = await foretell(Forecaster(models=models), [HISTORY], 30, 0.9)
    assert told.note is not None
    assert ("over 0.01 s" in told.note) == models.is_there
    [found] = told.forecasts
    assert found is not None
    assert found.model == BASELINE
    assert models._process is None


async def test_without_the_library_the_baseline_answers_and_says_so() -> None:
    models = ForecastModels(timeout_s=1, idle_s=1, library="no_such_library")
    assert not models.is_there
    with pytest.raises(ModelsAwayError, match="not installed"):
        await models.paths([Job(HISTORY, 3)])
    told = await foretell(Forecaster(models=models), [HISTORY], 30, 0.9)
    assert told.note is not None
    assert "the extra `forecast`" in told.note
    assert told.forecasts[0] is not None


async def test_a_process_that_nobody_asks_ends_by_itself() -> None:
    models = ForecastModels(timeout_s=60, idle_s=0.05)
    try:
        process = await models._started()
        assert await asyncio.wait_for(process.wait(), 30) == 0
    finally:
        await models.close()


def _pid(models: ForecastModels) -> int:
    assert models._process is not None
    return models._process.pid
