"""What CPU does a call take, by the wire formats of caller and provider?

Run `python -m bench.micro.dialects`: about a minute, no arguments. A static provider runs in a
process of its own; this one parses, composes, carries over loopback, reads and notes, as a worker
does between its listening socket and its journal, and reads its own CPU clock. All cases take turns
within a round; the medians of the rounds are shown, and as ratios to OpenAI's pass-through. Bound:
other formats at most twice that, per call and per stream of FRAMES frames.
"""

import asyncio
import multiprocessing
import socket
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import msgspec
import uvloop

from tollbridge.core.call import ErrorClass, Operation
from tollbridge.core.clock import SystemClock
from tollbridge.core.plan import Candidate, Endpoint, Plan
from tollbridge.processes.tools import make_fetcher, make_key_ring, make_relay, make_transport
from tollbridge.providers.dialects.chat import translate
from tollbridge.providers.dialects.chat.codec import Rendering
from tollbridge.providers.dialects.chat.neutral import (
    Began,
    ChatAnswer,
    Choice,
    Said,
    Stopped,
    StopReason,
    Text,
)
from tollbridge.providers.dialects.registry import FACES
from tollbridge.providers.passage import HeaderLines, Passage
from tollbridge.providers.relay import Relay, new_attempt
from tollbridge.providers.request import Request
from tollbridge.settings import Settings

CONCURRENCY = 32
ROUNDS = 7
ROUND_S = 0.25
FRAMES = 50
BOUND = 2.0
WORDS = "Name one prime above ten, and say in a sentence why nobody knows the largest one. "
USAGES = {
    "openai": {"prompt_tokens": 500, "completion_tokens": 60, "total_tokens": 560},
    "responses": {"input_tokens": 500, "output_tokens": 60, "total_tokens": 560},
    "anthropic": {"input_tokens": 500, "output_tokens": 60},
    "gemini": {"promptTokenCount": 500, "candidatesTokenCount": 60, "totalTokenCount": 560},
}
ADDRESSES = {
    "gemini": ("/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent?alt=sse")
}
HEAD = (
    b"HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\nserver: static\r\n"
    b"x-request-id: req_0123456789abcdef\r\nopenai-processing-ms: 12\r\n"
    b"x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\n"
)


class Case(NamedTuple):
    """Who asks, and who answers."""

    face: str
    wire: str
    stream: bool


class Told(NamedTuple):
    """What the static provider says in one format."""

    whole: bytes
    frames: tuple[bytes, ...]


def told(name: str) -> Told:
    """Return an answer of a format, whole and in frames."""
    codec = translate.FORMATS[name]
    rendering = Rendering(model="m", created_s=1, shows_usage=True)
    tokens = codec.tokens(USAGES[name])
    said = ChatAnswer([Choice([Text(WORDS * 3)], StopReason.END)], "answer-1", "m", USAGES[name])
    encoder = codec.encoder(rendering)
    frames = [encoder.write(Began("answer-1", "m"))]
    frames += [encoder.write(Said(f"word {number} ")) for number in range(FRAMES)]
    frames.append(encoder.write(Stopped(StopReason.END)) + encoder.end(tokens))
    whole = codec.write_answer(said, tokens, rendering)
    return Told(whole, tuple(frame for frame in frames if frame))


