"""Which of an endpoint's keys is used next, which ones rest, and in which header does a key go?

The keys of one endpoint take turns. One that was rate-limited rests as long as the provider asks;
one that is wrong or has no money left rests for some minutes, or until it is changed.
"""

from collections.abc import Callable, Mapping

import msgspec

from tollbridge.core.call import ErrorClass
from tollbridge.core.clock import Clock
from tollbridge.core.plan import Auth, Endpoint, ProviderKey

# What is said of a key, and not of the provider as a whole.
OUT = frozenset(
    {ErrorClass.AUTHENTICATION, ErrorClass.PERMISSION, ErrorClass.INSUFFICIENT_FUNDS},
)
KEY_FAULTS = OUT | {ErrorClass.RATE_LIMITED}

_HEADER_OF: Mapping[str, Callable[[bytes], tuple[bytes, bytes]]] = {
    Auth.BEARER: lambda secret: (b"authorization", b"Bearer " + secret),
    Auth.KEY: lambda secret: (b"authorization", b"Key " + secret),
    Auth.X_API_KEY: lambda secret: (b"x-api-key", secret),
    Auth.X_GOOG_API_KEY: lambda secret: (b"x-goog-api-key", secret),
    Auth.API_KEY: lambda secret: (b"api-key", secret),
    Auth.XI_API_KEY: lambda secret: (b"xi-api-key", secret),
}


def credential(auth: str, secret: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header that carries a key; nothing where there is no key, or none is wanted."""
    header = _HEADER_OF.get(auth)
    return () if header is None or not secret else (header(secret.encode()),)


class KeySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long a key rests."""

    cooldown_s: float = 60.0
    """After a rate limit for which the provider names no time."""
    cooldown_s_max: float = 300.0
    """A provider's own time is honoured up to this."""
    out_s: float = 300.0
    """After a refusal of the key itself, or of its account."""


class KeyReport(msgspec.Struct, frozen=True):
    """One key that rests, as people see it."""

    endpoint: str
    key: str
    """Its name."""
    error_class: ErrorClass
    ready_in_s: float


class _Rest(msgspec.Struct, frozen=True):
    secret: str
    until_s: float
    error_class: ErrorClass


class KeyRing:
    """Whose turn it is, per worker."""

    __slots__ = ("_clock", "_resting", "_settings", "_turns")

    def __init__(self, clock: Clock, settings: KeySettings | None = None) -> None:
        self._clock = clock
        self._settings = settings or KeySettings()
        self._turns: dict[str, int] = {}
        self._resting: dict[tuple[str, str], _Rest] = {}

    def choose(self, endpoint: Endpoint) -> tuple[str | None, str]:
        """Return name and secret of the key for the next attempt.

        The name is None where the endpoint has only one, the secret "" where it has none. Where
        all of them rest it is the one that is ready first.
        """
        keys = endpoint.keys
        if len(keys) < 2:
            return None, endpoint.api_key
        turn = self._turns.get(endpoint.name, 0)
        self._turns[endpoint.name] = turn + 1
        ready = keys if not self._resting else self._ready(endpoint)
        if ready:
            chosen = ready[turn % len(ready)]
        else:
            chosen = min(keys, key=lambda one: self._wait_s(endpoint.name, one))
        return chosen.name, chosen.secret

    def failed(
        self,
        endpoint: Endpoint,
        key: str | None,
        error_class: ErrorClass,
        retry_after_s: float | None = None,
    ) -> bool:
        """Say why a key did not serve; return whether another one of the endpoint is ready.

        False too where it was no fault of the key, or the endpoint has only one.
        """
        if key is None or error_class not in KEY_FAULTS:
            return False
        used = next((one for one in endpoint.keys if one.name == key), None)
        if used is None:
            return False
        settings = self._settings
        if error_class in OUT:
            rest_s = settings.out_s
        elif retry_after_s is None:
            rest_s = settings.cooldown_s
        else:
            rest_s = min(retry_after_s, settings.cooldown_s_max)
        until_s = self._clock.monotonic_s() + rest_s
        self._resting[endpoint.name, key] = _Rest(used.secret, until_s, error_class)
        return bool(self._ready(endpoint))

    def succeeded(self, endpoint: Endpoint, key: str | None) -> None:
        """Say that a key served: if it was thought to rest, it does not."""
        if key is not None and self._resting:
            self._resting.pop((endpoint.name, key), None)

    def ready_in_s(self, endpoint: Endpoint) -> float:
        """Return in how many seconds one of an endpoint's keys is ready; 0 where one is."""
        return min((self._wait_s(endpoint.name, one) for one in endpoint.keys), default=0.0)

    def report(self) -> list[KeyReport]:
        """Return the keys that rest now, by endpoint and name."""
        now_s = self._clock.monotonic_s()
        return [
            KeyReport(endpoint, key, rest.error_class, rest.until_s - now_s)
            for (endpoint, key), rest in sorted(self._resting.items(), key=lambda one: one[0])
            if rest.until_s > now_s
        ]

    def _ready(self, endpoint: Endpoint) -> tuple[ProviderKey, ...]:
        return tuple([one for one in endpoint.keys if self._wait_s(endpoint.name, one) <= 0])

    def _wait_s(self, endpoint: str, key: ProviderKey) -> float:
        rest = self._resting.get((endpoint, key.name))
        if rest is None:
            return 0.0
        wait_s = rest.until_s - self._clock.monotonic_s()
        if wait_s <= 0 or rest.secret != key.secret:
            # It has rested long enough, or is another key by the same name.
            del self._resting[endpoint, key.name]
            return 0.0
        return wait_s
