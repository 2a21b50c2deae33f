"""How does the office ask an OpenID Connect provider who somebody is, and whom does it let in?

What the provider says of itself and its keys is remembered for an hour; keys are read anew, once
a minute at most, where a token was signed with one that is not known.
"""

import base64
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tollbridge.access import user_store
from tollbridge.access.keys import NAME_LENGTH_MAX
from tollbridge.access.oidc import (
    Begun,
    Identity,
    OidcTerms,
    Provider,
    authorization_url,
    begin,
    go_on,
    nonce_of,
    read_identity,
    read_provider,
    verifier_of,
)
from tollbridge.access.users import Role, UserRow, UserSecret, UserTerms
from tollbridge.api.errors import NameTakenError
from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.errors import AuthenticationError, ConflictError, OverloadedError
from tollbridge.insight.plan_queries import is_known_user
from tollbridge.insight.sight_queries import USER
from tollbridge.insight.wallet_queries import list_wallets
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

Web = Callable[[str, str, tuple[tuple[bytes, bytes], ...], bytes], Awaitable[tuple[int, bytes]]]
"""Asks a server: (method, address, headers, body) → (status, body). Raises OverloadedError."""
REMEMBERED_S = 3600.0
KEYS_AGAIN_S = 60.0
DISCOVERY = "/.well-known/openid-configuration"
ACTOR = "oidc"


class TokenAnswer(msgspec.Struct):
    """The part of a token endpoint's answer that is needed."""

    id_token: str


class Oidc:
    """Signing in with one provider."""

    def __init__(self, terms: OidcTerms, web: Web, clock: Clock, secret: bytes) -> None:
        self.terms = terms
        self._web = web
        self._clock = clock
        self._secret = secret
        self._provider: tuple[float, Provider] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def start(self, redirect_uri: str, next_path: str) -> tuple[str, str]:
        """Return where the browser is sent, and what it carries meanwhile."""
        provider = await self._discover()
        begun, carried = begin(self._secret, next_path, self._now_s())
        url = authorization_url(provider, self.terms, redirect_uri, begun.state, self._secret)
        return url, carried

    def begun(self, carried: str, state: str) -> Begun:
        """Return the sign-in that a browser began. Raises AuthenticationError."""
        return go_on(self._secret, carried, state, self._now_s())

    async def finish(self, begun: Begun, code: str, redirect_uri: str) -> Identity:
        """Return whom the provider has recognised. Raises AuthenticationError, OverloadedError."""
        provider = await self._discover()
        nonce = nonce_of(self._secret, begun.state)
        id_token = await self._redeem(provider, begun, code, redirect_uri)
        try:
            return self._read(id_token, await self._keys_of(provider), nonce)
        except AuthenticationError:
            # The provider may have changed its keys since.
            fresh = await self._keys_of(provider, age_max_s=KEYS_AGAIN_S)
            return self._read(id_token, fresh, nonce)

    def _read(self, id_token: str, keys: KeySet, nonce: str) -> Identity:
        return read_identity(id_token, keys, self.terms, nonce, self._now_s())

    async def _discover(self) -> Provider:
        now_s = self._clock.monotonic_s()
        if self._provider is None or now_s - self._provider[0] > REMEMBERED_S:
            issuer = self.terms.issuer
            status, body = await self._web("GET", issuer.rstrip("/") + DISCOVERY, (), b"")
            if status != 200:
                raise OverloadedError("the sign-in provider does not say where it is")
            self._provider = now_s, read_provider(body, issuer)
        return self._provider[1]

    async def _keys_of(self, provider: Provider, age_max_s: float = REMEMBERED_S) -> KeySet:
        now_s = self._clock.monotonic_s()
        if self._keys is None or now_s - self._keys[0] >= age_max_s:
            status, body = await self._web("GET", provider.jwks_uri, (), b"")
            try:
                if status != 200:
                    raise OverloadedError("the sign-in provider does not give its keys")
                self._keys = now_s, KeySet.import_key_set(msgspec.json.decode(body))
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise OverloadedError("the sign-in provider's keys cannot be read") from error
        return self._keys[1]

    async def _redeem(self, provider: Provider, begun: Begun, code: str, redirect_uri: str) -> str:
        terms = self.terms
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": terms.client_id,
            "code_verifier": verifier_of(self._secret, begun.state),
        }
        headers = [
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"accept", b"application/json"),
        ]
        if terms.client_secret:
            if "client_secret_basic" in provider.token_endpoint_auth_methods_supported:
                # RFC 6749, 2.3.1: both are form-encoded first.
                pair = f"{quote(terms.client_id, safe='')}:{quote(terms.client_secret, safe='')}"
                proof = base64.b64encode(pair.encode())
                headers.append((b"authorization", b"Basic " + proof))
            else:
                fields["client_secret"] = terms.client_secret
        status, body = await self._web(
            "POST", provider.token_endpoint, tuple(headers), urlencode(fields).encode()
        )
        try:
            if status != 200:
                raise AuthenticationError("the sign-in provider does not take its own code")
            return msgspec.json.decode(body, type=TokenAnswer).id_token
        except msgspec.MsgspecError as error:
            raise AuthenticationError("the sign-in provider's answer is none") from error

    def _now_s(self) -> int:
        return self._clock.now_us() // SECOND_US


