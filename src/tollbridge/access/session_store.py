"""Which sessions and sign-in links are good? All SQL of both.

Callers hand in the time, so that one clock decides on both ends of a session.
"""

from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from tollbridge.access.sessions import (
    TOKEN_LENGTH_MAX,
    Opened,
    Origin,
    SessionListed,
    SessionRow,
    SessionTerms,
    link_digest,
    make_token,
    session_digest,
)
from tollbridge.access.tables import sessions, sign_in_links, users
from tollbridge.access.user_store import get_user, lock_user, user_row
from tollbridge.access.users import UserRow
from tollbridge.core.call import new_id
from tollbridge.core.clock import SECOND_US
from tollbridge.storage.unit import Unit

NOWHERE = Origin()
LISTED_MAX = 1000
"""Most sessions of one list; `SessionTerms.sessions_max` keeps a user's below it."""


async def open_session(
    unit: Unit,
    user: UserRow,
    way: str,
    *,
    pepper: bytes,
    terms: SessionTerms,
    now_us: int,
    origin: Origin = NOWHERE,
) -> Opened:
    """Sign a user in, as they were when they were recognised.

    Raises AuthenticationError for one who is disabled, or was signed out everywhere since.
    """
    # Locked: whoever replaces a password meanwhile finds the session, and ends it.
    known = await lock_user(unit, user.name)
    known.require_unchanged(user)
    await _make_room(unit, user.name, terms.sessions_max, now_us)
    token = make_token()
    ends_at_us = now_us + round(terms.lifetime_s * SECOND_US)
    row = SessionRow(
        session_id=new_id(now_us),
        user=known,
        way=way,
        created_at_us=now_us,
        renewed_at_us=now_us,
        expires_at_us=min(now_us + round(terms.idle_s * SECOND_US), ends_at_us),
        ends_at_us=ends_at_us,
    )
    await unit.connection.execute(
        insert(sessions).values(
            session_id=row.session_id,
            digest=session_digest(pepper, token),
            user_name=user.name,
            way=way,
            address=origin.address,
            agent=origin.agent,
            created_at_us=now_us,
            renewed_at_us=now_us,
            expires_at_us=row.expires_at_us,
            ends_at_us=ends_at_us,
        )
    )
    return Opened(row, token)


async def find_session(unit: Unit, token: str, pepper: bytes, now_us: int) -> SessionRow | None:
    """Return the session that a cookie's text stands for, with its user as they are now.

    None where it has ended, or its user is disabled or was signed out everywhere.
    """
    if len(token) > TOKEN_LENGTH_MAX or not token.isascii():
        return None
    columns = sessions.c
    found = await unit.connection.execute(
        select(
            columns.session_id,
            columns.way,
            columns.renewed_at_us,
            columns.expires_at_us,
            columns.ends_at_us,
            columns.created_at_us.label("opened_at_us"),
            users,
        )
        .join(users, users.c.name == columns.user_name)
        .where(columns.digest == session_digest(pepper, token))
    )
    row = found.first()
    if row is None or row.expires_at_us <= now_us:
        return None
    user = user_row(row)
    if user.disabled_at_us is not None:
        return None
    return SessionRow(
        session_id=row.session_id,
        user=user,
        way=row.way,
        created_at_us=row.opened_at_us,
        renewed_at_us=row.renewed_at_us,
        expires_at_us=row.expires_at_us,
        ends_at_us=row.ends_at_us,
    )


async def renew_session(unit: Unit, row: SessionRow, terms: SessionTerms, now_us: int) -> int:
    """Move the end of a session that is used; return when it is now, in microseconds."""
    expires_at_us = min(now_us + round(terms.idle_s * SECOND_US), row.ends_at_us)
    await unit.connection.execute(
        update(sessions)
        .where(sessions.c.session_id == row.session_id)
        .values(renewed_at_us=now_us, expires_at_us=expires_at_us)
    )
    return expires_at_us


