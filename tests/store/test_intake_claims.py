"""A report counts once, for ever; what is refused is kept; nothing is lost on the way."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.reported import SOURCE, Reported, reported
from tollbridge.core.errors import InvalidRequestError, OverloadedError
from tollbridge.recording.intake import IntakeLimits
from tollbridge.recording.intake_registry import Kind, RegisteredName
from tollbridge.storage.unit import Database


def record(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "completed": True, "input_token": 10, **fields}


async def count(node: Reported) -> int:
    [(found,)] = await node.rows("SELECT count(*) FROM call_details")
    return int(found)


async def test_a_record_with_an_id_counts_once_for_ever(database: Database, tmp_path: Path) -> None:
    async with reported(database, tmp_path) as node:
        first = await node.counted(record(id=1), record(id="1"), record(id=2))
        assert (first.accepted, first.duplicates) == (2, 1)
        second = await node.counted(record(id=1))
        assert (second.accepted, second.duplicates) == (0, 1)
        node.intake.close()
        node.intake = node.new_intake()  # as after a restart: no memory of earlier claims
        third = await node.counted(record(id=1), record(id=3))
        assert (third.accepted, third.duplicates) == (1, 1)
        assert await count(node) == 3


async def test_a_batch_key_makes_each_place_count_once(database: Database, tmp_path: Path) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(record(), record(), key="batch-1")
        again = await node.counted(record(), record(), key="batch-1")
        assert (again.accepted, again.duplicates) == (0, 2)
        assert await count(node) == 2


async def test_equal_reports_without_id_or_key_all_count(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(record(), record())
        await node.counted(record())
        assert await count(node) == 3


async def test_with_the_database_away_the_drain_decides_on_duplicates(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(record(id=1))
        node.intake.close()
        node.intake = node.new_intake()
        receipt = await node.take(record(id=1), record(id=2), up=False)
        assert (receipt.accepted, receipt.duplicates) == (2, 0)
        await node.caught_up()
        standing = await node.standing(receipt.batch_id)
        assert (standing.accepted, standing.recorded, standing.pending) == (2, 1, 0)
        assert [(one.record_index, one.reason) for one in standing.refusals] == [(0, "duplicate")]
        assert await count(node) == 2


async def test_two_requests_at_once_with_the_same_id_count_once(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        receipts = await asyncio.gather(*[node.take(record(id="x")) for _ in range(5)])
        assert sum(one.accepted for one in receipts) == 1
        assert sum(one.duplicates for one in receipts) == 4
        await node.caught_up()
        assert await count(node) == 1


async def test_reading_the_spool_again_changes_nothing(database: Database, tmp_path: Path) -> None:
    async with reported(database, tmp_path) as node:
        receipt = await node.counted(record(id=1), record(), record(input_token=-1))
        before = await node.rows("SELECT * FROM rollups_by_call")
        drain = node.drain()
        await drain.rewind()
        await drain.catch_up()
        drain.close()
        assert await node.rows("SELECT * FROM rollups_by_call") == before
        standing = await node.standing(receipt.batch_id)
        assert (standing.accepted, standing.recorded, standing.pending) == (2, 2, 0)
        assert [one.reason for one in standing.refusals] == ["negative_count"]


async def test_a_batch_whose_line_is_torn_counts_not_at_all(
    database: Database, tmp_path: Path
) -> None:
    """A crash in the middle of the write: nobody was told that it is accepted."""
    async with reported(database, tmp_path) as node:
        await node.take(record(id=1))
        node.intake.close()
        [segment] = tmp_path.glob("*.jsonl")
        whole = segment.read_bytes()
        header, line = whole.splitlines()
        segment.write_bytes(header + b"\n" + line + b"\n" + line[: len(line) // 2])
        await node.caught_up()
        assert await count(node) == 1
        node.intake = node.new_intake()
        assert (await node.counted(record(id=1))).duplicates == 1


async def test_refused_records_are_kept_and_the_others_of_the_batch_count(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await node.register(RegisteredName(kind=Kind.MODEL, id="1", name="m"))
        receipt = await node.counted(record(), record(model="other"), record(output_token=-2))
        assert receipt.accepted == 1
        assert [(one.index, one.reason) for one in receipt.refusals] == [
            (1, "unknown_model"),
            (2, "negative_count"),
        ]
        rows = await node.rows(
            "SELECT record_index, source, reason, state, raw FROM intake_refusals ORDER BY 1"
        )
        assert [row[:4] for row in rows] == [
            (1, SOURCE, "unknown_model", "open"),
            (2, SOURCE, "negative_count", "open"),
        ]
        assert '"other"' in str(rows[0][4])


async def test_a_changed_registry_holds_for_the_next_report_and_old_rows_keep_their_names(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await node.register(RegisteredName(kind=Kind.USER, id="7", name="ana"))
        await node.counted(record(user_id=7))
        await node.register(RegisteredName(kind=Kind.USER, id="7", name="ana maria"))
        await node.counted(record(user_id=7))
        rows = await node.rows("SELECT user_name FROM call_details ORDER BY user_name")
        assert rows == [("ana",), ("ana maria",)]


async def test_a_stream_that_crosses_midnight_counts_where_it_ends(
    database: Database, tmp_path: Path
) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    midnight = datetime(2025, 12, 31, 16, 0, tzinfo=UTC)  # in Shanghai the year begins
    at_ms = int(midnight.timestamp() * 1000)
    async with reported(database, tmp_path, zone=zone) as node:
        await node.counted(
            record(started_at=at_ms - 60_000, completed_at=at_ms + 60_000),
            record(started_at=at_ms - 60_000, completed_at=at_ms - 1),
        )
        rows = await node.rows(
            "SELECT day_start_us, calls FROM rollups_by_call_daily ORDER BY day_start_us"
        )
        day_us = 24 * 3600 * 1_000_000
        assert rows == [(at_ms * 1000 - day_us, 1), (at_ms * 1000, 1)]
        [(latency_ms,)] = await node.rows("SELECT max(latency_ms) FROM call_details")
        assert latency_ms == 120_000


async def test_beyond_the_spools_limit_nothing_is_taken(database: Database, tmp_path: Path) -> None:
    limits = IntakeLimits(pending_bytes_max=1000)
    async with reported(database, tmp_path, limits=limits) as node:
        node.pending_bytes = 1001
        with pytest.raises(OverloadedError) as raised:
            await node.take(record(id=1))
        assert raised.value.status == 503
        assert raised.value.retry_after_s
        node.pending_bytes = 0
        assert (await node.counted(record(id=1))).accepted == 1


async def test_a_body_without_records_or_with_too_many_is_refused_whole(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path, limits=IntakeLimits(records_max=2)) as node:
        for records in ([], [record()] * 3):
            with pytest.raises(InvalidRequestError):
                await node.take(*records)
        assert await node.rows("SELECT count(*) FROM intake_batches") == [(0,)]


async def test_a_report_that_cannot_be_closed_waits_in_quarantine_and_its_batch_says_so(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        receipt = await node.take(record(id="good"), record(id="bad", model="poison"))
        node.poison = "poison"
        await node.caught_up()
        node.poison = None
        standing = await node.standing(receipt.batch_id)
        assert (standing.accepted, standing.recorded, standing.pending) == (2, 1, 0)
        assert [(one.record_index, one.reason) for one in standing.refusals] == [(1, "quarantined")]


async def test_a_failed_report_owes_nothing_and_counts_as_failed(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(record(status_code=429, error="slow down", request_count=2))
        [row] = await node.rows("SELECT status, http_status, cost_nanousd FROM call_details")
        assert row == ("FAILED", 429, 0)
        assert await node.rows("SELECT sum(calls), sum(failed) FROM rollups_by_call") == [(2, 2)]
