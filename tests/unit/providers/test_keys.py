"""Several keys of one endpoint: whose turn is it, and who rests?"""

from collections import Counter

import pytest

from tollbridge.core.call import ErrorClass
from tollbridge.core.clock import ManualClock
from tollbridge.core.plan import Endpoint, ProviderKey
from tollbridge.providers.keys import KeyRing, KeySettings, credential

SETTINGS = KeySettings(cooldown_s=60, cooldown_s_max=100, out_s=300)


def with_keys(*names: str, suffix: str = "") -> Endpoint:
    keys = tuple(ProviderKey(name, f"secret {name}{suffix}") for name in names)
    return Endpoint("e", "p", "openai", "http://h", keys[0].secret if keys else "", keys=keys)


THREE = with_keys("a", "b", "c")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ring(clock: ManualClock) -> KeyRing:
    return KeyRing(clock, SETTINGS)


def turns(ring: KeyRing, endpoint: Endpoint = THREE, count: int = 6) -> str:
    return "".join(str(ring.choose(endpoint)[0]) for _ in range(count))


def test_keys_take_turns(ring: KeyRing) -> None:
    assert turns(ring) == "abcabc"
    assert ring.choose(THREE) == ("a", "secret a")


def test_a_single_key_has_no_name_and_no_turn(ring: KeyRing) -> None:
    assert ring.choose(with_keys("a")) == (None, "secret a")
    assert ring.choose(with_keys()) == (None, "")


def test_a_rate_limited_key_rests_as_long_as_it_was_asked_to(
    ring: KeyRing, clock: ManualClock
) -> None:
    assert ring.failed(THREE, "b", ErrorClass.RATE_LIMITED, 20)
    assert "b" not in turns(ring)
    clock.advance(19.9)
    assert "b" not in turns(ring)
    clock.advance(0.1)
    assert Counter(turns(ring)) == {"a": 2, "b": 2, "c": 2}


@pytest.mark.parametrize(("asked_s", "rests_s"), [(None, 60), (1000, 100), (5, 5)])
def test_the_rest_after_a_rate_limit_has_a_default_and_a_bound(
    ring: KeyRing, clock: ManualClock, asked_s: float | None, rests_s: float
) -> None:
    ring.failed(THREE, "a", ErrorClass.RATE_LIMITED, asked_s)
    clock.advance(rests_s - 0.1)
    assert "a" not in turns(ring)
    clock.advance(0.1)
    assert "a" in turns(ring)


@pytest.mark.parametrize(
    "error_class",
    [ErrorClass.AUTHENTICATION, ErrorClass.PERMISSION, ErrorClass.INSUFFICIENT_FUNDS],
)
def test_a_refused_key_is_out_for_minutes_or_until_it_is_changed(
    ring: KeyRing, clock: ManualClock, error_class: ErrorClass
) -> None:
    ring.failed(THREE, "a", error_class, 1)
    clock.advance(299)
    assert "a" not in turns(ring)
    changed = with_keys("a", "b", "c", suffix=" anew")
    assert "a" in turns(ring, changed)
    ring.failed(THREE, "a", error_class)
    clock.advance(300)
    assert "a" in turns(ring)


def test_the_last_key_that_rests_says_that_none_is_ready(ring: KeyRing, clock: ManualClock) -> None:
    assert ring.failed(THREE, "a", ErrorClass.RATE_LIMITED, 30)
    assert ring.failed(THREE, "b", ErrorClass.AUTHENTICATION)
    assert not ring.failed(THREE, "c", ErrorClass.RATE_LIMITED, 50)
    assert ring.ready_in_s(THREE) == 30
    assert turns(ring) == "aaaaaa", "the one that is ready first is asked if it must be"
    clock.advance(30)
    assert ring.ready_in_s(THREE) == 0


@pytest.mark.parametrize(
    "error_class", [ErrorClass.UPSTREAM_ERROR, ErrorClass.TIMEOUT, ErrorClass.OVERLOADED]
)
def test_what_is_no_fault_of_a_key_lets_none_rest(ring: KeyRing, error_class: ErrorClass) -> None:
    assert not ring.failed(THREE, "a", error_class)
    assert turns(ring) == "abcabc"


def test_a_key_that_serves_does_not_rest(ring: KeyRing) -> None:
    ring.failed(THREE, "a", ErrorClass.RATE_LIMITED, 30)
    ring.succeeded(THREE, "a")
    assert "a" in turns(ring)


def test_who_rests_is_told_by_name_with_the_reason_and_never_with_the_key(
    ring: KeyRing, clock: ManualClock
) -> None:
    ring.failed(THREE, "b", ErrorClass.INSUFFICIENT_FUNDS)
    clock.advance(100)
    (report,) = ring.report()
    assert (report.endpoint, report.key, report.ready_in_s) == ("e", "b", 200)
    assert report.error_class is ErrorClass.INSUFFICIENT_FUNDS
    assert "secret" not in repr(report)
    assert "secret" not in repr(THREE.keys)
    clock.advance(200)
    assert ring.report() == []


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ("bearer", ((b"authorization", b"Bearer k"),)),
        ("key", ((b"authorization", b"Key k"),)),
        ("x-api-key", ((b"x-api-key", b"k"),)),
        ("x-goog-api-key", ((b"x-goog-api-key", b"k"),)),
        ("api-key", ((b"api-key", b"k"),)),
        ("xi-api-key", ((b"xi-api-key", b"k"),)),
        ("none", ()),
    ],
)
def test_a_key_goes_into_the_header_that_the_provider_reads(
    auth: str, header: tuple[tuple[bytes, bytes], ...]
) -> None:
    assert credential(auth, "k") == header
    assert credential(auth, "") == ()
