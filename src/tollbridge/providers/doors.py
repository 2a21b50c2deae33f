"""How is an endpoint's door knocked at: address, credentials, request head?"""

from collections.abc import Mapping

import msgspec

from tollbridge.core.plan import Auth, Endpoint
from tollbridge.providers.head import compose_head
from tollbridge.providers.keys import credential
from tollbridge.providers.origin import Origin
from tollbridge.providers.wire import JSON, Outgoing

_CALL_ID = b"{call-id}"
_NO_LENGTH = b"content-length: 0\r\n"
HEADS_MAX = 256
"""Heads that are kept ready for one endpoint."""

Header = tuple[bytes, bytes]

# How a key is sent in these, where the endpoint says nothing else.
_AUTH_OF: Mapping[str, Auth] = {
    "anthropic": Auth.X_API_KEY,
    "azure": Auth.API_KEY,
    "elevenlabs": Auth.XI_API_KEY,
    "gemini": Auth.X_GOOG_API_KEY,
    "piapi": Auth.X_API_KEY,
}
_ALWAYS_OF: Mapping[str, tuple[Header, ...]] = {
    "anthropic": ((b"anthropic-version", b"2023-06-01"),),
}
"""What every request of a wire format says; Anthropic refuses those without a version."""


class Door(msgspec.Struct, frozen=True):
    """One endpoint's address and the request heads that are ready for it."""

    endpoint: Endpoint
    origin: Origin
    base_path: str
    headers: tuple[Header, ...]
    """Credentials, and what the wire format wants said each time."""
    heads: dict[str | tuple[str, tuple[Header, ...]], bytes]
    """Target, and further headers → head of a JSON POST, with places for call id and length."""

    def head(self, outgoing: Outgoing, call_id: str, passed: tuple[Header, ...] = ()) -> bytes:
        """Return a request's head.

        Of the caller's own headers none stands in it but `passed`, which its face let through.
        Raises ValueError for what cannot be put on the wire.
        """
        body_length = len(outgoing.body)
        if (
            passed
            or outgoing.content_type is not JSON
            or outgoing.method != b"POST"
            or outgoing.above
            or not body_length
        ):
            return self._compose(outgoing, call_id.encode(), passed)
        place = outgoing.target if not outgoing.headers else (outgoing.target, outgoing.headers)
        template = self.heads.get(place)
        if template is None:
            template = self._template(outgoing)
            if len(self.heads) >= HEADS_MAX:
                self.heads.clear()
            self.heads[place] = template
        return template % (call_id.encode(), body_length)

    def _template(self, outgoing: Outgoing) -> bytes:
        empty = msgspec.structs.replace(outgoing, body=b"")
        return (
            self._compose(empty, _CALL_ID, ())
            .replace(b"%", b"%%")
            .replace(_CALL_ID, b"%b")
            .replace(_NO_LENGTH, b"content-length: %d\r\n")
        )

    def _compose(self, outgoing: Outgoing, call_id: bytes, passed: tuple[Header, ...]) -> bytes:
        has_body = outgoing.method not in {b"GET", b"DELETE"} or bool(outgoing.body)
        accept = b"*/*" if outgoing.passes_bytes else b"application/json, text/event-stream"
        headers = {
            b"accept": accept,
            b"accept-encoding": b"identity",
            b"user-agent": b"tollbridge",
            b"x-client-request-id": call_id,
        }
        if has_body:
            headers = {b"content-type": outgoing.content_type, **headers}
        for name, value in (*passed, *self.headers, *outgoing.headers):
            headers[name] = value
        base_path = self.base_path
        for _ in range(outgoing.above):
            base_path = base_path.rpartition("/")[0]
        path = f"{base_path}{outgoing.target}".encode("ascii")
        authority = self.origin.authority.encode("ascii")
        length = len(outgoing.body) if has_body else None
        return compose_head(outgoing.method, path, authority, list(headers.items()), length)


class Doors:
    """Keeps the doors of the endpoints in force, one a key; one that changed is made anew."""

    def __init__(self) -> None:
        self._doors: dict[str | tuple[str, str], Door] = {}

    def door(self, endpoint: Endpoint, key: str | None = None) -> Door:
        """Return the door of an endpoint that opens to one of its keys, by that one's name.

        Raises ValueError for an address that is none.
        """
        place = endpoint.name if key is None else (endpoint.name, key)
        known = self._doors.get(place)
        if known is not None and known.endpoint is endpoint:
            return known
        scheme, _, rest = endpoint.base_url.rstrip("/").partition("://")
        _, slash, path = rest.partition("/")
        always = _ALWAYS_OF.get(endpoint.dialect, ())
        door = Door(
            endpoint,
            Origin.parse(f"{scheme}://{rest}"),
            f"{slash}{path}",
            always + credentials_of(endpoint, secret_of(endpoint, key)),
            {},
        )
        self._doors[place] = door
        return door


def secret_of(endpoint: Endpoint, key: str | None) -> str:
    """Return an endpoint's key by its name; its only one where there is no name."""
    if key is None:
        return endpoint.api_key
    return next((one.secret for one in endpoint.keys if one.name == key), endpoint.api_key)


def credentials_of(endpoint: Endpoint, secret: str) -> tuple[Header, ...]:
    """Return the headers that carry a key, as the endpoint or its wire format wants them."""
    auth = endpoint.auth
    if auth == Auth.BEARER:
        auth = _AUTH_OF.get(endpoint.dialect, auth)
    return credential(auth, secret)
