"""What is every address of the control plane given, and who may ask?

A caller is a user with a sign-in token or a session of the dashboard, or a key with the scope
`read` or `admin`. Whoever is no admin sees what belongs to their own user, and to the projects
that they manage (`Viewer.sight`, which every list and every detail applies).
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, tzinfo
from typing import Annotated

import msgspec
from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from tollbridge.access.authenticate import KeyRing, require
from tollbridge.access.keys import Scope
from tollbridge.access.own_keys import MemberKeys
from tollbridge.access.session_store import find_session, renew_session
from tollbridge.access.sessions import SessionRow, SessionTerms, is_csrf_token
from tollbridge.access.store import load_part
from tollbridge.access.tokens import Tokens
from tollbridge.access.user_store import find_user
from tollbridge.access.users import Role, UserRow
from tollbridge.api.errors import CsrfError, SignedOutError
from tollbridge.api.figures import OfficeFigures
from tollbridge.api.oidc import Oidc
from tollbridge.api.sign_in import SignIn
from tollbridge.attribution.store import RuleBook
from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.errors import AuthenticationError, OverloadedError, PermissionDeniedError
from tollbridge.core.provider_names import ProviderNames
from tollbridge.core.sight import Sight
from tollbridge.insight.foretell import Forecaster
from tollbridge.jobs.alerts import AlertNotifier
from tollbridge.jobs.contents import Contents
from tollbridge.jobs.service import MediaJobs
from tollbridge.ledger.alert_watch import AlertSettings
from tollbridge.ledger.wallet_moves_store import Recalling
from tollbridge.rating.model_costs import PriceBooks
from tollbridge.recording.intake import Intake
from tollbridge.storage.audit import ACTOR_LENGTH_MAX
from tollbridge.storage.unit import Database, Unit
from tollbridge.storage.versions import read_versions

ACCESS = "access"
# How a JSON object begins in base64: the head of every JWT, and of no key of ours.
JWT_HEAD = "eyJ"
SESSION_COOKIE = "tollbridge_session"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


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
    session_terms: SessionTerms = SessionTerms()
    member_keys: MemberKeys = MemberKeys()
    public_url: str = ""
    """The address of this installation as the outside sees it; "" where nobody has said."""
    oidc: Oidc | None = None
    """Signs people in with a provider; None where none is agreed with."""
    alerts: AlertNotifier | None = None
    """Sends alerts to webhooks; None where there is no office."""
    alert_settings: AlertSettings = AlertSettings()
    recalling: Recalling = Recalling(0.0)
    """How workers are asked for what they hold of wallets and do not use."""
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
    forecaster: Forecaster = Forecaster()
    """Says what the days ahead bring."""
    export_calls_max: int = 10_000_000
    """Of one export of the usage log."""
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
    """None for a user with a token or a session."""
    projects: tuple[str, ...] = ()
    """Those that they manage."""
    session_id: str | None = None
    """Of the dashboard's session that they ask in."""

    @property
    def sight(self) -> Sight | None:
        """Whose rows are shown; None shows everybody's."""
        return None if self.is_admin else Sight(self.user, self.projects)

    @property
    def sees(self) -> str | None:
        """The user whose rows alone are shown, where no project decides; None shows all."""
        return None if self.is_admin else self.user

    @property
    def role(self) -> Role:
        """What they may do."""
        if self.is_admin:
            return Role.ADMIN
        return Role.MANAGER if self.projects else Role.MEMBER

    def may_change(self, project: str) -> bool:
        """Return whether they may change what belongs to that project."""
        return self.is_admin or project in self.projects

    def require_project(self, project: str) -> None:
        """Raise PermissionDeniedError unless they may change what belongs to that project."""
        if not self.may_change(project):
            raise PermissionDeniedError(
                "only an admin, or a manager of the project, may do this",
            )


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
session_cookie = APIKeyCookie(
    name=SESSION_COOKIE,
    auto_error=False,
    scheme_name="session",
    description="The session of POST /api/v1/auth/session; what changes something needs its "
    "csrf_token in the header x-csrf-token besides.",
)
Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
SessionCookie = Annotated[str | None, Security(session_cookie)]


