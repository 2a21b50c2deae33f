"""What CPU does it take to carry a chat from one wire format to another?

Run `python -m bench.micro.translation`: some seconds, no arguments. Bound: a chat of 100 messages,
with tools, is put into another format within 2 ms; the median of ROUNDS, for each pair.
"""

import statistics
import time
from typing import Any

import msgspec

from tollbridge.core.call import AttemptOutcome, Operation
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Endpoint
from tollbridge.metering.extract import merge_usage
from tollbridge.providers.dialects.chat import translate
from tollbridge.providers.dialects.chat.codec import Rendering
from tollbridge.providers.dialects.chat.neutral import Began, Said
from tollbridge.providers.request import Request

MESSAGES = 100
ROUNDS = 200
FRAMES = 1_000
BOUND_MS = 2.0
ENDPOINT = Endpoint(name="e", provider="p", dialect="openai", base_url="http://p.test")
WORDS = "Name one prime above ten, and say in a sentence why nobody knows the largest one. " * 5


def chat() -> bytes:
    """Return a chat of 100 messages: questions, calls of a tool, results and answers."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": WORDS}]
    for number in range((MESSAGES - 2) // 4 + 1):
        function = {"name": "look_up", "arguments": '{"number": 11, "words": ["a", "b"]}'}
        call = {"id": f"call_{number}", "type": "function", "function": function}
        messages += [
            {"role": "user", "content": f"{number} {WORDS}"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"call_{number}", "content": WORDS},
            {"role": "assistant", "content": f"{WORDS} {number}"},
        ]
    messages = [*messages[: MESSAGES - 1], {"role": "user", "content": WORDS}]
    schema = {"type": "object", "properties": {"number": {"type": "integer"}}}
    tool = {"type": "function", "function": {"name": "look_up", "parameters": schema}}
    body = {"model": "m", "messages": messages, "tools": [tool], "max_tokens": 512}
    return msgspec.json.encode(body)


def said_in(name: str) -> Request:
    """Return that chat as a caller of a format asks it."""
    request = Request(Operation.CHAT_COMPLETION, chat(), "m")
    if name == "openai":
        return request
    body = translate.compose(request, name, ENDPOINT, "m", None)
    return Request(Operation.CHAT_COMPLETION, body, "m", dialect=name)


def compose_ms(request: Request, wire: str) -> float:
    """Return the median CPU of one translation of a request, in milliseconds."""
    taken: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        translate.compose(request, wire, ENDPOINT, "m", None)
        taken.append((time.process_time_ns() - began) / 1e6)
    return statistics.median(taken)


def stream_us(face: str, wire: str) -> float:
    """Return the CPU of one translated frame of words, in microseconds."""
    codec = translate.FORMATS[wire]
    encoder = codec.encoder(Rendering(model="m", created_s=1))
    opening = encoder.write(Began("a", "m"))
    frames = [encoder.write(Said(f"word {number} ")) for number in range(FRAMES)]
    request = Request(Operation.CHAT_COMPLETION, b"{}", "m", stream=True, dialect=face)
    attempt = AttemptEvidence(1, "e", "p", wire, "m", "", 0, AttemptOutcome.CUT_SHORT)
    reader = translate.stream(request, wire, attempt, merge_usage)
    reader.first(opening + frames[0])
    began = time.process_time_ns()
    for frame in frames:
        reader.pass_on(frame)
    return (time.process_time_ns() - began) / 1e3 / FRAMES


def main() -> None:
    """Print a line for each pair, and whether all keep the bound."""
    worst = 0.0
    for face in translate.FORMATS:
        request = said_in(face)
        for wire in translate.FORMATS:
            if wire == face:
                continue
            taken = compose_ms(request, wire)
            worst = max(worst, taken)
            size = len(request.body) // 1024
            print(
                f"{face:>9} to {wire:<9} {size} KB: {taken:.2f} ms, "
                f"a frame back {stream_us(face, wire):.1f} us"
            )
    print(f"worst {worst:.2f} ms, bound {BOUND_MS} ms: {'kept' if worst <= BOUND_MS else 'MISSED'}")


if __name__ == "__main__":
    main()
