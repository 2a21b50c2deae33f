"""Whose rows may be seen, as SQL? The same for every table that has a user or a subject."""

from typing import Any

from sqlalchemy import ColumnElement, false, or_, select, true

from tollbridge.access.tables import keys
from tollbridge.core.sight import Sight
from tollbridge.storage.unit import Unit

PROJECT, USER, KEY = "project:", "user:", "key:"
"""How the subjects of budgets, wallets and alerts begin; of others, admins alone know."""


def in_sight(
    sight: Sight | None, user: ColumnElement[Any], project: ColumnElement[Any] | None = None
) -> tuple[ColumnElement[bool], ...]:
    """Return what must hold for a row to be seen; nothing, where everybody's are.

    A table without a project has none that anybody manages.
    """
    if sight is None:
        return ()
    if not sight.projects or project is None:
        return (user == sight.user,)
    return (or_(user == sight.user, project.in_(sight.projects)),)


def subjects_in_sight(
    sight: Sight | None, subject: ColumnElement[Any]
) -> tuple[ColumnElement[bool], ...]:
    """Return what must hold for a row whose subject is `user:…`, `key:…` or `project:…`."""
    if sight is None:
        return ()
    seen_keys = select(KEY + keys.c.name).where(*in_sight(sight, keys.c.user, keys.c.project))
    projects = [PROJECT + one for one in sight.projects]
    return (
        or_(
            subject == USER + sight.user,
            subject.in_(seen_keys),
            subject.in_(projects) if projects else false(),
        ),
    )


async def sees_subject(unit: Unit, sight: Sight | None, subject: str) -> bool:
    """Return whether what belongs to a subject may be seen."""
    if sight is None or subject == USER + sight.user:
        return True
    if subject.startswith(PROJECT):
        return subject.removeprefix(PROJECT) in sight.projects
    seen = in_sight(sight, keys.c.user, keys.c.project)
    return subject.startswith(KEY) and await _is_key(unit, subject, *seen)


async def manages_subject(unit: Unit, projects: tuple[str, ...], subject: str) -> bool:
    """Return whether a subject is one of these projects, or a key of one of them."""
    if subject.startswith(PROJECT):
        return subject.removeprefix(PROJECT) in projects
    return subject.startswith(KEY) and await _is_key(unit, subject, keys.c.project.in_(projects))


async def _is_key(unit: Unit, subject: str, *conditions: ColumnElement[bool]) -> bool:
    named = keys.c.name == subject.removeprefix(KEY)
    found = await unit.connection.execute(select(true()).where(named, *conditions).limit(1))
    return found.first() is not None
