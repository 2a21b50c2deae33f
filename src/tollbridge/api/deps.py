"""What is every address of the control plane given, and who may ask?

A caller is a user with a sign-in token, or a key with the scope `read` or `admin`. Whoever is no
admin sees what belongs to their own user, and changes nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, tzinfo
from typing import Annotated

import msgspec
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tollbridge.access.authenticate import KeyRing, require
from tollbridge.access.keys import Scope
from tollbridge.access.store import find_user, load_part
from tollbridge.access.tokens import Tokens
from tollbridge.access.users import Role
from tollbridge.api.figures import OfficeFigures
from tollbridge.api.sign_in import SignIn
from tollbridge.attribution.store import RuleBook
from tollbridge.core.clock import Clock
from tollbridge.core.errors import AuthenticationError, OverloadedError, PermissionDeniedError
from tollbridge.core.provider_names import ProviderNames
from tollbridge.jobs.contents import Contents
from tollbridge.jobs.service import MediaJobs
from tollbridge.rating.model_costs import PriceBooks
from tollbridge.recording.intake import Intake
from tollbridge.storage.unit import Database, Unit
from tollbridge.storage.versions import read_versions

ACCESS = "access"
# How a JSON object begins in base64: the head of every JWT, and of no key of ours.
JWT_HEAD = "eyJ"


async def _no_webhook(url: str, key_id: str) -> str:
    """Refuse: nobody is called back from here."""
    del url, key_id
    raise OverloadedError("nobody is called back from here")


class ControlServices(msgspec.Struct, frozen=True, kw_only=True):
    """What the control plane needs of the process it runs in."""

    database: Database
    clock: Clock
    token_secret: bytes
    """With which sign-in tokens are signed, 32 bytes or more."""
    pepper: bytes
    """Under which API keys are digested."""
    figures: Callable[[], OfficeFigures]
    """How the office, its database and its workers are now; asked for each health check."""
    on_fault: Callable[[str, BaseException], None]
    """Records an error of ours: (action, error)."""
    billing_zone: tzinfo = UTC
    master: bytes = b""
    """Under which provider keys are encrypted; b"" where none can be stored."""
    builtin_here: Mapping[str, tuple[str, ...]] = {}
    """The built-in endpoints that this node's environment has what they need for, each with the
    names of its keys."""
    token_lifetime_s: int = 12 * 3600
    body_bytes_max: int = 1024 * 1024
    intake: Intake | None = None
    """Takes what other gateways report; None where there is no spool."""
    jobs: MediaJobs | None = None
    """Makes films, and what else takes its time; None where there is no office."""
    contents: Contents | None = None
    """Passes on what jobs have made."""
    check_webhook: Callable[[str, str], Awaitable[str]] = _no_webhook
    """Gives the secret of a key's webhooks: (address, key id); refuses what must not be called."""
    generate_wait_s: float = 300.0
    request_bytes_max: int = 32 * 1024 * 1024
    """Of a request for a film, which may bring a picture."""

    def __repr__(self) -> str:
        """Show no secret."""
        return "ControlServices(…)"


class KeyRings:
    """The ring of all keys, made anew when the database says that a key has changed."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper
        self._version = -1
        self._ring: KeyRing | None = None

    @property
    def last(self) -> KeyRing | None:
        """The keys as they were last read; None before that."""
        return self._ring

    async def current(self, unit: Unit) -> KeyRing:
        """Return the keys as they stand in this unit."""
        version = (await read_versions(unit)).get(ACCESS, 0)
        ring = self._ring
        if ring is None or version != self._version:
            ring = KeyRing(await load_part(unit), self._pepper)
            self._ring, self._version = ring, version
        return ring


class Control(msgspec.Struct, frozen=True):
    """The tools of one application, made once."""

    services: ControlServices
    tokens: Tokens
    key_rings: KeyRings
    price_books: PriceBooks
    rule_book: RuleBook
    provider_names: ProviderNames
    sign_in: SignIn


class Viewer(msgspec.Struct, frozen=True):
    """Who asks."""

    user: str
    is_admin: bool
    key_name: str | None = None
    """None for a user with a token."""

    @property
    def sees(self) -> str | None:
        """The user whose rows alone are shown; None shows everybody's."""
        return None if self.is_admin else self.user


def control_of(request: Request) -> Control:
    """Return the tools of the application that serves `request`."""
    control: Control = request.app.state.control
    return control


ControlOf = Annotated[Control, Depends(control_of)]

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="A token of POST /api/v1/auth/token, or an API key with the scope read or admin.",
)


async def viewer_of(
    control: ControlOf,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
) -> Viewer:
    """Return who asks. Raises AuthenticationError or PermissionDeniedError."""
    credential = None if credentials is None else credentials.credentials
    async with control.services.database.read() as unit:
        if credential is not None and credential.startswith(JWT_HEAD):
            return await _user(control, unit, credential)
        ring = await control.key_rings.current(unit)
    entry = ring.authenticate(credential, control.services.clock.now_us())
    require(entry, Scope.READ)
    return Viewer(entry.caller.user, Scope.ADMIN in entry.scopes, entry.caller.key_name)


ViewerOf = Annotated[Viewer, Depends(viewer_of)]


async def admin_of(viewer: ViewerOf) -> Viewer:
    """Return who asks, if they are an admin. Raises PermissionDeniedError."""
    if not viewer.is_admin:
        raise PermissionDeniedError("only an admin, or a key with the scope admin, may do this")
    return viewer


# For an address that only needs to know that somebody may ask, not who.
SIGNED_IN = Depends(viewer_of)
ADMIN = Depends(admin_of)
AdminOf = Annotated[Viewer, ADMIN]


async def _user(control: Control, unit: Unit, token: str) -> Viewer:
    session = control.tokens.verify(token, control.services.clock.now_us())
    # As they are now, not as they were when they signed in.
    found = await find_user(unit, session.user)
    if found is None:
        raise AuthenticationError("this token's user is no more")
    return Viewer(found.user.name, found.user.role is Role.ADMIN)
