"""Which users are there, and what may each do? All SQL of users."""

from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from tollbridge.access.keys import check_name
from tollbridge.access.tables import sessions, sign_in_links, users
from tollbridge.access.users import Role, UserRow, UserSecret, UserTerms, check_projects
from tollbridge.core.call import new_id
from tollbridge.core.errors import ConflictError, NotFoundError
from tollbridge.storage import versions
from tollbridge.storage.unit import Unit

PART = "access"
PAGE_ROWS_MAX = 1001
"""A page of a thousand, and one to know that there are more."""


async def create_user(
    unit: Unit,
    terms: UserTerms,
    password_hash: str | None = None,
    *,
    oidc_identity: str | None = None,
) -> UserRow:
    """Add a user. Raises ConflictError where the name is taken, also by a disabled user."""
    check_name(terms.name)
    check_projects(terms.projects)
    if await find_user(unit, terms.name) is not None:
        raise ConflictError(f"there is a user named {terms.name!r} already")
    now_us = await unit.now_us()
    await unit.connection.execute(
        insert(users).values(
            user_id=new_id(now_us),
            name=terms.name,
            role=terms.role.value,
            projects=list(terms.projects),
            password_hash=password_hash,
            oidc_identity=oidc_identity,
            created_at_us=now_us,
            updated_at_us=now_us,
        ),
    )
    return await get_user(unit, terms.name)


async def find_user(unit: Unit, name: str) -> UserSecret | None:
    """Return a user by name with their password's hash, or None."""
    found = (await unit.connection.execute(select(users).where(users.c.name == name))).first()
    return None if found is None else UserSecret(user_row(found), found.password_hash)


async def get_user(unit: Unit, name: str) -> UserRow:
    """Return a user by name. Raises NotFoundError."""
    found = await find_user(unit, name)
    if found is None:
        raise NotFoundError(f"there is no user named {name!r}")
    return found.user


async def lock_user(unit: Unit, name: str) -> UserRow:
    """Return a user by name, whom nobody signs out or disables before this unit has ended.

    Raises NotFoundError.
    """
    await unit.connection.execute(
        select(users.c.user_id).where(users.c.name == name).with_for_update()
    )
    return await get_user(unit, name)


async def find_linked(unit: Unit, oidc_identity: str) -> UserRow | None:
    """Return the user whom the OIDC provider knows by that identity, or None."""
    query = select(users).where(users.c.oidc_identity == oidc_identity)
    found = (await unit.connection.execute(query)).first()
    return None if found is None else user_row(found)


async def list_users(unit: Unit, after_name: str = "", limit: int = 100) -> list[UserRow]:
    """Return a page of users by name, at most 1,001, beginning behind `after_name`."""
    rows = await unit.connection.execute(
        select(users)
        .where(users.c.name > after_name)
        .order_by(users.c.name)
        .limit(min(limit, PAGE_ROWS_MAX)),
    )
    return [user_row(row) for row in rows]


async def set_password_hash(
    unit: Unit, name: str, password_hash: str | None, *, but_session: str | None = None
) -> UserRow:
    """Replace a user's password, and sign them out everywhere; None forbids signing in with one.

    `but_session` is the id of the session in which they do so themselves. Raises NotFoundError.
    """
    now_us = await unit.now_us()
    return await _change(
        unit, name, but_session, password_hash=password_hash, signed_out_at_us=now_us
    )


async def set_role(
    unit: Unit, name: str, role: Role, projects: tuple[str, ...] | None = None
) -> UserRow:
    """Change what a user may do, at once; None leaves the projects as they are.

    Raises NotFoundError, and ConflictError where nobody would be left who may do everything.
    """
    if projects is not None:
        check_projects(projects)
    if role is not Role.ADMIN:
        await _keep_an_admin(unit, name)
    values: dict[str, Any] = {} if projects is None else {"projects": list(projects)}
    return await _change(unit, name, role=role.value, **values)


async def set_disabled(unit: Unit, name: str, *, disabled: bool) -> UserRow:
    """Let a user in no longer, nor any key of theirs; or again. Twice is once.

    Raises NotFoundError, and ConflictError where nobody would be left who may do everything.
    """
    user = await get_user(unit, name)
    if (user.disabled_at_us is not None) == disabled:
        return user
    if not disabled:
        return await _change(unit, name, disabled_at_us=None)
    await _keep_an_admin(unit, name)
    now_us = await unit.now_us()
    return await _change(unit, name, disabled_at_us=now_us, signed_out_at_us=now_us)


async def link_user(unit: Unit, name: str, oidc_identity: str | None) -> UserRow:
    """Say whom the OIDC provider knows as this user. Raises NotFoundError."""
    return await _change(unit, name, oidc_identity=oidc_identity)


async def _change(unit: Unit, name: str, but_session: str | None = None, **values: Any) -> UserRow:
    now_us = await unit.now_us()
    await get_user(unit, name)
    await unit.connection.execute(
        update(users).where(users.c.name == name).values(updated_at_us=now_us, **values),
    )
    if "signed_out_at_us" in values:
        theirs = sessions.c.user_name == name
        if but_session is not None:
            theirs &= sessions.c.session_id != but_session
        await unit.connection.execute(delete(sessions).where(theirs))
        await unit.connection.execute(
            delete(sign_in_links).where(sign_in_links.c.user_name == name)
        )
    if "disabled_at_us" in values:
        await versions.bump(unit, PART)
    return await get_user(unit, name)


async def _keep_an_admin(unit: Unit, but: str) -> None:
    """Raise ConflictError where there is no admin in force but that one."""
    # Locked, so that two cannot each be left by the other.
    rows = await unit.connection.execute(
        select(users.c.name)
        .where(users.c.role == Role.ADMIN.value, users.c.disabled_at_us.is_(None))
        .with_for_update()
    )
    names = {row.name for row in rows}
    if names == {but}:
        raise ConflictError(f"{but!r} is the only admin; make another one first")


def user_row(row: Row[Any]) -> UserRow:
    """Return the user of a row of `users`."""
    return UserRow(
        user_id=row.user_id,
        name=row.name,
        role=Role(row.role),
        created_at_us=row.created_at_us,
        projects=tuple(row.projects),
        disabled_at_us=row.disabled_at_us,
        has_password=row.password_hash is not None,
        is_linked=row.oidc_identity is not None,
        signed_out_at_us=row.signed_out_at_us,
    )
