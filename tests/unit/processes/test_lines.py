import asyncio
import json
import os

from tollbridge.core.clock import ManualClock
from tollbridge.processes.lines import LineLogger


async def test_lines_go_out_as_json_in_one_write_after_the_turn() -> None:
    read, write = os.pipe()
    logger = LineLogger(write, ManualClock())
    logger.info("trying p1 for TEXT", action="attempt", call_id="c1")
    logger.info("served by p1", action="call", call_id="c1")
    await asyncio.sleep(0)
    lines = os.read(read, 65536).decode().splitlines()
    os.close(read)
    os.close(write)
    assert [json.loads(line)["action"] for line in lines] == ["attempt", "call"]
    assert json.loads(lines[0]) == {
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "level": "info",
        "event": "trying p1 for TEXT",
        "action": "attempt",
        "call_id": "c1",
    }


async def test_lines_that_are_rendered_already_go_out_the_same_way() -> None:
    """Between others, in their order, and with the time of the write."""
    read, write = os.pipe()
    logger = LineLogger(write, ManualClock())
    logger.info("first", action="call")
    logger.take([b'"event":"second","action":"call"', b'"event":"third","action":"call"'])
    await asyncio.sleep(0)
    lines = [json.loads(line) for line in os.read(read, 65536).splitlines()]
    os.close(read)
    os.close(write)
    assert [line["event"] for line in lines] == ["first", "second", "third"]
    assert lines[2] == {**lines[0], "event": "third"}
