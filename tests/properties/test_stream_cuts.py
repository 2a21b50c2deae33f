"""However a stream is cut into reads, it forwards, meters and prices the same."""

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.evidence import NOW_US, a_book, a_closed, an_opened
from tollbridge.core.call import AttemptOutcome, Ending, Operation
from tollbridge.core.clock import SystemClock
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.metering.estimate import EstimateRules
from tollbridge.metering.extract import merge_usage
from tollbridge.metering.meter import meter
from tollbridge.providers.attempt import AttemptFailedError, AttemptLimits, Attempts
from tollbridge.providers.dialects.registry import FACES, wires
from tollbridge.providers.passage import HeaderLines, Passage
from tollbridge.providers.relay import new_attempt
from tollbridge.providers.request import Request
from tollbridge.providers.response import Response
from tollbridge.providers.transport import Transport
from tollbridge.rating.rate import rate

MODEL = "gpt-4o-mini"
ENDPOINT = Endpoint(
    name="e", provider="p", dialect="openai", base_url="http://provider.test/v1", api_key="k"
)
CANDIDATE = Candidate(ENDPOINT, MODEL, "priority 1")
BOOK = a_book("p", MODEL, {"input": "0.15", "output": "0.60"})


class Frame(NamedTuple):
    """One frame as the provider sends it, and whether only those who asked for usage get it."""

    content: bytes
    only_usage: bool = False


class Heard:
    """The way back to a caller: what it got, in pieces."""

    gone = False
    stalled = False
    cut_off = False
    is_full = False
    started = False
    call_id: str | None = None

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.body = b""
        self.broken = False

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        raise AssertionError("only the relay watches")

    def watch_room(self, on_room: Callable[[], None] | None) -> None:
        pass

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        self.body = body

    async def start(self, status: int, headers: HeaderLines) -> None:
        self.started = True

    async def send(self, data: bytes) -> None:
        self.push(data)

    def push(self, data: bytes) -> None:
        self.pieces.append(data)

    async def drain(self) -> None:
        pass

    async def finish(self) -> None:
        assert not self.broken

    async def break_off(self, last: bytes) -> None:
        self.broken = True
        self.pieces.append(last)


class _Socket:
    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def abandon(self) -> None:
        pass


class CutTransport:
    """Answers with a body whose bytes arrive in the given pieces, one a read."""

    def __init__(self, pieces: Sequence[bytes], content_type: bytes) -> None:
        self._pieces = pieces
        self._content_type = content_type

    async def send(self, *_: object, whole_bytes_max: int | None, **__: object) -> Response:
        loop = asyncio.get_running_loop()
        response = Response(_Socket(), loop.create_future(), whole_bytes_max)
        response.status = 200
        response.headers.append((b"content-type", self._content_type))
        self._feeder = loop.create_task(self._feed(response))
        if whole_bytes_max is not None:
            await self._feeder
        return response

    async def _feed(self, response: Response) -> None:
        for piece in self._pieces:
            response.deliver(piece)
            response.arrived()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        response.finish()


class Told(NamedTuple):
    """All that must not depend on the cuts."""

    forwarded: bytes
    chunks: int
    usage: dict[str, Any] | None
    served_model: str | None
    response_id: str | None
    outcome: AttemptOutcome
    ending: Ending
    output_bytes: int
    cost_nanousd: int | None


def priced(attempt: AttemptEvidence, *, stream: bool) -> tuple[dict[str, int], int | None]:
    opened = an_opened(operation=Operation.CHAT_COMPLETION, stream=stream, request_bytes=400)
    usage = meter(attempt, opened, a_closed(), EstimateRules())
    return dict(usage.counts), rate(usage, "p", (MODEL,), NOW_US, BOOK).cost_nanousd


async def attempted(
    pieces: Sequence[bytes], request: Request, content_type: bytes
) -> tuple[AttemptEvidence, Passage, Heard]:
    transport = cast("Transport", CutTransport(pieces, content_type))
    limits = AttemptLimits(frame_max_bytes=4096)
    attempts = Attempts(transport, wires(), FACES, limits, SystemClock(), merge_usage)
    attempt = new_attempt(1, CANDIDATE, NOW_US)
    passage = Passage("call", attempt, math.inf, None)
    heard = Heard()
    await attempts.run(passage, attempt, CANDIDATE, request, heard)
    return attempt, passage, heard


