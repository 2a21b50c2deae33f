"""How is each lane of the benchmark driven?

A lane starts its upstream and all gateways, warms each up, and then loads them in turn, round by
round (A B C A B C …), so that what the machine does at that moment meets all alike. A gateway that
is not loaded idles. CPU is that of its whole process tree, from before the load until it is idle
again, per call that was answered.
"""

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.gateways import Gateway
from bench.load.requests import (
    BODY_BYTES,
    LARGE_BODY_BYTES,
    LARGE_POOL_REQUESTS,
    POOL_REQUESTS,
    make_pool,
    write_pool,
)
from bench.load.wrk import run_wrk
from bench.processes import BenchError, busy_s, cpu_s
from bench.samples import Figure, Plan, Results, Sample
from bench.upstream.servers import Upstream, start_nginx, start_streamer
from bench.upstream.stream import FRAMES

ROOT = Path(__file__).resolve().parent.parent
CALLS_PER_ROUND = 10_000_000
MEMORY_INTERVAL_S = 0.25
DIRECT = "direct"


class Direct(Gateway):
    """No gateway at all: the load meets the upstream."""

    name = DIRECT

    def start(self, upstream_url: str) -> None:
        """Take the upstream's port for its own."""
        self.port = urlsplit(upstream_url).port or 0

    def keys(self) -> list[str]:
        """Return a key that nobody looks at."""
        return ["none"]

    def version(self) -> str:
        """Return nothing: it has none."""
        return ""

    def state(self) -> str:
        """Return what it is."""
        return "the load straight on the upstream"


@dataclass(frozen=True, slots=True)
class Contest:
    """A lane with everything started: the upstream, the gateways, a pool file for each."""

    lane: str
    plan: Plan
    directory: Path
    upstream: Upstream
    gateways: list[Gateway]
    direct: Gateway
    pools: dict[str, Path]
    results: Results

    def pool(self, gateway: Gateway) -> Path:
        """Return the file of a gateway's requests."""
        return self.pools[gateway.name]

    def add(self, at: int, gateway: Gateway, values: dict[str, float], errors: int) -> None:
        """Keep a sample, and say it."""
        self.results.samples.append(Sample(self.lane, at, gateway.name, values, errors))
        shown = "  ".join(f"{name}={value:,.3f}" for name, value in values.items())
        failed = f"  ERRORS={errors}" if errors else ""
        print(f"{self.lane:>10} {at} {gateway.name:<14} {shown}{failed}", flush=True)


Load = Callable[[Contest, int, Gateway, float], None]


@contextmanager
def contest(
    lane: str, plan: Plan, gateways: list[Gateway], directory: Path, results: Results
) -> Generator[Contest]:
    """Start what a lane needs, and end all of it whatever happens."""
    with ExitStack() as stack:
        start = start_streamer if lane in {"stream", "body150k"} else start_nginx
        upstream = start(directory / f"upstream-{lane}")
        stack.callback(upstream.stop)
        direct = Direct(directory)
        direct.start(upstream.base_url)
        pools: dict[str, Path] = {}
        large = lane == "body150k"
        for gateway in [direct, *gateways]:
            if gateway is not direct:
                stack.callback(gateway.stop)
                gateway.start(upstream.base_url)
            pool = make_pool(
                gateway,
                count=LARGE_POOL_REQUESTS if large else POOL_REQUESTS,
                size_bytes=LARGE_BODY_BYTES if large else BODY_BYTES,
                stream=lane == "stream",
            )
            pools[gateway.name] = directory / f"pool-{lane}-{gateway.name}"
            write_pool(pool, pools[gateway.name])
        yield Contest(lane, plan, directory, upstream, gateways, direct, pools, results)


