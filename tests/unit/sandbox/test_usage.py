from typing import Any

import pytest

from tollbridge.sandbox.usage import Usage, billed, chat_object, reported

HONEST = Usage(prompt_tokens=10, completion_tokens=5)


def test_normal_usage_is_told_as_it_is() -> None:
    assert reported(chat_object(HONEST), "normal") == chat_object(HONEST)


def test_zero_usage_keeps_its_shape() -> None:
    told = reported(chat_object(HONEST), "zero")
    assert told == chat_object(Usage())


@pytest.mark.parametrize("setting", ["missing", "null"])
def test_usage_that_is_not_told_is_none(setting: str) -> None:
    assert reported(chat_object(HONEST), setting) is None


def test_a_scripted_detail_leaves_the_rest_honest() -> None:
    told = reported(chat_object(HONEST), {"prompt_tokens_details": {"cached_tokens": 4}})
    assert told is not None
    assert told["prompt_tokens_details"] == {"cached_tokens": 4, "audio_tokens": 0}
    assert (told["prompt_tokens"], told["total_tokens"]) == (10, 15)


def test_the_total_follows_scripted_counts_unless_it_is_scripted_too() -> None:
    given: dict[str, Any] = {"prompt_tokens": 2518, "completion_tokens": 242}
    assert (reported(chat_object(HONEST), given) or {})["total_tokens"] == 2760
    assert (reported(chat_object(HONEST), given | {"total_tokens": 1}) or {})["total_tokens"] == 1


@pytest.mark.parametrize("setting", ["normal", "zero", "missing", "null"])
def test_what_is_told_does_not_change_what_is_billed(setting: str) -> None:
    assert billed(HONEST, setting, whole=True) == HONEST


def test_a_scripted_usage_is_the_truth_of_a_whole_answer() -> None:
    given = {"completion_tokens": 300, "completion_tokens_details": {"reasoning_tokens": 280}}
    bill = billed(HONEST, given, whole=True)
    assert (bill.prompt_tokens, bill.completion_tokens, bill.reasoning_tokens) == (10, 300, 280)


def test_of_a_broken_answer_only_what_was_sent_is_billed() -> None:
    given = {"completion_tokens": 300, "completion_tokens_details": {"reasoning_tokens": 280}}
    bill = billed(HONEST, given, whole=False)
    assert (bill.completion_tokens, bill.reasoning_tokens) == (5, 5)


@pytest.mark.parametrize("nonsense", ["12", None, True, [], {}])
def test_a_scripted_count_that_is_no_number_bills_nothing(nonsense: object) -> None:
    assert billed(HONEST, {"prompt_tokens": nonsense}, whole=True).prompt_tokens == 0


@pytest.mark.parametrize("details", ["prompt_tokens_details", "completion_tokens_details"])
def test_details_that_are_no_object_can_be_scripted(details: str) -> None:
    assert billed(HONEST, {details: None}, whole=True) == HONEST