async def viewer_of(
    request: Request, control: ControlOf, credentials: Bearer, cookie: SessionCookie
) -> Viewer:
    """Return who asks. Raises AuthenticationError or PermissionDeniedError.

    What the header Authorization says counts before the cookie.
    """
    if credentials is None and cookie is not None:
        require_csrf_token(request, control, cookie)
        row = await session_of(control, cookie)
        return viewer_of_user(row.user, row.session_id)
    credential = None if credentials is None else credentials.credentials
    async with control.services.database.read() as unit:
        if credential is not None and credential.startswith(JWT_HEAD):
            return await _user(control, unit, credential)
        ring = await control.key_rings.current(unit)
    entry = ring.authenticate(credential, control.services.clock.now_us())
    require(entry, Scope.READ)
    return Viewer(entry.caller.user, Scope.ADMIN in entry.scopes, entry.caller.key_name)


ViewerOf = Annotated[Viewer, Depends(viewer_of)]


async def signed_in_of(viewer: ViewerOf) -> Viewer:
    """Return who asks, if they may change what is their own: a key that only reads may not.

    Raises PermissionDeniedError.
    """
    if viewer.key_name is not None and not viewer.is_admin:
        raise PermissionDeniedError("this API key may read, and change nothing")
    return viewer


async def person_of(viewer: ViewerOf) -> Viewer:
    """Return who asks, if they have signed in themselves. Raises PermissionDeniedError."""
    if viewer.key_name is not None:
        raise PermissionDeniedError("a key has no password or session of its own")
    return viewer


async def manager_of(viewer: ViewerOf) -> Viewer:
    """Return who asks, if they may change something of some project. Raises PermissionDeniedError.

    Which projects those are, the address itself asks of `require_project`.
    """
    if not viewer.is_admin and not viewer.projects:
        raise PermissionDeniedError(
            "only an admin, a manager of the project, or a key with the scope admin, may do this"
        )
    return viewer


async def admin_of(viewer: ViewerOf) -> Viewer:
    """Return who asks, if they are an admin. Raises PermissionDeniedError."""
    if not viewer.is_admin:
        raise PermissionDeniedError("only an admin, or a key with the scope admin, may do this")
    return viewer


# For an address that only needs to know that somebody may ask, not who.
SIGNED_IN = Depends(viewer_of)
ADMIN = Depends(admin_of)
AdminOf = Annotated[Viewer, ADMIN]
SignedInOf = Annotated[Viewer, Depends(signed_in_of)]
PersonOf = Annotated[Viewer, Depends(person_of)]
ManagerOf = Annotated[Viewer, Depends(manager_of)]


def actor_of(viewer: Viewer) -> str:
    """Return who is said to have changed something, for the audit log."""
    name = viewer.user if viewer.key_name is None else f"{viewer.user} (key {viewer.key_name})"
    return name[:ACTOR_LENGTH_MAX]


def require_csrf_token(request: Request, control: Control, cookie: str) -> None:
    """Raise CsrfError where a page that is not ours may have sent what changes something."""
    if request.method in SAFE_METHODS:
        return
    sent = request.headers.get(CSRF_HEADER)
    if not is_csrf_token(control.services.token_secret, cookie, sent):
        raise CsrfError(f"the header {CSRF_HEADER} does not belong to this session")


async def session_of(control: Control, cookie: str) -> SessionRow:
    """Return the session of a cookie; its end moves on. Raises SignedOutError."""
    services = control.services
    terms, now_us = services.session_terms, services.clock.now_us()
    async with services.database.read() as unit:
        row = await find_session(unit, cookie, services.pepper, now_us)
    if row is None:
        raise SignedOutError("this session has ended; sign in again")
    if now_us - row.renewed_at_us < terms.renewed_s * SECOND_US:
        return row
    async with services.database.write() as unit:
        expires_at_us = await renew_session(unit, row, terms, now_us)
    return msgspec.structs.replace(row, renewed_at_us=now_us, expires_at_us=expires_at_us)


def viewer_of_user(user: UserRow, session_id: str | None = None) -> Viewer:
    """Return what a signed-in user may see and do."""
    projects = user.projects if user.role is Role.MANAGER else ()
    return Viewer(user.name, user.role is Role.ADMIN, projects=projects, session_id=session_id)


async def _user(control: Control, unit: Unit, token: str) -> Viewer:
    claims = control.tokens.verify(token, control.services.clock.now_us())
    # As they are now, not as they were when they signed in.
    found = await find_user(unit, claims.user)
    if found is None:
        raise AuthenticationError("this token's user is no more")
    # A token knows the second of its issue, and counts as issued at its end.
    if not found.user.accepts((claims.issued_at_s + 1) * SECOND_US - 1):
        raise AuthenticationError("this token's user is disabled, or was signed out; sign in again")
    return viewer_of_user(found.user)
