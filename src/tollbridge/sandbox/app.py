"""Which address was asked for, and who answers there?

`/v1/…` is the emulated provider; `/sandbox/…` reads its log and orders its faults.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from tollbridge.core.clock import SECOND_US, Clock, SystemClock
from tollbridge.sandbox import shapes, surfaces
from tollbridge.sandbox.call import Call
from tollbridge.sandbox.exchange import CallerLeftError, Exchange, Receive, Scope, Send
from tollbridge.sandbox.journal import Journal, LogEntry, Tally
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.requests import Prompt
from tollbridge.sandbox.script import NO_FAULTS, Script, ScriptBook, ScriptOrder
from tollbridge.sandbox.script import from_header as script_from_header
from tollbridge.sandbox.script import from_text as script_from_text

MODELS: Final = ("sandbox-small", "sandbox-large", "sandbox-embedding")
SCRIPT_HEADER: Final = b"x-sandbox-script"

_S = TypeVar("_S", str, bytes)
_order_decoder: Final = msgspec.json.Decoder(ScriptOrder)


class Sandbox:
    """An ASGI application that answers as OpenAI does.

    `strict`: a model other than the three answers 404. `log_path`: also write the log there.
    `embedding_dimensions`: where the request names none.
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
        self._strict = strict
        self._clock = clock or SystemClock()
        self._body_bytes_max = body_bytes_max
        self._embedding_dimensions = embedding_dimensions
        self.journal = Journal(self._clock, path=log_path, entries_max=log_entries_max)
        self.scripts = ScriptBook()

    @property
    def log(self) -> list[LogEntry]:
        """The entries in memory, oldest first."""
        return list(self.journal.entries)

    @property
    def tally(self) -> Tally:
        """The sums over all finished requests since the last reset."""
        return self.journal.tally

    def reset(self) -> None:
        """Forget log, tallies and scripts."""
        self.journal.reset()
        self.scripts.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            exchange = Exchange(scope, receive, send, NO_FAULTS)
            if scope["path"].startswith("/sandbox/"):
                await self._control(f"{scope['method']} {scope['path']}", exchange)
            else:
                await self._serve(scope, exchange)

    async def _serve(self, scope: Scope, exchange: Exchange) -> None:
        """Answer as the provider, and log it, however it ends."""
        client_request_id: str | None = None
        key = ""
        header: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"x-client-request-id":
                client_request_id = value.decode("latin-1")
            elif name == b"authorization":
                key = value.decode("latin-1").removeprefix("Bearer ")
            elif name == SCRIPT_HEADER:
                header = value
        entry = self.journal.open(scope["path"], client_request_id, key[-4:])
        call = Call(entry, exchange, self._clock)
        try:
            try:
                early = self._early_script(header, key)
                delay_s = 0.0 if early is None else early.read_delay_s
                body = await exchange.read_body(delay_s, self._body_bytes_max)
                await self._answer(f"{scope['method']} {scope['path']}", call, body, early, key)
            except RefusedError as error:
                await call.refuse(error)
        except CallerLeftError:
            entry.outcome = "aborted_by_client"
        finally:
            self.journal.close(entry)

    def _early_script(self, header: bytes | None, key: str) -> Script | None:
        """Return the script that is known before the body is read."""
        if header is not None:
            return _script_in(script_from_header, header)
        return self.scripts.claim_before_body(key)

    async def _answer(
        self, address: str, call: Call, body: bytes, early: Script | None, key: str
    ) -> None:
        def choose(model: str, prompt: Prompt) -> Script:
            call.entry.model = model
            script = early or _script_in(script_from_text, prompt.last_text)
            script = script or self.scripts.claim(model, key)
            if self._strict and model not in MODELS:
                message = f"The model `{model}` does not exist or you do not have access to it."
                raise RefusedError("not_found", message)
            return script

        created = self._clock.now_us() // SECOND_US
        match address:
            case "POST /v1/chat/completions":
                await surfaces.chat(call, body, choose, created)
            case "POST /v1/completions":
                await surfaces.completion(call, body, choose, created)
            case "POST /v1/embeddings":
                await surfaces.embeddings(call, body, choose, self._embedding_dimensions)
            case "GET /v1/models":
                listed = [_model_object(name) for name in MODELS]
                await call.send_document({"object": "list", "data": listed})
            case _:
                name = address.removeprefix("GET /v1/models/")
                if name not in MODELS:
                    raise RefusedError("invalid_request", f"Invalid URL ({address})", status=404)
                await call.send_document(_model_object(name))

    async def _control(self, address: str, exchange: Exchange) -> None:
        try:
            body = await exchange.read_body(0.0, self._body_bytes_max)
            status, document = self._controlled(address, body)
        except RefusedError as error:
            status, document = error.status, {"error": error.error}
        except CallerLeftError:
            return
        data = shapes.encode(document)
        length = b"%d" % len(data)
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await exchange.start(status, headers)
        await exchange.finish(data)

    def _controlled(self, address: str, body: bytes) -> tuple[int, object]:
        match address:
            case "GET /sandbox/log":
                return 200, {"entries": self.log}
            case "GET /sandbox/tally":
                by_model = self.journal.tally_by_model
                return 200, {"total": self.tally, "models": by_model}
            case "POST /sandbox/reset":
                self.reset()
                return 200, {}
            case "POST /sandbox/script":
                self._order(surfaces.decoded(_order_decoder, body))
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


def _script_in(read: Callable[[_S], Script | None], source: _S) -> Script | None:
    """Read a script. Raises RefusedError (400) that says what is wrong with it."""
    try:
        return read(source)
    except msgspec.DecodeError as error:
        raise RefusedError("invalid_request", f"sandbox: {error}") from error


def _model_object(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "sandbox"}


async def _live(receive: Receive, send: Send) -> None:
    """Take part in the server's start and end; there is nothing to prepare."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