def carried(pieces: Sequence[bytes], *, asks_usage: bool) -> tuple[Told, Heard]:
    """Carry a stream that arrives in these pieces."""
    body = json.dumps({"model": MODEL, "messages": [], "stream": True}).encode()
    operation = Operation.CHAT_COMPLETION
    request = Request(operation, body, MODEL, stream=True, asks_usage=asks_usage)
    attempt, passage, heard = asyncio.run(attempted(pieces, request, b"text/event-stream"))
    told = Told(
        b"".join(heard.pieces),
        attempt.chunks,
        attempt.usage,
        attempt.served_model,
        attempt.response_id,
        attempt.outcome,
        passage.ending,
        attempt.output_bytes,
        priced(attempt, stream=True)[1],
    )
    return told, heard


def unstreamed(usage: dict[str, Any]) -> tuple[dict[str, int], int | None]:
    """Return the counts and the cost of the same answer as one body."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
    body = json.dumps({"id": "c", "model": MODEL, "choices": [choice], "usage": usage}).encode()
    request = Request(Operation.CHAT_COMPLETION, b"{}", MODEL)

    async def run() -> AttemptEvidence:
        transport = _whole(body)
        attempts = Attempts(transport, wires(), FACES, AttemptLimits(), SystemClock(), merge_usage)
        attempt = new_attempt(1, CANDIDATE, NOW_US)
        heard = Heard()
        await attempts.run(
            Passage("call", attempt, math.inf, None), attempt, CANDIDATE, request, heard
        )
        assert heard.body == body
        return attempt

    return priced(asyncio.run(run()), stream=False)


def _whole(body: bytes) -> Transport:
    return cast("Transport", CutTransport([body], b"application/json"))


TEXTS = st.text(max_size=12) | st.sampled_from(
    ['"usage": {"prompt_tokens": 9}', "[DONE]", "data: x", "\n\n", '"error": {', "héllo ✓", "\r\n"]
)


def chunk(choices: list[Any], **fields: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "model": MODEL, "choices": choices, **fields}


def delta(content: str | None, finish_reason: str | None = None) -> list[Any]:
    said = {} if content is None else {"content": content}
    return [{"index": 0, "delta": said, "finish_reason": finish_reason}]


class Style(NamedTuple):
    """How this provider writes its frames."""

    end: str
    ascii_only: bool
    spaces: bool
    event_lines: bool
    multi_line: bool
    no_space_after_colon: bool
    surplus_lines: int

    def frame(self, payload: Any, *, only_usage: bool = False) -> Frame:
        separators = (", ", ": ") if self.spaces else (",", ":")
        indent = 1 if self.multi_line else None
        text = (
            payload
            if isinstance(payload, str)
            else json.dumps(
                payload, ensure_ascii=self.ascii_only, separators=separators, indent=indent
            )
        )
        field = "data:" if self.no_space_after_colon else "data: "
        lines = [f"{field}{line}" for line in text.split("\n")]
        if self.event_lines:
            lines.insert(0, "event: message")
        content = self.end.join(lines) + self.end * 2
        return Frame(content.encode("utf-8", "surrogatepass"), only_usage)


STYLES = st.builds(
    Style,
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 0, 0, 1, 2]),
)
COUNTS = st.integers(0, 10_000)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Frame], dict[str, Any] | None]:
    """Return the frames of a whole answer, and the usage that it ends up with."""
    style = draw(STYLES)
    usage_null = draw(st.booleans())
    every_chunk = draw(st.booleans())
    null: dict[str, Any] = {"usage": None} if usage_null else {}
    prompt, completion = draw(COUNTS), draw(COUNTS)

    def usage_of(done: int) -> dict[str, Any]:
        return {"prompt_tokens": prompt, "completion_tokens": done, "total_tokens": prompt + done}

    frames: list[Frame] = []

    def comment() -> None:
        if draw(st.integers(0, 3)) == 0:
            frames.append(Frame(f": keep-alive{style.end * 2}".encode()))

    comment()
    if draw(st.booleans()):  # Azure's first frame
        frames.append(style.frame(chunk([], **null)))
    frames.append(style.frame(chunk(delta(""), **null)))
    texts = draw(st.lists(TEXTS, max_size=6))
    for number, text in enumerate(texts):
        comment()
        fields = {"usage": usage_of(number)} if every_chunk else null
        frames.append(style.frame(chunk(delta(text), **fields)))
    frames.append(style.frame(chunk(delta(None, "stop"), **null)))
    last: dict[str, Any] | None = usage_of(len(texts) - 1) if every_chunk and texts else None
    if draw(st.integers(0, 3)):
        last = usage_of(completion)
        frames.append(style.frame(chunk([], usage=last), only_usage=True))
        if draw(st.integers(0, 3)) == 0:  # an extra chunk after the usage
            frames.append(style.frame(chunk([], obfuscation="x", **null)))
    comment()
    if draw(st.booleans()):
        frames.append(style.frame("[DONE]"))
    surplus = [Frame(style.end.encode())] * style.surplus_lines
    return [part for frame in frames for part in (frame, *surplus)], last


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in at} - {0, len(data)})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


CUTS = st.lists(st.integers(0, 1 << 20), max_size=12)


@settings(max_examples=200, deadline=None)
@given(stream=streams(), at=CUTS, asks_usage=st.booleans())
def test_any_cut_forwards_meters_and_prices_the_same(
    stream: tuple[list[Frame], dict[str, Any] | None],
    at: list[int],
    *,
    asks_usage: bool,
) -> None:
    frames, usage = stream
    whole = b"".join(frame.content for frame in frames)
    uncut, _ = carried([whole], asks_usage=asks_usage)
    pieces, heard = carried(cut(whole, at), asks_usage=asks_usage)
    assert pieces == uncut
    assert uncut.outcome is AttemptOutcome.SUCCEEDED
    assert uncut.ending is Ending.COMPLETE
    assert uncut.served_model == MODEL
    assert uncut.usage == usage
    expected = [frame.content for frame in frames if asks_usage or not frame.only_usage]
    assert uncut.forwarded == b"".join(expected)
    ends = {sum(map(len, expected[:number])) for number in range(len(expected) + 1)}
    sent = 0
    for piece in heard.pieces:
        sent += len(piece)
        assert sent in ends, "a half frame was forwarded"
    if usage is not None:
        assert uncut.cost_nanousd == unstreamed(usage)[1]


@settings(max_examples=40, deadline=None)
@given(streams())
def test_a_stream_that_arrives_byte_by_byte_is_the_same_stream(
    stream: tuple[list[Frame], dict[str, Any] | None],
) -> None:
    whole = b"".join(frame.content for frame in stream[0])
    single = [whole[at : at + 1] for at in range(len(whole))]
    assert carried(single, asks_usage=False)[0] == carried([whole], asks_usage=False)[0]


GOOD = b'data: {"id":"a","model":"m","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
FAULTS = st.sampled_from(
    [
        b'data: {"error":{"message":"broken","code":500}}\n\n',
        b'data: {"usage":{oops\n\n',
        b'data: {"choices":[],"usage":{"prompt_tokens":1},"x_groq":7}\n\n',
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), FAULTS, CUTS)
@example(1, b'data: {"error":{"message":"broken","code":500}}\n\n', [])
def test_what_came_before_a_fault_is_forwarded_however_it_is_cut(
    count: int, fault: bytes, at: list[int]
) -> None:
    whole = GOOD * count + fault + GOOD
    told, heard = carried(cut(whole, at), asks_usage=False)
    assert heard.broken
    assert told.forwarded.startswith(GOOD * count)
    assert told.forwarded.count(GOOD) == count
    assert told.outcome is AttemptOutcome.BROKE
    assert told.chunks == count


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([b"", b"\n", b"\r\n"]), CUTS)
def test_a_last_frame_without_its_empty_line_is_a_frame(end: bytes, at: list[int]) -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}\n\n'
    told, _ = carried(cut(GOOD + usage + b"data: [DONE]" + end, at), asks_usage=True)
    assert told.forwarded == GOOD + usage + b"data: [DONE]\n\n"
    told, _ = carried(cut(GOOD + usage.rstrip() + end, at), asks_usage=True)
    assert told.usage == {"prompt_tokens": 7, "completion_tokens": 2}
    assert told.ending is Ending.COMPLETE


@settings(max_examples=30, deadline=None)
@given(CUTS)
def test_half_a_frame_is_never_forwarded_and_is_a_break(at: list[int]) -> None:
    told, heard = carried(cut(GOOD + GOOD[:40], at), asks_usage=False)
    assert heard.broken
    assert told.forwarded.startswith(GOOD + b'data: {"error"')


def test_a_frame_over_the_limit_breaks_the_stream() -> None:
    told, heard = carried([GOOD, b"data: " + b"x" * 3000, b"x" * 3000], asks_usage=False)
    assert heard.broken
    assert told.outcome is AttemptOutcome.BROKE


def test_a_stream_of_comments_alone_is_no_answer() -> None:
    failures: list[AttemptFailedError] = []
    try:
        carried([b": wait\n\n"] * 3, asks_usage=False)
    except AttemptFailedError as failure:
        failures.append(failure)
    assert [failure.outcome for failure in failures] == [AttemptOutcome.UNKNOWN]