class StaticProvider(asyncio.Protocol):
    """Answers by the first part of the address: `/anthropic-stream/…`."""

    answers: Mapping[bytes, Told]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer, once a head has come; bodies are small and come with it."""
        name, _, manner = data.partition(b"/")[2].partition(b"/")[0].partition(b"-")
        answer = self.answers[name]
        if manner:
            kind = b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            self.transport.write(HEAD + kind)
            self.send(list(answer.frames))
        else:
            body = answer.whole
            kind = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            self.transport.write(HEAD + kind + body)

    def send(self, frames: list[bytes]) -> None:
        """Write one frame, and see to the next; a pause makes each its own read."""
        if not frames:
            self.transport.write(b"0\r\n\r\n")
        elif not self.transport.is_closing():
            self.transport.write(b"%x\r\n%b\r\n" % (len(frames[0]), frames[0]))
            asyncio.get_running_loop().call_later(0.001, self.send, frames[1:])


class Caller:
    """A caller who takes everything, stays, and counts."""

    def __init__(self) -> None:
        self.call_id: str | None = None
        self.gone = self.stalled = self.cut_off = self.is_full = self.started = False
        self.got_bytes = 0
        self.is_whole = False

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        """Never leave."""

    def watch_room(self, on_room: Callable[[], None] | None) -> None:
        """Never be full."""

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        """Take a whole answer."""
        del headers
        self.got_bytes, self.is_whole = len(body), status == 200

    async def start(self, status: int, headers: HeaderLines) -> None:
        """Take the head of a stream."""
        del headers
        self.started = status == 200

    async def send(self, data: bytes) -> None:
        """Take a part of it."""
        self.got_bytes += len(data)

    def push(self, data: bytes) -> None:
        """Take a part of it."""
        self.got_bytes += len(data)

    async def drain(self) -> None:
        """Have read it all."""

    async def finish(self) -> None:
        """See its end."""
        self.is_whole = True

    async def break_off(self, last: bytes) -> None:
        """See it broken off."""


class NoHealth:
    """Breakers that never open."""

    def began(self, endpoint: str) -> None:
        """Note nothing."""

    def succeeded(self, endpoint: str) -> None:
        """Note nothing."""

    def failed(
        self, endpoint: str, error_class: ErrorClass, retry_after_s: float | None = None
    ) -> None:
        """Note nothing."""

    def took(self, endpoint: str, model: str, first_byte_s: float) -> None:
        """Note nothing."""


def body_of(case: Case) -> bytes:
    """Return a chat of about 2 KB as a caller of a format writes it."""
    messages = [
        {"role": role, "content": f"{number} {WORDS * 3}"}
        for number, role in enumerate(["system", *["user", "assistant"] * 3, "user"])
    ]
    request = Request(
        Operation.CHAT_COMPLETION,
        msgspec.json.encode({"model": "m", "messages": messages, "max_tokens": 256}),
        "m",
    )
    body = request.body
    if case.face != "openai":
        door = Endpoint("e", "p", case.face, "http://p.test")
        body = translate.compose(request, case.face, door, "m", None)
    if not case.stream or case.face == "gemini":
        return body
    fields = msgspec.json.decode(body)
    if case.face == "openai":
        fields["stream_options"] = {"include_usage": True}
    return msgspec.json.encode({**fields, "stream": True})


class Lane:
    """Carries the calls of one case."""

    def __init__(self, case: Case, relay: Relay, port: int) -> None:
        answers_as = "openai" if case.wire == "xai" else case.wire
        base_url = f"http://127.0.0.1:{port}/{answers_as}{'-stream' if case.stream else ''}/v1"
        # The responses API is a quirk of OpenAI's format.
        dialect = "openai" if case.wire == "responses" else case.wire
        quirks = ("responses",) if case.wire == "responses" else ()
        endpoint = Endpoint("e", "p", dialect, base_url, "secret", quirks=quirks)
        self._plan = Plan("m", (Candidate(endpoint, "m", "first"),))
        self._body = body_of(case)
        self._face = FACES[case.face]
        self._address = ADDRESSES.get(case.face, ("/v1", "/v1"))[case.stream]
        self._relay = relay
        self._clock = SystemClock()
        self.costs_us: list[float] = []

    async def call(self) -> None:
        """Carry one call, from the caller's bytes to the caller's bytes."""
        face, clock = self._face, self._clock
        operation = Operation.CHAT_COMPLETION
        request = face.parse(operation, self._body, self._address, b"application/json")
        first = new_attempt(1, self._plan.candidates[0], clock.now_us())
        call_id = "019b7595-6c00-7000-8000-000000000001"
        passage = Passage(call_id, first, clock.monotonic_s() + 60, None)
        caller = Caller()
        await self._relay.run(passage, request, self._plan, caller, _journal)
        if not caller.is_whole or not caller.got_bytes or first.usage is None:
            raise RuntimeError(f"not served: {first}")

    async def measure(self) -> None:
        """Note the CPU of a call, in microseconds, over a round."""
        end_s = time.monotonic() + ROUND_S
        begun_s = time.process_time()

        async def work() -> int:
            calls = 0
            while time.monotonic() < end_s:
                await self.call()
                calls += 1
            return calls

        calls = sum(await asyncio.gather(*[work() for _ in range(CONCURRENCY)]))
        self.costs_us.append((time.process_time() - begun_s) / calls * 1e6)


def _journal(attempts: object) -> None:
    """Write nothing down: the journal is the same for all."""


def serve(listener: socket.socket) -> None:
    """Run the static provider until killed."""
    StaticProvider.answers = {name.encode(): told(name) for name in translate.FORMATS}

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(StaticProvider, sock=listener)
        await server.serve_forever()

    uvloop.run(run())


def cases() -> list[Case]:
    """Return every pair of formats, the same one twice first: what is passed through."""
    names = list(translate.FORMATS)
    passed = [(name, name) for name in names] + [("openai", "xai")]
    crossed = [(face, wire) for face in names for wire in names if face != wire != "responses"]
    return [
        Case(face, wire, stream) for stream in (False, True) for face, wire in (*passed, *crossed)
    ]


async def measure_all(port: int) -> None:
    """Measure every case, and print a line for each."""
    settings, clock = Settings(), SystemClock()
    transport = make_transport(settings, clock)
    fetcher = make_fetcher(settings, clock)
    keys = make_key_ring(settings, clock)
    relay = make_relay(settings, transport, fetcher, NoHealth(), clock, keys)
    lanes = {case: Lane(case, relay, port) for case in cases()}
    for _ in range(ROUNDS):
        for lane in lanes.values():
            await lane.measure()
    worst = 0.0
    for stream in (False, True):
        base_us = statistics.median(lanes[Case("openai", "openai", stream)].costs_us)
        print(f"{f'stream of {FRAMES} frames' if stream else 'whole answer'}:")
        for case, lane in lanes.items():
            if case.stream == stream:
                cost_us = statistics.median(lane.costs_us)
                worst = max(worst, cost_us / base_us)
                how = "passed" if case.wire in {case.face, "xai"} else "translated"
                print(
                    f"  {case.face:>9} from {case.wire:<9} {how:<10} {cost_us:7.1f} us"
                    f"  {cost_us / base_us:.2f}"
                )
    print(f"worst {worst:.2f}, bound {BOUND}: {'kept' if worst <= BOUND else 'MISSED'}")
    await fetcher.aclose()
    await transport.aclose()


def main() -> None:
    """Start the provider, measure, stop the provider."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    provider = multiprocessing.get_context("fork").Process(target=serve, args=(listener,))
    provider.start()
    try:
        uvloop.run(measure_all(int(listener.getsockname()[1])))
    finally:
        provider.kill()
        provider.join()


if __name__ == "__main__":
    main()
