"""How does the office answer errors to callers of providers' SDKs?"""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from tollbridge.core.errors import TollbridgeError
from tollbridge.providers.dialects.registry import FACES


class FaceRoute(APIRoute):
    """A route whose errors are told in a wire format: that of its `face`."""

    face: ClassVar[str]

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await answer(request)
            except TollbridgeError as error:
                headers: dict[str, str] = {}
                if error.retry_after_s is not None:
                    headers["retry-after"] = str(max(1, round(error.retry_after_s)))
                body = FACES[self.face].render_error(error)
                return Response(body, error.status, headers, "application/json")

        return told
