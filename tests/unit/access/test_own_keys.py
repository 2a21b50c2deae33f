"""What somebody makes for themselves does no more than what they were given."""

import pytest

from tollbridge.access.keys import KeyTerms
from tollbridge.access.own_keys import (
    OWN_KEYS_MAX,
    MemberKeys,
    OwnKey,
    require_mintable,
)
from tollbridge.core.errors import ConflictError, PermissionDeniedError

ALLOWED = MemberKeys(may_mint=True, keys_max=3)


def wanted(project: str = "default", *scopes: str, end: int | None = None) -> KeyTerms:
    return KeyTerms("new", "ben", project, scopes=scopes or ("call",), expires_at_us=end)


def given(
    project: str = "default",
    *,
    in_force: bool = True,
    has_budget: bool = False,
    calls: int | None = None,
    end: int | None = None,
) -> OwnKey:
    terms = KeyTerms("given", "ben", project, calls_per_minute=calls, expires_at_us=end)
    return OwnKey(terms, in_force, has_budget)


def test_nobody_makes_a_key_where_it_is_not_allowed() -> None:
    with pytest.raises(PermissionDeniedError, match="an admin"):
        require_mintable(wanted(), [given()], MemberKeys())


def test_a_key_of_ones_own_is_made_for_the_projects_that_one_has_keys_of() -> None:
    require_mintable(wanted("shop", "call", "read"), [given("shop")], ALLOWED)
    for own in ([given()], [given("shop", in_force=False)], []):
        with pytest.raises(PermissionDeniedError, match="no key in force"):
            require_mintable(wanted("shop"), own, ALLOWED)


def test_who_had_more_keys_than_are_looked_at_makes_none() -> None:
    ended = [given(in_force=False)] * (OWN_KEYS_MAX - 2)
    require_mintable(wanted(), [given(), *ended], ALLOWED)
    with pytest.raises(ConflictError, match="an admin"):
        require_mintable(wanted(), [given(), *ended, given(in_force=False)], ALLOWED)


def test_the_first_key_of_somebody_new_is_of_the_default_project() -> None:
    require_mintable(wanted(), [], ALLOWED)


@pytest.mark.parametrize("scope", ["admin", "intake"])
def test_it_calls_and_reads_at_most(scope: str) -> None:
    with pytest.raises(PermissionDeniedError, match="call and read"):
        require_mintable(wanted("default", "call", scope), [given()], ALLOWED)


@pytest.mark.parametrize(
    "limited",
    [given(calls=60), given(has_budget=True), given(calls=60, in_force=False)],
    ids=["calls", "budget", "one that has ended"],
)
def test_a_limit_that_stands_on_one_key_is_not_got_around_by_another(limited: OwnKey) -> None:
    with pytest.raises(PermissionDeniedError, match="limits of its own"):
        require_mintable(wanted(), [given(), limited], ALLOWED)


def test_a_limit_in_another_project_is_no_matter() -> None:
    require_mintable(wanted("shop"), [given("shop"), given(calls=60)], ALLOWED)


def test_it_ends_no_later_than_the_last_of_them() -> None:
    own = [given(end=100), given(end=200)]
    require_mintable(wanted(end=200), own, ALLOWED)
    for end in (201, None):
        with pytest.raises(PermissionDeniedError, match="no later"):
            require_mintable(wanted(end=end), own, ALLOWED)
    require_mintable(wanted(end=None), [own[0], given()], ALLOWED)


def test_there_are_no_more_in_force_than_allowed() -> None:
    own = [given() for _ in range(3)]
    with pytest.raises(ConflictError, match="3 are allowed"):
        require_mintable(wanted(), own, ALLOWED)
    require_mintable(wanted(), [*own[1:], given(in_force=False)], ALLOWED)
