"""What calls have in common is worked out once, and never of another call."""

from datetime import UTC
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.support.drained import CONCLUSIONS, begun, opened_call, succeeded
from tollbridge.conclude import conclude
from tollbridge.core.account import CallAccount
from tollbridge.core.call import Caller, Category, Ending, OnCallerLeft
from tollbridge.core.evidence import CallEvidence, Closed
from tollbridge.recording.details import VARYING, Source, counted, varying_row
from tollbridge.recording.rollups import Days, Dimensions, Fold
from tollbridge.recording.shapes import SHAPED, Shape, Shaper, Shapes
from tollbridge.recording.tables import call_details

SOURCES = [Source("node-1", worker, "segment", 0, b"{}") for worker in ("worker-1", "worker-2")]


def a_shaper() -> Shaper:
    return Shaper(Shapes(100), Fold(Dimensions(100), Days(UTC)))


def an_account(choices: dict[str, Any]) -> CallAccount:
    """Return the account of a call of which some things are chosen."""
    opened = opened_call(
        1_000_000,
        caller=Caller(choices["key"], "ci", choices["user"], "main"),
        label=choices["label"],
        stream=choices["stream"],
        category=choices["category"],
    )
    attempt = msgspec.structs.replace(
        succeeded(begun(1, 1_000_000, choices["provider"]), 1_200_000),
        served_model=choices["served_model"],
        http_status=choices["http_status"],
        usage=choices["usage"],
    )
    closed = Closed(
        call_id=opened.call_id,
        closed_at_us=1_300_000,
        ending=choices["ending"],
        http_status=choices["http_status"],
        attempts=(attempt,) * choices["attempts"],
        on_caller_left=choices["on_caller_left"],
        drained=choices["drained"],
    )
    return conclude(CallEvidence(opened, closed), CONCLUSIONS)


CHOICES = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["key-1", "key-2"]),
        "user": st.sampled_from(["ada", "bob"]),
        "label": st.sampled_from(["gpt-4o-mini", "other"]),
        "stream": st.booleans(),
        "category": st.sampled_from([Category.TEXT, Category.EMBEDDING]),
        "provider": st.sampled_from(["openai", "aimlapi", "nobody"]),
        "served_model": st.sampled_from(["gpt-4o-mini", None]),
        "http_status": st.sampled_from([200, 201, 400]),
        "usage": st.sampled_from([None, {"prompt_tokens": 1, "completion_tokens": 2}]),
        "ending": st.sampled_from([Ending.COMPLETE, Ending.CALLER_LEFT]),
        "attempts": st.integers(0, 2),
        "on_caller_left": st.sampled_from([None, *OnCallerLeft]),
        "drained": st.booleans(),
        "source": st.sampled_from(SOURCES),
    }
)


def test_what_is_shared_and_what_is_not_make_up_the_whole_row() -> None:
    assert sorted(VARYING + SHAPED) == sorted(call_details.c.keys())


@given(st.lists(CHOICES, max_size=20))
def test_a_shape_that_was_seen_before_says_what_a_new_one_would(
    calls: list[dict[str, Any]],
) -> None:
    """However many calls share a shaper, each gets the values of its own row."""
    shared = a_shaper()
    for choices in calls:
        account, source = an_account(choices), choices["source"]
        assert shared.shape_of(account, source) == a_shaper().shape_of(account, source)


@given(CHOICES)
def test_a_row_has_a_value_for_each_column(choices: dict[str, Any]) -> None:
    """Values are the driver's own: no enum, which SQLite's driver does not take."""
    account = an_account(choices)
    row = varying_row(account, counted(account.usage), folded=False)
    row += a_shaper().shape_of(account, choices["source"]).values
    assert len(row) == len(VARYING + SHAPED)
    assert {type(value) for value in row} <= {str, int, bool, type(None)}


def test_known_shapes_are_bounded_and_keep_what_is_used() -> None:
    """What is asked for again and again stays; memory does not grow."""
    known = Shapes(cached_max=10)
    used = Shape((), (1, 2), (), counts_once=True, folds=True)
    known.committed({("used",): used})
    for number in range(1000):
        known.committed({(number,): used})
        assert known.find(("used",)) is used
    assert len(known._young) + len(known._old) <= 10
    assert known.find((0,)) is None
