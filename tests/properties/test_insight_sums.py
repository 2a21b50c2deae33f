"""Each number of insight is the one that its calls and their attempts plainly come to."""

import asyncio
import random
import shutil
import tempfile
from datetime import UTC
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.insight_checks import check_all
from tollbridge.storage.unit import Database


@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_every_number_of_insight_is_that_of_the_details(template: Path, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "books.db"
        shutil.copyfile(template, path)
        asyncio.run(_check(f"sqlite:///{path}", random.Random(seed)))


async def _check(url: str, draw: random.Random) -> None:
    database = Database.open(url)
    try:
        await check_all(database, draw, UTC)
    finally:
        await database.close()
