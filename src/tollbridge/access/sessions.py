"""Who is signed in to the dashboard, and for how long? Pure.

The cookie holds a random text, the database its HMAC under the pepper: a stolen table opens
nothing, and a row that is deleted is a session that has ended.
"""

import hmac
import secrets
from enum import StrEnum

import msgspec

from tollbridge.access.keys import digest
from tollbridge.access.users import UserRow

TOKEN_BYTES = 32
TOKEN_LENGTH_MAX = 128
ADDRESS_LENGTH_MAX = 64
AGENT_LENGTH_MAX = 200


class Way(StrEnum):
    """How somebody signed in."""

    TYPED = "password"  # name and password
    LINK = "link"
    OIDC = "oidc"


class SessionTerms(msgspec.Struct, frozen=True, kw_only=True):
    """For how long somebody stays signed in."""

    idle_s: float = 12 * 3600.0
    """Time after which a session that is not used ends."""
    lifetime_s: float = 30 * 86_400.0
    """Time after which it ends, however much it is used."""
    link_lifetime_s: float = 3600.0
    """Time in which a sign-in link can be used, once."""
    sessions_max: int = 50
    """Of one user at once; the oldest one ends where there would be more."""

    @property
    def renewed_s(self) -> float:
        """How often a session in use is written down as used: its end moves on in such steps."""
        return self.idle_s / 100


class Origin(msgspec.Struct, frozen=True):
    """From where somebody signs in, and with what; None is unknown."""

    address: str | None = None
    agent: str | None = None


class SessionListed(msgspec.Struct, frozen=True):
    """A session as its user sees it: nothing in it opens anything."""

    session_id: str
    user: str
    way: str
    origin: Origin
    created_at_us: int
    renewed_at_us: int
    """When it was last used, to a hundredth of the time after which it ends unused."""
    expires_at_us: int


class SessionRow(msgspec.Struct, frozen=True):
    """A session with its user."""

    session_id: str
    user: UserRow
    way: str
    created_at_us: int
    renewed_at_us: int
    expires_at_us: int
    ends_at_us: int


class Opened(msgspec.Struct, frozen=True):
    """A new session with the text of its cookie: the only time that it is seen."""

    row: SessionRow
    token: str

    def __repr__(self) -> str:
        """Show the row and never the text."""
        return f"Opened({self.row!r})"


def origin_of(address: str | None, agent: str | None) -> Origin:
    """Return what is kept of where somebody signs in: printable, and not too long."""
    return Origin(_printable(address, ADDRESS_LENGTH_MAX), _printable(agent, AGENT_LENGTH_MAX))


def make_token() -> str:
    """Return 256 random bits as text that a cookie and an address can carry."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def sign_in_path(token: str) -> str:
    """Return a sign-in link's path. Its token is in the fragment, which no server or proxy logs."""
    return f"/sign-in#token={token}"


def session_digest(pepper: bytes, token: str) -> str:
    """Return what is kept of a session's text."""
    return digest(pepper, f"session {token}")


def link_digest(pepper: bytes, token: str) -> str:
    """Return what is kept of a sign-in link's text."""
    return digest(pepper, f"sign-in link {token}")


def csrf_token(secret: bytes, token: str) -> str:
    """Return what a page of ours knows of its session, and no other site's page can."""
    return hmac.digest(secret, b"csrf\0" + token.encode(), "sha256").hex()


def is_csrf_token(secret: bytes, token: str, sent: str | None) -> bool:
    """Return whether the header that was sent belongs to the cookie that was sent."""
    expected = csrf_token(secret, token)
    return sent is not None and hmac.compare_digest(expected.encode(), sent.encode())


def _printable(text: str | None, length_max: int) -> str | None:
    kept = "".join(one for one in (text or "")[:length_max] if one.isprintable()).strip()
    return kept or None
