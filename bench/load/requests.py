"""What do applications send, so that no two calls are alike?

A pool of different requests is made once per lane and gateway. In each there is a place for ten
digits, where the load generator writes the number of the call: two calls never have the same body.
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path

from bench.gateways import Gateway

POOL_REQUESTS = 10_000
BODY_BYTES = 2_048
LARGE_POOL_REQUESTS = 40
LARGE_BODY_BYTES = 150_000
NUMBER_MARK = "##########"
FIRST_NUMBER = 1_000_000_000
TEXT = (
    "ledger posting budget invoice call provider price token stream usage account month attempt "
    "fallback route customer credit charge lease drain record total report question answer the "
    "and to with before after never always each every between above under seven thirty of "
    "r\u00e9sum\u00e9 na\u00efve \u4f60\u597d 3.14 2026 x=1 https://example.com/a?b=c"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One whole HTTP request, cut where the number of the call goes."""

    head: bytes
    tail: bytes

    def render(self, number: int) -> bytes:
        """Return the bytes of a call; `number` counts from 0."""
        return b"%s%d%s" % (self.head, FIRST_NUMBER + number, self.tail)


def _body(source: random.Random, model: str, *, size_bytes: int, stream: bool) -> bytes:
    """Return a chat body of exactly `size_bytes`, every second one with a token limit."""
    body: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": f"You keep the books. Case {NUMBER_MARK}."},
            {"role": "user", "content": "@"},
        ],
        "temperature": round(source.random(), 3),
    }
    if source.random() < 0.5:
        body["max_tokens"] = source.randint(50, 2_000)
    if stream:
        body["stream"] = True
        if source.random() < 0.5:
            body["stream_options"] = {"include_usage": True}
    frame = json.dumps(body, ensure_ascii=False).encode()
    room = size_bytes - len(frame) + 1
    words = " ".join(source.choices(TEXT.split(), k=room // 4)).encode()[:room]
    text = words.decode(errors="ignore").encode()
    return frame.replace(b'"@"', b'"%s"' % text.ljust(room, b"."))


def make_pool(gateway: Gateway, *, count: int, size_bytes: int, stream: bool) -> list[Request]:
    """Return `count` different requests of as many callers as the gateway has keys."""
    source = random.Random(count)
    pool: list[Request] = []
    for number in range(count):
        body = _body(source, gateway.model, size_bytes=size_bytes, stream=stream)
        headers = {
            "host": f"127.0.0.1:{gateway.port}",
            **gateway.headers(number),
            "content-length": str(len(body)),
        }
        lines = [f"POST {gateway.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        whole = "\r\n".join([*lines, "", ""]).encode() + body
        head, tail = whole.split(NUMBER_MARK.encode(), 1)
        pool.append(Request(head, tail))
    return pool


def write_pool(pool: list[Request], path: Path) -> None:
    """Write a pool as wrk.lua and the clients read it: two lengths, then two parts, per request."""
    with path.open("wb") as output:
        for request in pool:
            output.write(b"%d %d\n" % (len(request.head), len(request.tail)))
            output.write(request.head)
            output.write(request.tail)


def read_pool(path: Path) -> list[Request]:
    """Read what `write_pool` wrote."""
    pool: list[Request] = []
    with path.open("rb") as source:
        while line := source.readline():
            head_bytes, tail_bytes = map(int, line.split())
            pool.append(Request(source.read(head_bytes), source.read(tail_bytes)))
    return pool
