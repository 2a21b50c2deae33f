"""What people write about calls becomes a filter, or an error that says which word is wrong."""

from datetime import UTC
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tollbridge.core.errors import InvalidRequestError
from tollbridge.insight.log_filter import Asked, filter_as_asked, period_of, period_span
from tollbridge.insight.usage import CallFilter
from tollbridge.providers.names import load_names

NAMES = load_names()
HOUR_US = 3600 * 1_000_000
JANUARY_US = 1_767_225_600_000_000


def asked(plain: CallFilter | None = None, **words: str) -> CallFilter:
    return filter_as_asked(Asked(**words), plain or CallFilter(), NAMES, UTC)


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("wavespeed", CallFilter(provider="wavespeed")),
        ("WaveSpeed", CallFilter(provider="wavespeed")),
        ("video", CallFilter(provider="video")),
        ("mistral", CallFilter(provider="mistral")),
        ("huggingface", CallFilter(actual_provider="huggingface")),
        ("HuggingFace", CallFilter(actual_provider="huggingface")),
        ("x-ai", CallFilter(actual_provider="xai")),
        ("AI/ML API", CallFilter(actual_provider="aimlapi")),
        ("huggingface:groq", CallFilter(actual_provider="huggingface", upstream_provider="groq")),
        ("our-own", CallFilter(actual_provider="our-own")),
    ],
)
def test_a_provider_is_meant_by_any_of_its_names_or_by_a_bucket(
    provider: str, expected: CallFilter
) -> None:
    assert asked(provider=provider) == expected


def test_a_provider_may_be_given_beside_an_actual_one() -> None:
    """Both must hold: what google served of the bucket video."""
    found = asked(provider="video", actual_provider="Google")
    assert found == CallFilter(provider="video", actual_provider="google")


def test_an_upstream_provider_may_be_given_alone_or_beside_an_actual_one() -> None:
    assert asked(upstream_provider="x-ai") == CallFilter(upstream_provider="xai")
    found = asked(upstream_provider="groq", actual_provider="HuggingFace")
    assert found == CallFilter(actual_provider="huggingface", upstream_provider="groq")


def test_a_status_is_a_number_or_a_class() -> None:
    assert asked(status_code="404") == CallFilter(status_code=404)
    assert asked(status_code="5XX") == CallFilter(status_class="5xx")


@pytest.mark.parametrize("status", ["99", "600", "6xx", "4x", "2000", "ok", "٤٠٤"])
def test_what_is_no_status_is_refused(status: str) -> None:
    with pytest.raises(InvalidRequestError, match="404, or 1xx"):
        asked(status_code=status)


def test_a_month_begins_and_ends_in_the_billing_zone() -> None:
    zone = ZoneInfo("Europe/Berlin")
    from_us, to_us = period_span("2026-03", zone)
    assert to_us - from_us == (31 * 24 - 1) * HOUR_US
    assert [period_of(at_us, zone) for at_us in (from_us - 1, from_us, to_us - 1, to_us)] == [
        "2026-02",
        "2026-03",
        "2026-03",
        "2026-04",
    ]
    assert period_span("2026-12", UTC)[1] == period_span("2027-01", UTC)[0]


@pytest.mark.parametrize("period", ["2026", "2026-13", "2026-00", "1969-12", "26-01", "2026-1 "])
def test_what_is_no_month_is_refused(period: str) -> None:
    with pytest.raises(InvalidRequestError, match="2026-01"):
        asked(billing_period=period)


def test_a_month_and_a_span_must_both_hold() -> None:
    found = asked(CallFilter(from_us=JANUARY_US + HOUR_US), billing_period="2026-01")
    assert (found.from_us, found.to_us) == (JANUARY_US + HOUR_US, JANUARY_US + 31 * 24 * HOUR_US)


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="not before") as caught:
        asked(CallFilter(from_us=2, to_us=1))
    assert caught.value.details == {"param": "from"}


@pytest.mark.parametrize("word", ["", "x" * 257, "x" * 10_240, "a\0b", "a\nb", "\ud800"])
@pytest.mark.parametrize("name", ["model", "user", "key", "project", "served_model"])
def test_a_word_that_no_row_can_have_is_refused_by_its_name(name: str, word: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        filter_as_asked(Asked(), msgspec.structs.replace(CallFilter(), **{name: word}), NAMES, UTC)
    assert caught.value.details == {"param": name}
    assert len(caught.value.message) < 200
