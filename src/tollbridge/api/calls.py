"""The data plane: which addresses are carried, and how is each answered?

Bare ASGI: nothing here knows a web framework, and nothing is done for a call that need not be.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from tollbridge.api.inbound import BodyLimits, CallInbound, Room
from tollbridge.api.protocol import CONNECTION, CYCLE
from tollbridge.api.reply import CallerReply, Receive, Send
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

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
OnFault = Callable[[str, BaseException], None]

OPERATIONS: Mapping[str, Operation] = {
    "/v1/chat/completions": Operation.CHAT_COMPLETION,
    "/v1/completions": Operation.COMPLETION,
    "/v1/embeddings": Operation.EMBEDDING,
}
MODELS = "/v1/models"
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
        elsewhere: Application,
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path: str = scope["path"]
        if not path.startswith("/v1/"):
            await self._elsewhere(scope, receive, send)
            return
        received_at_us = self._clock.now_us()
        state = scope["state"]
        reply = CallerReply(state[CONNECTION], state[CYCLE])
        operation = OPERATIONS.get(path)
        try:
            if operation is not None and scope["method"] == "POST":
                await self._serve(scope, operation, received_at_us, receive, reply)
            else:
                await self._other(scope, operation, received_at_us, receive, reply)
        except TollbridgeError as error:
            await self._refuse(reply, error)
        except Exception as error:  # noqa: BLE001  # process edge: the caller gets an answer
            self._on_fault("serve", error)
            await self._refuse(reply, BugError("an error of ours; it has been recorded"))

    async def _serve(
        self,
        scope: Scope,
        operation: Operation,
        received_at_us: int,
        receive: Receive,
        reply: CallerReply,
    ) -> None:
        inbound = CallInbound(
            scope,
            operation,
            received_at_us,
            receive,
            self._room,
            self._limits,
        )
        try:
            inbound.read_headers(scope["headers"], scope["query_string"])
            await serve(inbound, reply, self._gateway)
        finally:
            inbound.release()

    async def _other(
        self,
        scope: Scope,
        operation: Operation | None,
        received_at_us: int,
        receive: Receive,
        reply: CallerReply,
    ) -> None:
        path: str = scope["path"]
        is_models = path == MODELS or path.startswith(f"{MODELS}/")
        if operation is None and not is_models:
            self.not_carried += 1
            shown = path[:PATH_CHARACTERS_MAX]
            raise NotCarriedError(f"{scope['method']} {shown} is not carried by this gateway")
        if not is_models or scope["method"] != "GET":
            raise MethodNotAllowedError(f"{scope['method']} is not a method of {path}")
        inbound = CallInbound(
            scope,
            Operation.CHAT_COMPLETION,
            received_at_us,
            receive,
            self._room,
            self._limits,
        )
        inbound.read_headers(scope["headers"], scope["query_string"])
        self._gateway.authenticate(inbound)
        await reply.whole(200, _json_headers(), self._models(path))

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

    async def _refuse(self, reply: CallerReply, error: TollbridgeError) -> None:
        if reply.gone:
            return
        if reply.started:
            await reply.break_off(self._dialect.error_event(error))
            return
        headers = _json_headers()
        if error.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % max(1, round(error.retry_after_s))))
        if reply.call_id is not None:
            headers.append((b"x-tollbridge-call-id", reply.call_id.encode()))
        helps = (
            error.status in {408, 503, 504}
            if error.retry_after_s is None
            else error.retry_after_s <= RETRY_WAIT_MAX_S
        )
        headers.append((b"x-should-retry", b"true" if helps else b"false"))
        await reply.whole(error.status, headers, self._dialect.render_error(error))


def _json_headers() -> list[tuple[bytes, bytes]]:
    return [(b"content-type", b"application/json")]
