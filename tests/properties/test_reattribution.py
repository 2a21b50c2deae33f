"""However often re-attribution dies and is begun again: calls move once, and sums are true."""

import asyncio
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.drained import rows
from tests.support.reattributed import (
    COSTS,
    SUMS,
    ReportSpec,
    disagreements,
    put,
    rules,
    tools,
    wanted,
)
from tests.support.recorded import NOON_US, CallSpec
from tests.support.rerated import a_run, contents, dearer
from tests.support.rerated import tools as rerating_tools
from tollbridge.attribution.ruling import Rules
from tollbridge.core.clock import SECOND_US
from tollbridge.recording import adjust
from tollbridge.recording.reattribute import Tools, begin, preview, reattribute, revert
from tollbridge.recording.reattribution_runs_store import Run, Wanted
from tollbridge.storage.unit import Database

WORDS = ("gpt", "flux", "wan", "sora")
PROVIDERS = ("openai", "wavespeed", "fal", "unknown")
POINTS = ("before commit", "after commit")


class _KilledError(Exception):
    """The process died in a batch, or between two."""


@given(seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_any_interruption_leaves_true_books_and_taking_back_leaves_the_first_sums(
    template: Path, seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "books.db"
        shutil.copyfile(template, path)
        asyncio.run(_live(f"sqlite:///{path}", random.Random(seed)))


async def _live(url: str, draw: random.Random) -> None:
    database = Database.open(url)
    try:
        await put(database, [_spec(draw) for _ in range(draw.randrange(1, 14))], _rules(draw))
        if draw.random() < 0.5:
            begun = await adjust.begin(database, a_run())
            await adjust.rerate(database, begun, rerating_tools(dearer(draw.randrange(2000))))
        costs = await contents(database, [COSTS])
        states = [await _state(database)]
        run_ids: list[str] = []
        for _ in range(draw.randrange(1, 4)):
            run_ids.append(await _change(database, draw, _rules(draw)))
            states.append(await _state(database))
        assert await contents(database, [COSTS]) == costs
        while run_ids:
            await _take_back(database, draw, run_ids.pop())
            states.pop()
            assert await _state(database) == states[-1]
    finally:
        await database.close()


async def _change(database: Database, draw: random.Random, by: Rules) -> str:
    """Attribute again in many lives; it comes to what was foreseen, and then to nothing."""
    foreseen = await preview(database, wanted(by), tools(by).again, end_us=2**62)
    before = await _changes(database)
    run_id = await _in_many_lives(database, draw, wanted(by), by)
    assert await _changes(database) - before == foreseen.changed
    again = await preview(database, wanted(by), tools(by).again, end_us=2**62)
    assert again.changed == 0
    return run_id


async def _take_back(database: Database, draw: random.Random, run_id: str) -> None:
    await _in_many_lives(database, draw, Wanted(reverts_run_id=run_id, actor="ada"), rules())


async def _in_many_lives(database: Database, draw: random.Random, what: Wanted, by: Rules) -> str:
    for life in range(100):
        begun = await begin(database, what)
        try:
            await _work(database, begun, _mortal(draw, by, immortal=life > 20))
        except _KilledError:
            assert await disagreements(database) == []
            continue
        assert await disagreements(database) == []
        return begun.run_id
    raise AssertionError("it never ended")


async def _work(database: Database, begun: Run, with_: Tools) -> None:
    if begun.wanted.reverts_run_id is None:
        await reattribute(database, begun, with_)
    else:
        await revert(database, begun, with_)


def _mortal(draw: random.Random, by: Rules, *, immortal: bool) -> Tools:
    """Return tools that die at some point of some batch."""
    left = 10**6 if immortal else draw.randrange(1, 6)
    point_of_death = draw.choice(POINTS)

    def reach(point: str) -> None:
        nonlocal left
        left -= point == point_of_death
        if not left:
            raise _KilledError

    return tools(by, batch_calls=draw.choice((1, 2, 5)), reach=reach)


async def _state(database: Database) -> Any:
    return await contents(database, [*SUMS, "SELECT * FROM call_details"])


async def _changes(database: Database) -> int:
    [(count,)] = await rows(database, "SELECT count(*) FROM attribution_changes")
    return int(count)


def _rules(draw: random.Random) -> Rules:
    words = draw.sample(WORDS, draw.randrange(1, len(WORDS) + 1))
    return rules(*((word, draw.choice(PROVIDERS)) for word in words))


def _spec(draw: random.Random) -> ReportSpec | CallSpec:
    at_us = NOON_US + draw.randrange(-36_000, 36_000) * SECOND_US
    if draw.random() < 0.3:
        return CallSpec(at_us=at_us, fails_first=draw.random() < 0.5, refused=draw.random() < 0.2)
    return ReportSpec(
        at_us=at_us,
        model=f"{draw.choice(WORDS)}-{draw.randrange(3)}",
        provider=draw.choice((None, None, "fal")),
        user=draw.choice(("ada", "bob")),
        request_count=draw.choice((1, 1, 7)),
        cost_usd=draw.choice((None, "0.25")),
    )
