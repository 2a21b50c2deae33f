"""What would a provider stream, at a fixed beat and at little cost to the machine?

Streams are dealt over BEATS slots of the frame interval, and one timer sends the next frame of all
streams of a slot: at 200 streams and 10 ms that is 20 frames per millisecond. The first frame
leaves with the headers, as soon as the request is read whole.
"""

import argparse
import asyncio
import json
import random
import signal
from collections.abc import Callable
from typing import cast

import uvloop

from bench.upstream.servers import ANSWER, random_usage, usage_of

BEATS = 10
FRAMES = 200
SCRIPTS = 64
REQUEST_BYTES_MAX = 4_000_000
HEADERS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"x-request-id: req_%016x\r\ntransfer-encoding: chunked\r\n\r\n"
)


def _chunk(payload: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(payload), payload)


def _frame(script: int, *, delta: dict[str, str], finish: str | None, with_usage: bool) -> bytes:
    """Return one server-sent event; asked for usage, OpenAI says null in all but the last."""
    event: dict[str, object] = {
        "id": f"chatcmpl-{script:024x}",
        "object": "chat.completion.chunk",
        "created": 1767225600,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_560af6e559",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    if with_usage:
        event["usage"] = None
    return _chunk(b"data: %s\n\n" % json.dumps(event, separators=(",", ":")).encode())


def _script(number: int, frames: int, *, with_usage: bool) -> list[bytes]:
    words = [f" {word}" for word in ANSWER.split()]
    first = _frame(
        number, delta={"role": "assistant", "content": ""}, finish=None, with_usage=with_usage
    )
    middle = [
        _frame(
            number,
            delta={"content": words[(number + at) % len(words)]},
            finish=None,
            with_usage=with_usage,
        )
        for at in range(frames - 2)
    ]
    return [first, *middle, _frame(number, delta={}, finish="stop", with_usage=with_usage)]


class Provider:
    """What all connections share: the scripts, the beat and the count of calls."""

    def __init__(self, frames: int, interval_s: float) -> None:
        self.frames = frames
        self.slots: list[dict[Connection, None]] = [{} for _ in range(BEATS)]
        self.calls = 0
        self._scripts = {
            with_usage: [_script(n, frames, with_usage=with_usage) for n in range(SCRIPTS)]
            for with_usage in (False, True)
        }
        self._random = random.Random(10)
        self._beat_s = interval_s / BEATS
        self._loop = asyncio.get_running_loop()
        self._beat_at_s = self._loop.time()
        self._beat = 0
        self._tick()

    def script(self, *, with_usage: bool) -> list[bytes]:
        """Return the frames of the next stream."""
        self.calls += 1
        return self._scripts[with_usage][self.calls % SCRIPTS]

    def last_frames(self, script: list[bytes], *, with_usage: bool) -> bytes:
        """Return the usage frame, where asked for, the end mark and the end of the body."""
        end = _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
        if not with_usage:
            return end
        usage = usage_of(300 + self.calls % 997, self.calls % 3 * 128, len(script) - 2)
        event: dict[str, object] = {
            "id": f"chatcmpl-{self.calls:024x}",
            "object": "chat.completion.chunk",
            "created": 1767225600,
            "model": "gpt-4o-mini-2024-07-18",
            "service_tier": "default",
            "system_fingerprint": "fp_560af6e559",
            "choices": [],
            "usage": usage,
        }
        return _chunk(b"data: %s\n\n" % json.dumps(event, separators=(",", ":")).encode()) + end

    def unstreamed(self) -> bytes:
        """Return a whole unstreamed answer, headers included."""
        self.calls += 1
        body = json.dumps(
            {
                "id": f"chatcmpl-{self.calls:024x}",
                "object": "chat.completion",
                "created": 1767225600,
                "model": "gpt-4o-mini-2024-07-18",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": ANSWER, "refusal": None},
                        "logprobs": None,
                        "finish_reason": "stop",
                    }
                ],
                "usage": random_usage(self._random),
            }
        ).encode()
        return (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_%016x\r\n"
            b"content-length: %d\r\n\r\n%s" % (self.calls, len(body), body)
        )

    def _tick(self) -> None:
        for connection in list(self.slots[self._beat % BEATS]):
            connection.send_next_frame()
        self._beat += 1
        # Counted from the planned instant, not from now, so that the beat does not drift.
        self._beat_at_s = max(self._beat_at_s + self._beat_s, self._loop.time() - 0.1)
        self._loop.call_at(self._beat_at_s, self._tick)


class Connection(asyncio.Protocol):
    """One connection from the gateway: one request at a time."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._size_wanted = 0
        self._frames: list[bytes] = []
        self._at = 0
        self._with_usage = False
        self._slot: dict[Connection, None] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop sending to a caller who left."""
        del exc
        self._slot.pop(self, None)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Collect a request; answer it when its body is there."""
        self._parts.append(data)
        self._size += len(data)
        if not self._size_wanted:
            self._read_headers()
        if self._size_wanted and self._size >= self._size_wanted:
            request = b"".join(self._parts)
            self._parts, self._size, self._size_wanted = [], 0, 0
            self._answer(request)
        elif self._size > REQUEST_BYTES_MAX and self._transport is not None:
            self._transport.close()

    def send_next_frame(self) -> None:
        """Send one frame of the open stream; after the last one, its end."""
        if self._transport is None:
            return
        frame = self._frames[self._at]
        self._at += 1
        if self._at == len(self._frames):
            self._slot.pop(self, None)
            frame += self._provider.last_frames(self._frames, with_usage=self._with_usage)
        self._transport.write(frame)

    def _read_headers(self) -> None:
        start = b"".join(self._parts) if len(self._parts) > 1 else self._parts[0]
        end = start.find(b"\r\n\r\n")
        if end < 0:
            return
        headers = start[:end].lower()
        at = headers.find(b"\r\ncontent-length:")
        if at >= 0:
            length = int(headers[at + 17 :].split(b"\r\n", 1)[0])
            self._size_wanted = end + 4 + length
        elif b"\r\ntransfer-encoding: chunked" in headers:
            if start.endswith(b"0\r\n\r\n"):
                self._size_wanted = self._size
        else:
            self._size_wanted = end + 4

    def _answer(self, request: bytes) -> None:
        if self._transport is None:
            return
        if request.startswith(b"GET /calls "):
            self._provider.calls += 1
            count = b"%d" % self._provider.calls
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(count), count)
            )
            return
        if b'"stream":true' not in request and b'"stream": true' not in request:
            self._transport.write(self._provider.unstreamed())
            return
        self._with_usage = b'"include_usage"' in request
        self._frames = self._provider.script(with_usage=self._with_usage)
        self._transport.write(HEADERS % self._provider.calls + self._frames[0])
        self._at = 1
        self._slot = self._provider.slots[self._provider.calls % BEATS]
        self._slot[self] = None


async def serve(port: int, frames: int, interval_s: float) -> None:
    """Answer on a loopback port until told to end."""
    loop = asyncio.get_running_loop()
    provider = Provider(frames, interval_s)
    server = await loop.create_server(lambda: Connection(provider), "127.0.0.1", port, backlog=4096)
    ended = asyncio.Event()
    stop: Callable[[], None] = ended.set
    loop.add_signal_handler(signal.SIGTERM, stop)
    await ended.wait()
    server.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--interval-ms", type=float, default=10.0)
    options = parser.parse_args()
    uvloop.run(serve(options.port, options.frames, options.interval_ms / 1000))


if __name__ == "__main__":
    main()
