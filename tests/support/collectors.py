"""An OpenTelemetry collector to send to, that keeps what it gets and answers as it is told."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

SPANS = "/v1/traces"


class Taken(NamedTuple):
    """One message."""

    path: str
    head: str
    document: Any


class Collector:
    """What it took, and how it answers."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[Taken] = []
        self.answers: list[str] = []
        """Heads of the next answers to spans, without their end ("503 Busy"); then 200 OK."""
        self.is_silent = False
        """Whether it takes and never answers."""

    async def until(self, condition: Callable[[], bool], wait_s: float = 30.0) -> None:
        """Wait until something is so; raises TimeoutError."""
        async with asyncio.timeout(wait_s):
            while not condition():
                await asyncio.sleep(0.02)

    def spans(self) -> list[dict[str, Any]]:
        """Return all spans that were taken."""
        return [
            span
            for one in self.taken
            if one.path == SPANS
            for resource in one.document["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


@asynccontextmanager
async def running_collector(port: int = 0) -> AsyncGenerator[Collector]:
    """Yield a collector on loopback."""
    collector = Collector()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        [length] = [
            int(line.partition(":")[2])
            for line in head.splitlines()
            if line.lower().startswith("content-length")
        ]
        body = await reader.readexactly(length)
        path = head.split()[1]
        collector.taken.append(Taken(path, head, json.loads(body)))
        if collector.is_silent:
            await reader.read()
            writer.close()
            return
        is_scripted = path == SPANS and collector.answers
        answer = collector.answers.pop(0) if is_scripted else "200 OK"
        writer.write(
            f"HTTP/1.1 {answer}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        collector.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield collector


def said(span: dict[str, Any]) -> dict[str, Any]:
    """Return a span's attributes by name."""
    kinds: dict[str, Callable[[Any], Any]] = {"intValue": int}
    return {
        one["key"]: kinds.get(kind, lambda value: value)(value)
        for one in span["attributes"]
        for kind, value in one["value"].items()
    }