def call_json(command: list[str], timeout_s: float) -> dict[str, float]:
    """Run a load generator of ours in a process of its own and return the line it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
        cwd=ROOT,
    )
    if done.returncode:
        raise BenchError(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def load_calls(lane: Contest, at: int, gateway: Gateway, duration_s: float) -> None:
    """Load with unstreamed calls at full speed: CPU per call."""
    served_before = lane.upstream.calls()
    before_s, upstream_before_s = _cpu(gateway), cpu_s(lane.upstream.pid)
    result = run_wrk(
        f"{gateway.url}{gateway.path}",
        lane.pool(gateway),
        connections=lane.plan.connections,
        duration_s=duration_s,
        first_call=at * CALLS_PER_ROUND,
    )
    gateway.wait_until_idle()
    calls = max(result.calls, 1)
    values = {
        "cpu_us": (_cpu(gateway) - before_s) / calls * 1e6,
        "calls_per_s": result.calls / result.duration_s,
        "p50_ms": result.p50_ms,
        "p99_ms": result.p99_ms,
        "upstream_cpu_us": (cpu_s(lane.upstream.pid) - upstream_before_s) / calls * 1e6,
    }
    served = lane.upstream.calls() - served_before
    lane.add(at, gateway, values, result.errors + _shortfall(result.calls, served))


def load_streams(lane: Contest, at: int, gateway: Gateway, duration_s: float) -> None:
    """Keep many streams open: CPU per frame, and when the first byte comes."""
    served_before = lane.upstream.calls()
    before_s = _cpu(gateway)
    command = ["bench.load.streams", "--port", str(gateway.port)]
    command += ["--pool", str(lane.pool(gateway)), "--streams", str(lane.plan.streams)]
    command += ["--ramp-s", "2", "--duration-s", str(duration_s)]
    command += ["--first-call", str(at * CALLS_PER_ROUND)]
    values = call_json(command, duration_s + 60)
    gateway.wait_until_idle()
    used_s = _cpu(gateway) - before_s
    streams, frames = int(values["streams"]), int(values["frames"])
    errors = int(values.pop("errors"))
    errors += _shortfall(streams, lane.upstream.calls() - served_before)
    errors += _shortfall(streams * FRAMES, frames)
    frame_us = used_s / max(values["frames"], 1) * 1e6
    lane.add(at, gateway, {"cpu_frame_us": frame_us, **values}, errors)


def load_one(lane: Contest, at: int, gateway: Gateway, duration_s: float) -> None:
    """Call with one connection, straight and through the gateway in turn: added latency."""
    if gateway is lane.direct:
        return
    command = ["bench.load.latency", "--direct-port", str(lane.direct.port)]
    command += ["--gateway-port", str(gateway.port), "--direct-pool", str(lane.pool(lane.direct))]
    command += ["--gateway-pool", str(lane.pool(gateway)), "--duration-s", str(duration_s)]
    command += ["--first-call", str(at * CALLS_PER_ROUND)]
    values = call_json(command, duration_s + 60)
    gateway.wait_until_idle()
    errors = int(values.pop("errors"))
    values["added_p50_ms"] = values["gateway_p50_ms"] - values["direct_p50_ms"]
    values["added_p99_ms"] = values["gateway_p99_ms"] - values["direct_p99_ms"]
    lane.add(at, gateway, values, errors)


def load_memory(lane: Contest, at: int, gateway: Gateway, duration_s: float) -> None:
    """Load with unstreamed calls and watch the resident memory of each process."""
    if gateway is lane.direct:
        return
    peaks: dict[str, float] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(MEMORY_INTERVAL_S):
            for role, megabytes in gateway.memory_by_role().items():
                peaks[role] = max(peaks.get(role, 0.0), megabytes)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        result = run_wrk(
            f"{gateway.url}{gateway.path}",
            lane.pool(gateway),
            connections=lane.plan.connections,
            duration_s=duration_s,
            first_call=at * CALLS_PER_ROUND,
        )
        gateway.wait_until_idle()
    finally:
        ended.set()
        watcher.join()
    lane.add(at, gateway, {f"{role} MB": peak for role, peak in peaks.items()}, result.errors)


LIMITS = "limits"
"""The lane in which Tollbridge runs without limits, with one, and with three that apply."""
LOADS: dict[str, Load] = {
    "unstreamed": load_calls,
    LIMITS: load_calls,
    "latency": load_one,
    "stream": load_streams,
    "body150k": load_calls,
    "memory": load_memory,
}
FIGURES = ("drain", "painted")
"""Lanes of modules of their own."""
LANES = [*LOADS, *FIGURES]


def run_lane(
    lane: str, plan: Plan, gateways: list[Gateway], directory: Path, results: Results
) -> None:
    """Measure one lane; what it finds is added to the results."""
    if lane in FIGURES:
        results.figures += run_figures(lane, plan, results)
        return
    load = LOADS[lane]
    rounds = 1 if lane == "memory" else plan.rounds
    with contest(lane, plan, gateways, directory, results) as started:
        kept = len(results.samples)
        for gateway in gateways if plan.warm_up_s else []:
            load(started, rounds, gateway, plan.warm_up_s)
        del results.samples[kept:]
        for at in range(rounds):
            # A first byte is compared with the upstream's of the same round; elsewhere one look
            # at the upstream alone is enough to see that it is not what limits the gateways.
            direct = [started.direct] if at == 0 or lane == "stream" else []
            for gateway in [*direct, *gateways]:
                with watch_others(results, plan):
                    load(started, at, gateway, plan.load_s)


@contextmanager
def watch_others(results: Results, plan: Plan) -> Generator[None]:
    """Note in the samples taken meanwhile what share of the machine went to strangers."""
    kept, began_s = len(results.samples), time.monotonic()
    before_s = busy_s() - cpu_s(os.getpid())
    yield
    strangers_s = busy_s() - cpu_s(os.getpid()) - before_s
    share = strangers_s / (time.monotonic() - began_s) / (os.cpu_count() or 1)
    for sample in results.samples[kept:]:
        sample.values["strangers_share"] = share
        if share > plan.strangers_share_max:
            print(f"{'':>10} others used {share:.0%} of the machine meanwhile", flush=True)


def run_figures(lane: str, plan: Plan, results: Results) -> list[Figure]:
    """Hand over to the lane's module: `measure(*, quick: bool, rows: int) -> list[Figure]`."""
    if importlib.util.find_spec(f"bench.{lane}") is None:
        results.notes.append(f"The lane {lane} is not there yet (bench/{lane}.py).")
        return []
    return importlib.import_module(f"bench.{lane}").measure(quick=plan.quick, rows=plan.rows)


def _shortfall(wanted: int, found: int) -> int:
    """Return how many are missing: calls the upstream never saw, frames that were swallowed."""
    return max(wanted - found, 0)


def _cpu(gateway: Gateway) -> float:
    """Return the CPU seconds of a gateway's tree; none where there is no gateway."""
    return 0.0 if isinstance(gateway, Direct) else cpu_s(gateway.root_pid)
