"""Who signs in to the control plane, and is that their password?

Argon2 takes about 50 ms of a core by design: call `hash_password` and `verify_password` on a
thread.
"""

from enum import StrEnum

import msgspec
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from tollbridge.core.errors import InvalidRequestError

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 1024

_HASH = PasswordHash((Argon2Hasher(),))
# Of a random password that nobody knows: verified where there is no user, so that a name that
# does not exist takes as long as one that does.
_NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$GC/wA/wJFsLnrvof4CHamA"
    "$8hQnHcoqtOWpF2vypImgN6RdlK1jKBULNMxJ/p4aG+w"
)


class Role(StrEnum):
    """What a user may do."""

    ADMIN = "admin"
    MEMBER = "member"


class UserRow(msgspec.Struct, frozen=True):
    """A user as the control plane shows them: everything but the password's hash."""

    user_id: str
    name: str
    role: Role
    created_at_us: int


class UserSecret(msgspec.Struct, frozen=True):
    """A user with what is needed to verify a password."""

    user: UserRow
    password_hash: str | None

    def __repr__(self) -> str:
        """Show the user and never the hash."""
        return f"UserSecret({self.user!r})"


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
