"""How is anything asked for in one way, and answered at once?

The workers' half of `POST /api/v1/generate`: text, pictures and speech are carried as any call is;
films, and whatever is asked for as a job, are the office's (`api/control/generate.py`).
"""

from collections.abc import Awaitable
from typing import Any, Literal

import msgspec

from tollbridge.api.addresses import OPENAI, Address
from tollbridge.api.elsewhere import Elsewhere
from tollbridge.api.exchange import Exchange
from tollbridge.api.inbound import CallInbound, Intake, Room
from tollbridge.core.call import Operation
from tollbridge.core.clock import Clock
from tollbridge.core.errors import InvalidRequestError, TollbridgeError, UpstreamError
from tollbridge.gateway import Gateway
from tollbridge.pipeline import serve
from tollbridge.providers.dialects.generated import OPERATIONS, VOICE, fields_of, result_of
from tollbridge.providers.passage import HeaderLines, Reply, WrappedReply
from tollbridge.providers.wire import JSON

PATH = "/api/v1/generate"
PROMPT_CHARACTERS_MAX = 1_000_000
GATHERED_BYTES_MAX = 64 * 1024 * 1024
JSON_HEADERS: HeaderLines = b"content-type: application/json\r\n"
_PROVIDER = b"x-tollbridge-provider: "


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for."""

    category: Literal["TEXT", "IMAGE", "VIDEO", "AUDIO"]
    prompt: str
    action: str | None = None
    model: str | None = None
    options: dict[str, Any] = {}
    mode: Literal["sync", "job"] = "sync"
    webhook_url: str | None = None


class Generate:
    """Answers `POST /api/v1/generate`; to be called for every request at that address."""

    def __init__(
        self,
        gateway: Gateway,
        clock: Clock,
        room: Room,
        elsewhere: Elsewhere,
        *,
        body_bytes_max: int,
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._room = room
        self._elsewhere = elsewhere
        self._body_bytes_max = body_bytes_max

    async def __call__(self, exchange: Exchange) -> None:
        """Serve one request; every error of ours is answered here, in the envelope of /api.

        Raises what is a bug, for whoever calls to record and answer.
        """
        if exchange.method != "POST":
            await self._elsewhere(exchange)
            return
        intake = Intake(self._room, self._body_bytes_max)
        reply = GatheringReply(exchange)
        try:
            await self._serve(exchange, intake, reply)
        except TollbridgeError as error:
            if not exchange.gone and not exchange.started:
                await _refuse(exchange, reply.call_id, error)
        finally:
            intake.release()

    async def _serve(self, exchange: Exchange, intake: Intake, reply: "GatheringReply") -> None:
        received_at_us = self._clock.now_us()
        address = Address(Operation.CHAT_COMPLETION, OPENAI)
        inbound = CallInbound(exchange, address, received_at_us, intake)
        self._gateway.authenticate(inbound)
        body = await inbound.body()
        try:
            wanted = msgspec.json.decode(body, type=Ask)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequestError(f"this cannot be understood: {error}") from error
        operation = OPERATIONS[wanted.category]
        if operation is Operation.VIDEO_GENERATION or wanted.mode == "job":
            await self._elsewhere.pass_on(exchange, b"POST", body)
            return
        if not wanted.prompt or len(wanted.prompt) > PROMPT_CHARACTERS_MAX:
            raise InvalidRequestError(
                f"prompt: 1 to {PROMPT_CHARACTERS_MAX} characters", details={"param": "prompt"}
            )
        reply.operation = operation
        told = _Told(inbound, operation, _body_of(wanted, operation))
        await serve(told, reply, self._gateway)


class _Told:
    """A call as the stages see it, whose body is made of what was asked for."""

    __slots__ = ("_body", "_inbound", "operation")

    def __init__(self, inbound: CallInbound, operation: Operation, body: bytes) -> None:
        self._inbound = inbound
        self._body = body
        self.operation = operation

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self._inbound.method

    @property
    def path(self) -> str:
        """The address."""
        return PATH

    @property
    def address(self) -> str:
        """The address that the body is meant for."""
        return self._inbound.address

    @property
    def face(self) -> str:
        """The wire format that the body is in."""
        return OPENAI

    @property
    def content_type(self) -> bytes:
        """The body's."""
        return JSON

    @property
    def passed(self) -> tuple[tuple[bytes, bytes], ...]:
        """No header of the caller goes on."""
        return ()

    @property
    def credential(self) -> str | None:
        """The key that was sent."""
        return self._inbound.credential

    @property
    def received_at_us(self) -> int:
        """When its head was complete."""
        return self._inbound.received_at_us

    @property
    def customer(self) -> str | None:
        """Whom of the application's customers the call is for."""
        return self._inbound.customer

    @property
    def tags(self) -> tuple[str, ...]:
        """The application's labels."""
        return self._inbound.tags

    @property
    def trace(self) -> str | None:
        """The header `traceparent`."""
        return self._inbound.trace

    def body(self) -> Awaitable[bytes]:
        """Return the whole body."""
        return _given(self._body)


