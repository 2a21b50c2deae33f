"""Which address was asked for, and who answers there?

`/sandbox/…` reads the log, orders faults and has the files; the first segment of any other address
names the emulated provider, and what no provider has is OpenAI's.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from tollbridge.core.clock import Clock, SystemClock
from tollbridge.sandbox.answer import digest
from tollbridge.sandbox.call import Call
from tollbridge.sandbox.dialect import Dialect, Router
from tollbridge.sandbox.dialects.registry import DIALECTS, OPENAI
from tollbridge.sandbox.exchange import CallerLeftError, Exchange, Receive, Scope, Send
from tollbridge.sandbox.frame import encode
from tollbridge.sandbox.journal import Journal, LogEntry, Tally
from tollbridge.sandbox.media import CONTENT_TYPES, film, png, size_of, sound
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import NO_FAULTS, Script, ScriptBook, ScriptOrder
from tollbridge.sandbox.script import from_header as script_from_header
from tollbridge.sandbox.tasks import Task, TaskBook
from tollbridge.sandbox.visit import Kept, Visit, World, decoded

SCRIPT_HEADER: Final = "x-sandbox-script"
FILES: Final = "/sandbox/files/"
_KEY_HEADERS: Final = ("authorization", "x-api-key", "x-goog-api-key", "xi-api-key", "api-key")

_S = TypeVar("_S", str, bytes)
_order_decoder: Final = msgspec.json.Decoder(ScriptOrder)


class Sandbox:
    """An ASGI application that answers as the providers do.

    `strict`: an OpenAI model that is not its own answers 404. `log_path`: also write the log
    there. `embedding_dimensions`: where the request names none.
    """

    def __init__(
        self,
        *,
        strict: bool = False,
        clock: Clock | None = None,
        log_path: Path | None = None,
        log_entries_max: int = 100_000,
        body_bytes_max: int = 64 << 20,
        embedding_dimensions: int = 64,
    ) -> None:
        self._clock = clock or SystemClock()
        self._body_bytes_max = body_bytes_max
        self.journal = Journal(self._clock, path=log_path, entries_max=log_entries_max)
        self.scripts = ScriptBook()
        self._tasks = TaskBook(self._clock)
        self._kept = Kept()
        self._world = World(
            clock=self._clock,
            scripts=self.scripts,
            tasks=self._tasks,
            kept=self._kept,
            strict=strict,
            embedding_dimensions=embedding_dimensions,
        )
        self._openai = Router(OPENAI)
        self._routers = {one.base.removeprefix("/"): Router(one) for one in DIALECTS if one.base}

    @property
    def log(self) -> list[LogEntry]:
        """The entries in memory, oldest first."""
        return list(self.journal.entries)

    @property
    def tally(self) -> Tally:
        """The sums over all finished requests since the last reset."""
        return self.journal.tally

    @property
    def tasks(self) -> list[Task]:
        """The tasks of all providers, oldest first."""
        return self._tasks.all()

    def reset(self) -> None:
        """Forget log, tallies, scripts, tasks and all that was kept."""
        self.journal.reset()
        self.scripts.clear()
        self._tasks.clear()
        self._kept.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            exchange = Exchange(scope, receive, send, NO_FAULTS)
            path: str = scope["path"]
            if path.startswith("/sandbox/"):
                await self._control(scope["method"], path, exchange)
            else:
                await self._serve(scope, exchange)

    async def _serve(self, scope: Scope, exchange: Exchange) -> None:
        """Answer as the provider, and log it, however it ends."""
        path: str = scope["path"]
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        router = self._routers.get(path.split("/", 2)[1], self._openai)
        dialect = router.dialect
        query: bytes = scope.get("query_string", b"")
        key = _key_in(headers, query)
        entry = self.journal.open(path, headers.get("x-client-request-id"), key[-4:])
        entry.dialect = dialect.name
        call = Call(entry, exchange, self._clock, self.journal, dialect.voice)
        visit = Visit(call, self._world, headers, path[len(dialect.base) :], query.decode(), key)
        try:
            try:
                await self._answer(visit, router, scope["method"], exchange)
            except RefusedError as error:
                await call.refuse(error)
        except CallerLeftError:
            entry.outcome = "aborted_by_client"
        finally:
            self.journal.close(entry)

    async def _answer(self, visit: Visit, router: Router, method: str, exchange: Exchange) -> None:
        visit.early = self._early_script(visit)
        delay_s = 0.0 if visit.early is None else visit.early.read_delay_s
        visit.body = await exchange.read_body(delay_s, self._body_bytes_max)
        match = router.find(method, visit.path)
        if match is None:
            raise RefusedError(
                "invalid_request", f"Invalid URL ({method} {visit.path})", status=404
            )
        visit.call.entry.operation = match.route.operation
        visit.params = match.params
        _check_key(router.dialect, visit)
        await match.route.handler(visit)

    def _early_script(self, visit: Visit) -> Script | None:
        """Return the script that is known before the body is read."""
        header = visit.header(SCRIPT_HEADER)
        if header:
            return _script_in(script_from_header, header.encode("latin-1"))
        return self.scripts.claim_before_body(visit.key)

    async def _control(self, method: str, path: str, exchange: Exchange) -> None:
        content_type = b"application/json"
        try:
            body = await exchange.read_body(0.0, self._body_bytes_max)
            if method in {"GET", "HEAD"} and path.startswith(FILES):
                data, content_type = file_at(path)
                status = 200
            else:
                status, document = self._controlled(f"{method} {path}", body)
                data = encode(document)
        except RefusedError as error:
            status, data = error.status, encode({"error": error.error})
        except CallerLeftError:
            return
        headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(data))]
        await exchange.start(status, headers)
        await exchange.finish(data)

    def _controlled(self, address: str, body: bytes) -> tuple[int, object]:
        match address:
            case "GET /sandbox/log":
                return 200, {"entries": self.log}
            case "GET /sandbox/tally":
                parts = {
                    "models": self.journal.tally_by_model,
                    "dialects": self.journal.tally_by_dialect,
                }
                return 200, {"total": self.tally, **parts}
            case "POST /sandbox/reset":
                self.reset()
                return 200, {}
            case "POST /sandbox/script":
                self._order(decoded(_order_decoder, body))
                return 200, {"queued": len(self.scripts)}
            case _:
                raise RefusedError("invalid_request", f"no such address: {address}", status=404)

    def _order(self, order: ScriptOrder) -> None:
        if order.default is not msgspec.UNSET:
            self.scripts.default = order.default or NO_FAULTS
        try:
            self.scripts.push(order.queue)
        except ValueError as error:
            raise RefusedError("invalid_request", f"sandbox: {error}") from error


def base_urls(url: str) -> dict[str, str]:
    """Return the base URL that a client of each provider is given, for a sandbox at `url`."""
    return {dialect.name: f"{url}{dialect.base}{dialect.root}" for dialect in DIALECTS}


def file_at(path: str) -> tuple[bytes, bytes]:
    """Return a file that an answer named, and its type. Raises RefusedError (404).

    Its name says what it is: 1024x1024.png, 1500.mp3 (milliseconds), 8000-1280x720.mp4.
    """
    seed, _, name = path.removeprefix(FILES).partition("/")
    stem, _, kind = name.rpartition(".")
    if seed == "gone" or "/" in name or kind not in CONTENT_TYPES or len(stem) > 32:
        raise RefusedError("not_found", f"no such file: {path}")
    content_type = CONTENT_TYPES[kind].encode()
    if kind == "png":
        return png(size_of(stem), digest(seed, [])), content_type
    length, _, size = stem.partition("-")
    if not length.isdecimal():
        raise RefusedError("not_found", f"no such file: {path}")
    if kind == "mp4":
        return film(int(length), size_of(size)), content_type
    return sound(kind, int(length)), content_type


def _key_in(headers: dict[str, str], query: bytes) -> str:
    for name in _KEY_HEADERS:
        value = headers.get(name)
        if value:
            return value.rpartition(" ")[2]
    for part in query.split(b"&"):
        if part.startswith(b"key="):
            return part[4:].decode("latin-1")
    return ""


def _check_key(dialect: Dialect, visit: Visit) -> None:
    """Refuse who sends no key, or sends it where another provider has it."""
    if not dialect.auth or any(visit.header(name) for name in dialect.auth):
        return
    if "?key" in dialect.auth and visit.query.get("key"):
        return
    raise RefusedError("authentication")


def _script_in(read: Callable[[_S], Script | None], source: _S) -> Script | None:
    """Read a script. Raises RefusedError (400) that says what is wrong with it."""
    try:
        return read(source)
    except msgspec.DecodeError as error:
        raise RefusedError("invalid_request", f"sandbox: {error}") from error


async def _live(receive: Receive, send: Send) -> None:
    """Take part in the server's start and end; there is nothing to prepare."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
