"""The data plane: which addresses are carried, and how is each answered?

Nothing here knows a web framework, and nothing is done for a call that need not be.
"""

from collections.abc import Callable, Mapping

import msgspec

from tollbridge.api.exchange import Exchange
from tollbridge.api.inbound import BodyLimits, CallInbound, Intake, Room
from tollbridge.api.protocol import Serve
from tollbridge.core.call import Operation
from tollbridge.core.clock import Clock
from tollbridge.core.errors import (
    BugError,
    MethodNotAllowedError,
    ModelNotFoundError,
    NotCarriedError,
    TollbridgeError,
)
from tollbridge.gateway import Gateway
from tollbridge.pipeline import serve
from tollbridge.providers.dialects.openai import OpenAI
from tollbridge.providers.passage import HeaderLines

OnFault = Callable[[str, BaseException], None]

OPERATIONS: Mapping[str, Operation] = {
    "/v1/chat/completions": Operation.CHAT_COMPLETION,
    "/v1/completions": Operation.COMPLETION,
    "/v1/embeddings": Operation.EMBEDDING,
}
MODELS = "/v1/models"
JSON_HEADERS: HeaderLines = b"content-type: application/json\r\n"
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
        elsewhere: Serve,
        on_fault: OnFault,
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._limits = limits
        self._elsewhere = elsewhere
        self._on_fault = on_fault
        self._room = Room(limits.inflight_body_bytes_max)
        self._dialect = OpenAI()
        self.not_carried: int = 0
        """Requests for addresses that are not carried."""

    async def __call__(self, exchange: Exchange) -> None:
        """Serve one request."""
        intake: Intake | None = None
        try:
            operation = OPERATIONS.get(exchange.path)
            if operation is not None and exchange.method == "POST":
                intake = Intake(self._room, self._limits.body_bytes_max)
                inbound = CallInbound(exchange, operation, self._clock.now_us(), intake)
                await serve(inbound, exchange, self._gateway)
            elif exchange.path.startswith("/v1/"):
                await self._other(exchange, operation)
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

    async def _other(self, exchange: Exchange, operation: Operation | None) -> None:
        path, method = exchange.path, exchange.method
        is_models = path == MODELS or path.startswith(f"{MODELS}/")
        if operation is None and not is_models:
            self.not_carried += 1
            shown = path[:PATH_CHARACTERS_MAX]
            raise NotCarriedError(f"{method} {shown} is not carried by this gateway")
        if not is_models or method != "GET":
            raise MethodNotAllowedError(f"{method} is not a method of {path}")
        intake = Intake(self._room, self._limits.body_bytes_max)  # nobody asks for its body
        received_at_us = self._clock.now_us()
        inbound = CallInbound(exchange, Operation.CHAT_COMPLETION, received_at_us, intake)
        self._gateway.authenticate(inbound)
        await exchange.whole(200, JSON_HEADERS, self._models(path))

    def _models(self, path: str) -> bytes:
        listings = [
            {"id": one.model, "object": "model", "created": 0, "owned_by": one.provider}
            for one in self._gateway.models()
        ]
        if path == MODELS:
            return msgspec.json.encode({"object": "list", "data": listings})
        name = path.removeprefix(f"{MODELS}/")
        for listing in listings:
            if listing["id"] == name:
                return msgspec.json.encode(listing)
        raise ModelNotFoundError(f"there is no model {name!r} here", details={"param": "model"})

    async def _refuse(self, reply: Exchange, error: TollbridgeError) -> None:
        if reply.gone:
            return
        if reply.started:
            await reply.break_off(self._dialect.error_event(error))
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
        await reply.whole(error.status, headers, self._dialect.render_error(error))
