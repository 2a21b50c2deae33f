"""What other gateways report: gpustack's cases, restated for our books, and the duplicates.

Cases 1 to 15 are numbered as in the facts of its test suite (its usage buffer's 15 tests). Where
ours differs on purpose the test says why.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.support.reported import NOW_MS, Reported, reported
from tollbridge.metering.estimate import EstimateRules
from tollbridge.recording.statements import joined
from tollbridge.storage.unit import Database

NOV_14_MS = 1_700_000_000_000
TOKENS = "input_tokens, output_tokens, cache_read_tokens, request_count"


def record(**fields: Any) -> dict[str, Any]:
    return {"model": "qwen3-0.6b", "completed": True, "completed_at": NOV_14_MS, **fields}


async def test_case_1_what_is_not_reported_is_unknown_and_stands_for_one_request(
    database: Database, tmp_path: Path
) -> None:
    """Ours differs: the buffer makes 0 of an absent count; here unknown is never zero."""
    async with reported(database, tmp_path) as node:
        await node.counted({"model": "qwen3-0.6b", "completed": True})
        [row] = await node.rows(
            joined("SELECT", TOKENS, ", usage_source, key_id FROM call_details")
        )
        assert row == (None, None, None, 1, "none", "")
        assert await node.rows("SELECT sum(calls), sum(unpriced) FROM rollups_by_call") == [(1, 1)]


async def test_cases_2_and_3_the_day_is_that_of_completed_at_and_names_may_be_missing(
    database: Database, tmp_path: Path
) -> None:
    """Ours differs: no key of joined strings; a roll-up's row has day and dimension."""
    async with reported(database, tmp_path) as node:
        await node.counted(record(model_id=1, user_id=2, access_key="abc"), record())
        rows = await node.rows(
            "SELECT day_start_us, model, sum(calls) FROM rollups_by_call_daily "
            "JOIN dimensions USING (dimension_id) GROUP BY day_start_us, model"
        )
        assert [(int(day), model, int(calls)) for day, model, calls in rows] == [
            (1_699_920_000_000_000, "qwen3-0.6b", 2)
        ]
        found = await node.rows("SELECT user_name, key_name FROM call_details")
        assert sorted(found) == [("", ""), ("2", "abc")]


async def test_case_4_a_report_is_stored_as_it_is(database: Database, tmp_path: Path) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(record(input_token=100, output_token=200, input_cached_token=60))
        [row] = await node.rows(joined("SELECT", TOKENS, ", usage_source FROM call_details"))
        assert row == (100, 200, 60, 1, "reported")


