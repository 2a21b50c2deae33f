"""Whatever is asked for: pages, total, roll-ups and a plain count of all calls agree."""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.recorded import NOON_US, CallSpec, record
from tollbridge.core.call import Bucket
from tollbridge.core.clock import SECOND_US
from tollbridge.insight.log_queries import FROM_START, count_log, read_log
from tollbridge.insight.scan_queries import ScanBounds
from tollbridge.insight.total_queries import totals
from tollbridge.insight.usage import CallFilter, CallRow, Grouping, LogStart, TotalsFilter
from tollbridge.storage.unit import Database

# Roll-ups are by days of UTC here, as `record` writes them.
ZONE: tzinfo = UTC
WIDTHS_US = (1, SECOND_US, 900 * SECOND_US, 86_400 * SECOND_US)
BOUNDS = (
    ScanBounds(),
    ScanBounds(span_rows=1, span_rows_max=3, look_rows=1, sparse_calls=2),
    ScanBounds(span_rows=2, look_rows=1, scanned_rows_max=4, sparse_calls=0, counted_max=3),
)
PROVIDERS = ("openai", "openai", "nowhere", "groq")


@given(seed=st.integers(0, 2**32))
@settings(max_examples=8, deadline=None)
def test_pages_and_totals_are_what_a_plain_count_gives(template: Path, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "books.db"
        shutil.copyfile(template, path)
        asyncio.run(_check(f"sqlite:///{path}", random.Random(seed)))


async def _check(url: str, draw: random.Random) -> None:
    database = Database.open(url)
    try:
        width_us = draw.choice(WIDTHS_US)
        await record(database, [_spec(draw, width_us) for _ in range(draw.randrange(1, 40))])
        every = await _pages(database, CallFilter(), ScanBounds(), 5000)
        await _roll_ups_agree(database, every)
        for _ in range(8):
            wanted, bounds = _filter(draw, width_us), draw.choice(BOUNDS)
            expected = [row.call_id for row in every if _is_meant(row, wanted)]
            found = await _pages(database, wanted, bounds, draw.randrange(1, 8))
            assert [row.call_id for row in found] == expected, wanted
            await _total_agrees(database, wanted, bounds, len(expected))
            await _offset_agrees(database, draw, wanted, expected)
    finally:
        await database.close()


async def _roll_ups_agree(database: Database, every: list[CallRow]) -> None:
    async with database.read() as unit:
        sums = (await totals(unit, Grouping.DAY, TotalsFilter(), ZONE, 1000)).total
    assert sums.calls == len(every)
    assert sums.cost_nanousd == sum(row.known_cost_nanousd or 0 for row in every)
    assert sums.unpriced == sum(row.cost_nanousd is None for row in every)


async def _total_agrees(
    database: Database, wanted: CallFilter, bounds: ScanBounds, calls: int
) -> None:
    async with database.read() as unit:
        total = await count_log(unit, wanted, ZONE, bounds)
    if total.is_exact:
        assert total.calls == calls, wanted
    else:
        assert total.calls <= calls, wanted
        assert bounds is BOUNDS[2], wanted


async def _offset_agrees(
    database: Database, draw: random.Random, wanted: CallFilter, expected: list[str]
) -> None:
    offset = draw.randrange(len(expected) + 2)
    async with database.read() as unit:
        page = await read_log(unit, wanted, ZONE, 4, LogStart(offset=offset), BOUNDS[1])
    assert [row.call_id for row in page.rows] == expected[offset : offset + 4], wanted


async def _pages(
    database: Database, wanted: CallFilter, bounds: ScanBounds, limit: int
) -> list[CallRow]:
    rows: list[CallRow] = []
    start = FROM_START
    for _ in range(1000):
        async with database.read() as unit:
            page = await read_log(unit, wanted, ZONE, limit, start, bounds)
        rows += page.rows
        if page.next is None:
            return rows
        start = LogStart(page.next)
    raise AssertionError("the pages have no end")


def _spec(draw: random.Random, width_us: int) -> CallSpec:
    key = draw.choice("abc")
    return CallSpec(
        at_us=NOON_US + draw.randrange(20) * width_us,
        provider=draw.choice(PROVIDERS),
        model=draw.choice(("gpt-4o-mini", "gpt-4o")),
        label=draw.choice(("gpt-4o-mini", "alias")),
        user=draw.choice(("ada", "bob")),
        key_id=f"id-{key}",
        key_name=key,
        project=draw.choice(("main", "night")),
        bucket=draw.choice((Bucket.OPENAI, Bucket.VIDEO)),
        fails_first=draw.random() < 0.2,
        refused=draw.random() < 0.2,
    )


def _filter(draw: random.Random, width_us: int) -> CallFilter:
    choices: Mapping[str, tuple[Any, ...]] = {
        "provider": ("openai", "groq", "aimlapi"),
        "actual_provider": ("openai", "nowhere"),
        "bucket": ("openai", "video"),
        "model": ("gpt-4o", "alias"),
        "served_model": ("gpt-4o",),
        "status": ("COMPLETED", "FAILED"),
        "status_code": (200, 502),
        "status_class": ("2xx", "5xx"),
        "ending": ("complete", "all_refused"),
        "user": ("ada", "bob"),
        "key": ("a", "id-b"),
        "project": ("night",),
        "usage_source": ("reported", "none"),
        "unpriced": (True, False),
        "fallback": (True, False),
    }
    names = draw.sample(sorted(choices), draw.randrange(4))
    words = {name: draw.choice(choices[name]) for name in names}
    if draw.random() < 0.4:
        words["from_us"] = NOON_US + draw.randrange(-1, 12) * width_us + draw.randrange(2)
    if draw.random() < 0.4:
        words["to_us"] = NOON_US + draw.randrange(8, 22) * width_us + draw.randrange(2)
    return msgspec.convert(words, CallFilter)


def _is_meant(row: CallRow, wanted: CallFilter) -> bool:
    """Return whether a filter lets a call by: the plain reading of it."""
    says: dict[str, tuple[Any, ...]] = {
        "provider": (row.actual_provider_name, row.bucket),
        "actual_provider": (row.actual_provider_name,),
        "bucket": (row.bucket,),
        "model": (row.label, row.requested_model),
        "served_model": (row.served_model,),
        "status": (row.status,),
        "status_code": (row.http_status,),
        "status_class": (f"{(row.http_status or 0) // 100}xx",),
        "ending": (row.ending,),
        "user": (row.user,),
        "key": (row.key_id, row.key_name),
        "project": (row.project,),
        "usage_source": (row.usage_source,),
        "unpriced": (row.cost_nanousd is None,),
        "fallback": (row.attempt_count > 1,),
    }
    given = msgspec.structs.asdict(wanted)
    if any(given[name] is not None and given[name] not in have for name, have in says.items()):
        return False
    at_us = row.accounted_at_us or 0
    after = wanted.from_us is None or at_us >= wanted.from_us
    return after and (wanted.to_us is None or at_us < wanted.to_us)
