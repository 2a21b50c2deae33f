"""How is one request carried to an endpoint outside of a call's attempts?

Looks at tasks, stored answers, counts of tokens: nothing here is journaled, and what is asked must
be free, or journaled by whoever asks.
"""

from tollbridge.core.clock import Clock
from tollbridge.core.plan import Endpoint
from tollbridge.providers.doors import Doors
from tollbridge.providers.refusals import retry_after_s
from tollbridge.providers.tasks import Reaction
from tollbridge.providers.transport import Transport
from tollbridge.providers.wire import Outgoing


class Asking:
    """Carries single requests over one transport."""

    def __init__(self, transport: Transport, clock: Clock, answer_bytes_max: int) -> None:
        self._transport = transport
        self._clock = clock
        self._answer_bytes_max = answer_bytes_max
        self._doors = Doors()

    async def __call__(
        self,
        endpoint: Endpoint,
        outgoing: Outgoing,
        call_id: str,
        deadline_s: float,
        key: str | None = None,
    ) -> Reaction:
        """Return the whole answer, whatever its status.

        Raises TransportError in its kinds, ValueError for an endpoint that is not usable.
        `deadline_s` is an instant of the monotonic clock; `key` names one of several keys.
        """
        door = self._doors.door(endpoint, key)
        response = await self._transport.send(
            door.origin,
            door.head(outgoing, call_id),
            outgoing.body,
            deadline_s=deadline_s,
            whole_bytes_max=self._answer_bytes_max,
        )
        try:
            headers: dict[bytes, bytes] = {}
            for name, value in response.headers:
                headers.setdefault(name, value)
            wait_s = retry_after_s(response, self._clock.now_us())
            return Reaction(response.status, headers, response.body, wait_s)
        finally:
            response.close()
