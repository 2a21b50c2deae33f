"""kill -9, at every named point and at random: no call is lost, none is doubled."""

import asyncio
import random
from pathlib import Path

import httpx
import pytest

from tests.support.books import compare, outstanding, rows_of
from tests.support.node import BUDGET, config_of
from tests.support.processes import ServedNode, load, served_node
from tests.support.sandbox_server import process_sandbox

CALLERS = 8
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


async def under_load(node: ServedNode, seconds: float, what: asyncio.Task[None] | None) -> None:
    until = asyncio.Event()
    calls = asyncio.create_task(load(node, callers=CALLERS, until=until))
    await asyncio.sleep(seconds)
    if what is not None:
        await what
    until.set()
    await calls


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
    with process_sandbox(folder / "sandbox.log") as provider:
        config = config_of(provider.url, extra=HEADROOM)
        async with served_node(
            folder, config, database_url, workers=2, crash_at=f"{point}:20"
        ) as node:
            await under_load(node, 2.0, None)
            node.kill_all()  # whoever was started again would die at the point again
            await node.start(crash_at="")
            await under_load(node, 0.3, None)
            await node.drained()
            log = provider.log()
            await compare(node.database_url, log, in_flight_max=10 * CALLERS)
            assert node.stop() == 0
            assert await outstanding(node.database_url) == 0


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
            await asyncio.sleep(2.5)  # progress is journaled once a second
            node.kill("worker")
            until.set()
            await calls
            async with asyncio.timeout(20):
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
            await under_load(node, 4.0, None)
            node.kill_all()
            await node.start(crash_at="")
            await under_load(node, 0.5, None)
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
            await under_load(node, 1.0, None)
            node.kill("worker")
            await asyncio.sleep(3)
            node.kill_all()
            spool = node.data_dir / "spool"
            before = {path.name for path in spool.glob("*.jsonl")}
            await node.start(crash_at="")
            await under_load(node, 0.3, None)
            await node.drained()
            async with asyncio.timeout(10):
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
            calls = asyncio.create_task(load(node, callers=CALLERS, until=until))
            for _ in range(rounds):
                await asyncio.sleep(dice.uniform(0.2, 0.8))
                match dice.choice(["worker", "worker", "office", "office", "all"]):
                    case "all":
                        node.kill_all()
                        await node.start()
                    case role:
                        node.kill(role)
            until.set()
            seen = await calls
            assert seen.get("200", 0) > 100, seen
            await node.drained()
            rows = await compare(
                node.database_url, provider.log(), in_flight_max=rounds * 2 * CALLERS
            )
            assert len(rows) >= seen["200"]


async def test_workers_serve_on_while_the_office_is_dead_and_it_comes_back_under_load(
    tmp_path: Path,
) -> None:
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        config = config_of(provider.url, extra=HEADROOM)
        async with served_node(tmp_path, config, workers=2) as node:
            until = asyncio.Event()
            calls = asyncio.create_task(load(node, callers=CALLERS, until=until))
            await asyncio.sleep(1.0)
            dead = node.pids("office")
            node.kill("office")
            async with asyncio.timeout(20):
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
            async with asyncio.timeout(10):
                while any(Path(f"/proc/{pid}").exists() for pid in children):
                    await asyncio.sleep(0.05)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", node.port)
