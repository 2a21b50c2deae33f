"""What does a gateway add to the time of a call, when there is one caller who waits?

Calls go over one kept connection each, in blocks: some straight to the upstream, some through the
gateway, and so on, so that both see the same machine. Prints one JSON line.
"""

import argparse
import gc
import json
import socket
import time
from pathlib import Path

from bench.load.requests import Request, read_pool

BLOCK_CALLS = 50
TIMEOUT_S = 10.0
READ_BYTES = 65_536


class Caller:
    """One blocking connection and the times of its calls."""

    def __init__(self, port: int, pool: list[Request]) -> None:
        self._pool = pool
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.times_ns: list[int] = []
        self.errors = 0

    def call(self, number: int) -> None:
        """Send one request and read its answer whole."""
        request = self._pool[number % len(self._pool)].render(number)
        began_ns = time.perf_counter_ns()
        self._socket.sendall(request)
        answer = self._socket.recv(READ_BYTES)
        while not _is_whole(answer):
            more = self._socket.recv(READ_BYTES)
            if not more:
                raise ConnectionError("the connection ended inside an answer")
            answer += more
        self.times_ns.append(time.perf_counter_ns() - began_ns)
        self.errors += not answer.startswith(b"HTTP/1.1 200")

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def _is_whole(answer: bytes) -> bool:
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    headers = answer[:end].lower()
    at = headers.find(b"\r\ncontent-length:")
    if at < 0:
        return answer.endswith(b"0\r\n\r\n")
    return len(answer) >= end + 4 + int(headers[at + 17 :].split(b"\r\n", 1)[0])


def percentile_ms(times_ns: list[int], share: float) -> float:
    """Return a percentile in milliseconds; `share` from 0 to 1, of at least one time."""
    ordered = sorted(times_ns)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] / 1e6


def main() -> None:
    """Call both in turn until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--direct-port", type=int, required=True)
    parser.add_argument("--gateway-port", type=int, required=True)
    parser.add_argument("--direct-pool", type=Path, required=True)
    parser.add_argument("--gateway-pool", type=Path, required=True)
    parser.add_argument("--first-call", type=int, required=True)
    parser.add_argument("--duration-s", type=float, required=True)
    options = parser.parse_args()
    direct = Caller(options.direct_port, read_pool(options.direct_pool))
    gateway = Caller(options.gateway_port, read_pool(options.gateway_pool))
    number = options.first_call
    gc.disable()
    for caller in (direct, gateway):
        for _ in range(BLOCK_CALLS):
            caller.call(number)
            number += 1
        caller.times_ns.clear()
    end_s = time.monotonic() + options.duration_s
    while time.monotonic() < end_s:
        for caller in (direct, gateway):
            for _ in range(BLOCK_CALLS):
                caller.call(number)
                number += 1
    figures: dict[str, float] = {
        "calls": len(gateway.times_ns),
        "errors": direct.errors + gateway.errors,
    }
    for name, caller in (("direct", direct), ("gateway", gateway)):
        figures[f"{name}_p50_ms"] = percentile_ms(caller.times_ns, 0.50)
        figures[f"{name}_p99_ms"] = percentile_ms(caller.times_ns, 0.99)
        caller.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