async def end_session(unit: Unit, session_id: str) -> None:
    """Sign out; again changes nothing."""
    await unit.connection.execute(delete(sessions).where(sessions.c.session_id == session_id))


async def list_sessions(unit: Unit, user: str, now_us: int) -> list[SessionListed]:
    """Return a user's sessions that have not ended, the one used last first."""
    columns = sessions.c
    rows = await unit.connection.execute(
        select(sessions)
        .where(columns.user_name == user, columns.expires_at_us > now_us)
        .order_by(columns.renewed_at_us.desc(), columns.session_id)
        .limit(LISTED_MAX)
    )
    return [_listed(row) for row in rows]


async def find_listed(unit: Unit, session_id: str, now_us: int) -> SessionListed | None:
    """Return one session that has not ended, by the id of its row."""
    columns = sessions.c
    rows = await unit.connection.execute(
        select(sessions).where(columns.session_id == session_id, columns.expires_at_us > now_us)
    )
    row = rows.first()
    return None if row is None else _listed(row)


async def end_sessions(unit: Unit, user: str, but: str | None, now_us: int) -> int:
    """End a user's sessions but one; return how many had not ended by themselves."""
    theirs = sessions.c.user_name == user
    if but is not None:
        theirs &= sessions.c.session_id != but
    counted = select(func.count()).where(theirs, sessions.c.expires_at_us > now_us)
    ended: int = (await unit.connection.execute(counted)).scalar_one()
    await unit.connection.execute(delete(sessions).where(theirs))
    return ended


async def make_link(unit: Unit, user: str, *, pepper: bytes, lifetime_s: float, now_us: int) -> str:
    """Return the text of a link that signs a user in, once. Raises NotFoundError."""
    await get_user(unit, user)
    # What can no longer be used is of no interest to anybody.
    await unit.connection.execute(
        delete(sign_in_links).where(sign_in_links.c.expires_at_us <= now_us)
    )
    token = make_token()
    await unit.connection.execute(
        insert(sign_in_links).values(
            digest=link_digest(pepper, token),
            user_name=user,
            created_at_us=now_us,
            expires_at_us=now_us + round(lifetime_s * SECOND_US),
        )
    )
    return token


async def use_link(unit: Unit, token: str, pepper: bytes, now_us: int) -> UserRow | None:
    """Return whose link this is, and use it up; None where it is none, used, or too old."""
    if len(token) > TOKEN_LENGTH_MAX or not token.isascii():
        return None
    columns = sign_in_links.c
    wanted = columns.digest == link_digest(pepper, token)
    rows = await unit.connection.execute(select(columns.user_name).where(wanted))
    name: str | None = rows.scalar_one_or_none()
    if name is None:
        return None
    # The user before the link, in the order of whoever signs them out: none waits in a ring.
    user = await lock_user(unit, name)
    # The count of changed rows decides who of two comes first.
    used = await unit.connection.execute(
        update(sign_in_links)
        .where(wanted, columns.used_at_us.is_(None), columns.expires_at_us > now_us)
        .values(used_at_us=now_us)
    )
    return None if used.rowcount == 0 or user.disabled_at_us is not None else user


async def _make_room(unit: Unit, user: str, sessions_max: int, now_us: int) -> None:
    columns = sessions.c
    await unit.connection.execute(delete(sessions).where(columns.expires_at_us <= now_us))
    kept = (
        select(columns.session_id)
        .where(columns.user_name == user)
        .order_by(columns.renewed_at_us.desc())
        .limit(sessions_max - 1)
    )
    rows = [row.session_id for row in await unit.connection.execute(kept)]
    await unit.connection.execute(
        delete(sessions).where(columns.user_name == user, columns.session_id.not_in(rows))
    )


def _listed(row: Row[Any]) -> SessionListed:
    return SessionListed(
        session_id=row.session_id,
        user=row.user_name,
        way=row.way,
        origin=Origin(row.address, row.agent),
        created_at_us=row.created_at_us,
        renewed_at_us=row.renewed_at_us,
        expires_at_us=row.expires_at_us,
    )
