"""Is an endpoint worth asking now?

A circuit breaker per endpoint: closed while it serves, open for a while after failures, then
half-open, which lets one probe through. An open breaker only moves an endpoint to the end of the
plan; where nothing else is left it is asked all the same.
"""

from collections.abc import Set as AbstractSet
from enum import StrEnum

import msgspec

from tollbridge.core.call import ErrorClass
from tollbridge.core.clock import Clock
from tollbridge.routing.speeds import Speeds

# The account is at fault, and the next call would meet the same.
_AT_ONCE = frozenset(
    {ErrorClass.AUTHENTICATION, ErrorClass.PERMISSION, ErrorClass.INSUFFICIENT_FUNDS},
)
# The call is at fault; the endpoint answered as it should.
_ANSWERED = frozenset(
    {
        ErrorClass.INVALID_REQUEST,
        ErrorClass.CONTEXT_LENGTH,
        ErrorClass.UNSUPPORTED_PARAMETER,
        ErrorClass.NOT_FOUND,
        ErrorClass.CONTENT_FILTERED,
    },
)
# The endpoint may say itself when to come back.
_WITH_HINT = frozenset({ErrorClass.RATE_LIMITED, ErrorClass.OVERLOADED})


# Whether these have passed can be seen without a call that costs anything.
_PROBED = frozenset(
    {
        ErrorClass.OVERLOADED,
        ErrorClass.UPSTREAM_ERROR,
        ErrorClass.MALFORMED_ANSWER,
        ErrorClass.STREAM_ERROR,
        ErrorClass.CONNECT,
        ErrorClass.TIMEOUT,
        ErrorClass.BROKEN_CONNECTION,
    },
)


class Breaker(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The knobs of all breakers."""

    failures_to_open: int = 5
    """So many failures in a row open a breaker."""
    breaker_open_s: float = 30.0
    """So long it stays open, and so long a probe may take before the next one."""
    retry_after_s_max: float = 300.0
    """A provider's own hint is honoured up to this."""


class BreakerReport(msgspec.Struct, frozen=True):
    """One breaker as people see it."""

    endpoint: str
    state: Breaker
    failures: int
    """In a row."""
    error_class: ErrorClass | None = None
    """Of the last failure."""
    reopens_in_s: float = 0.0
    """Until a probe is let through."""


class _Opened(msgspec.Struct):
    until_s: float
    error_class: ErrorClass


class Health:
    """The breakers of one process, with its own view of what serves."""

    __slots__ = ("_clock", "_failures", "_opened", "_settings", "_speeds")

    def __init__(self, clock: Clock, settings: BreakerSettings | None = None) -> None:
        self._clock = clock
        self._settings = settings or BreakerSettings()
        self._failures: dict[str, int] = {}
        self._opened: dict[str, _Opened] = {}
        self._speeds = Speeds()

    @property
    def troubled(self) -> AbstractSet[str]:
        """The endpoints whose breaker is not closed."""
        return self._opened.keys()

    def state(self, endpoint: str) -> Breaker:
        """Return where an endpoint's breaker stands; one that was never seen is closed."""
        opened = self._opened.get(endpoint)
        if opened is None:
            return Breaker.CLOSED
        if self._clock.monotonic_s() < opened.until_s:
            return Breaker.OPEN
        return Breaker.HALF_OPEN

    def began(self, endpoint: str) -> None:
        """Say that an attempt begins: where half-open it is the probe, and others hold back."""
        opened = self._opened.get(endpoint)
        if opened is not None and self.state(endpoint) is Breaker.HALF_OPEN:
            # A probe that never reports back must not keep the breaker open for ever.
            opened.until_s = self._clock.monotonic_s() + self._settings.breaker_open_s

    def succeeded(self, endpoint: str) -> None:
        """Say that an endpoint served: its breaker closes."""
        # Nothing to remove on nearly every call: two look-ups in empty dicts.
        if self._failures:
            self._failures.pop(endpoint, None)
        if self._opened:
            self._opened.pop(endpoint, None)

    def failed(
        self,
        endpoint: str,
        error_class: ErrorClass,
        retry_after_s: float | None = None,
    ) -> None:
        """Say why an endpoint did not serve.

        Five failures in a row open its breaker; a fault of our account, a failed probe, or the
        provider's own wish to be left alone for `retry_after_s`, open it at once. A fault of the
        call's own counts as an answer.
        """
        if error_class in _ANSWERED:
            self.succeeded(endpoint)
            return
        failures = self._failures.get(endpoint, 0) + 1
        self._failures[endpoint] = failures
        open_s = self._settings.breaker_open_s
        hinted = error_class in _WITH_HINT and retry_after_s is not None and retry_after_s > 0
        if hinted and retry_after_s is not None:
            open_s = min(retry_after_s, self._settings.retry_after_s_max)
        if (
            hinted
            or error_class in _AT_ONCE
            or endpoint in self._opened
            or failures >= self._settings.failures_to_open
        ):
            until_s = self._clock.monotonic_s() + open_s
            self._opened[endpoint] = _Opened(until_s, error_class)

    def took(self, endpoint: str, model: str, first_byte_s: float) -> None:
        """Say how long an attempt took to its first byte, in seconds."""
        self._speeds.took(endpoint, model, first_byte_s)

    def first_byte_s(self, endpoint: str, model: str) -> float | None:
        """Return about how long a first byte takes of late, None where nothing is known yet."""
        return self._speeds.first_byte_s(endpoint, model)

    def to_probe(self) -> list[str]:
        """Return the endpoints whose breaker is open for a reason that a look may find gone."""
        return [
            endpoint
            for endpoint, opened in self._opened.items()
            if opened.error_class in _PROBED and self.state(endpoint) is Breaker.OPEN
        ]

    def answers_again(self, endpoint: str) -> None:
        """Say that an endpoint was seen to answer: the next call that comes may try it."""
        opened = self._opened.get(endpoint)
        if opened is not None:
            opened.until_s = min(opened.until_s, self._clock.monotonic_s())

    def report(self) -> list[BreakerReport]:
        """Return all endpoints that failed since they last served, by name."""
        now_s = self._clock.monotonic_s()
        reports: list[BreakerReport] = []
        for endpoint, failures in sorted(self._failures.items()):
            opened = self._opened.get(endpoint)
            reports.append(
                BreakerReport(
                    endpoint=endpoint,
                    state=self.state(endpoint),
                    failures=failures,
                    error_class=None if opened is None else opened.error_class,
                    reopens_in_s=0.0 if opened is None else max(0.0, opened.until_s - now_s),
                ),
            )
        return reports
