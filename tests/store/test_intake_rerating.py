"""Prices of reported usage are corrected too: costs follow, and no budget pays."""

from pathlib import Path

from tests.support.reported import NOW_MS, reported
from tests.support.rerated import a_run, dearer, tools
from tollbridge.core.clock import SECOND_US
from tollbridge.recording.adjust import begin, rerate
from tollbridge.recording.adjustment_store import Window
from tollbridge.storage.unit import Database

DAY = Window(NOW_MS * 1000 - SECOND_US, NOW_MS * 1000 + SECOND_US)


async def test_reports_are_rated_again_and_charged_to_nobody(
    database: Database, tmp_path: Path
) -> None:
    """One had a price and one had none, of three requests: both sums follow by what they are."""
    async with reported(database, tmp_path) as node:
        await node.counted(
            {"model": "gpt-4o-mini", "provider_type": "openai", "input_token": 100},
            {"model": "m", "provider_type": "nobody", "input_token": 10, "request_count": 3},
        )
        assert await node.rows("SELECT sum(unpriced) FROM rollups_by_call") == [(3,)]
        begun = await begin(database, a_run(window=DAY))
        await rerate(database, begun, tools(dearer(1000)), batch_calls=10)
        [(cost, charge, unpriced)] = await node.rows(
            "SELECT sum(cost_nanousd), sum(charge_nanousd), sum(unpriced) FROM rollups_by_call"
        )
        assert (cost, charge, unpriced) == (110_000, 0, 0)
        assert await node.rows("SELECT sum(unpriced) FROM rollups_by_attempt") == [(0,)]
