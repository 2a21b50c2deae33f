"""How does a person sign in, stay signed in, and sign out?"""

from typing import Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tollbridge.access import session_store, user_store
from tollbridge.access.keys import NAME_LENGTH_MAX
from tollbridge.access.sessions import (
    TOKEN_LENGTH_MAX,
    Opened,
    SessionRow,
    Way,
    csrf_token,
    origin_of,
)
from tollbridge.access.users import PASSWORD_LENGTH_MAX, Role, UserRow
from tollbridge.api.deps import (
    SESSION_COOKIE,
    Control,
    ControlOf,
    SessionCookie,
    require_csrf_token,
    session_of,
    viewer_of_user,
)
from tollbridge.api.errors import WrongCredentialsError
from tollbridge.core.clock import to_text
from tollbridge.core.errors import AuthenticationError
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/auth", tags=["sign-in"])
BEARER = "bearer"


class Credentials(BaseModel):
    """A user's name and password."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(min_length=1, max_length=NAME_LENGTH_MAX)
    password: str = Field(min_length=1, max_length=PASSWORD_LENGTH_MAX, repr=False)


class AccessToken(BaseModel):
    """A token for the header Authorization: Bearer."""

    access_token: str
    token_type: str = Field(description="Always bearer.")
    expires_in: int = Field(description="Seconds.")


class SignInOrder(BaseModel):
    """Either a user's name and password, or the token of a sign-in link."""

    model_config = ConfigDict(extra="forbid")

    username: str | None = Field(default=None, min_length=1, max_length=NAME_LENGTH_MAX)
    password: str | None = Field(
        default=None, min_length=1, max_length=PASSWORD_LENGTH_MAX, repr=False
    )
    link_token: str | None = Field(
        default=None, min_length=1, max_length=TOKEN_LENGTH_MAX, repr=False
    )

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        by_password = self.username is not None and self.password is not None
        by_half = (self.username is None) != (self.password is None)
        if by_half or by_password == (self.link_token is not None):
            raise ValueError("give username and password, or link_token")
        return self


class SessionShown(BaseModel):
    """Who is signed in, and what a page needs to change something."""

    user: str
    role: Role = Field(description="admin, manager or member.")
    projects: list[str] = Field(description="Those that a manager manages.")
    csrf_token: str = Field(description="For the header x-csrf-token of what changes something.")
    expires_at: str = Field(description="When it ends if it is not used; use moves it on.")
    has_password: bool = Field(description="Whether they may sign in with one.")
    oidc: bool = Field(description="Whether they have signed in with the OIDC provider.")
    may_mint_keys: bool = Field(description="Whether they may make keys, be it for themselves.")


class Methods(BaseModel):
    """Which ways there are to sign in."""

    password: bool
    link: bool = Field(description="By the one-time link that the start, or an admin, makes.")
    oidc: bool
    oidc_name: str | None = Field(description="What the OIDC provider is called; null without one.")


@router.post("/token")
async def sign_in(credentials: Credentials, control: ControlOf) -> AccessToken:
    """Sign in. After ten failures a name waits half a minute for each further attempt."""
    services = control.services
    # Of before the password was looked at: what is replaced meanwhile is worth nothing.
    now_us = services.clock.now_us()
    user = await control.sign_in.verify(credentials.username, credentials.password)
    async with services.database.read() as unit:
        # A token knows no more than the second of its issue, so that its time is not enough.
        (await user_store.get_user(unit, user.name)).require_unchanged(user)
    token = control.tokens.issue(user.name, user.role, now_us)
    return AccessToken(
        access_token=token, token_type=BEARER, expires_in=control.tokens.expires_in_s
    )


@router.get("/methods")
async def list_methods(control: ControlOf) -> Methods:
    """Say by which ways one can sign in here."""
    oidc = control.services.oidc
    name = None if oidc is None else oidc.terms.name
    return Methods(password=True, link=True, oidc=oidc is not None, oidc_name=name)


@router.post("/session")
async def open_session(
    order: SignInOrder, request: Request, response: Response, control: ControlOf
) -> SessionShown:
    """Sign in to the dashboard: the answer sets the cookie that speaks for the user from then on.

    A sign-in link is good once. After ten failures a name waits half a minute for each attempt.
    """
    services = control.services
    if order.link_token is None:
        user = await control.sign_in.verify(order.username or "", order.password or "")
        async with services.database.write() as unit:
            opened = await open_for(control, unit, user, Way.TYPED, request)
    else:
        opened = await _open_by_link(control, order.link_token, request)
    set_cookie(request, response, control, opened)
    return _shown(control, opened.row, opened.token)


@router.get("/session")
async def show_session(control: ControlOf, cookie: SessionCookie) -> SessionShown:
    """Say who is signed in with this cookie; 401 without one, or where its session has ended."""
    token = _sent(cookie)
    return _shown(control, await session_of(control, token), token)


@router.delete("/session", status_code=204)
async def close_session(
    request: Request, response: Response, control: ControlOf, cookie: SessionCookie
) -> None:
    """Sign out: the session is worth nothing from then on."""
    token = _sent(cookie)
    require_csrf_token(request, control, token)
    row = await session_of(control, token)
    async with control.services.database.write() as unit:
        await session_store.end_session(unit, row.session_id)
    response.delete_cookie(SESSION_COOKIE, path="/")


async def open_for(
    control: Control, unit: Unit, user: UserRow, way: Way, request: Request
) -> Opened:
    """Return a new session of a user, as they were recognised.

    Raises AuthenticationError for one who is disabled, or was signed out everywhere since.
    """
    services = control.services
    return await session_store.open_session(
        unit,
        user,
        way,
        pepper=services.pepper,
        terms=services.session_terms,
        now_us=services.clock.now_us(),
        # Said by the worker: it replaces whatever the caller said there.
        origin=origin_of(request.headers.get("x-forwarded-for"), request.headers.get("user-agent")),
    )


def set_cookie(request: Request, response: Response, control: Control, opened: Opened) -> None:
    """Let an answer carry a session's cookie, which no script can read."""
    response.set_cookie(
        SESSION_COOKIE,
        opened.token,
        max_age=round(control.services.session_terms.lifetime_s),
        path="/",
        secure=is_https(request, control),
        httponly=True,
        samesite="lax",
    )


def is_https(request: Request, control: Control) -> bool:
    """Return whether the person's browser speaks https with us, or with a proxy before us."""
    return control.services.public_url.startswith("https:") or (
        request.headers.get("x-forwarded-proto", "").strip().lower() == "https"
    )


async def _open_by_link(control: Control, token: str, request: Request) -> Opened:
    services = control.services
    async with services.database.write() as unit:
        now_us = services.clock.now_us()
        user = await session_store.use_link(unit, token, services.pepper, now_us)
        if user is not None:
            return await open_for(control, unit, user, Way.LINK, request)
    raise WrongCredentialsError("this sign-in link was used already, or is too old")


def _sent(cookie: str | None) -> str:
    if cookie is None:
        raise AuthenticationError("nobody is signed in: no session was sent")
    return cookie


def _shown(control: Control, row: SessionRow, token: str) -> SessionShown:
    viewer = viewer_of_user(row.user)
    return SessionShown(
        user=row.user.name,
        role=row.user.role,
        projects=list(viewer.projects),
        csrf_token=csrf_token(control.services.token_secret, token),
        expires_at=to_text(row.expires_at_us),
        has_password=row.user.has_password,
        oidc=row.user.is_linked,
        may_mint_keys=viewer.role is not Role.MEMBER or control.services.member_keys.may_mint,
    )
