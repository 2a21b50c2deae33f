"""Which keys may somebody who is no admin make for themselves? Pure.

A further key must not get around what holds the keys that others gave them: their projects, their
scopes, their ends, and limits that stand on a key alone. What stands on the user or the project
holds every key of theirs anyhow.
"""

from collections.abc import Sequence

import msgspec

from tollbridge.access.keys import KeyTerms, Scope
from tollbridge.core.errors import ConflictError, PermissionDeniedError

OWN_SCOPES = frozenset({Scope.CALL.value, Scope.READ.value})
FIRST_PROJECT = "default"
"""Of the first key of somebody whom nobody has given one."""
OWN_KEYS_MAX = 1000
"""Ever, of one user: of more it is not looked which limits another key would get around."""


class MemberKeys(msgspec.Struct, frozen=True):
    """What this installation lets members do."""

    may_mint: bool = False
    keys_max: int = 10
    """In force at once, of one user, whoever made them."""


class OwnKey(msgspec.Struct, frozen=True):
    """A key of the user, also one that has ended."""

    terms: KeyTerms
    in_force: bool
    has_budget: bool
    """Whether a budget stands on this key alone."""

    @property
    def is_limited(self) -> bool:
        """Whether something holds this key that would not hold another one."""
        terms = self.terms
        limits = (terms.calls_per_minute, terms.concurrent_calls)
        return self.has_budget or any(limit is not None for limit in limits)


def require_own_scopes(scopes: Sequence[str]) -> None:
    """Raise PermissionDeniedError for a key that could do more than call and read."""
    if not OWN_SCOPES.issuperset(scopes):
        raise PermissionDeniedError("a key of one's own has the scopes call and read at most")


def require_mintable(wanted: KeyTerms, own: Sequence[OwnKey], allowed: MemberKeys) -> None:
    """Raise PermissionDeniedError or ConflictError where somebody may not make themselves a key.

    `own` are all keys that they ever had.
    """
    if not allowed.may_mint:
        raise PermissionDeniedError("an admin, or a manager of the project, makes keys here")
    require_own_scopes(wanted.scopes)
    if len(own) >= OWN_KEYS_MAX:
        raise ConflictError(f"you have had {OWN_KEYS_MAX} keys: an admin makes the next one")
    in_force = [one for one in own if one.in_force]
    if len(in_force) >= allowed.keys_max:
        raise ConflictError(
            f"you have {len(in_force)} keys in force, and {allowed.keys_max} are allowed"
        )
    project = wanted.project
    if project not in ({one.terms.project for one in in_force} if own else {FIRST_PROJECT}):
        raise PermissionDeniedError(
            f"you have no key in force of the project {project!r}: whoever manages it makes one"
        )
    # Ended ones too: else whoever ends a limited key could make one without its limit.
    if any(one.is_limited for one in own if one.terms.project == project):
        raise PermissionDeniedError(
            f"a key of yours in the project {project!r} has limits of its own, which another one "
            "would get around"
        )
    ends = [one.terms.expires_at_us for one in in_force if one.terms.project == project]
    last_us = max((end for end in ends if end is not None), default=None)
    if ends and None not in ends and last_us is not None:
        wanted_us = wanted.expires_at_us
        if wanted_us is None or wanted_us > last_us:
            raise PermissionDeniedError(
                "your keys of this project all end: another one ends no later than they do"
            )
