from typing import Any

import pytest

from tollbridge.metering.extract import (
    COUNT_MAX,
    MERGE_FIELDS_MAX,
    extract,
    merge_usage,
    usage_of_answer,
)

USAGE = {"prompt_tokens": 1}
OTHER = {"prompt_tokens": 2}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"usage": USAGE}, USAGE),
        ({"usage": USAGE, "x_groq": {"usage": OTHER}}, USAGE),
        ({"usage": None, "x_groq": {"usage": OTHER}}, OTHER),
        ({"x_groq": {"id": "req"}}, None),
        ({"type": "response.completed", "response": {"usage": USAGE}}, USAGE),
        ({"response": {"usage": None}}, None),
        ({"response": "usage"}, None),
        ({"choices": [{"message": {"content": '{"usage": 1}'}}]}, None),
        ({"usage": 5}, None),
        ({"usage": []}, None),
        ([{"usage": USAGE}], None),
        ("usage", None),
        (None, None),
    ],
)
def test_the_usage_object_is_found_where_the_dialect_keeps_it(
    answer: object, found: dict[str, int] | None
) -> None:
    assert usage_of_answer("openai", answer) == found


def test_an_unknown_dialect_has_no_usage() -> None:
    assert usage_of_answer("morse", {"usage": USAGE}) is None
    assert extract("morse", USAGE, has_output=True) == ({}, ["dialect_unknown"])


def test_a_later_usage_replaces_field_by_field_and_null_never_overwrites() -> None:
    first = {"prompt_tokens": 5, "completion_tokens": 1, "details": {"cached": 3, "audio": 1}}
    later = {"prompt_tokens": None, "completion_tokens": 9, "details": {"cached": None, "new": 0}}
    assert merge_usage(first, later) == {
        "prompt_tokens": 5,
        "completion_tokens": 9,
        "details": {"cached": 3, "audio": 1, "new": 0},
    }


def test_merging_changes_neither_argument() -> None:
    first = {"details": {"cached": 3}}
    later = {"details": {"cached": 4}}
    merge_usage(first, later)
    assert (first, later) == ({"details": {"cached": 3}}, {"details": {"cached": 4}})


def test_the_first_usage_is_taken_as_it_is() -> None:
    assert merge_usage(None, {"prompt_tokens": None}) == {"prompt_tokens": None}


@pytest.mark.parametrize(("first", "later"), [({"a": {"b": 1}}, {"a": 2}), ({"a": 2}, {"a": {}})])
def test_where_the_shape_changes_the_later_one_counts(
    first: dict[str, Any], later: dict[str, Any]
) -> None:
    assert merge_usage(first, later) == later


def test_a_provider_cannot_fill_memory_with_ever_new_fields() -> None:
    merged: dict[str, Any] = {}
    for number in range(3 * MERGE_FIELDS_MAX):
        merged = merge_usage(merged, {f"field_{number}": 1, "field_0": number})
    assert len(merged) == MERGE_FIELDS_MAX
    assert merged["field_0"] == 3 * MERGE_FIELDS_MAX - 1


def test_objects_nested_deep_are_replaced_without_exhausting_the_stack() -> None:
    def nested(depth: int, leaf: int) -> dict[str, Any]:
        found: dict[str, Any] = {"leaf": leaf}
        for _ in range(depth):
            found = {"in": found}
        return found

    assert merge_usage(nested(5_000, 1), nested(5_000, 2))["in"] is not None


@pytest.mark.parametrize("value", [-1, COUNT_MAX + 1, 1.5, 7.0, True, "7", [7], {}])
def test_what_is_no_count_is_refused_and_flagged_with_its_field(value: object) -> None:
    raw = {"prompt_tokens": value, "completion_tokens": 3}
    assert extract("openai", raw, has_output=True) == (
        {"output": 3},
        ["count_refused:prompt_tokens"],
    )


def test_zero_is_kept_null_and_absent_stay_unknown() -> None:
    raw = {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": None},
        "completion_tokens_details": None,
    }
    assert extract("openai", raw, has_output=True) == ({"input": 0, "output": 0}, [])


@pytest.mark.parametrize(
    ("raw", "counts", "flags"),
    [
        # inside: the total is prompt and completion
        ({"p": 10, "c": 9, "r": 5, "t": 19}, {"input": 10, "output": 9, "reasoning": 5}, []),
        # outside: the total has it on top
        ({"p": 10, "c": 9, "r": 5, "t": 24}, {"input": 10, "output": 14, "reasoning": 5}, []),
        # no total, and more than the output: it cannot be inside
        (
            {"p": 10, "c": 1, "r": 5},
            {"input": 10, "output": 6, "reasoning": 5},
            ["reasoning_outside"],
        ),
        # no total: inside, as most say
        ({"p": 10, "c": 9, "r": 5}, {"input": 10, "output": 9, "reasoning": 5}, []),
        ({"p": 10, "c": 9, "t": 30}, {"input": 10, "output": 20}, ["unclassified_output"]),
        ({"p": 10, "c": 9, "t": 18}, {"input": 10, "output": 9}, ["total_mismatch"]),
        ({"p": 10, "t": 18}, {"input": 10, "output": 8}, ["output_derived"]),
        ({"p": 10, "t": 10}, {"input": 10, "output": 0}, ["output_derived"]),
        ({"c": 8, "t": 18}, {"input": 10, "output": 8}, ["input_derived"]),
        ({"t": 18}, {}, ["total_only"]),
        (
            {"p": 10, "c": 9, "t": -1},
            {"input": 10, "output": 9},
            ["count_refused:total_tokens"],
        ),
    ],
)
def test_the_total_decides_what_the_counts_mean(
    raw: dict[str, int], counts: dict[str, int], flags: list[str]
) -> None:
    names = {"p": "prompt_tokens", "c": "completion_tokens", "t": "total_tokens"}
    usage: dict[str, Any] = {names[name]: count for name, count in raw.items() if name in names}
    if "r" in raw:
        usage["completion_tokens_details"] = {"reasoning_tokens": raw["r"]}
    assert extract("openai", usage, has_output=True) == (counts, flags)


def test_an_embedding_has_no_output_to_derive() -> None:
    raw = {"prompt_tokens": 5, "total_tokens": 5}
    assert extract("openai", raw, has_output=False) == ({"input": 5}, [])
    assert extract("openai", {"total_tokens": 5}, has_output=False) == ({"input": 5}, [])


def test_the_details_outrank_a_vendors_own_name_for_cached_tokens() -> None:
    raw = {
        "prompt_tokens": 100,
        "completion_tokens": 1,
        "cached_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 40},
    }
    assert extract("openai", raw, has_output=True)[0]["cache_read"] == 40