async def user_of(unit: Unit, identity: Identity, terms: OidcTerms) -> UserRow:
    """Return the user that somebody is here, made or changed as the provider says.

    Raises AuthenticationError for one who may not come in, and NameTakenError for one whose name
    is somebody else's here.
    """
    user = await user_store.find_linked(unit, identity.key)
    if user is None:
        user = await _meet(unit, identity, terms)
    if user.disabled_at_us is not None:
        raise AuthenticationError("this user is disabled")
    if identity.role is None or identity.role is user.role:
        return user
    try:
        changed = await user_store.set_role(unit, user.name, identity.role)
    except ConflictError:
        return user  # the only admin stays one
    await _record(unit, "users.change", user, changed)
    return changed


async def _meet(unit: Unit, identity: Identity, terms: OidcTerms) -> UserRow:
    name = identity.name
    known = await user_store.find_user(unit, name)
    if known is not None:
        return await _link(unit, known, identity)
    if not terms.create_users:
        raise AuthenticationError("nobody here has made you a user")
    if len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise AuthenticationError("the provider's name for you cannot be one here")
    # Whoever bears a name sees all that is its own: nobody comes into that by being called so.
    if await is_known_user(unit, name) or await list_wallets(
        unit, None, limit=1, subject=USER + name
    ):
        raise NameTakenError(
            f"keys, calls, wallets or plans of {name!r} are here already; an admin makes that user"
        )
    made = UserTerms(name, identity.role or Role.MEMBER)
    user = await user_store.create_user(unit, made, oidc_identity=identity.key)
    await _record(unit, "users.create", None, user)
    return user


async def _link(unit: Unit, known: UserSecret, identity: Identity) -> UserRow:
    """Let the provider's person be a user of that name whom an admin has made for them."""
    user = known.user
    if known.password_hash is not None or user.is_linked:
        raise NameTakenError(f"the user {user.name!r} here is not the provider's")
    if user.role is Role.ADMIN and identity.role is not Role.ADMIN:
        # A name at the provider may be anybody's choice; what an admin may do takes its word.
        raise NameTakenError(
            f"the user {user.name!r} here is an admin, which the provider does not say of you"
        )
    linked = await user_store.link_user(unit, user.name, identity.key)
    await _record(unit, "users.change", user, linked)
    return linked


async def _record(unit: Unit, action: str, before: UserRow | None, after: UserRow) -> None:
    state: Any = None if before is None else before.state()
    subject = f"user:{after.name}"
    await audit.record_change(unit, ACTOR, action, subject, before=state, after=after.state())
