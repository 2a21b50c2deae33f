"""A power cut: segments end where the disk had them, at most one fsync interval back."""

import asyncio
from pathlib import Path

from tests.support.books import discrepancies, rows_of
from tests.support.node import BUDGET, config_of
from tests.support.processes import ServedNode, load, served_node
from tests.support.sandbox_server import process_sandbox
from tollbridge.core.clock import SECOND_US, SystemClock
from tollbridge.core.evidence import AttemptStarted, Closed, Opened, Progress
from tollbridge.recording.records import RecordCodec, SegmentHeader, SpoolRecord

INTERVAL_MS = 100
SLACK_MS = 100
"""How long the fsync itself may take on a busy machine."""


def written_at_us(record: SpoolRecord) -> int:
    match record:
        case SegmentHeader():
            return record.started_at_us
        case Opened():
            return record.opened_at_us
        case AttemptStarted():
            return record.attempts[-1].started_at_us
        case Progress():
            return record.at_us
        case Closed():
            return record.closed_at_us


def cut_back(spool: Path, until_us: int) -> int:
    """Cut every segment where the first record since `until_us` begins, leaving half of it."""
    codec = RecordCodec()
    lost = 0
    for path in spool.glob("*.jsonl"):
        data = path.read_bytes()
        kept = 0
        for line in data.splitlines(keepends=True):
            if not line.endswith(b"\n") or written_at_us(codec.parse(line[:-1])) >= until_us:
                lost += data.count(b"\n", kept)
                kept += len(line) // 2
                break
            kept += len(line)
        with path.open("r+b") as file:
            file.truncate(kept)
    return lost


async def under_load(node: ServedNode, seconds: float) -> None:
    until = asyncio.Event()
    calls = asyncio.create_task(load(node, callers=8, until=until))
    await asyncio.sleep(seconds)
    node.kill_all()
    until.set()
    await calls


async def test_at_most_the_interval_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        config = config_of(provider.url, extra=BUDGET.format(limit="1000"))
        async with served_node(
            tmp_path, config, workers=2, spool_fsync_interval_ms=INTERVAL_MS
        ) as node:
            clock = SystemClock()
            await under_load(node, 2.0)
            cut_us = clock.now_us() - (INTERVAL_MS + SLACK_MS) * 1000
            assert cut_back(node.data_dir / "spool", cut_us) > 0
            await node.start()
            await node.drained()
            rows = await rows_of(node.database_url)
            ids = [str(row.call_id) for row in rows]
            assert len(ids) == len(set(ids))
            lost = [one for one in provider.log() if one.client_request_id not in set(ids)]
            assert len(rows) > 10 * len(lost)
            # A call's record stands before its bytes leave, so the provider saw it later still.
            early = [one for one in lost if one.started_at_us < cut_us - SECOND_US // 10]
            assert early == []
            assert await discrepancies(node.database_url) == []
