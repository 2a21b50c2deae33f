"""The SQL of the documents that Tollbridge was made from runs on its views as printed."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text

from tests.support.recorded import NOON_US, CallSpec, record
from tests.support.rerated import a_run, dearer, put, tools
from tollbridge.core.clock import SECOND_US
from tollbridge.recording.adjust import begin, rerate
from tollbridge.recording.content_tables import call_contents
from tollbridge.storage.unit import Database

DOCUMENTS = Path(__file__).resolve().parents[1] / "data" / "brief"
TRACKING = (DOCUMENTS / "provider-tracking.md").read_text("utf-8")
FALLBACK = (DOCUMENTS / "multi-provider.md").read_text("utf-8")
FENCED = re.compile(r"```sql\n(.*?)```", re.DOTALL)
PSQL = re.compile(r'psql \S+ -c "([^"]+)"')

[BY_PROVIDER] = FENCED.findall(TRACKING)
SUCCESS_RATES, FALLBACK_FREQUENCY, COST_ANALYSIS = FENCED.findall(FALLBACK)
[LAST_REQUESTS] = PSQL.findall(FALLBACK)
SPECS = [
    CallSpec(at_us=NOON_US),
    CallSpec(at_us=NOON_US + SECOND_US, fails_first=True),
    CallSpec(at_us=NOON_US + 2 * SECOND_US, provider="openrouter"),
    CallSpec(at_us=NOON_US + 3 * SECOND_US, refused=True),
    CallSpec(at_us=NOON_US + 4 * SECOND_US, label="my-alias", provider="groq"),
]


async def run(database: Database, sql: str) -> list[dict[str, Any]]:
    """Return the rows of one statement, just as it is printed."""
    async with database.read() as unit:
        found = await unit.connection.execute(text(sql.strip()))
        return [dict(row) for row in found.mappings()]


async def test_usage_is_told_by_bucket_provider_and_model(database: Database) -> None:
    await record(database, SPECS)
    rows = [tuple(row.values()) for row in await run(database, BY_PROVIDER)]
    assert sorted(rows) == [
        ("openai", "aimlapi", "gpt-4o-mini", 1),
        ("openai", "groq", "gpt-4o-mini", 1),
        ("openai", "openai", "gpt-4o-mini", 2),
        ("openai", "openrouter", "gpt-4o-mini", 1),
    ]


async def test_the_last_requests_show_who_served_them(database: Database) -> None:
    made = await record(database, [*SPECS, CallSpec(at_us=NOON_US - SECOND_US)])
    rows = await run(database, LAST_REQUESTS)
    assert [(str(row["id"]), row["actual_provider"], row["status"]) for row in rows] == [
        (made[4], "groq", "COMPLETED"),
        (made[3], "aimlapi", "FAILED"),
        (made[2], "openrouter", "COMPLETED"),
        (made[1], "openai", "COMPLETED"),
        (made[0], "openai", "COMPLETED"),
    ]
    assert {row["input_text"] for row in rows} == {None}


async def test_a_prompt_is_shown_where_it_is_kept(database: Database) -> None:
    [made] = await record(database, [CallSpec()])
    async with database.write() as unit:
        kept = {"call_id": made, "kind": "prompt", "body": "Hello world", "body_bytes": 11}
        await unit.connection.execute(
            insert(call_contents).values(**kept, truncated=False, at_us=NOON_US)
        )
    [row] = await run(database, LAST_REQUESTS)
    assert row["input_text"] == "Hello world"


async def test_success_rates_are_by_who_really_served(database: Database) -> None:
    await record(database, SPECS)
    rows = {row["actual_provider"]: row for row in await run(database, SUCCESS_RATES)}
    assert {name: (row["total_requests"], row["successful"]) for name, row in rows.items()} == {
        "openai": (2, 2),
        "openrouter": (1, 1),
        "groq": (1, 1),
        "aimlapi": (1, 0),
    }
    assert float(rows["openai"]["success_rate_pct"]) == 100
    assert float(rows["aimlapi"]["success_rate_pct"]) == 0


async def test_a_call_that_nobody_was_asked_for_has_no_provider(database: Database) -> None:
    """It was refused by ourselves: no provider's success rate is hurt by it."""
    await record(database, [CallSpec(refused=True)])
    async with database.write() as unit:
        await unit.connection.execute(
            text("UPDATE call_details SET attempt_count = 0, actual_provider_name = 'unknown'")
        )
    assert await run(database, SUCCESS_RATES) == []


async def test_fallback_is_counted_by_what_was_chosen_and_what_served(database: Database) -> None:
    """A label that the catalogue does not have is there too, so that no request is lost."""
    await record(database, SPECS)
    rows = await run(database, FALLBACK_FREQUENCY)
    assert sorted(tuple(row.values()) for row in rows) == [
        ("openai", "aimlapi", 1),
        ("openai", "openai", 2),
        ("openai", "openrouter", 1),
        ("unknown", "groq", 1),
    ]


async def test_models_are_compared_with_who_served_them(database: Database) -> None:
    await record(database, SPECS)
    rows = await run(database, COST_ANALYSIS)
    assert sum(row["requests"] for row in rows) == len(SPECS)
    assert {row["model_credit_cost"] for row in rows} == {None}
    assert {(row["expected_provider"], row["actual_provider"]) for row in rows} == {
        ("openai", "openai"),
        ("openai", "openrouter"),
        ("openai", "aimlapi"),
        ("unknown", "groq"),
    }


async def test_the_usage_view_has_dollars_seconds_and_months(database: Database) -> None:
    """gpt-4o-mini 2518 in and 242 out: $0.0003777 and $0.0001452."""
    await record(database, [CallSpec(fails_first=True)])
    [row] = await run(database, "SELECT * FROM api_usage_logs")
    for name, value in (
        ("cost_input", 0.0003777),
        ("cost_output", 0.0001452),
        ("cost_total", 0.0005229),
        ("response_time", 0.501),
    ):
        assert float(row[name]) == pytest.approx(value, rel=1e-12)
    assert (row["retry_count"], row["billing_period"], bool(row["is_aggregated"])) == (
        1,
        "2026-01",
        False,
    )
    assert str(row["timestamp"]).startswith("2026-01-01 12:00:00")


async def test_what_has_no_price_is_null_in_the_usage_view(database: Database) -> None:
    await record(database, [CallSpec(provider="nowhere")])
    [row] = await run(database, "SELECT * FROM api_usage_logs")
    assert (row["cost_input"], row["cost_output"], row["cost_total"]) == (None, None, None)


async def test_the_usage_view_has_what_calls_cost_after_a_correction(database: Database) -> None:
    await put(database, [CallSpec()])
    await rerate(database, await begin(database, a_run()), tools(dearer(1000)))
    [row] = await run(database, "SELECT * FROM api_usage_logs")
    assert float(row["cost_total"]) == pytest.approx(2518 * 1000 / 1e9)
    assert float(row["cost_input"]) == pytest.approx(2518 * 1000 / 1e9)
    assert float(row["cost_output"]) == 0