class GatheringReply(WrappedReply):
    """Gathers an answer and gives what is in it: one result, and who made it."""

    __slots__ = ("_content_type", "_gathered", "_provider", "_size", "_status", "operation")

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply)
        self.operation = Operation.CHAT_COMPLETION
        self._status = 0
        self._provider = ""
        self._content_type = ""
        self._gathered: list[bytes] = []
        self._size = 0

    @property
    def started(self) -> bool:
        """Whether status and headers have gone out: not before all of it is here."""
        return self._reply.started

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        """Take a whole answer and send the result."""
        await self.start(status, headers)
        self.push(body)
        await self.finish()

    async def start(self, status: int, headers: HeaderLines) -> None:
        """Take status and headers."""
        self._status = status
        for line in headers.split(b"\r\n"):
            if line.startswith(_PROVIDER):
                self._provider = line.removeprefix(_PROVIDER).decode("latin-1")
            elif line.startswith(b"content-type: "):
                self._content_type = line.removeprefix(b"content-type: ").decode("latin-1")

    async def send(self, data: bytes) -> None:
        """Take a part."""
        self.push(data)

    def push(self, data: bytes) -> None:
        """Take a part; what is too much is known at the end."""
        self._size += len(data)
        if self._size <= GATHERED_BYTES_MAX:
            self._gathered.append(data)

    async def drain(self) -> None:
        """Wait for nothing: it is all kept here."""

    async def finish(self) -> None:
        """Send the result."""
        body = b"".join(self._gathered)
        self._gathered.clear()
        try:
            if self._size > GATHERED_BYTES_MAX:
                raise UpstreamError("the answer is too large to be given in this way")
            result = result_of(self.operation, self._content_type, body)
        except TollbridgeError as error:
            await _refuse(self._reply, self.call_id, error)
            return
        told = {"result": result, "provider": self._provider, "call_id": self.call_id}
        await self._reply.whole(200, _with_call(JSON_HEADERS, self.call_id), _encode(told))

    async def break_off(self, last: bytes) -> None:
        """Tell that the provider broke off: nothing has been sent yet."""
        del last
        self._gathered.clear()
        await _refuse(self._reply, self.call_id, UpstreamError("the provider broke off"))


_encode = msgspec.json.Encoder().encode


async def _given(body: bytes) -> bytes:
    return body


def _body_of(wanted: Ask, operation: Operation) -> bytes:
    """Return the request in the openai wire format."""
    model = wanted.model or wanted.category.lower()
    fields = fields_of(operation, wanted.prompt, model, wanted.options)
    if operation is Operation.AUDIO_SPEECH:
        fields.setdefault("voice", VOICE)
    return _encode(fields)


def _with_call(headers: HeaderLines, call_id: str | None) -> HeaderLines:
    if call_id is None:
        return headers
    return headers + b"x-tollbridge-call-id: %b\r\n" % call_id.encode()


async def _refuse(reply: Reply, call_id: str | None, error: TollbridgeError) -> None:
    """Answer an error in the envelope of /api."""
    headers = _with_call(JSON_HEADERS, call_id)
    if error.retry_after_s is not None:
        headers += b"retry-after: %d\r\n" % max(1, round(error.retry_after_s))
    told = {
        "error": {
            "code": error.code,
            "message": error.message,
            "request_id": call_id or "",
            "details": dict(error.details),
        }
    }
    await reply.whole(error.status, headers, _encode(told))
