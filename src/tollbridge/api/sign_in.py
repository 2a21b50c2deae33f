"""Is this their password, and how often may somebody guess?

Attempts are counted by user name, in memory, within a bound; Argon2 takes 64 MiB and 50 ms each
time, so that only a few are worked on at once.
"""

import asyncio
from collections import OrderedDict

import msgspec

from tollbridge.access.user_store import find_user
from tollbridge.access.users import UserRow, verify_password
from tollbridge.api.errors import WrongCredentialsError
from tollbridge.core.clock import Clock
from tollbridge.core.errors import OverloadedError, RateLimitedError
from tollbridge.storage.unit import Database


class SignInLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How often somebody may guess."""

    attempts_max: int = 10
    """Failed attempts in a row for one name, before it must wait."""
    attempt_s: float = 30.0
    """Time after which one more attempt is allowed."""
    names_max: int = 10_000
    """Names remembered; the one that was tried least recently is forgotten."""
    verifying_max: int = 2
    waiting_max: int = 64


class SignIn:
    """Verifies passwords."""

    def __init__(self, database: Database, clock: Clock, limits: SignInLimits) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits
        # Name → when all its attempts will be forgiven. Each attempt adds `attempt_s`.
        self._forgiven_at_s: OrderedDict[str, float] = OrderedDict()
        self._verifying = asyncio.Semaphore(limits.verifying_max)
        self._waiting = 0

    async def verify(self, name: str, password: str) -> UserRow:
        """Return the user whose password this is.

        Raises WrongCredentialsError, RateLimitedError after too many failures, OverloadedError.
        """
        self._count(name)
        async with self._database.read() as unit:
            secret = await find_user(unit, name)
        if self._waiting >= self._limits.waiting_max:
            raise OverloadedError("too many sign-ins at once", retry_after_s=1)
        self._waiting += 1
        try:
            async with self._verifying:
                matches = await asyncio.to_thread(verify_password, password, secret)
        finally:
            self._waiting -= 1
        if not matches or secret is None or secret.user.disabled_at_us is not None:
            raise WrongCredentialsError("the user name or the password is wrong")
        self._forgiven_at_s.pop(name, None)
        return secret.user

    def _count(self, name: str) -> None:
        # Before the password is looked at, so that many guesses at once are no way around.
        now_s = self._clock.monotonic_s()
        limits = self._limits
        forgiven_at_s = max(now_s, self._forgiven_at_s.pop(name, now_s)) + limits.attempt_s
        excess_s = forgiven_at_s - now_s - limits.attempts_max * limits.attempt_s
        if excess_s > 0:
            self._forgiven_at_s[name] = forgiven_at_s - limits.attempt_s
            raise RateLimitedError(
                "too many attempts for this user; wait a moment", retry_after_s=excess_s
            )
        self._forgiven_at_s[name] = forgiven_at_s
        if len(self._forgiven_at_s) > limits.names_max:
            self._forgiven_at_s.popitem(last=False)
