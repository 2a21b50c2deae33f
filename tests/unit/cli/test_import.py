"""Usage out of files: CSV, JSON lines, an ALwrity database; twice is once."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.support.terminal import Terminal
from tollbridge.recording.statements import joined
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)

LINES = [
    '{"model": "gpt-4o-mini", "provider_type": "openai", "input_token": 1000, "completed": true}',
    "",
    '{"model": "gpt-4o-mini", "input_token": -1}',
    "nonsense",
    '{"model": "other", "id": 7, "completed_at": 1700000000000}',
    '{"model": "other", "id": 7}',
]


async def details(database: Database, columns: str) -> list[tuple[object, ...]]:
    async with database.read() as unit:
        found = await unit.connection.exec_driver_sql(
            joined("SELECT", columns, "FROM call_details ORDER BY", columns)
        )
        return [tuple(row) for row in found]


async def test_json_lines_are_counted_once_and_rejected_lines_are_told(
    terminal: Terminal, database: Database, tmp_path: Path
) -> None:
    file, bad = tmp_path / "usage.jsonl", tmp_path / "rejected.jsonl"
    file.write_text("\n".join(LINES))
    dry = terminal.run("import", str(file), "--dry-run", "--json")
    assert dry.status == 1
    assert json.loads(dry.out) == {
        "lines": 5,
        "counted": 2,
        "duplicates": 1,
        "rejected": {"negative_count": 1, "malformed": 1},
        "dry_run": True,
    }
    assert await details(database, "label") == []
    done = terminal.run("import", str(file), "--json", "--rejected", str(bad))
    assert done.status == 1
    assert json.loads(done.out)["counted"] == 2
    told = [json.loads(line) for line in bad.read_text().splitlines()]
    assert [(one["line"], one["reason"]) for one in told] == [
        (3, "negative_count"),
        (4, "malformed"),
    ]
    again = json.loads(terminal.run("import", str(file), "--json").out)
    assert (again["counted"], again["duplicates"]) == (0, 3)
    assert await details(database, "label, dialect, input_tokens") == [
        ("gpt-4o-mini", "import", 1000),
        ("other", "import", None),
    ]


async def test_csv_is_read_by_its_header(
    terminal: Terminal, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(
        "model,input_token,output_token,user_id,completed,unknown column,cost_usd\n"
        "gpt-4o-mini,10,5,ana,true,x,0.25\n"
        '"a, b",,,bob,no,,\n'
        "gpt-4o-mini,ten,5,ana,true,x,\n"
    )
    ended = terminal.run("import", str(file), "--json")
    assert json.loads(ended.out)["rejected"] == {"malformed": 1}
    rows = await details(database, "user_name, label, input_tokens, cost_nanousd, cost_origin")
    assert rows == [
        ("ana", "gpt-4o-mini", 10, 250_000_000, "reported"),
        ("bob", "a, b", None, None, None),
    ]


def alwrity(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE api_usage_logs (id INTEGER PRIMARY KEY, user_id VARCHAR(100), "
            "provider VARCHAR(20), endpoint VARCHAR(200), method VARCHAR(10), "
            "model_used VARCHAR(100), actual_provider_name VARCHAR(50), tokens_input INTEGER, "
            "tokens_output INTEGER, tokens_total INTEGER, cost_total FLOAT, response_time FLOAT, "
            "status_code INTEGER, error_message TEXT, timestamp DATETIME)"
        )
        connection.executemany(
            "INSERT INTO api_usage_logs VALUES "
            "(?, 'ana', ?, ?, 'POST', ?, ?, ?, ?, ?, ?, 1.5, ?, ?, '2025-11-14 22:13:20.500000')",
            [
                (1, "gemini", "/v1/generate", "gemini-2.5-flash", None, 9, 3, 12, 0.02, 200, None),
                (2, "video", "/video-generation/wavespeed", "alibaba/wan-2.5", "fal", 0, 0, 0, 0.5,
                 200, None),
                (3, "audio", "/audio", "tts-1", "wavespeed", 0, 0, 0, 0.0, 200, None),
                (4, "tavily", "/search", None, None, 0, 0, 0, 0.001, 200, None),
                (5, "mistral", "/hf", "gpt-oss-120b", None, 5, 5, 10, 0.0, 500, "broken"),
                (6, "nobody", "/x", "m", None, 0, 0, 0, 0.0, 200, None),
            ],
        )  # fmt: skip


async def test_an_alwrity_database_is_read_and_its_providers_are_detected_rightly(
    terminal: Terminal, database: Database, tmp_path: Path
) -> None:
    """What it says of tts-1 is one of its known defects; zero tokens and costs mean: not known."""
    file = tmp_path / "alwrity.db"
    alwrity(file)
    ended = terminal.run(
        "import", str(file), "--format", "alwrity", "--source", "alwrity", "--json"
    )
    assert json.loads(ended.out)["rejected"] == {"unknown_bucket": 1}
    rows = await details(
        database,
        "bucket, actual_provider_name, category, input_tokens, cost_nanousd, status, latency_ms",
    )
    assert rows == [
        ("audio", "openai", "audio", None, None, "COMPLETED", 1500),
        ("gemini", "google", "text", 9, 20_000_000, "COMPLETED", 1500),
        ("mistral", "huggingface", "text", 5, 0, "FAILED", 1500),
        ("tavily", "tavily", "search", None, 1_000_000, "COMPLETED", 1500),
        ("video", "wavespeed", "video", None, 500_000_000, "COMPLETED", 1500),
    ]
    again = json.loads(
        terminal.run(
            "import", str(file), "--format", "alwrity", "--source", "alwrity", "--json"
        ).out
    )
    assert (again["counted"], again["duplicates"]) == (0, 5)


async def test_refused_records_count_once_the_registry_is_mended(
    terminal: Terminal, database: Database, tmp_path: Path
) -> None:
    names, file = tmp_path / "names.jsonl", tmp_path / "usage.jsonl"
    names.write_text('{"kind": "user", "id": "1", "name": "ana"}\n')
    assert "1 names" in terminal.done("intake", "register", "gw", str(names), "--key", "ci")
    file.write_text('{"model": "m", "user_id": 2}\n{"model": "m", "input_token": -1}\n')
    terminal.run("import", str(file), "--source", "gw")
    before = terminal.run("intake", "replay", "--json")
    assert before.status == 1
    assert json.loads(before.out) == {
        "counted": 0,
        "refused": {"unknown_user": 1, "negative_count": 1},
    }
    names.write_text('{"kind": "user", "id": 2, "name": "bob"}\n'.replace(" 2,", ' "2",'))
    terminal.done("intake", "register", "gw", str(names))
    after = json.loads(terminal.run("intake", "replay", "--json").out)
    assert after == {"counted": 1, "refused": {"negative_count": 1}}
    assert await details(database, "user_name, label") == [("bob", "m")]
    assert json.loads(terminal.run("intake", "replay", "--json").out)["counted"] == 0
    assert json.loads(terminal.done("intake", "sources", "--json"))[0]["keys"] == ["ci"]


def test_a_file_that_is_none_is_refused_with_a_sentence(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    (tmp_path / "x.db").write_text("hello")
    assert "--format" in terminal.refused("import", str(tmp_path / "x.txt"))
    assert "model" in terminal.refused("import", str(tmp_path / "x.csv"))
    assert "no SQLite" in terminal.refused("import", str(tmp_path / "x.db"), "--format", "alwrity")
    assert "no file" in terminal.refused("import", str(tmp_path / "nowhere.csv"))
