from typing import Any

import pytest

from tollbridge.metering.charge import charge_in_headers, reported_charge


@pytest.mark.parametrize(
    ("provider", "raw", "charge"),
    [
        ("openrouter", {"cost": 0.0000113}, "0.0000113"),
        ("openrouter", {"cost": 0}, "0"),
        ("openrouter", {"cost": "0.25"}, "0.25"),
        ("xai", {"cost_in_usd_ticks": 1_176_500}, "0.0001176500"),
        ("xai", {"cost_in_usd_ticks": 1}, "0.0000000001"),
        ("runware", {"cost": "0.0006"}, "0.0006"),
    ],
)
def test_a_reported_charge_is_taken_to_the_last_digit(
    provider: str, raw: dict[str, Any], charge: str
) -> None:
    assert reported_charge(provider, raw) == (charge, None)


@pytest.mark.parametrize(
    "cost",
    [-0.01, "NaN", "sNaN", "Infinity", "1e-999999", 10**400, True, "much", [], "1" * 41],
)
def test_what_is_no_charge_is_refused(cost: object) -> None:
    assert reported_charge("openrouter", {"cost": cost}) == (None, "charge_refused")


@pytest.mark.parametrize("ticks", [-1, 1.5, "5", True, 10**400])
def test_what_is_no_number_of_ticks_is_refused(ticks: object) -> None:
    assert reported_charge("xai", {"cost_in_usd_ticks": ticks}) == (None, "charge_refused")


@pytest.mark.parametrize("details", [None, {}, {"upstream_inference_cost": None}])
def test_a_fee_alone_is_not_the_charge(details: object) -> None:
    raw = {"cost": 0.1, "is_byok": True, "cost_details": details}
    assert reported_charge("openrouter", raw) == (None, "charge_incomplete")


@pytest.mark.parametrize(
    ("provider", "headers", "said"),
    [
        ("aimlapi", {"x-aimlapi-usd-spent": "0.001240000"}, ("0.001240000", None)),
        ("aimlapi", {"x-aimlapi-usd-spent": "much"}, (None, "charge_refused")),
        ("aimlapi", {}, (None, None)),
        ("somebody", {"x-aimlapi-usd-spent": "1"}, (None, None)),
    ],
)
def test_what_a_header_says_was_charged_is_taken_of_who_says_dollars(
    provider: str, headers: dict[str, str], said: tuple[str | None, str | None]
) -> None:
    assert charge_in_headers(provider, headers) == said


def test_the_same_field_of_another_provider_is_not_money() -> None:
    assert reported_charge("somebody", {"cost": 5, "cost_in_usd_ticks": 5}) == (None, None)
