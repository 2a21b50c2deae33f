"""How does a worker or a bot have something made, whoever can make it?

    result, provider = await Client("http://localhost:8000", key=…).generate("TEXT", "", prompt)

What takes its time (films) is waited for: the work goes on in the gateway, through its restarts.
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import urlsplit

import msgspec

from tollbridge.providers.connect import client_ssl_context
from tollbridge.providers.failures import TransportError
from tollbridge.providers.head import compose_head
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.origin import Origin
from tollbridge.providers.transport import Transport

GENERATE = "/api/v1/generate"
ANSWER_BYTES_MAX = 128 * 1024 * 1024
POLL_S = 1.0
POLL_FAILURES_MAX = 10
OF_THE_ORDER = frozenset({"model", "mode", "webhook_url"})
"""Options that say how something is made; all others go to whoever makes it."""


class GenerateError(Exception):
    """Nothing was made; `code` is stable, `status` is HTTP's, 0 where nobody answered."""

    def __init__(self, message: str, code: str, status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Client:
    """A gateway, asked by one key. To be used in one event loop; `aclose` it in the end."""

    def __init__(self, base_url: str, *, key: str, timeout_s: float = 600.0) -> None:
        """`timeout_s` bounds one `generate` in all."""
        self._origin = Origin.parse(base_url)
        self._base_url = base_url.rstrip("/")
        self._base_path = urlsplit(self._base_url).path
        self._key = key
        self._timeout_s = timeout_s
        self._transport = Transport(TransportLimits(), ssl_context=client_ssl_context(None))

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        await self.aclose()

    async def generate(
        self, category: str, action: str = "", prompt: str = "", **options: Any
    ) -> tuple[dict[str, str], str]:
        """Return (result, provider): {"text"}, {"imageUrl"}, {"videoUrl"} or {"audioUrl"}.

        `category` is TEXT, IMAGE, VIDEO or AUDIO; `action` is for the log. `model` names another
        model than the category's own; any other option (size, seconds, voice …) goes to whoever
        makes it. A result that the gateway passes through needs the key too. Raises GenerateError.
        """
        own = {name: value for name, value in options.items() if name in OF_THE_ORDER}
        more = {name: value for name, value in options.items() if name not in OF_THE_ORDER}
        order = {"category": category, "action": action, "prompt": prompt, "options": more, **own}
        until_s = asyncio.get_running_loop().time() + self._timeout_s
        status, told = await self._ask(b"POST", GENERATE, msgspec.json.encode(order), until_s)
        if status == 202:
            told = await self._wait(str(told.get("status_url")), until_s)
        result, provider = told.get("result"), told.get("provider")
        if not isinstance(result, dict):
            raise GenerateError("the gateway's answer holds no result", "malformed_answer", status)
        made = {
            name: f"{self._base_url}{value}" if name != "text" and value[:1] == "/" else value
            for name, value in cast("dict[str, str]", result).items()
        }
        return made, str(provider)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def _wait(self, address: str, until_s: float) -> dict[str, Any]:
        """Ask after a job until it is finished; a gateway that is away for a moment comes back."""
        failures = 0
        while True:
            await asyncio.sleep(POLL_S)
            try:
                _, told = await self._ask(b"GET", address, b"", until_s)
                failures = 0
            except GenerateError as error:
                failures += 1
                if error.status not in {0, 502, 503} or failures > POLL_FAILURES_MAX:
                    raise
                continue
            if told.get("status") == "COMPLETED":
                return told
            if told.get("status") == "FAILED":
                raise _error_of(told, 502)

    async def _ask(
        self, method: bytes, address: str, body: bytes, until_s: float
    ) -> tuple[int, dict[str, Any]]:
        head = compose_head(
            method,
            f"{self._base_path}{address}".encode("ascii"),
            self._origin.authority.encode("ascii"),
            (
                (b"authorization", b"Bearer " + self._key.encode()),
                (b"content-type", b"application/json"),
                (b"accept", b"application/json"),
                (b"accept-encoding", b"identity"),
            ),
            len(body) if body else None,
        )
        try:
            response = await self._transport.send(
                self._origin, head, body, deadline_s=until_s, whole_bytes_max=ANSWER_BYTES_MAX
            )
        except TransportError as error:
            raise GenerateError(error.message, "not_reached") from error
        try:
            found: Any = msgspec.json.decode(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise GenerateError("no JSON", "malformed_answer", response.status) from error
        finally:
            response.close()
        told = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        if response.status >= 300:
            raise _error_of(told, response.status)
        return response.status, told


def _error_of(told: Mapping[str, Any], status: int) -> GenerateError:
    error = told.get("error")
    said = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    message = str(said.get("message") or f"HTTP {status}")
    return GenerateError(message, str(said.get("code") or "failed"), status)
