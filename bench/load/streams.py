"""Do many streams at once keep their beat through a gateway, and when does the first byte come?

Keeps a number of streams open for a time, each on a connection of its own, started one after the
other over the length of one stream. Counts frames, and measures from the last byte sent to the
first byte of the first frame received. Prints one JSON line.
"""

import argparse
import asyncio
import gc
import json
import time
from pathlib import Path
from typing import cast

import uvloop

from bench.load.latency import percentile_ms
from bench.load.requests import Request, read_pool

GRACE_S = 30.0
MARK = b"data:"
CARRY_BYTES = 16


class Tally:
    """What all streams of a run add to."""

    def __init__(self, pool: list[Request], first_call: int, end_s: float) -> None:
        self.pool = pool
        self.end_s = end_s
        self.number = first_call
        self.frames = 0
        self.streams = 0
        self.errors = 0
        self.open = 0
        self.first_byte_ns: list[int] = []
        self.lengths_ns: list[int] = []
        self.finished = asyncio.Event()

    def next_request(self) -> bytes:
        """Return the request of the next stream."""
        self.number += 1
        return self.pool[self.number % len(self.pool)].render(self.number)


class Stream(asyncio.Protocol):
    """One connection with one stream after the other."""

    def __init__(self, tally: Tally, port: int) -> None:
        self._tally = tally
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._began_ns = 0
        self._started = False
        self._carry = b""
        self._ended = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first stream of this connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Count the frames; at the end of the stream ask for the next."""
        now_ns = time.perf_counter_ns()
        tally = self._tally
        seen = self._carry + data
        frames = seen.count(MARK) - self._carry.count(MARK)
        if not self._started and frames:
            self._started = True
            tally.first_byte_ns.append(now_ns - self._began_ns)
        tally.frames += frames
        if seen.endswith(b"0\r\n\r\n"):
            self._finish(now_ns, good=self._started)
        else:
            self._carry = seen[-CARRY_BYTES:]

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a stream that was cut; open another connection while there is time."""
        del exc
        self._transport = None
        if not self._ended:
            self._finish(time.perf_counter_ns(), good=False)

    def _ask(self) -> None:
        if self._transport is None:
            return
        self._started, self._ended, self._carry = False, False, b""
        request = self._tally.next_request()
        self._began_ns = time.perf_counter_ns()
        self._transport.write(request)

    def _finish(self, now_ns: int, *, good: bool) -> None:
        tally = self._tally
        self._ended = True
        tally.streams += 1
        tally.errors += not good
        tally.lengths_ns.append(now_ns - self._began_ns)
        if good and time.monotonic() < tally.end_s and self._transport is not None:
            # A breath between two streams, so that a gateway may close the connection first.
            asyncio.get_running_loop().call_soon(self._ask)
            return
        if self._transport is not None:
            self._transport.close()
        tally.open -= 1
        if tally.open == 0:
            tally.finished.set()


async def run(options: argparse.Namespace) -> dict[str, float]:
    """Run the streams and return the figures."""
    loop = asyncio.get_running_loop()
    tally = Tally(
        read_pool(options.pool), options.first_call, time.monotonic() + options.duration_s
    )
    tally.open = options.streams
    for _ in range(options.streams):
        await loop.create_connection(lambda: Stream(tally, options.port), "127.0.0.1", options.port)
        await asyncio.sleep(options.ramp_s / options.streams)
    await asyncio.wait_for(tally.finished.wait(), options.duration_s + GRACE_S)
    return {
        "frames": tally.frames,
        "streams": tally.streams,
        "errors": tally.errors,
        "first_byte_p50_ms": percentile_ms(tally.first_byte_ns, 0.50),
        "first_byte_p99_ms": percentile_ms(tally.first_byte_ns, 0.99),
        "length_p50_ms": percentile_ms(tally.lengths_ns, 0.50),
        "length_p99_ms": percentile_ms(tally.lengths_ns, 0.99),
    }


def main() -> None:
    """Read the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--ramp-s", type=float, required=True)
    parser.add_argument("--duration-s", type=float, required=True)
    parser.add_argument("--first-call", type=int, required=True)
    gc.disable()
    print(json.dumps(uvloop.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
