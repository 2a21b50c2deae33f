"""Does an endpoint whose breaker is open answer again? Asked without a call that costs anything.

A look is a GET of the list of models, which every provider gives away for nothing. Whatever is
answered but an error of the provider's own says that the door is open; the next call then tries it.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from tollbridge.core.clock import Clock
from tollbridge.core.plan import Endpoint
from tollbridge.providers.doors import Doors
from tollbridge.providers.failures import TransportError
from tollbridge.providers.transport import Transport
from tollbridge.providers.wire import Outgoing

MODELS = Outgoing("/models", method=b"GET")
ANSWER_BYTES_MAX = 16 * 1024 * 1024
TIMEOUT_S = 10.0
AT_ONCE_MAX = 8


class Breakers(Protocol):
    """What is asked and told of breakers."""

    def to_probe(self) -> list[str]:
        """Return the endpoints that are worth a look."""
        ...

    def answers_again(self, endpoint: str) -> None:
        """Note that an endpoint answered."""
        ...


class Prober:
    """Looks after the endpoints of one worker."""

    def __init__(
        self,
        transport: Transport,
        breakers: Breakers,
        clock: Clock,
        new_call_id: Callable[[int], str],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._transport = transport
        self._breakers = breakers
        self._clock = clock
        self._new_call_id = new_call_id
        self._timeout_s = timeout_s
        self._doors = Doors()
        self._room = asyncio.Semaphore(AT_ONCE_MAX)

    async def look(self, endpoints: Iterable[Endpoint]) -> None:
        """Ask each of these endpoints whose breaker is open, a few at a time."""
        wanted = set(self._breakers.to_probe())
        await asyncio.gather(
            *(self._look_at(one) for one in endpoints if one.name in wanted and one.enabled)
        )

    async def _look_at(self, endpoint: Endpoint) -> None:
        async with self._room:
            if await self._answers(endpoint):
                self._breakers.answers_again(endpoint.name)

    async def _answers(self, endpoint: Endpoint) -> bool:
        try:
            door = self._doors.door(endpoint)
            head = door.head(MODELS, self._new_call_id(self._clock.now_us()))
            response = await self._transport.send(
                door.origin,
                head,
                deadline_s=self._clock.monotonic_s() + self._timeout_s,
                whole_bytes_max=ANSWER_BYTES_MAX,
            )
        except (TransportError, ValueError):
            return False
        response.close()
        return response.status < 500 and response.status != 429
