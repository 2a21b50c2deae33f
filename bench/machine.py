"""On which machine, with which versions, was this measured?"""

import os
import platform
import re
import subprocess
from pathlib import Path

from bench.gateways import Gateway
from bench.processes import BenchError
from tollbridge.core.clock import SystemClock, to_text


def _first(pattern: str, path: str) -> str:
    found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    return found.group(1).strip() if found else "unknown"


def _printed(command: list[str]) -> str:
    """Return the first line a command prints, on either channel."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except FileNotFoundError:
        return "missing"
    lines = (done.stdout + done.stderr).splitlines()
    return lines[0].strip() if lines else "unknown"


def _version(gateway: Gateway) -> str:
    try:
        return gateway.version()
    except BenchError:
        return "unknown"


def facts(gateways: list[Gateway]) -> dict[str, str]:
    """Return what a reader needs to know to repeat the measurement."""
    memory_kb = int(_first(r"^MemTotal:\s+(\d+)", "/proc/meminfo"))
    processor = _first(r"^model name\s*:(.*)$", "/proc/cpuinfo")
    wrk = re.search(r"wrk \S+", _printed(["wrk", "-v"]))
    return {
        "date": to_text(SystemClock().now_us())[:10],
        "processor": f"{processor}, {os.cpu_count()} cores",
        "memory": f"{memory_kb / 1e6:.0f} GB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "nginx": _printed(["nginx", "-v"]).removeprefix("nginx version: "),
        "wrk": wrk.group(0).removeprefix("wrk ") if wrk else "unknown",
        "load before the end": " ".join(f"{value:.1f}" for value in os.getloadavg()),
        **{g.name: f"{_version(g)}; {g.state()}" for g in gateways},
    }
