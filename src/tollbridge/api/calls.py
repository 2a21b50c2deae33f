"""The data plane: which addresses are carried, and how is each answered?

Nothing here knows a web framework, and nothing is done for a call that need not be.
"""

from collections.abc import Callable, Mapping

from tollbridge.api.addresses import (
    ADDRESSES,
    ANTHROPIC,
    COUNT_TOKENS,
    GEMINI,
    GEMINI_COUNT,
    GEMINI_MODELS,
    GEMINI_PREFIX,
    MODELS,
    OPENAI,
    STORED_RESPONSES,
    STREAM_GENERATE,
    Address,
    address_of,
    face_of,
    is_below,
    is_film,
)
from tollbridge.api.arrays import ArrayReply
from tollbridge.api.beside import JSON_HEADERS, Beside
from tollbridge.api.elsewhere import Elsewhere
from tollbridge.api.exchange import Exchange
from tollbridge.api.generate import PATH as GENERATE
from tollbridge.api.generate import Generate
from tollbridge.api.inbound import BodyLimits, CallInbound, Intake, Room
from tollbridge.api.listings import list_models, show_model
from tollbridge.core.call import Operation
from tollbridge.core.clock import Clock
from tollbridge.core.errors import (
    BugError,
    MethodNotAllowedError,
    NotCarriedError,
    TollbridgeError,
)
from tollbridge.gateway import Gateway
from tollbridge.pipeline import serve
from tollbridge.providers.dialects.registry import FACES, wires
from tollbridge.providers.passage import Reply

OnFault = Callable[[str, BaseException], None]
# Only that SDK sends this header: it tells who asks at an address that several have.
_SPOKEN: Mapping[bytes, str] = {b"anthropic-version": ANTHROPIC, b"x-goog-api-key": GEMINI}

PATH_CHARACTERS_MAX = 200
RETRY_WAIT_MAX_S = 60.0
"""A retry after a longer wait than this is nothing that a client should do by itself."""


class DataPlane:
    """Answers `/v1/*`; everything else goes to `elsewhere`."""

    def __init__(
        self,
        gateway: Gateway,
        clock: Clock,
        limits: BodyLimits,
        elsewhere: Elsewhere,
        on_fault: OnFault,
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._limits = limits
        self._elsewhere = elsewhere
        self._on_fault = on_fault
        self._room = Room(limits.inflight_body_bytes_max)
        self._beside = Beside(gateway, wires(), clock)
        self._generate = Generate(
            gateway, clock, self._room, elsewhere, body_bytes_max=limits.body_bytes_max
        )
        self.not_carried: int = 0
        """Requests for addresses that are not carried."""

    async def __call__(self, exchange: Exchange) -> None:
        """Serve one request."""
        intake: Intake | None = None
        path = exchange.path
        try:
            address = ADDRESSES.get(path) or address_of(path)
            if address is not None and exchange.method == "POST":
                intake = Intake(self._room, self._limits.body_bytes_max)
                inbound = CallInbound(exchange, address, self._clock.now_us(), intake)
                await serve(inbound, _reply_of(exchange), self._gateway)
            elif path.startswith(("/v1/", GEMINI_PREFIX)) and not is_film(path):
                intake = Intake(self._room, self._limits.body_bytes_max)
                await self._other(exchange, address, intake)
            elif path == GENERATE:
                await self._generate(exchange)
            else:
                await self._elsewhere(exchange)
        except TollbridgeError as error:
            await self._refuse(exchange, error)
        except Exception as error:  # noqa: BLE001  # process edge: the caller gets an answer
            self._on_fault("serve", error)
            await self._refuse(exchange, BugError("an error of ours; it has been recorded"))
        finally:
            if intake is not None:
                intake.release()

    async def _other(self, exchange: Exchange, address: Address | None, intake: Intake) -> None:
        """Answer what is no call, or is not carried."""
        path, method = exchange.path, exchange.method
        face = _face_of(exchange)
        if path == COUNT_TOKENS or (face == GEMINI and path.endswith(GEMINI_COUNT)):
            if method == "POST":
                inbound = self._inbound(exchange, face, intake)
                await self._beside.count_tokens(inbound, exchange)
                return
        elif path.startswith(STORED_RESPONSES) and "/" not in path.removeprefix(STORED_RESPONSES):
            if method in {"GET", "DELETE"}:
                inbound = self._inbound(exchange, face, intake)
                given_id = path.removeprefix(STORED_RESPONSES)
                query = exchange.query if method == "GET" else b""
                await self._beside.stored_response(
                    inbound, given_id, method.encode(), query, exchange
                )
                return
        elif _is_model(path) and (method == "GET" or ":" not in path):
            if method == "GET":
                self._gateway.authenticate(self._inbound(exchange, face, intake))
                await exchange.whole(200, JSON_HEADERS, self._models(path, face))
                return
        elif address is None:
            self.not_carried += 1
            shown = path[:PATH_CHARACTERS_MAX]
            raise NotCarriedError(f"{method} {shown} is not carried by this gateway")
        raise MethodNotAllowedError(f"{method} is not a method of {path}")

    def _inbound(self, exchange: Exchange, face: str, intake: Intake) -> CallInbound:
        address = Address(Operation.CHAT_COMPLETION, face)
        return CallInbound(exchange, address, self._clock.now_us(), intake)

    def _models(self, path: str, face: str) -> bytes:
        listings = self._gateway.models()
        parent = GEMINI_MODELS if path.startswith(GEMINI_PREFIX) else MODELS
        if path == parent:
            return list_models(listings, face)
        return show_model(listings, face, path.removeprefix(f"{parent}/"))

    async def _refuse(self, reply: Exchange, error: TollbridgeError) -> None:
        if reply.gone:
            return
        face = FACES.get(_face_of(reply)) or FACES[OPENAI]
        if reply.started:
            await reply.break_off(face.error_event(error))
            return
        headers = JSON_HEADERS
        if error.retry_after_s is not None:
            headers += b"retry-after: %d\r\n" % max(1, round(error.retry_after_s))
        if reply.call_id is not None:
            headers += b"x-tollbridge-call-id: %b\r\n" % reply.call_id.encode()
        helps = (
            error.status in {408, 503, 504}
            if error.retry_after_s is None
            else error.retry_after_s <= RETRY_WAIT_MAX_S
        )
        headers += b"x-should-retry: %b\r\n" % (b"true" if helps else b"false")
        await reply.whole(error.status, headers, face.render_error(error))


def _is_model(path: str) -> bool:
    return is_below(path, MODELS) or is_below(path, GEMINI_MODELS)


def _face_of(exchange: Exchange) -> str:
    spoken = OPENAI
    for name, _ in exchange.headers:
        spoken = _SPOKEN.get(name, spoken)
    return face_of(exchange.path, spoken=spoken)


def _reply_of(exchange: Exchange) -> Reply:
    """Return the way back, in the form that the address asks for."""
    if exchange.path.endswith(STREAM_GENERATE) and b"alt=sse" not in exchange.query:
        return ArrayReply(exchange)
    return exchange
