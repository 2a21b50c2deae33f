"""However often re-rating dies and is begun again: corrections are made once, and sums are true."""

import asyncio
import random
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.drained import rows
from tests.support.recorded import NOON_US, CallSpec
from tests.support.rerated import a_run, add_budget, dearer, disagreements, originals, put, tools
from tollbridge.core.clock import SECOND_US
from tollbridge.recording.adjust import begin, preview, rerate
from tollbridge.recording.reconsider import RateAgain
from tollbridge.storage.unit import Database

PROVIDERS = ("openai", "openai", "nowhere", "elsewhere")


class _KilledError(Exception):
    """The process died between two batches."""


class _Killer:
    """Ends a process after so many batches."""

    def __init__(self, batches: int) -> None:
        self._left = batches

    def __call__(self, _calls: int) -> None:
        self._left -= 1
        if not self._left:
            raise _KilledError


@given(seed=st.integers(0, 2**32), prices=st.lists(st.integers(0, 3000), min_size=1, max_size=3))
@settings(max_examples=12, deadline=None)
def test_any_interruption_between_batches_leaves_true_books_and_is_made_up_for(
    template: Path, seed: int, prices: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "books.db"
        shutil.copyfile(template, path)
        asyncio.run(_live(f"sqlite:///{path}", random.Random(seed), prices))


async def _live(url: str, draw: random.Random, prices: list[int]) -> None:
    database = Database.open(url)
    try:
        await add_budget(database, 10**9, draw.choice(("month", "day", "total")))
        specs = [_spec(draw) for _ in range(draw.randrange(1, 12))]
        await put(database, specs)
        first = await originals(database)
        for version, times in enumerate(prices):
            without = draw.sample(PROVIDERS[1:], draw.randrange(3))
            await _correct(database, draw, dearer(times, without), version)
        assert await originals(database) == first
    finally:
        await database.close()


async def _correct(
    database: Database, draw: random.Random, rate_again: RateAgain, version: int
) -> None:
    """Rate again in many lives; it comes to what was foreseen, and then to nothing."""
    foreseen = await preview(database, a_run(), rate_again)
    before = await _sums(database)
    lives = 0
    done = False
    while not done:
        # Somebody else may have bumped the prices without changing one that counts here.
        bumped = version * 100 + (0 if draw.random() < 0.8 else lives + 1)
        begun = await begin(database, a_run(version=bumped))
        killer = _Killer(draw.randrange(1, 4) if lives < 20 else 10**6)
        try:
            await rerate(
                database,
                begun,
                tools(rate_again),
                on_progress=killer,
                batch_calls=draw.choice((1, 2, 5)),
            )
            done = True
        except _KilledError:
            lives += 1
        assert await disagreements(database) == []
    after = await _sums(database)
    adjusted, difference = after[0] - before[0], after[1] - before[1]
    assert (adjusted, difference) == (foreseen.adjustments, foreseen.difference_nanousd)
    again = await preview(database, a_run(), rate_again)
    assert (again.adjustments, again.difference_nanousd) == (0, 0)


async def _sums(database: Database) -> tuple[int, int]:
    [(count, total)] = await rows(
        database, "SELECT count(*), coalesce(sum(difference_nanousd), 0) FROM adjustments"
    )
    return count, total


def _spec(draw: random.Random) -> CallSpec:
    return CallSpec(
        at_us=NOON_US + draw.randrange(-36_000, 36_000) * SECOND_US,
        provider=draw.choice(PROVIDERS),
        user=draw.choice(("ada", "bob")),
        input_tokens=draw.randrange(5000),
        output_tokens=draw.randrange(500),
        fails_first=draw.random() < 0.3,
        refused=draw.random() < 0.1,
        hold_nanousd=draw.choice((0, 1_000_000)),
    )
