"""What does somebody do with their own account: another password, an end to sessions elsewhere?

What signs in is never told again: neither a session's cookie nor what is kept of it. `session_id`
only names a row.
"""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.access import session_store, user_store
from tollbridge.access.keys import NAME_LENGTH_MAX
from tollbridge.access.sessions import SessionListed
from tollbridge.access.users import (
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    UserRow,
    hash_password,
)
from tollbridge.api.control.page import Query
from tollbridge.api.deps import Control, ControlOf, PersonOf, SignedInOf, Viewer, actor_of
from tollbridge.api.errors import WrongCredentialsError, WrongPasswordError
from tollbridge.core.clock import to_text
from tollbridge.core.errors import NotFoundError, PermissionDeniedError
from tollbridge.insight.queries import is_call_id
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/auth", tags=["sign-in"])


class OwnPasswordOrder(BaseModel):
    """One's own new password."""

    model_config = ConfigDict(extra="forbid")

    current_password: str | None = Field(
        default=None,
        min_length=1,
        max_length=PASSWORD_LENGTH_MAX,
        repr=False,
        description="The one so far; null for whoever never had one.",
    )
    password: str = Field(
        min_length=PASSWORD_LENGTH_MIN, max_length=PASSWORD_LENGTH_MAX, repr=False
    )


class OwnPassword(BaseModel):
    """What became of it."""

    sessions_ended: int = Field(description="Those elsewhere; tokens end too, and sign-in links.")


class SessionKept(BaseModel):
    """A session of the dashboard that has not ended."""

    session_id: str = Field(description="Its name, to end it by; it opens nothing.")
    user: str
    way: str = Field(description="How it began: password, link or oidc.")
    address: str | None = Field(
        description="From where it began, as this server saw it: behind a proxy the proxy's."
    )
    agent: str | None = Field(description="What the browser called itself then.")
    created_at: str
    last_used_at: str = Field(description="Accurate to a hundredth of session_idle_s.")
    expires_at: str = Field(description="When it ends if it is not used; use moves it on.")
    is_current: bool = Field(description="Whether it is the one that asks.")


class SessionList(BaseModel):
    """A user's sessions, the one used last first."""

    sessions: list[SessionKept]


class SessionsEnded(BaseModel):
    """How many sessions were ended."""

    ended: int


class SessionsQuery(Query):
    """Whose sessions."""

    user: str | None = Field(
        default=None, min_length=1, max_length=NAME_LENGTH_MAX, description="Null: one's own."
    )


@router.put("/password")
async def change_password(
    order: OwnPasswordOrder, viewer: PersonOf, control: ControlOf
) -> OwnPassword:
    """Change one's own password, which ends all sessions but this one, tokens and sign-in links.

    The one so far is needed, 403 where it is wrong, and slowed down as a sign-in is. Whoever signs
    in by a link only may choose their first; whoever comes by the OIDC provider may not.
    """
    known = await _recognised(order, viewer, control)
    # Some 50 ms of a core: not on the loop.
    hashed = await asyncio.to_thread(hash_password, order.password)
    now_us = control.services.clock.now_us()
    async with control.services.database.write() as unit:
        # Locked, and as they were recognised: of two passwords at once the first one counts.
        (await user_store.lock_user(unit, viewer.user)).require_unchanged(known)
        ended = await session_store.end_sessions(unit, viewer.user, viewer.session_id, now_us)
        await user_store.set_password_hash(unit, viewer.user, hashed, but_session=viewer.session_id)
        details = {"own": True, "sessions_ended": ended}
        await _record(unit, viewer, "users.set_password", viewer.user, details)
    return OwnPassword(sessions_ended=ended)


@router.get("/sessions")
async def list_sessions(
    query: Annotated[SessionsQuery, QueryParameters()], viewer: SignedInOf, control: ControlOf
) -> SessionList:
    """List one's own sessions of the dashboard; an admin those of any user."""
    now_us = control.services.clock.now_us()
    async with control.services.database.read() as unit:
        user = await _user_asked(unit, query, viewer)
        rows = await session_store.list_sessions(unit, user, now_us)
    return SessionList(sessions=[_shown(row, viewer) for row in rows])


@router.delete("/sessions")
async def end_sessions(
    query: Annotated[SessionsQuery, QueryParameters()], viewer: SignedInOf, control: ControlOf
) -> SessionsEnded:
    """End all of one's own sessions but the one that asks; an admin those of any user.

    Tokens of POST /api/v1/auth/token last until they expire, or until another password is set.
    """
    now_us = control.services.clock.now_us()
    async with control.services.database.write() as unit:
        user = await _user_asked(unit, query, viewer)
        ended = await session_store.end_sessions(unit, user, viewer.session_id, now_us)
        if ended:
            await _record(unit, viewer, "users.end_sessions", user, {"sessions": ended})
    return SessionsEnded(ended=ended)


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(session_id: str, viewer: SignedInOf, control: ControlOf) -> None:
    """End one session, of one's own; an admin anybody's. 404 for one that has ended."""
    now_us = control.services.clock.now_us()
    async with control.services.database.write() as unit:
        # Another text would be an error of PostgreSQL's, not a session that is not there.
        is_id = is_call_id(session_id)
        row = await session_store.find_listed(unit, session_id, now_us) if is_id else None
        if row is None or not (viewer.is_admin or row.user == viewer.user):
            raise NotFoundError("there is no such session, or it has ended")
        await session_store.end_session(unit, row.session_id)
        details = {"sessions": 1, "begun_at": to_text(row.created_at_us), "way": row.way}
        await _record(unit, viewer, "users.end_sessions", row.user, details)


async def _recognised(order: OwnPasswordOrder, viewer: Viewer, control: Control) -> UserRow:
    """Return the user as they were when it was clear that it is them. Raises WrongPasswordError."""
    async with control.services.database.read() as unit:
        user = await user_store.get_user(unit, viewer.user)
    if user.has_password:
        try:
            return await control.sign_in.verify(viewer.user, order.current_password or "")
        except WrongCredentialsError as error:
            raise WrongPasswordError("the password so far is another one") from error
    if user.is_linked:
        raise PermissionDeniedError(
            "you sign in with the provider of the company: an admin may give you a password too"
        )
    return user


async def _user_asked(unit: Unit, query: SessionsQuery, viewer: Viewer) -> str:
    user = query.user or viewer.user
    if user != viewer.user:
        if not viewer.is_admin:
            raise PermissionDeniedError("you may see the sessions of your own user only")
        await user_store.get_user(unit, user)
    return user


async def _record(
    unit: Unit, viewer: Viewer, action: str, user: str, details: dict[str, Any]
) -> None:
    await audit.record(unit, actor_of(viewer), action, f"user:{user}", details)


def _shown(row: SessionListed, viewer: Viewer) -> SessionKept:
    return SessionKept(
        session_id=row.session_id,
        user=row.user,
        way=row.way,
        address=row.origin.address,
        agent=row.origin.agent,
        created_at=to_text(row.created_at_us),
        last_used_at=to_text(row.renewed_at_us),
        expires_at=to_text(row.expires_at_us),
        is_current=row.session_id == viewer.session_id,
    )
