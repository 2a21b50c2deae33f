"""What do the models of statsforecast expect? A process of its own, asked over its standard input.

The library and what it needs take seconds to load and 250 MB: neither is for the office. One line
of JSON asks, one line answers. The process ends when nobody has asked for a while, or when
whoever started it is gone.

It forecasts by the optimised Theta method (Fiorucci, Petropoulos and others, "Models for
optimising the theta method and their relationship to state space models", International Journal
of Forecasting 32, 2016), which won the M3 competition in its first form, and takes milliseconds.
"""

import importlib
import select
import sys
import warnings
from collections.abc import Sequence
from itertools import accumulate
from math import sqrt
from typing import Any

import msgspec

from tollbridge.insight.forecast import SEASON_DAYS, Job, Path

LIBRARY = "statsforecast"
MODEL = "theta"
HISTORY_DAYS_MAX = 120
"""The newest days that a model is fitted to: older ones say little of the next, and cost time."""
PATHS = 200
"""So many ways that the days ahead may go, by which the deviation of their sum is measured."""
SEED = 1
"""The same question has the same answer."""
ONE_DEVIATION = 68.26894921370859
"""Per cent of a normal distribution within one standard deviation."""


class Question(msgspec.Struct, frozen=True):
    """The forecasts that are wanted."""

    jobs: tuple[Job, ...]


class Answer(msgspec.Struct, frozen=True):
    """Theirs, in the same order; or what went wrong."""

    paths: tuple[Path, ...] = ()
    error: str = ""


class Theta:
    """The optimised Theta model."""

    def __init__(self) -> None:
        self._numpy: Any = importlib.import_module("numpy")
        self._models: Any = importlib.import_module("statsforecast.models")

    def path(self, job: Job) -> Path:
        """Return what is expected of the days that follow a history."""
        numpy = self._numpy
        # Additive: days of nothing have no factor.
        model = self._models.OptimizedTheta(
            season_length=SEASON_DAYS, decomposition_type="additive"
        )
        history = numpy.asarray(job.history[-HISTORY_DAYS_MAX:], dtype=numpy.float64)
        # Fitted in units of a usual day: the search for the best has absolute tolerances.
        scale = float(numpy.abs(history).mean()) or 1.0
        model.fit(history / scale)
        found = model.predict(h=job.days, level=[ONE_DEVIATION])
        mean = found["mean"] * scale
        deviation = (found[f"hi-{ONE_DEVIATION}"] - found["mean"]) * scale
        return Path(
            mean=_plain(mean),
            deviation=_plain(deviation),
            total_deviation=self._totals(model, job, scale, deviation) if job.has_total else (),
        )

    def _totals(
        self, model: Any, job: Job, scale: float, deviation: Sequence[Any]
    ) -> tuple[float, ...]:
        """Return how sure the sum of the days up to each is."""
        numpy = self._numpy
        ways = model.simulate(h=job.days, n_paths=PATHS, seed=SEED) * scale
        spread = numpy.cumsum(ways, axis=1).std(axis=0, ddof=1)
        # Never less than days that know nothing of each other have: it is only measured.
        least = accumulate(float(one) ** 2 for one in deviation)
        return tuple(
            max(float(one), sqrt(square)) for one, square in zip(spread, least, strict=True)
        )


def answer(model: Theta, question: Question) -> Answer:
    """Return all paths that were asked for."""
    return Answer(paths=tuple(model.path(job) for job in question.jobs))


def _plain(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(one) for one in values)


def main(arguments: Sequence[str]) -> int:
    """Answer until nobody asks for `arguments[0]` seconds, or the input ends."""
    idle_s = float(arguments[0])
    warnings.simplefilter("ignore")
    lines, out = sys.stdin.buffer, sys.stdout.buffer
    model: Theta | None = None
    while select.select([lines], [], [], idle_s)[0]:
        line = lines.readline()
        if not line:
            break
        try:
            model = model or Theta()
            said = answer(model, msgspec.json.decode(line, type=Question))
        except (ArithmeticError, ImportError, LookupError, TypeError, ValueError) as error:
            said = Answer(error=f"{type(error).__name__}: {error}")
        out.write(msgspec.json.encode(said) + b"\n")
        out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
