"""A power cut: segments and database end where the disk had them, at most one interval back."""

import asyncio
from pathlib import Path

import pytest

from tests.support.books import discrepancies, rows_of
from tests.support.node import BUDGET, config_of
from tests.support.power import SqliteCopy, cut_back, frozen, lose_unsynced
from tests.support.processes import ServedNode, load, served_node
from tests.support.sandbox_server import SandboxProcess, process_sandbox
from tollbridge.core.clock import SECOND_US, SystemClock

INTERVAL_MS = 100
SLACK_MS = 100
"""How long the fsync itself may take on a busy machine."""


async def until_the_power_goes(node: ServedNode, folder: Path) -> SqliteCopy:
    """Serve, copy the database on the way, serve on and lose everything at one moment."""
    until = asyncio.Event()
    calls = asyncio.create_task(load(node, callers=8, until=until))
    await asyncio.sleep(1.0)
    async with frozen(node):
        copy = SqliteCopy(node.data_dir / "tollbridge.db", folder / "copy")
    await asyncio.sleep(1.0)
    node.kill_all()
    until.set()
    await calls
    return copy


async def compare_after(node: ServedNode, provider: SandboxProcess, cut_us: int) -> None:
    """Start again; assert that at most what was written since `cut_us` is lost."""
    await node.start()
    await node.drained()
    rows = await rows_of(node.database_url)
    ids = [str(row.call_id) for row in rows]
    assert len(ids) == len(set(ids))
    lost = [one for one in provider.log() if one.client_request_id not in set(ids)]
    assert len(rows) > 2 * len(lost)
    # A call's record stands before its bytes leave, so the provider saw it later still.
    early = [one for one in lost if one.started_at_us < cut_us - SECOND_US // 10]
    assert early == []
    assert await discrepancies(node.database_url) == []


@pytest.mark.alone
async def test_at_most_the_interval_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    """Of the database too: what is written back without a sync, and the commit under way."""
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        config = config_of(provider.url, extra=BUDGET.format(limit="1000"))
        async with served_node(
            tmp_path, config, workers=2, spool_fsync_interval_ms=INTERVAL_MS
        ) as node:
            copy = await until_the_power_goes(node, tmp_path)
            cut_us = SystemClock().now_us() - (INTERVAL_MS + SLACK_MS) * 1000
            assert cut_back(node.data_dir / "spool", cut_us) > 0
            assert lose_unsynced(node.data_dir / "tollbridge.db", copy) > 0
            await compare_after(node, provider, cut_us)


@pytest.mark.alone
async def test_a_database_older_than_the_segments_comes_up_to_them_again(tmp_path: Path) -> None:
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        config = config_of(provider.url, extra=BUDGET.format(limit="1000"))
        async with served_node(
            tmp_path, config, workers=2, spool_fsync_interval_ms=INTERVAL_MS
        ) as node:
            copy = await until_the_power_goes(node, tmp_path)
            cut_us = SystemClock().now_us() - (INTERVAL_MS + SLACK_MS) * 1000
            assert cut_back(node.data_dir / "spool", cut_us) > 0
            served = len(await rows_of(node.database_url))
            copy.restore()
            assert len(await rows_of(node.database_url)) < served - 10
            await compare_after(node, provider, cut_us)
