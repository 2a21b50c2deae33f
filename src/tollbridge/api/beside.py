"""What can be asked beside calls: models, stored responses, counts of tokens?

None of it costs anything, so nothing of it is journaled; all of it needs a key.
"""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from tollbridge.access.keys import KeyEntry
from tollbridge.api.addresses import ANTHROPIC, GEMINI, GEMINI_COUNT
from tollbridge.core.call import new_id
from tollbridge.core.clock import Clock
from tollbridge.core.errors import NotFoundError, UpstreamError
from tollbridge.core.plan import Endpoint
from tollbridge.gateway import Gateway
from tollbridge.journey import Inbound
from tollbridge.providers.dialects.responses import TARGET
from tollbridge.providers.failures import TransportError
from tollbridge.providers.passage import HeaderLines, Reply
from tollbridge.providers.pins import at_place
from tollbridge.providers.request import Request
from tollbridge.providers.tasks import Reaction
from tollbridge.providers.wire import JSON, Outgoing, UntranslatableError, Wire

JSON_HEADERS: HeaderLines = b"content-type: application/json\r\n"
ESTIMATED: HeaderLines = b"x-tollbridge-estimated: true\r\n"
BYTES_PER_TOKEN = 4
"""Of text, about: what a count is without a provider that counts."""
PATIENCE_S = 30.0
_COUNTS_OF: Mapping[str, str] = {ANTHROPIC: "input_tokens", GEMINI: "totalTokens"}


class Beside:
    """Answers what is no call."""

    def __init__(self, gateway: Gateway, wires: Mapping[str, Wire], clock: Clock) -> None:
        self._gateway = gateway
        self._wires = wires
        self._clock = clock

    async def stored_response(
        self, inbound: Inbound, given_id: str, method: bytes, query: bytes, reply: Reply
    ) -> None:
        """Show or delete a response that a provider keeps.

        Raises InvalidRequestError for an id that was not given to this caller's project,
        UpstreamError where the provider cannot be asked.
        """
        key = self._gateway.authenticate(inbound)
        sign = self._gateway.sign_for(key)
        place, provider_id = sign.unpin(given_id)
        name, provider_key = at_place(place)
        endpoint = self._gateway.endpoint(name)
        if endpoint is None:
            raise NotFoundError(f"the provider of this response is not asked any more: {name}")
        target = f"{TARGET}/{provider_id}"
        if query:
            target += f"?{query.decode('latin-1')}"
        reaction = await self._ask(endpoint, Outgoing(target, method=method), provider_key)
        as_known, as_given = sign.swap(provider_id, place)
        body = reaction.body.replace(as_known, as_given)
        headers = b"content-type: %b\r\n" % reaction.headers.get(b"content-type", JSON)
        await reply.whole(_told(reaction.status), headers, body)

    async def count_tokens(self, inbound: Inbound, reply: Reply) -> None:
        """Say how many tokens a request has: a provider that counts is asked, else estimated."""
        key = self._gateway.authenticate(inbound)
        body = await inbound.body()
        counted = await self._counted(inbound, key, body)
        if counted is not None:
            await reply.whole(200, JSON_HEADERS, counted)
            return
        tokens = -(-len(body) // BYTES_PER_TOKEN)
        told = msgspec.json.encode({_COUNTS_OF[inbound.face]: tokens})
        await reply.whole(200, JSON_HEADERS + ESTIMATED, told)

    async def _counted(self, inbound: Inbound, key: KeyEntry, body: bytes) -> bytes | None:
        is_gemini = inbound.face == GEMINI
        if is_gemini:
            model = inbound.path.rpartition("/")[2].removesuffix(GEMINI_COUNT)
            request = Request(inbound.operation, body, model, dialect=GEMINI)
        else:
            request = self._gateway.check(inbound, key, body)
        for candidate in self._gateway.plan(request).candidates:
            endpoint = candidate.endpoint
            wire = self._wires.get(endpoint.dialect)
            if wire is None or endpoint.dialect != request.dialect:
                continue
            try:
                if is_gemini:
                    target = f"/models/{quote(candidate.model, safe='')}{GEMINI_COUNT}"
                    outgoing = Outgoing(target, body)
                else:
                    outgoing = wire.compose(request, endpoint, candidate.model, None)
                reaction = await self._ask(endpoint, outgoing)
            except (UntranslatableError, UpstreamError):
                continue
            if reaction.status == 200:
                return reaction.body
        return None

    async def _ask(
        self, endpoint: Endpoint, outgoing: Outgoing, key: str | None = None
    ) -> Reaction:
        call_id = new_id(self._clock.now_us())
        deadline_s = self._clock.monotonic_s() + PATIENCE_S
        try:
            return await self._gateway.ask(endpoint, outgoing, call_id, deadline_s, key)
        except (TransportError, ValueError) as error:
            raise UpstreamError(f"{endpoint.name} could not be asked") from error


def _told(status: int) -> int:
    """Return a provider's status as the caller may have it: our own key's faults are ours."""
    return 502 if status in {401, 403} or not 200 <= status < 600 else status
