"""kill -9, at every named point and at random: no call is lost, none is doubled."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from tests.support.books import compare, outstanding, rows_of
from tests.support.node import BUDGET, config_of
from tests.support.processes import WAIT_MAX_S, ServedNode, load, served_node
from tests.support.sandbox_server import process_sandbox
from tollbridge.core.evidence import Progress
from tollbridge.recording.records import RecordCodec

CALLERS = 8
PAUSE_S = 0.05
HEADROOM = BUDGET.format(limit="1000")

POINTS_OF_WORKER = (
    "spool.before_opened",
    "spool.after_opened",
    "spool.mid_line",
    "spool.before_closed",
)
POINTS_OF_OFFICE = (
    "drain.before_commit",
    "drain.after_commit",
)


async def under_load(
    node: ServedNode, what: Callable[[dict[str, int]], Awaitable[bool]], seconds: float = 0.0
) -> None:
    """Call for so long at least, and until something is so, seen how often each answer came."""
    until = asyncio.Event()
    seen: dict[str, int] = {}
    calls = asyncio.create_task(load(node, callers=CALLERS, until=until, seen=seen))
    await asyncio.sleep(seconds)
    async with asyncio.timeout(WAIT_MAX_S):
        while not await what(seen):
            await asyncio.sleep(0.05)
    until.set()
    await calls


async def serves(seen: dict[str, int]) -> bool:
    """Return whether calls are served."""
    return seen.get("200", 0) > CALLERS


async def refuses(seen: dict[str, int]) -> bool:
    """Return whether the budget is at its end."""
    return "402" in seen


def dies(node: ServedNode, *roles: str) -> Callable[[dict[str, int]], Awaitable[bool]]:
    """Return what tells whether one of the node's processes of now, in these roles, has died."""
    before = {pid for pid, role in node.children().items() if not roles or role in roles}

    async def has_died(_: dict[str, int]) -> bool:
        return not before <= set(node.children())

    return has_died


@pytest.mark.parametrize("point", [*POINTS_OF_WORKER, *POINTS_OF_OFFICE])
async def test_a_process_that_dies_at_a_named_point_loses_and_doubles_nothing(
    tmp_path: Path, point: str
) -> None:
    await die_at(point, tmp_path, None)


@pytest.mark.parametrize("point", POINTS_OF_OFFICE)
async def test_the_same_holds_on_postgresql(
    tmp_path: Path, postgresql_url: str, point: str
) -> None:
    """There the database lives on, and may end what its client had begun."""
    await die_at(point, tmp_path, postgresql_url)


async def die_at(point: str, folder: Path, database_url: str | None) -> None:
    time = 5 if point in POINTS_OF_OFFICE else 20  # a commit has many calls
    with process_sandbox(folder / "sandbox.log") as provider:
        config = config_of(provider.url, extra=HEADROOM)
        async with served_node(
            folder, config, database_url, workers=2, crash_at=f"{point}:{time}"
        ) as node:
            await under_load(node, dies(node))
            node.kill_all()  # whoever was started again would die at the point again
            await node.start(crash_at="")
            await under_load(node, serves)
            await node.drained()
            log = provider.log()
            await compare(node.database_url, log, in_flight_max=10 * CALLERS)
            assert node.stop() == 0
            assert await outstanding(node.database_url) == 0


def progressing(node: ServedNode) -> set[str]:
    """Return the calls whose answer is known to have begun: that is journaled once a second."""
    codec = RecordCodec()
    lines = [
        line
        for path in (node.data_dir / "spool").glob("*.jsonl")
        for line in path.read_bytes().splitlines(keepends=True)
    ]
    records = [codec.parse(line[:-1]) for line in lines if line.endswith(b"\n")]
    return {
        one.call_id for one in records if isinstance(one, Progress) and one.attempt.output_bytes
    }


async def test_a_worker_killed_mid_stream_leaves_its_calls_interrupted_and_estimated(
    tmp_path: Path,
) -> None:
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        async with (
            served_node(tmp_path, config_of(provider.url, extra=HEADROOM), workers=1) as node,
            httpx.AsyncClient() as control,
        ):
            slow = {"default": {"chunks": 200, "delay_per_chunk_s": 0.3}}
            await control.post(f"{provider.url}/sandbox/script", json=slow)
            until = asyncio.Event()
            calls = asyncio.create_task(load(node, callers=4, until=until, stream_every=1))
            async with asyncio.timeout(WAIT_MAX_S):
                while len(progressing(node)) < 4:
                    await asyncio.sleep(0.05)
            node.kill("worker")
            until.set()
            await calls
            async with asyncio.timeout(WAIT_MAX_S):
                while len(rows := await rows_of(node.database_url)) < 4:
                    await asyncio.sleep(0.1)
            assert {row.ending for row in rows} == {"interrupted"}
            assert {row.usage_source for row in rows} == {"estimated"}
            assert all(row.output_tokens > 0 for row in rows)
            await compare(node.database_url, provider.log(), in_flight_max=4)


