"""How many calls does a gateway serve in a time, at a number of connections?"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.load.requests import FIRST_NUMBER
from bench.processes import BenchError

SCRIPT = Path(__file__).resolve().parent / "wrk.lua"


@dataclass(frozen=True, slots=True)
class WrkResult:
    """What wrk counted: whole answers, the time they took, what went wrong."""

    calls: int
    duration_s: float
    errors: int
    p50_ms: float
    p99_ms: float


def run_wrk(
    url: str, pool: Path, *, connections: int, duration_s: float, first_call: int
) -> WrkResult:
    """Load one gateway with the requests of a pool file, in one thread.

    `first_call` numbers the first call, so that later runs send other bodies.
    Raises BenchError if wrk is missing or fails.
    """
    binary = shutil.which("wrk")
    if binary is None:
        raise BenchError("wrk is missing: apt-get install wrk")
    command = [binary, "-t1", f"-c{connections}", f"-d{duration_s:.0f}s", "--timeout", "10s"]
    command += ["-s", str(SCRIPT), url, "--", str(pool), str(FIRST_NUMBER + first_call)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=duration_s + 60
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("@")]
    if done.returncode or not lines:
        raise BenchError(f"wrk failed:\n{done.stdout}{done.stderr}")
    counted = json.loads(lines[-1][1:])
    return WrkResult(
        calls=counted["calls"],
        duration_s=counted["duration_us"] / 1e6,
        errors=sum(value for name, value in counted.items() if name.endswith(("errors", "outs"))),
        p50_ms=counted["p50_us"] / 1e3,
        p99_ms=counted["p99_us"] / 1e3,
    )
