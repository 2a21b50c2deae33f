"""Whom does an OpenID Connect provider know, and is that what it really says? Pure.

Source: OpenID Connect Core 1.0, sections 3.1 (code flow) and 3.1.3.7 (validation of the ID
token); RFC 7636 (PKCE).
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from tollbridge.access.users import Role
from tollbridge.core.errors import AuthenticationError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures alone: never `none`, never one that the client's secret could make."""
STATE_LIFETIME_S = 600
LEEWAY_S = 60
"""How far the provider's clock may be from ours."""
TOKEN_LENGTH_MAX = 64 * 1024

_STATE_ISSUER = "tollbridge-oidc"
_STATE_ALGORITHM = "HS256"


class OidcTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What is agreed with a provider."""

    issuer: str
    client_id: str
    client_secret: str = ""
    name: str = "single sign-on"
    scopes: str = "openid profile email"
    user_claim: str = "preferred_username"
    role_claim: str = ""
    """Empty: roles are given here."""
    admin_values: tuple[str, ...] = ()
    manager_values: tuple[str, ...] = ()
    create_users: bool = True

    def __repr__(self) -> str:
        """Show no secret."""
        return f"OidcTerms({self.issuer!r}, {self.client_id!r})"


class Provider(msgspec.Struct, frozen=True):
    """The part of a provider's discovery document that is needed."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Identity(msgspec.Struct, frozen=True):
    """Whom the provider has recognised."""

    key: str
    """Issuer, a blank, subject: the same person for ever."""
    name: str
    role: Role | None
    """None where roles are given here."""


class Begun(msgspec.Struct, frozen=True):
    """A sign-in under way, as its browser carries it."""

    state: str
    next: str


def read_provider(document: bytes, issuer: str) -> Provider:
    """Return what a discovery document says. Raises AuthenticationError for another issuer's."""
    try:
        provider = msgspec.json.decode(document, type=Provider)
    except msgspec.MsgspecError as error:
        raise AuthenticationError("the provider's discovery document is none") from error
    if provider.issuer.rstrip("/") != issuer.rstrip("/"):
        raise AuthenticationError("the discovery document is another provider's")
    return provider


def begin(secret: bytes, next_path: str, now_s: int) -> tuple[Begun, str]:
    """Return a new sign-in, and the text by which its browser carries it for ten minutes."""
    begun = Begun(secrets.token_urlsafe(32), local_path(next_path))
    claims = {
        "iss": _STATE_ISSUER,
        "state": begun.state,
        "next": begun.next,
        "exp": now_s + STATE_LIFETIME_S,
    }
    key = OctKey.import_key(secret)
    text = jwt.encode({"alg": _STATE_ALGORITHM}, claims, key, algorithms=[_STATE_ALGORITHM])
    return begun, text


def go_on(secret: bytes, carried: str, state: str, now_s: int) -> Begun:
    """Return the sign-in that a browser carries, if `state` is its own.

    Raises AuthenticationError: a sign-in that somebody else began must not be finished here.
    """
    wanted = jwt.JWTClaimsRegistry(
        now=now_s,
        iss={"essential": True, "value": _STATE_ISSUER},
        exp={"essential": True},
        state={"essential": True},
        next={"essential": True},
    )
    try:
        key = OctKey.import_key(secret)
        claims = jwt.decode(carried, key, algorithms=[_STATE_ALGORITHM]).claims
        wanted.validate(claims)
    except (JoseError, ValueError) as error:
        raise AuthenticationError("this sign-in took too long; begin again") from error
    if not hmac.compare_digest(str(claims["state"]).encode(), state.encode()):
        raise AuthenticationError("this is the answer to another sign-in; begin again")
    return Begun(state, local_path(str(claims["next"])))


def nonce_of(secret: bytes, state: str) -> str:
    """Return what the ID token must repeat; nobody without the secret can foresee it."""
    return _derived(secret, b"oidc nonce\0", state)


def verifier_of(secret: bytes, state: str) -> str:
    """Return the code verifier of RFC 7636, 43 characters."""
    return _derived(secret, b"oidc verifier\0", state)


def authorization_url(
    provider: Provider, terms: OidcTerms, redirect_uri: str, state: str, secret: bytes
) -> str:
    """Return where the browser is sent."""
    challenge = hashlib.sha256(verifier_of(secret, state).encode()).digest()
    asked = urlencode(
        {
            "response_type": "code",
            "client_id": terms.client_id,
            "redirect_uri": redirect_uri,
            "scope": terms.scopes,
            "state": state,
            "nonce": nonce_of(secret, state),
            "code_challenge": _base64url(challenge),
            "code_challenge_method": "S256",
        }
    )
    joint = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    return f"{provider.authorization_endpoint}{joint}{asked}"


def read_identity(
    id_token: str, keys: KeySet, terms: OidcTerms, nonce: str, now_s: int
) -> Identity:
    """Return whom an ID token names. Raises AuthenticationError for one not meant for us."""
    if len(id_token) > TOKEN_LENGTH_MAX:
        raise AuthenticationError("the ID token is too long")
    bare = terms.issuer.rstrip("/")
    wanted = jwt.JWTClaimsRegistry(
        now=now_s,
        leeway=LEEWAY_S,
        iss={"essential": True, "values": [bare, bare + "/"]},
        sub={"essential": True},
        aud={"essential": True, "value": terms.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        claims = jwt.decode(id_token, keys, algorithms=list(ALGORITHMS)).claims
        wanted.validate(claims)
    except (JoseError, ValueError) as error:
        raise AuthenticationError("the ID token is not valid") from error
    several = len(_list_of(claims["aud"])) > 1
    if claims.get("azp", terms.client_id) != terms.client_id or (several and "azp" not in claims):
        raise AuthenticationError("the ID token is meant for somebody else")
    return Identity(
        f"{claims['iss']} {claims['sub']}", _name_of(claims, terms), _role(claims, terms)
    )


def local_path(text: str) -> str:
    """Return a path of ours to go on to: any other address leads to the first page."""
    is_ours = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_ours and len(text) <= 1000 else "/"


def _name_of(claims: Mapping[str, Any], terms: OidcTerms) -> str:
    name = claims.get(terms.user_claim)
    if not isinstance(name, str) or not name.strip():
        raise AuthenticationError(f"the provider does not say {terms.user_claim!r}")
    if terms.user_claim == "email" and claims.get("email_verified") is not True:
        raise AuthenticationError("the provider has not verified this email address")
    return name.strip()


def _role(claims: Mapping[str, Any], terms: OidcTerms) -> Role | None:
    if not terms.role_claim:
        return None
    values = _list_of(claims.get(terms.role_claim))
    if any(one in terms.admin_values for one in values):
        return Role.ADMIN
    return Role.MANAGER if any(one in terms.manager_values for one in values) else Role.MEMBER


def _list_of(said: Any) -> Sequence[Any]:
    return cast("list[Any]", said) if isinstance(said, list) else [said]


def _derived(secret: bytes, purpose: bytes, state: str) -> str:
    return _base64url(hmac.digest(secret, purpose + state.encode(), "sha256"))


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode("ascii").rstrip("=")
