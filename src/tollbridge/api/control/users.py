"""Who may sign in, and what may each of them do?"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.access import session_store, user_store
from tollbridge.access.keys import NAME_LENGTH_MAX
from tollbridge.access.sessions import sign_in_path
from tollbridge.access.users import (
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    PROJECTS_MAX,
    Role,
    UserRow,
    UserTerms,
    hash_password,
)
from tollbridge.api.control.page import (
    NextCursor,
    PageQuery,
    cut,
    decode_cursor,
    instant_text,
)
from tollbridge.api.deps import ADMIN, AdminOf, ControlOf, actor_of
from tollbridge.core.clock import SECOND_US, to_text
from tollbridge.storage import audit

router = APIRouter(prefix="/users", tags=["users"])

Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
Projects = Annotated[list[Name], Field(max_length=PROJECTS_MAX)]
Password = Annotated[str, Field(min_length=PASSWORD_LENGTH_MIN, max_length=PASSWORD_LENGTH_MAX)]


class User(BaseModel):
    """Somebody who may sign in."""

    user_id: str
    name: str
    role: Role = Field(
        description="admin: everything; manager: sees and edits what belongs to their projects, "
        "and sees their own; member: sees their own."
    )
    projects: list[str] = Field(description="Those that a manager manages.")
    has_password: bool
    oidc: bool = Field(description="Whether they have signed in with the OIDC provider.")
    created_at: str
    disabled_at: str | None = Field(description="Neither they nor keys of theirs come in since.")


class UserPage(BaseModel):
    """A page of users, by name."""

    users: list[User]
    next_cursor: NextCursor


class UserOrder(BaseModel):
    """Who is to be added."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    role: Role = Role.MEMBER
    projects: Projects = []
    password: Password | None = Field(
        default=None, repr=False, description="Without one they sign in by a link, or with OIDC."
    )


class UserChange(BaseModel):
    """What is changed of a user; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    projects: Projects | None = None
    disabled: bool | None = None


class PasswordOrder(BaseModel):
    """A new password."""

    model_config = ConfigDict(extra="forbid")

    password: Password | None = Field(
        repr=False, description="Null: they sign in with none any more."
    )


class SignInLink(BaseModel):
    """What signs a user in, once."""

    path: str = Field(description="To be opened at this installation's address; shown this once.")
    expires_at: str


@router.get("", dependencies=[ADMIN])
async def list_page(query: Annotated[PageQuery, Query()], control: ControlOf) -> UserPage:
    """List users by name, disabled ones too. Admins only."""
    after = "" if query.cursor is None else decode_cursor(query.cursor, tuple[str])[0]
    async with control.services.database.read() as unit:
        rows = await user_store.list_users(unit, after, query.limit + 1)
    page, following = cut(rows, query.limit, lambda row: (row.name,))
    return UserPage(users=[_user(row) for row in page], next_cursor=following)


@router.post("", status_code=201)
async def create(order: UserOrder, admin: AdminOf, control: ControlOf) -> User:
    """Add a user. 409 where the name is taken, also by a disabled user."""
    terms = UserTerms(order.name, order.role, tuple(order.projects))
    hashed = None if order.password is None else await _hash(order.password)
    async with control.services.database.write() as unit:
        row = await user_store.create_user(unit, terms, hashed)
        await audit.record_change(
            unit,
            actor_of(admin),
            "users.create",
            f"user:{row.name}",
            before=None,
            after=row.state(),
        )
    return _user(row)


@router.get("/{name}", dependencies=[ADMIN])
async def show(name: str, control: ControlOf) -> User:
    """Show one user. Admins only."""
    async with control.services.database.read() as unit:
        return _user(await user_store.get_user(unit, name))


@router.patch("/{name}")
async def change(name: str, wanted: UserChange, admin: AdminOf, control: ControlOf) -> User:
    """Change what a user may do, or let them in no longer; at once, and in each of their sessions.

    409 where nobody would be left who is an admin.
    """
    projects = None if wanted.projects is None else tuple(wanted.projects)
    async with control.services.database.write() as unit:
        before = after = await user_store.get_user(unit, name)
        if wanted.role is not None or projects is not None:
            after = await user_store.set_role(unit, name, wanted.role or before.role, projects)
        if wanted.disabled is not None:
            after = await user_store.set_disabled(unit, name, disabled=wanted.disabled)
        await audit.record_change(
            unit,
            actor_of(admin),
            "users.change",
            f"user:{name}",
            before=before.state(),
            after=after.state(),
        )
    return _user(after)


@router.put("/{name}/password")
async def set_password(name: str, order: PasswordOrder, admin: AdminOf, control: ControlOf) -> User:
    """Give a user another password, or none; it signs them out everywhere."""
    hashed = None if order.password is None else await _hash(order.password)
    async with control.services.database.write() as unit:
        row = await user_store.set_password_hash(unit, name, hashed)
        details = {"has_password": row.has_password}
        await audit.record(unit, actor_of(admin), "users.set_password", f"user:{name}", details)
    return _user(row)


@router.post("/{name}/link", status_code=201)
async def make_link(name: str, admin: AdminOf, control: ControlOf) -> SignInLink:
    """Make a link that signs a user in, once and for a time; hand it to nobody else."""
    services = control.services
    now_us = services.clock.now_us()
    lifetime_s = services.session_terms.link_lifetime_s
    async with services.database.write() as unit:
        token = await session_store.make_link(
            unit, name, pepper=services.pepper, lifetime_s=lifetime_s, now_us=now_us
        )
        await audit.record(unit, actor_of(admin), "users.link", f"user:{name}")
    return SignInLink(
        path=sign_in_path(token), expires_at=to_text(now_us + round(lifetime_s * SECOND_US))
    )


async def _hash(password: str) -> str:
    # Some 50 ms of a core: not on the loop.
    return await asyncio.to_thread(hash_password, password)


def _user(row: UserRow) -> User:
    return User(
        user_id=row.user_id,
        name=row.name,
        role=row.role,
        projects=list(row.projects),
        has_password=row.has_password,
        oidc=row.is_linked,
        created_at=to_text(row.created_at_us),
        disabled_at=instant_text(row.disabled_at_us),
    )