async def test_the_office_killed_while_it_recalls_leases_grants_nothing_twice(
    tmp_path: Path,
) -> None:
    limit_nanousd = 2_000_000
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        config = config_of(provider.url, extra=BUDGET.format(limit="0.002"))
        async with served_node(tmp_path, config, workers=2, crash_at="lease.mid_recall:2") as node:
            await under_load(node, refuses, 4.0)
            node.kill_all()
            await node.start(crash_at="")
            await under_load(node, refuses)
            await node.drained()
            rows = await compare(node.database_url, provider.log(), in_flight_max=4 * CALLERS)
            assert sum(row.charge_nanousd for row in rows) <= limit_nanousd
            assert any(row.ending == "over_budget" for row in rows)


async def test_the_office_killed_before_a_segment_is_deleted_deletes_it_later(
    tmp_path: Path,
) -> None:
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        config = config_of(provider.url, extra=HEADROOM)
        async with served_node(
            tmp_path,
            config,
            workers=1,
            crash_at="segment.before_delete",
            spool_keep_h=0,
            spool_tidy_s=0.2,
        ) as node:
            await under_load(node, serves, 0.5)
            office_has_died = dies(node, "office")
            node.kill("worker")
            async with asyncio.timeout(WAIT_MAX_S):
                while not await office_has_died({}):
                    await asyncio.sleep(0.05)
            node.kill_all()
            spool = node.data_dir / "spool"
            before = {path.name for path in spool.glob("*.jsonl")}
            await node.start(crash_at="")
            await under_load(node, serves)
            await node.drained()
            async with asyncio.timeout(WAIT_MAX_S):
                while before & {path.name for path in spool.glob("*.jsonl")}:
                    await asyncio.sleep(0.1)
            await compare(node.database_url, provider.log(), in_flight_max=4 * CALLERS)


async def test_twenty_random_kills_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    await kill_at_random(20, tmp_path, None)


async def test_random_kills_under_load_lose_and_double_nothing_on_postgresql(
    tmp_path: Path, postgresql_url: str
) -> None:
    await kill_at_random(8, tmp_path, postgresql_url)


async def kill_at_random(rounds: int, folder: Path, database_url: str | None) -> None:
    dice = random.Random(rounds)
    with process_sandbox(folder / "sandbox.log") as provider:
        config = config_of(provider.url, extra=HEADROOM)
        async with served_node(folder, config, database_url, workers=2) as node:
            until = asyncio.Event()
            seen: dict[str, int] = {}
            calls = asyncio.create_task(load(node, callers=CALLERS, until=until, seen=seen))
            for _ in range(rounds):
                await asyncio.sleep(dice.uniform(0.2, 0.8))
                match dice.choice(["worker", "worker", "office", "office", "all"]):
                    case "all":
                        node.kill_all()
                        await node.start()
                    case role:
                        node.kill(role)
            async with asyncio.timeout(WAIT_MAX_S):  # so many that kills met some of them
                while seen.get("200", 0) <= 100:
                    await asyncio.sleep(0.05)
            until.set()
            await calls
            await node.drained()
            rows = await compare(
                node.database_url, provider.log(), in_flight_max=rounds * 2 * CALLERS
            )
            assert len(rows) >= seen["200"]


@pytest.mark.alone
async def test_workers_serve_on_while_the_office_is_dead_and_it_comes_back_under_load(
    tmp_path: Path,
) -> None:
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        config = config_of(provider.url, extra=HEADROOM)
        async with served_node(tmp_path, config, workers=2) as node:
            until = asyncio.Event()
            # Not as fast as can be: what is held is for ten seconds, in which the office must be
            # able to start again.
            paced = load(node, callers=CALLERS, until=until, pause_s=PAUSE_S)
            calls = asyncio.create_task(paced)
            await asyncio.sleep(3.0)
            dead = node.pids("office")
            node.kill("office")
            async with asyncio.timeout(WAIT_MAX_S):
                while (await node.health()).get("office") != "ok" or node.pids("office") == dead:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(1.0)
            until.set()
            seen = await calls
            assert set(seen) == {"200"}, seen
            await node.drained()
            await compare(node.database_url, provider.log(), in_flight_max=0)


async def test_when_the_supervisor_is_killed_nothing_is_left_on_the_port(tmp_path: Path) -> None:
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        async with served_node(tmp_path, config_of(provider.url), workers=2) as node:
            children = list(node.children())
            assert node.process is not None
            node.process.kill()
            node.process.wait()
            async with asyncio.timeout(WAIT_MAX_S):
                while any(Path(f"/proc/{pid}").exists() for pid in children):
                    await asyncio.sleep(0.05)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", node.port)
