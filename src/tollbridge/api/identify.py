"""By which id do a caller, an answer and our log speak of the same request?

Plain ASGI around the control plane: it names each request, says so in a header, and refuses a
body that no address of the control plane could want.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tollbridge.core.call import new_id
from tollbridge.core.clock import Clock
from tollbridge.core.errors import BodyTooLargeError

REQUEST_ID = "request_id"
REQUEST_ID_HEADER = "x-request-id"


class Identify:
    """Gives every request an id, and bounds its body."""

    def __init__(
        self,
        application: ASGIApp,
        clock: Clock,
        body_bytes_max: int,
        larger: Mapping[str, int] | None = None,
    ) -> None:
        """`larger` has the bounds of addresses that take more than `body_bytes_max`.

        Of addresses that end with a method (":predict") that stands for the whole.
        """
        self._application = application
        self._clock = clock
        self._body_bytes_max = body_bytes_max
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        request_id = new_id(self._clock.now_us())
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state[REQUEST_ID] = request_id

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [pair for pair in message["headers"] if pair[0] != b"x-request-id"]
                message = {**message, "headers": [*headers, (b"x-request-id", request_id.encode())]}
            await send(message)

        taken = 0
        path: str = scope["path"]
        method = path[path.rfind(":") :]
        bytes_max = self._larger.get(path) or self._larger.get(method, self._body_bytes_max)

        async def receive_bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > bytes_max:
                raise BodyTooLargeError(f"a body here has at most {bytes_max} bytes")
            return message

        await self._application(scope, receive_bounded, send_named)


def request_id_of(scope: MutableMapping[str, Any]) -> str:
    """Return the id of a request."""
    return str(scope.get("state", {}).get(REQUEST_ID, ""))
