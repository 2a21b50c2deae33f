"""At which provider does what an id names lie, and whose is it?

An id that we give to a caller carries its endpoint, the name of the key that was used where there
are several, and a signature over them and the caller's project: no table of ids is kept, and nobody
can reach another project's state, or send a call to an endpoint by an id that we did not give.
"""

import binascii
from base64 import b32decode, b32encode
from collections.abc import Callable, Container

import msgspec

from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.plan import Plan
from tollbridge.providers.dialects.responses import has_responses
from tollbridge.providers.passage import HeaderLines, Passage, Reply, WrappedReply
from tollbridge.providers.request import Request

SEPARATOR = "_tb"
KEY_SEPARATOR = "/"
"""Between an endpoint's name, which has none, and its key's."""
SIGNATURE_BYTES = 10
ID_LENGTH_MAX = 1024


class Sign(msgspec.Struct, frozen=True):
    """Signs ids for the callers of one project."""

    project: str
    sign: Callable[[bytes], bytes]
    """Returns 32 bytes that nobody else can make of a message."""

    def suffix(self, provider_id: str, place: str) -> str:
        """Return what follows the provider's id in the one that the caller gets."""
        signed = self.sign(f"state\0{self.project}\0{place}\0{provider_id}".encode())
        return f"{SEPARATOR}{_text(place.encode())}_{_text(signed[:SIGNATURE_BYTES])}"

    def swap(self, provider_id: str, place: str) -> tuple[bytes, bytes]:
        """Return the provider's id as it stands in JSON, and what the caller gets in its stead."""
        given_id = provider_id + self.suffix(provider_id, place)
        return msgspec.json.encode(provider_id), msgspec.json.encode(given_id)

    def unpin(self, given_id: str) -> tuple[str, str]:
        """Return place and provider's id of one that was given to a caller of this project.

        Raises InvalidRequestError for an id that was not.
        """
        head, _, _ = given_id[:ID_LENGTH_MAX].rpartition("_")
        provider_id, _, place = head.rpartition(SEPARATOR)
        try:
            padded = place.upper() + "=" * (-len(place) % 8)
            found = b32decode(padded).decode()
        except (binascii.Error, ValueError):
            found = ""
        if not found or given_id != provider_id + self.suffix(provider_id, found):
            raise InvalidRequestError(
                "there is no response of this id here", details={"param": "previous_response_id"}
            )
        return found, provider_id


def place_of(endpoint: str, key: str | None) -> str:
    """Return what an id names: an endpoint, and the account by the name of its key."""
    return endpoint if key is None else f"{endpoint}{KEY_SEPARATOR}{key}"


def at_place(place: str) -> tuple[str, str | None]:
    """Return endpoint and key's name of a place."""
    endpoint, _, key = place.partition(KEY_SEPARATOR)
    return endpoint, key or None


def unpinned(request: Request, sign: Sign) -> Request:
    """Return a request that goes on from something, as the provider that has it knows it."""
    given_id = request.state_id or ""
    place, provider_id = sign.unpin(given_id)
    endpoint, key = at_place(place)
    as_given, as_known = msgspec.json.encode(given_id), msgspec.json.encode(provider_id)
    body = request.body.replace(as_given, as_known)
    return msgspec.structs.replace(
        request, body=body, state_id=provider_id, endpoint=endpoint, endpoint_key=key
    )


def narrowed(plan: Plan, endpoint: str) -> Plan:
    """Return a plan that asks one endpoint alone: the others do not have what is gone on from.

    Raises InvalidRequestError where it is not in the plan.
    """
    candidates = tuple(one for one in plan.candidates if one.endpoint.name == endpoint)
    if not candidates:
        raise InvalidRequestError(
            "the response that this one goes on from lies with a provider that is not asked for "
            f"{plan.label!r}",
            details={"param": "previous_response_id"},
        )
    return msgspec.structs.replace(plan, candidates=candidates)


def pinning(reply: Reply, passage: Passage, plan: Plan, request: Request, sign: Sign) -> Reply:
    """Return a reply whose ids name the endpoint that keeps what they stand for."""
    keepers = frozenset(one.endpoint.name for one in plan.candidates if has_responses(one.endpoint))
    return PinningReply(reply, passage, sign, keepers, request.state_id)


class PinningReply(WrappedReply):
    """A reply in which the provider's id of the answer becomes one that names its endpoint."""

    __slots__ = ("_keepers", "_passage", "_sign", "_state_id", "_swaps")

    def __init__(
        self,
        reply: Reply,
        passage: Passage,
        sign: Sign,
        keepers: Container[str],
        state_id: str | None,
    ) -> None:
        """`keepers` are the endpoints that keep what they answered under its id."""
        super().__init__(reply)
        self._passage = passage
        self._sign = sign
        self._keepers = keepers
        self._state_id = state_id
        self._swaps: list[tuple[bytes, bytes]] | None = None

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        """Send a whole answer."""
        await super().whole(status, headers, self._pinned(body))

    async def send(self, data: bytes) -> None:
        """Send a part of a stream."""
        await super().send(self._pinned(data))

    def push(self, data: bytes) -> None:
        """Send a part of a stream now."""
        super().push(self._pinned(data))

    def _pinned(self, data: bytes) -> bytes:
        swaps = self._swaps
        if swaps is None:
            swaps = self._swaps = self._known_swaps(data)
        for provider_id, given_id in swaps:
            if provider_id in data:
                data = data.replace(provider_id, given_id)
        return data

    def _known_swaps(self, data: bytes) -> list[tuple[bytes, bytes]]:
        # Of two attempts that ran beside each other, it is the one whose answer this is.
        for attempt in reversed(self._passage.attempts):
            known = attempt.response_id
            if known and attempt.endpoint in self._keepers and known.encode() in data:
                place = place_of(attempt.endpoint, attempt.key)
                return [self._sign.swap(one, place) for one in (known, self._state_id) if one]
        return []


def _text(data: bytes) -> str:
    return b32encode(data).decode().rstrip("=").lower()
