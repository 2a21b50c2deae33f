"""A batch is checked in order against what is used and what it would use itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.call import Bucket
from tollbridge.ledger.plans import MONTHLY_COST, RULES, RULES_OF, TEXT_BUCKETS, Measure, Used
from tollbridge.ledger.preflight import Verdict, Wanted, add, check, check_batch

NANO = 10**9
VIDEO = Wanted(bucket="video")


def allowed(verdicts: list[Verdict]) -> list[bool]:
    return [one.allowed for one in verdicts]


def test_of_five_videos_with_one_left_only_the_first_passes() -> None:
    verdicts = check_batch({"video_calls": 10}, Used(calls={"video": 9}), [VIDEO] * 5)
    assert allowed(verdicts) == [True, False, False, False, False]
    states = [one.limit for one in verdicts]
    assert all(state is not None for state in states)
    assert [(state.used, state.remaining) for state in states if state] == [(9, 1)] + [(10, 0)] * 4


@pytest.mark.parametrize("bucket", [bucket.value for bucket in Bucket])
def test_every_bucket_accumulates_in_a_batch(bucket: str) -> None:
    """Also those that the original did not: video, image edits, audio, search, wavespeed."""
    limits = {f"{bucket}_calls": 2}
    assert allowed(check_batch(limits, Used(), [Wanted(bucket=bucket)] * 3)) == [True, True, False]


def test_zero_allows_none_and_no_limit_allows_all() -> None:
    """The original said "disabled" of a zero and let everything by."""
    assert not check({"video_calls": 0}, Used(), VIDEO).allowed
    assert check({}, Used(calls={"video": 10**9}), VIDEO).allowed


def test_zero_tokens_refuse_also_what_names_no_tokens() -> None:
    assert not check({"openai_tokens": 0}, Used(), Wanted(bucket="openai", tokens=0)).allowed
    assert not check({MONTHLY_COST: 0}, Used(), Wanted(bucket="openai", cost_nanousd=0)).allowed


def test_the_four_buckets_of_text_share_one_limit() -> None:
    """Two calls of each bucket: of a limit of seven the last one finds none left."""
    batch = [Wanted(bucket=bucket.value) for bucket in TEXT_BUCKETS] * 2
    verdicts = check_batch({"text_calls": 7}, Used(), batch)
    assert allowed(verdicts) == [True] * 7 + [False]
    assert verdicts[-1].message.startswith("text_calls: 7 of 7")


def test_a_call_must_pass_all_limits_of_its_bucket() -> None:
    limits = {"text_calls": 500, "anthropic_calls": 1}
    assert allowed(check_batch(limits, Used(), [Wanted(bucket="anthropic")] * 2)) == [True, False]
    assert check(limits, Used(calls={"anthropic": 1}), Wanted(bucket="openai")).allowed


def test_wavespeed_is_no_text_of_the_unified_limit() -> None:
    full = Used(calls={"openai": 50})
    assert check({"text_calls": 50}, full, Wanted(bucket="wavespeed")).allowed


def test_the_size_of_a_request_counts_each_time_it_is_asked() -> None:
    """The original kept a yes for 30 s, whatever was asked for next."""
    limits, used = {"openai_tokens": 1000}, Used(tokens={"openai": 900})
    assert check(limits, used, Wanted(bucket="openai", tokens=100)).allowed
    refused = check(limits, used, Wanted(bucket="openai", tokens=101))
    assert not refused.allowed
    assert refused.message == "openai_tokens: 900 of 1000 are used, and this needs 101"


def test_tokens_accumulate_in_a_batch() -> None:
    batch = [Wanted(bucket="gemini", tokens=400)] * 3
    assert allowed(check_batch({"gemini_tokens": 1000}, Used(), batch)) == [True, True, False]


def test_cost_accumulates_over_all_buckets() -> None:
    """Of a dollar with 40 cents spent, a film of 50 cents passes and a picture of 20 does not."""
    batch = [
        Wanted(bucket="video", cost_nanousd=NANO // 2),
        Wanted(bucket="stability", cost_nanousd=NANO // 5),
        Wanted(bucket="stability", cost_nanousd=NANO // 10),
    ]
    verdicts = check_batch({MONTHLY_COST: NANO}, Used(cost_nanousd=NANO * 2 // 5), batch)
    assert allowed(verdicts) == [True, False, True]
    assert "0.9 of 1 USD are used, and this may cost 0.2" in verdicts[1].message


def test_what_is_refused_uses_nothing() -> None:
    batch = [Wanted(bucket="openai", tokens=2000), Wanted(bucket="openai", tokens=900)]
    assert allowed(check_batch({"openai_tokens": 1000}, Used(), batch)) == [False, True]


def test_a_limit_below_what_is_used_refuses_and_leaves_nothing() -> None:
    verdict = check({"video_calls": 2}, Used(calls={"video": 5}), VIDEO)
    assert not verdict.allowed
    assert verdict.limit is not None
    assert verdict.limit.remaining == 0


def test_a_named_model_without_a_price_is_refused_only_where_cost_is_limited() -> None:
    unpriced = Wanted(bucket="openai", cost_nanousd=None, is_price_needed=True)
    assert not check({MONTHLY_COST: NANO}, Used(), unpriced).allowed
    assert check({"openai_calls": 1}, Used(), unpriced).allowed
    unnamed = Wanted(bucket="video", cost_nanousd=None)
    assert check({MONTHLY_COST: NANO}, Used(), unnamed).allowed
    assert not check({MONTHLY_COST: NANO}, Used(cost_nanousd=NANO), unnamed).allowed


def test_the_limit_shown_is_that_of_calls_with_the_least_left() -> None:
    limits = {"text_calls": 50, "gemini_calls": 20}
    verdict = check(limits, Used(calls={"gemini": 5, "openai": 40}), Wanted(bucket="gemini"))
    assert verdict.limit is not None
    assert (verdict.limit.name, verdict.limit.remaining) == ("text_calls", 5)


def test_without_a_limit_what_is_left_is_none_and_no_infinity() -> None:
    verdict = check({}, Used(calls={"video": 3}), VIDEO)
    assert verdict.limit is not None
    assert (verdict.limit.used, verdict.limit.limit, verdict.limit.remaining) == (3, None, None)


def test_every_bucket_knows_its_own_limits_and_the_cost() -> None:
    for bucket in Bucket:
        names = {rule.name for rule in RULES_OF[bucket.value]}
        assert {f"{bucket.value}_calls", f"{bucket.value}_tokens", MONTHLY_COST} <= names


LIMITS = st.dictionaries(st.sampled_from(sorted(RULES)), st.integers(0, 6))
OPERATIONS = st.lists(
    st.builds(
        Wanted,
        bucket=st.sampled_from([bucket.value for bucket in Bucket]),
        tokens=st.integers(0, 3),
        cost_nanousd=st.integers(0, 3),
    ),
    max_size=12,
)


@given(LIMITS, OPERATIONS)
def test_what_a_batch_is_allowed_never_takes_a_limit_over_its_bound(
    limits: dict[str, int], batch: list[Wanted]
) -> None:
    """And what is refused would: a limit that names it has no room for it."""
    used = Used()
    for wanted, verdict in zip(batch, check_batch(limits, used, batch), strict=True):
        after = add(used, wanted)
        rules = [rule for rule in RULES_OF[wanted.bucket] if rule.name in limits]
        if verdict.allowed:
            assert all(after.of(rule) <= limits[rule.name] for rule in rules)
            used = after
        else:
            assert any(
                after.of(rule) > limits[rule.name] or used.of(rule) >= limits[rule.name]
                for rule in rules
            )
            assert verdict.limit is not None
            assert verdict.limit.measure in Measure
