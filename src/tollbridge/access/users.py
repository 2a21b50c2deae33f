"""Who signs in to the control plane, and is that their password?

Argon2 takes about 50 ms of a core by design: call `hash_password` and `verify_password` on a
thread.
"""

from enum import StrEnum
from typing import Any

import msgspec
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from tollbridge.access.keys import check_name
from tollbridge.core.errors import AuthenticationError, InvalidRequestError

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 1024
PROJECTS_MAX = 100

_HASH = PasswordHash((Argon2Hasher(),))
# Of a random password that nobody knows: verified where there is no user, so that a name that
# does not exist takes as long as one that does.
_NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$GC/wA/wJFsLnrvof4CHamA"
    "$8hQnHcoqtOWpF2vypImgN6RdlK1jKBULNMxJ/p4aG+w"
)


class Role(StrEnum):
    """What a user may do."""

    ADMIN = "admin"  # everything
    MANAGER = "manager"  # sees and edits what belongs to the projects named beside it
    MEMBER = "member"  # sees what is their own


class UserTerms(msgspec.Struct, frozen=True):
    """What an admin says of a user."""

    name: str
    role: Role = Role.MEMBER
    projects: tuple[str, ...] = ()
    """Which projects a manager manages; kept, and of no effect, for the other roles."""


class UserRow(msgspec.Struct, frozen=True):
    """A user as the control plane shows them: everything but the password's hash."""

    user_id: str
    name: str
    role: Role
    created_at_us: int
    projects: tuple[str, ...] = ()
    disabled_at_us: int | None = None
    has_password: bool = False
    is_linked: bool = False
    """Whether they sign in with the OIDC provider."""
    signed_out_at_us: int | None = None
    """What was issued before is worth nothing."""

    def state(self) -> dict[str, Any]:
        """Return what the audit log says of them."""
        return {
            "role": self.role.value,
            "projects": list(self.projects),
            "disabled": self.disabled_at_us is not None,
            "has_password": self.has_password,
            "linked": self.is_linked,
        }

    def accepts(self, issued_at_us: int) -> bool:
        """Return whether what was issued to them at that moment still speaks for them."""
        signed_out_at_us = self.signed_out_at_us
        return self.disabled_at_us is None and (
            signed_out_at_us is None or issued_at_us >= signed_out_at_us
        )

    def require_unchanged(self, known: "UserRow") -> None:
        """Raise AuthenticationError where whoever was recognised as `known` may not come in now.

        Their password may have been replaced, or they disabled, since `known` was read.
        """
        if self.disabled_at_us is not None:
            raise AuthenticationError("this user is disabled")
        if self.signed_out_at_us != known.signed_out_at_us:
            raise AuthenticationError("this user was signed out meanwhile; sign in again")


class UserSecret(msgspec.Struct, frozen=True):
    """A user with what is needed to verify a password."""

    user: UserRow
    password_hash: str | None

    def __repr__(self) -> str:
        """Show the user and never the hash."""
        return f"UserSecret({self.user!r})"


def check_projects(projects: tuple[str, ...]) -> None:
    """Raise InvalidRequestError for too many projects, or one that cannot be named."""
    if len(projects) > PROJECTS_MAX or len(set(projects)) < len(projects):
        raise InvalidRequestError(
            f"a user manages at most {PROJECTS_MAX} projects, each named once",
            details={"param": "projects"},
        )
    for project in projects:
        check_name(project)


def hash_password(password: str) -> str:
    """Return the Argon2id hash of a password.

    Raises InvalidRequestError for one of under 8 or over 1,024 characters.
    """
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise InvalidRequestError(
            f"a password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters",
            details={"param": "password"},
        )
    return _HASH.hash(password)


def verify_password(password: str, secret: UserSecret | None) -> bool:
    """Return whether this is the user's password; as slow for a user who does not exist."""
    if len(password) > PASSWORD_LENGTH_MAX:
        return False
    known = None if secret is None else secret.password_hash
    try:
        matches = _HASH.verify(password, known or _NOBODY)
    except UnknownHashError:
        return False
    return matches and known is not None
