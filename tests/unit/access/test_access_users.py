import pytest

from tollbridge.access.users import (
    Role,
    UserRow,
    UserSecret,
    hash_password,
    verify_password,
)
from tollbridge.core.errors import InvalidRequestError

USER = UserRow("id", "admin", Role.ADMIN, 0)


def test_a_password_verifies_against_its_own_hash_only() -> None:
    secret = UserSecret(USER, hash_password("correct horse"))
    assert verify_password("correct horse", secret)
    assert not verify_password("correct mouse", secret)
    assert secret.password_hash is not None
    assert secret.password_hash.startswith("$argon2id$")
    assert secret.password_hash not in repr(secret)


def test_nobody_and_a_user_without_a_password_never_verify() -> None:
    assert not verify_password("correct horse", None)
    assert not verify_password("correct horse", UserSecret(USER, None))
    assert not verify_password("correct horse", UserSecret(USER, "not a hash"))


@pytest.mark.parametrize("password", ["short", "x" * 1025])
def test_a_password_too_short_or_too_long_is_refused(password: str) -> None:
    with pytest.raises(InvalidRequestError):
        hash_password(password)


def test_a_password_too_long_is_wrong_without_being_hashed() -> None:
    assert not verify_password("x" * 10_000_000, None)
