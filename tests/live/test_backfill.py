"""`tollbridge backfill` is killed in the middle, and begun again."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import msgspec

from tests.support.bytecode import compiled_once
from tests.support.drained import rows
from tests.support.processes import COMMAND
from tests.support.reattributed import SUMS, ReportSpec, disagreements, put
from tests.support.recorded import NOON_US
from tests.support.rerated import contents
from tollbridge.core.clock import SECOND_US
from tollbridge.storage.unit import Database

CALLS = 24_000
WAIT_MAX_S = 180


def environment(database_url: str, folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        **compiled_once(),
        "TOLLBRIDGE_DATABASE_URL": database_url,
        "TOLLBRIDGE_DATA_DIR": str(folder),
    }


def command(database_url: str, folder: Path, *arguments: str) -> dict[str, object]:
    """Run `tollbridge backfill ARGUMENTS --json` to its end."""
    ended = subprocess.run(
        [COMMAND, "backfill", *arguments, "--json"],
        env=environment(database_url, folder),
        cwd=folder,
        capture_output=True,
        timeout=WAIT_MAX_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return msgspec.json.decode(ended.stdout, type=dict[str, object])


async def test_a_run_that_is_killed_goes_on_and_changes_each_call_once(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """Kill -9 after the first batch; then it is repeated, and taken back."""
    models = ("flux-dev", "veo-3", "gpt-4o", "qwen-image")
    specs = [
        ReportSpec(at_us=NOON_US + number * SECOND_US, model=models[number % 4])
        for number in range(CALLS)
    ]
    for first in range(0, CALLS, 4000):
        await put(database, specs[first : first + 4000])
    before = await contents(database, SUMS)
    process = subprocess.Popen(
        [COMMAND, "backfill"],
        env=environment(database_url, tmp_path),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(WAIT_MAX_S):
            while process.poll() is None:
                if await rows(database, "SELECT 1 FROM reattribution_runs WHERE calls > 0"):
                    break
                await asyncio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    [(run_id, calls, state)] = await rows(
        database, "SELECT run_id, calls, state FROM reattribution_runs"
    )
    assert state == "running"
    assert 0 < calls < CALLS
    assert await disagreements(database) == []
    found = await asyncio.to_thread(command, database_url, tmp_path)
    assert (found["run_id"], found["calls"]) == (str(run_id), CALLS - calls)
    assert await disagreements(database) == []
    [(count,)] = await rows(database, "SELECT count(*) FROM attribution_changes")
    assert count == CALLS
    assert await rows(
        database, "SELECT count(*) FROM call_details WHERE actual_provider_name = 'unknown'"
    ) == [(0,)]
    back = await asyncio.to_thread(command, database_url, tmp_path, "--revert", str(run_id))
    assert (back["changed"], back["left_alone"]) == (CALLS, 0)
    assert await contents(database, SUMS) == before