async def test_case_5_reports_of_the_same_kind_add_up_and_each_keeps_its_row(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(
            record(input_token=100, output_token=200, input_cached_token=60),
            record(input_token=50, output_token=80, input_cached_token=15),
        )
        assert await node.rows("SELECT count(*) FROM call_details") == [(2,)]
        assert await sums(node) == [(150, 280, 75, 2)]


async def test_case_6_another_user_is_another_sum(database: Database, tmp_path: Path) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(record(user_id=1, input_token=1), record(user_id=2, input_token=2))
        rows = await node.rows(
            "SELECT user_name, input_tokens FROM rollups_by_call "
            "JOIN dimensions USING (dimension_id)"
        )
        assert sorted(rows) == [("1", 1), ("2", 2)]


async def test_case_7_totals_add_up(database: Database, tmp_path: Path) -> None:
    """Ours differs: a total is the sum of its parts, and one without parts is only flagged."""
    async with reported(database, tmp_path) as node:
        await node.counted(
            record(input_token=100, output_token=200, total_token=300),
            record(input_token=60, output_token=40, total_token=100),
            record(total_token=500),
        )
        assert await node.rows(
            "SELECT sum(total_tokens) FROM call_details WHERE total_tokens IS NOT NULL"
        ) == [(400,)]
        [row] = await node.rows(
            "SELECT usage_source, flags FROM call_details WHERE total_tokens IS NULL"
        )
        assert row[0] == "none"
        assert "total_only" in str(row[1])


@pytest.mark.parametrize("operation", ["rerank", "embedding"])
async def test_case_8_of_embeddings_and_rerank_the_total_is_input(
    database: Database, tmp_path: Path, operation: str
) -> None:
    """Ours differs: the output that nobody reported is unknown, not 0."""
    async with reported(database, tmp_path) as node:
        await node.counted(record(operation=operation, total_token=77))
        [row] = await node.rows(joined("SELECT", TOKENS, ", category FROM call_details"))
        assert row == (77, None, None, 1, operation)


async def test_case_9_nothing_is_estimated_of_a_completed_report(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(
            record(input_token=0, output_token=0, request_content_bytes=400, output_chunk_count=10)
        )
        [row] = await node.rows(joined("SELECT", TOKENS, ", usage_source FROM call_details"))
        assert row == (0, 0, None, 1, "reported")


async def test_case_10_both_slots_are_estimated_where_both_are_blank(
    database: Database, tmp_path: Path
) -> None:
    rules = EstimateRules(bytes_per_token=4, tokens_per_chunk=2)
    async with reported(database, tmp_path, estimates=rules) as node:
        await node.counted(
            record(completed=False, request_content_bytes=400, output_chunk_count=10)
        )
        [row] = await node.rows(
            joined("SELECT", TOKENS, ", total_tokens, usage_source FROM call_details")
        )
        assert row == (100, 20, None, 1, 120, "estimated")


async def test_case_11_a_reported_input_stays_and_only_a_blank_output_is_estimated(
    database: Database, tmp_path: Path
) -> None:
    """Ours differs: without chunks the output is unknown, not 0."""
    async with reported(database, tmp_path) as node:
        await node.counted(
            record(completed=False, input_token=999, request_content_bytes=400, id="a"),
            record(
                completed=False,
                input_token=999,
                output_token=0,
                request_content_bytes=400,
                output_chunk_count=7,
                id="b",
            ),
        )
        rows = await node.rows(
            joined("SELECT", TOKENS, ", usage_source FROM call_details ORDER BY usage_source")
        )
        assert rows == [(999, 7, None, 1, "estimated"), (999, None, None, 1, "reported")]


async def test_case_12_an_estimate_is_at_least_one(database: Database, tmp_path: Path) -> None:
    rules = EstimateRules(bytes_per_token=100)
    async with reported(database, tmp_path, estimates=rules) as node:
        await node.counted(record(completed=False, request_content_bytes=10))
        assert await node.rows("SELECT input_tokens FROM call_details") == [(1,)]


async def test_case_13_nothing_is_dropped_at_a_cap(database: Database, tmp_path: Path) -> None:
    """Ours differs: the buffer keeps the newest and drops the others; the spool keeps all."""
    async with reported(database, tmp_path) as node:
        for user in range(1, 6):
            await node.take(record(user_id=user))
        drain = node.drain(batch_records_max=3)
        await drain.catch_up()
        drain.close()
        rows = await node.rows("SELECT user_name FROM call_details ORDER BY user_name")
        assert rows == [("1",), ("2",), ("3",), ("4",), ("5",)]


async def test_cases_14_and_15_another_day_is_another_sum(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(record(), record(completed_at=NOV_14_MS + 24 * 3600 * 1000))
        rows = await node.rows("SELECT day_start_us FROM rollups_by_call_daily ORDER BY 1")
        assert [int(row[0]) for row in rows] == [1_699_920_000_000_000, 1_700_006_400_000_000]


async def test_requests_of_one_report_are_kept_and_summed_everywhere(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(
            record(request_count=7, input_token=70, output_token=7),
            record(request_count=5, completed=False, request_content_bytes=40),
        )
        assert await sums(node) == [(80, 7, 0, 12)]
        assert await node.rows("SELECT sum(attempts) FROM rollups_by_attempt") == [(12,)]
        assert await node.rows("SELECT sum(estimated) FROM rollups_by_call") == [(5,)]


async def test_a_report_is_priced_by_the_catalogue_and_charged_to_no_budget(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(
            record(model="gpt-4o-mini", provider_type="openai", input_token=2518, output_token=242),
            record(model="gpt-4o-mini", provider_type="openai", input_token=1, request_count=3),
        )
        rows = await node.rows(
            "SELECT actual_provider_name, attribution_confidence, cost_nanousd, charge_nanousd, "
            "unpriced_reason FROM call_details ORDER BY cost_nanousd DESC"
        )
        assert rows[0] == ("openai", "reported", 522_900, 0, None)
        assert rows[1] == ("openai", "reported", 150, 0, None)


async def test_without_a_named_provider_the_names_say_who_served(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(
            record(model="gpt-4o-mini"),
            record(
                model="alibaba/wan-2.5/text-to-video",
                bucket="video",
                endpoint="/video-generation/wavespeed",
            ),
        )
        rows = await node.rows(
            "SELECT actual_provider_name, bucket, operation FROM call_details ORDER BY bucket"
        )
        assert rows == [
            ("openai", "openai", "chat_completion"),
            ("wavespeed", "video", "video_generation"),
        ]


async def test_gpustacks_spelling_of_transcription_is_understood(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await node.counted(record(operation="audit_transcription"))
        assert await node.rows("SELECT operation, category FROM call_details") == [
            ("audio_transcription", "audio")
        ]


@pytest.mark.parametrize(
    ("given", "expected_ms"),
    [
        ({"completed_at": NOV_14_MS, "started_at": 5}, NOV_14_MS),
        ({"completed_at": 0, "started_at": NOV_14_MS}, NOV_14_MS),
        ({"completed_at": -1, "started_at": 0}, NOW_MS),
        ({"completed_at": None, "started_at": None}, NOW_MS),
    ],
)
async def test_time_is_that_of_the_end_then_of_the_start_then_now(
    database: Database, tmp_path: Path, given: dict[str, Any], expected_ms: int
) -> None:
    if given.get("started_at") == 5:
        given = {**given, "started_at": -5}
    async with reported(database, tmp_path) as node:
        await node.counted({"model": "m", **given})
        [(at_us,)] = await node.rows("SELECT accounted_at_us FROM call_details")
        assert at_us == expected_ms * 1000


async def sums(node: Reported) -> list[tuple[int, ...]]:
    rows = await node.rows(
        "SELECT sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(calls) "
        "FROM rollups_by_call"
    )
    return [tuple(int(value) for value in row) for row in rows]
