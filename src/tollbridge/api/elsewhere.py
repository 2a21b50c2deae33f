"""How does a worker answer what only the office knows?

It hands the request over the office's unix socket and the answer back, as bytes. While the office
is away, health is answered here, and everything else waits for it with a 503.
"""

from collections.abc import Callable

import msgspec

from tollbridge.api.exchange import Exchange
from tollbridge.api.inbound import Intake, Room
from tollbridge.core.errors import BodyTooLargeError, InvalidRequestError, OverloadedError
from tollbridge.core.proxies import TrustedProxies
from tollbridge.providers.failures import TransportError
from tollbridge.providers.head import FRAMING_NAMES, METHODS, compose_head
from tollbridge.providers.origin import Origin
from tollbridge.providers.response import Response
from tollbridge.providers.transport import Transport

BODIES_AT_ONCE = 4
"""So many bodies of the largest size are held at one moment: nobody was asked for a key yet."""
NOT_PASSED_BACK = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"date", b"server"}
)


FORWARDED_FOR = b"x-forwarded-for"
HEALTH = "/healthz"
HEALTH_TIMEOUT_S = 2.0
"""An office that takes longer is away, as far as health is concerned."""


class Elsewhere:
    """Passes requests to the office."""

    def __init__(
        self,
        transport: Transport,
        socket_path: str,
        *,
        body_bytes_max: int,
        timeout_s: float,
        own_health: Callable[[], dict[str, object]],
        is_ready: Callable[[], bool],
        proxies: TrustedProxies,
    ) -> None:
        self._transport = transport
        self._origin = Origin.unix(socket_path)
        self._body_bytes_max = body_bytes_max
        self._room = Room(BODIES_AT_ONCE * body_bytes_max)
        self._timeout_s = timeout_s
        self._own_health = own_health
        self._is_ready = is_ready
        self._proxies = proxies

    async def __call__(self, exchange: Exchange) -> None:
        """Pass one request on."""
        if exchange.path == "/readyz":
            ready = self._is_ready()
            await _answer(exchange, 200 if ready else 503, {"ready": ready})
            return
        method = exchange.method.encode("ascii")
        if method not in METHODS:
            await _answer(exchange, 405, _error("method_not_allowed", "this method is not carried"))
            return
        intake = Intake(self._room, self._body_bytes_max)
        try:
            body = await intake.body(exchange, None)
            await self.pass_on(exchange, method, body)
        except InvalidRequestError as error:
            if not isinstance(error, BodyTooLargeError):
                return  # the caller left before the body's end
            await _answer(exchange, 413, _error("body_too_large", "the body is too large"))
        except OverloadedError:
            await _answer(exchange, 503, _error("overloaded", "too many bodies are under way"))
        finally:
            intake.release()

    async def pass_on(self, exchange: Exchange, method: bytes, body: bytes) -> None:
        """Pass on one request whose body was taken in already."""
        try:
            head = self._head(exchange, method, len(body))
        except ValueError:
            told = _error("invalid_request", "the address cannot be passed on")
            await _answer(exchange, 400, told)
            return
        patience_s = HEALTH_TIMEOUT_S if exchange.path == HEALTH else self._timeout_s
        try:
            response = await self._transport.send(
                self._origin, head, body, first_byte_timeout_s=patience_s
            )
        except TransportError:
            if exchange.path == HEALTH:
                await _answer(exchange, 200, {**self._own_health(), "status": "degraded"})
                return
            away = _error("office_away", "the office is starting; try again")
            await _answer(exchange, 503, away)
            return
        await _pass_back(response, exchange)

    def _head(self, exchange: Exchange, method: bytes, body_length: int) -> bytes:
        target = exchange.target
        if exchange.query:
            target += b"?" + exchange.query
        headers = [pair for pair in exchange.headers if pair[0] not in FRAMING_NAMES]
        host = next((value for name, value in exchange.headers if name == b"host"), b"localhost")
        if exchange.peer_host is not None:
            said = [value.decode("latin-1") for name, value in headers if name == FORWARDED_FOR]
            caller = self._proxies.caller(exchange.peer_host, said)
            headers = [pair for pair in headers if pair[0] != FORWARDED_FOR]
            headers.append((FORWARDED_FOR, caller.encode()))
        return compose_head(method, target, host, headers, body_length)


async def _pass_back(response: Response, exchange: Exchange) -> None:
    headers = [pair for pair in response.headers if pair[0] not in NOT_PASSED_BACK]
    lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    states_length = any(name == b"content-length" for name, _ in headers)
    try:
        await exchange.start(response.status, lines, states_length=states_length)
        while data := response.take() or await response.read():
            await exchange.send(data)
        await exchange.finish()
    except TransportError:
        await exchange.break_off(b"")
    finally:
        response.close()


def _error(code: str, message: str) -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


async def _answer(exchange: Exchange, status: int, content: dict[str, object]) -> None:
    await exchange.whole(
        status, b"content-type: application/json\r\n", msgspec.json.encode(content)
    )
