import pytest

from tollbridge.core.call import ErrorClass
from tollbridge.core.clock import ManualClock
from tollbridge.routing.health import Breaker, BreakerSettings, Health

SETTINGS = BreakerSettings(failures_to_open=5, breaker_open_s=30, retry_after_s_max=100)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def health(clock: ManualClock) -> Health:
    return Health(clock, SETTINGS)


def fail(health: Health, times: int, error_class: ErrorClass = ErrorClass.UPSTREAM_ERROR) -> None:
    for _ in range(times):
        health.failed("a", error_class)


def test_five_failures_in_a_row_open_a_breaker(health: Health) -> None:
    fail(health, 4)
    assert health.state("a") is Breaker.CLOSED
    assert not health.troubled
    fail(health, 1)
    assert health.state("a") is Breaker.OPEN
    assert health.troubled == {"a"}
    assert health.state("b") is Breaker.CLOSED


def test_a_success_between_failures_begins_the_count_anew(health: Health) -> None:
    fail(health, 4)
    health.succeeded("a")
    fail(health, 4)
    assert health.state("a") is Breaker.CLOSED


@pytest.mark.parametrize(
    "error_class",
    [ErrorClass.AUTHENTICATION, ErrorClass.PERMISSION, ErrorClass.INSUFFICIENT_FUNDS],
)
def test_a_fault_of_our_account_opens_at_once(health: Health, error_class: ErrorClass) -> None:
    fail(health, 1, error_class)
    assert health.state("a") is Breaker.OPEN


@pytest.mark.parametrize(
    "error_class",
    [
        ErrorClass.INVALID_REQUEST,
        ErrorClass.CONTEXT_LENGTH,
        ErrorClass.UNSUPPORTED_PARAMETER,
        ErrorClass.NOT_FOUND,
        ErrorClass.CONTENT_FILTERED,
    ],
)
def test_a_fault_of_the_call_never_opens_a_breaker(
    health: Health,
    error_class: ErrorClass,
) -> None:
    fail(health, 100, error_class)
    assert health.state("a") is Breaker.CLOSED
    assert health.report() == []


def test_a_breaker_lets_one_probe_through_after_its_time(
    health: Health,
    clock: ManualClock,
) -> None:
    fail(health, 5)
    clock.advance(29.9)
    assert health.state("a") is Breaker.OPEN
    clock.advance(0.1)
    assert health.state("a") is Breaker.HALF_OPEN
    health.began("a")
    assert health.state("a") is Breaker.OPEN


def test_a_probe_that_serves_closes_and_one_that_fails_opens_again(
    health: Health,
    clock: ManualClock,
) -> None:
    fail(health, 5)
    clock.advance(30)
    health.began("a")
    fail(health, 1)
    clock.advance(29)
    assert health.state("a") is Breaker.OPEN
    clock.advance(1)
    health.began("a")
    health.succeeded("a")
    assert health.state("a") is Breaker.CLOSED
    assert not health.troubled


def test_a_probe_that_never_reports_back_is_followed_by_another(
    health: Health,
    clock: ManualClock,
) -> None:
    fail(health, 5)
    clock.advance(30)
    health.began("a")
    clock.advance(30)
    assert health.state("a") is Breaker.HALF_OPEN


def test_an_attempt_on_a_closed_or_open_breaker_is_no_probe(
    health: Health,
    clock: ManualClock,
) -> None:
    health.began("a")
    assert health.state("a") is Breaker.CLOSED
    fail(health, 5)
    clock.advance(20)
    health.began("a")
    clock.advance(10)
    assert health.state("a") is Breaker.HALF_OPEN


@pytest.mark.parametrize("error_class", [ErrorClass.RATE_LIMITED, ErrorClass.OVERLOADED])
def test_a_provider_that_says_when_to_come_back_is_left_alone_till_then(
    health: Health,
    clock: ManualClock,
    error_class: ErrorClass,
) -> None:
    health.failed("a", error_class, retry_after_s=7)
    clock.advance(6.9)
    assert health.state("a") is Breaker.OPEN
    clock.advance(0.2)
    assert health.state("a") is Breaker.HALF_OPEN


def test_a_hint_is_bounded_and_one_of_zero_is_none(health: Health, clock: ManualClock) -> None:
    health.failed("a", ErrorClass.RATE_LIMITED, retry_after_s=1e9)
    clock.advance(100)
    assert health.state("a") is Breaker.HALF_OPEN
    health.failed("b", ErrorClass.RATE_LIMITED, retry_after_s=0)
    assert health.state("b") is Breaker.CLOSED


def test_the_report_lists_what_failed_and_why(health: Health, clock: ManualClock) -> None:
    health.failed("b", ErrorClass.TIMEOUT)
    health.failed("a", ErrorClass.AUTHENTICATION)
    clock.advance(10)
    first, second = health.report()
    assert (first.endpoint, first.state, first.failures) == ("a", Breaker.OPEN, 1)
    assert (first.error_class, first.reopens_in_s) == (ErrorClass.AUTHENTICATION, 20)
    assert (second.endpoint, second.state, second.error_class) == ("b", Breaker.CLOSED, None)


def test_failures_in_a_row_open_a_breaker_however_far_apart_they_are(
    health: Health,
    clock: ManualClock,
) -> None:
    """Also where no two of them were under way at the same time."""
    for _ in range(4):
        health.began("a")
        fail(health, 1)
        clock.advance(100)
    assert health.state("a") is Breaker.CLOSED
    health.began("a")
    fail(health, 1)
    assert health.state("a") is Breaker.OPEN


@pytest.mark.parametrize(
    ("error_class", "is_worth_a_look"),
    [
        (ErrorClass.CONNECT, True),
        (ErrorClass.UPSTREAM_ERROR, True),
        (ErrorClass.INSUFFICIENT_FUNDS, False),
        (ErrorClass.RATE_LIMITED, False),
    ],
)
def test_a_look_is_worth_it_where_it_could_see_that_the_reason_has_gone(
    health: Health, error_class: ErrorClass, *, is_worth_a_look: bool
) -> None:
    fail(health, 5, error_class)
    assert health.to_probe() == (["a"] if is_worth_a_look else [])


def test_an_endpoint_that_was_seen_to_answer_is_half_open(health: Health) -> None:
    fail(health, 5, ErrorClass.CONNECT)
    health.answers_again("a")
    assert health.state("a") is Breaker.HALF_OPEN
    assert health.to_probe() == []
    health.answers_again("never seen")
    assert health.state("never seen") is Breaker.CLOSED
