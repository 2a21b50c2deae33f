"""How is an endpoint's door knocked at: address, credentials, request head?"""

import msgspec

from tollbridge.core.plan import Endpoint
from tollbridge.providers.head import compose_head
from tollbridge.providers.origin import Origin

_CALL_ID = b"{call-id}"
_NO_LENGTH = b"content-length: 0\r\n"


class Door(msgspec.Struct, frozen=True):
    """One endpoint's address and the request heads that are ready for it."""

    endpoint: Endpoint
    origin: Origin
    base_path: str
    heads: dict[str, bytes]
    """Target → head with places for the call's id and the body's length."""

    def head(self, target: str, call_id: str, body_length: int) -> bytes:
        """Return the head of a POST; the caller's own headers never stand in it."""
        template = self.heads.get(target)
        if template is None:
            template = self.heads[target] = self._compose(target)
        return template % (call_id.encode(), body_length)

    def _compose(self, target: str) -> bytes:
        headers = [
            (b"content-type", b"application/json"),
            (b"accept", b"application/json, text/event-stream"),
            (b"accept-encoding", b"identity"),
            (b"user-agent", b"tollbridge"),
            (b"x-client-request-id", _CALL_ID),
        ]
        if self.endpoint.api_key:
            headers.append((b"authorization", f"Bearer {self.endpoint.api_key}".encode()))
        path = f"{self.base_path}{target}".encode("ascii")
        head = compose_head(b"POST", path, self.origin.authority.encode("ascii"), headers, 0)
        return (
            head.replace(b"%", b"%%")
            .replace(_CALL_ID, b"%b")
            .replace(_NO_LENGTH, b"content-length: %d\r\n")
        )


class Doors:
    """Keeps the doors of the endpoints in force; one that changed is made anew."""

    def __init__(self) -> None:
        self._doors: dict[str, Door] = {}

    def door(self, endpoint: Endpoint) -> Door:
        """Return the door of an endpoint."""
        known = self._doors.get(endpoint.name)
        if known is not None and known.endpoint is endpoint:
            return known
        scheme, _, rest = endpoint.base_url.rstrip("/").partition("://")
        _, slash, path = rest.partition("/")
        door = Door(endpoint, Origin.parse(f"{scheme}://{rest}"), f"{slash}{path}", {})
        self._doors[endpoint.name] = door
        return door
