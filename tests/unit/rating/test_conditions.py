from typing import Any

import pytest

from tollbridge.core.errors import ConfigurationError
from tollbridge.rating.conditions import (
    Condition,
    as_mapping,
    canonical,
    check_known,
    in_hours,
    parse,
)


def test_conditions_are_kept_in_one_form_however_they_are_given() -> None:
    given = {"size": "1024x1024", "input_above": 200_000, "audio": True, "zone": "UTC"}
    text = canonical("p", {**given, "hours": "22:00-06:00"})
    assert text == (
        '{"audio":"true","hours":"22:00-06:00","input_above":"200000","size":"1024x1024"}'
    )
    assert canonical("p", as_mapping(text)) == text
    assert (canonical("p", {}), as_mapping("")) == ("", {})


def test_facts_and_rules_are_told_apart() -> None:
    text = canonical(
        "p",
        {
            "service_tier": "flex",
            "input_above": "128000",
            "graduated_above": 5,
            "hours": "23:30-00:15",
            "zone": "Europe/Berlin",
        },
    )
    assert parse(text) == Condition(
        facts=(("service_tier", "flex"),),
        group='{"service_tier":"flex"}',
        input_above=128_000,
        graduated_above=5,
        hours=(23 * 60 + 30, 15),
        zone="Europe/Berlin",
    )


@pytest.mark.parametrize(
    ("conditions", "field"),
    [
        ({"input_above": "-1"}, "input_above"),
        ({"input_above": "200k"}, "input_above"),
        ({"input_above": 10**13}, "input_above"),
        ({"graduated_above": "01"}, "graduated_above"),
        ({"hours": "8:00-9:00"}, "hours"),
        ({"hours": "08:00-25:00"}, "hours"),
        ({"hours": "08:00-08:00"}, "hours"),
        ({"hours": "08:00-09:00", "zone": "Europe/Atlantis"}, "zone"),
        ({"hours": "08:00-09:00", "zone": "../etc/passwd"}, "zone"),
        ({"zone": "Europe/Berlin"}, "zone"),
        ({"Size": "1"}, "Size"),
        ({"size": ""}, "size"),
        ({"size": "x" * 101}, "size"),
        ({"size": 0.5}, "size"),
        ({"size": "a\nb"}, "size"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_name(
    conditions: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^price p/m: input\.{field}: "):
        canonical("price p/m: input", conditions)


def test_a_condition_that_no_call_meets_is_refused_with_those_that_there_are() -> None:
    check_known("p", {"service_tier": "flex", "input_above": "5"})
    with pytest.raises(ConfigurationError, match=r"^p\.service_teir: .*service_tier"):
        check_known("p", {"service_teir": "flex"})


def test_too_many_conditions_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="at most 8"):
        canonical("p", {f"key{number}": "x" for number in range(9)})


@pytest.mark.parametrize("text", ["{}", '{"b":"1","a":"2"}', '{"a": "1"}', "[1]", '{"a":1}', "x"])
def test_a_text_that_is_not_canonical_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="conditions"):
        parse(text)


def test_a_window_is_half_open_and_may_cross_midnight() -> None:
    night, day = (22 * 60, 6 * 60), (8 * 60, 20 * 60)
    minutes = (0, 359, 360, 479, 480, 1199, 1200, 1319, 1320, 1439)
    assert [in_hours(night, minute) for minute in minutes] == [
        *(True, True, False, False, False),
        *(False, False, False, True, True),
    ]
    assert [in_hours(day, minute) for minute in (479, 480, 1199, 1200)] == [
        False,
        True,
        True,
        False,
    ]
