"""What metrics count is what the accounts say, of so many groups and no more."""

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.support.drained import CONCLUSIONS, COST_NANOUSD, begun, opened_call, refused, succeeded
from tollbridge.conclude import conclude
from tollbridge.core.account import CallAccount
from tollbridge.core.call import Ending
from tollbridge.core.evidence import CallEvidence, Closed
from tollbridge.recording.metrics import (
    DURATION_BOUNDS_S,
    OTHERS,
    CallCounts,
    Histogram,
    cumulated,
)

PROVIDERS = ("openai", "aimlapi", "nobody")


def a_call(
    number: int, provider: str, *, fails: bool = False, refuses: bool = False
) -> CallAccount:
    """Return a call in which another provider may have failed before, or nobody served."""
    attempts = [refused(begun(1, 1, "first"), 2)] if fails or refuses else []
    if not refuses:
        attempts.append(succeeded(begun(len(attempts) + 1, 3, provider), 2_500_003))
    opened = opened_call(number)
    ending, status = (Ending.ALL_REFUSED, 502) if refuses else (Ending.COMPLETE, 200)
    closed = Closed(opened.call_id, 5, ending, status, tuple(attempts))
    return conclude(CallEvidence(opened, closed), CONCLUSIONS)


calls = st.lists(st.tuples(st.sampled_from(PROVIDERS), st.booleans(), st.booleans()), max_size=30)


@given(calls, st.integers(1, 5))
def test_however_they_come_they_are_counted_as_they_are(
    specs: list[tuple[str, bool, bool]], batch: int
) -> None:
    accounts = [
        a_call(number, provider, fails=fails, refuses=refuses)
        for number, (provider, fails, refuses) in enumerate(specs)
    ]
    counts = CallCounts()
    for start in range(0, len(accounts), batch):
        counts.add(accounts[start : start + batch])
    plain = Counter((one.attribution.provider, "text", one.status.value) for one in accounts)
    assert counts.calls == dict(plain)
    groups = counts.groups.values()
    attempts = [attempt for one in accounts for attempt in one.attempts]
    assert sum(sum(group.ends.values()) for group in groups) == len(attempts)
    known = [one.rated.cost_nanousd for one in attempts]
    assert sum(group.cost_nanousd for group in groups) == sum(one or 0 for one in known)
    assert sum(group.unpriced for group in groups) == known.count(None)
    for kind in ("input", "output"):
        used = sum(one.usage.counts.get(kind, 0) for one in attempts)
        assert sum(group.tokens.get(kind, 0) for group in groups) == used
        assert sum(group.used[kind].total for group in groups if kind in group.used) == used
    timed = sum(hist.count for group in groups for hist in group.durations.values())
    assert timed == sum(one.evidence.ended_at_us is not None for one in attempts)


def test_an_attempt_is_told_by_how_it_ended() -> None:
    counts = CallCounts()
    counts.add([a_call(1, "openai", fails=True), a_call(2, "openai")])
    group = counts.groups["openai", "text", "chat_completion", "gpt-4o-mini"]
    assert group.ends == {("succeeded", ""): 2}
    assert group.cost_nanousd == 2 * COST_NANOUSD
    assert group.durations[""].total == 5.0
    first = counts.groups["first", "text", "chat_completion", "gpt-4o-mini"]
    assert first.ends == {("failed", "rate_limited"): 1}
    assert list(first.durations) == ["rate_limited"]
    assert first.first_bytes.count == 0


def test_beyond_so_many_groups_all_are_others() -> None:
    """Whatever names come: a report of another gateway may bring any."""
    counts = CallCounts(series_max=5)
    for number in range(50):
        counts.add([a_call(number, f"provider-{number}")])
    assert len(counts.groups) == 6
    assert sum(counts.groups[OTHERS, OTHERS, OTHERS, OTHERS].ends.values()) == 45
    assert sum(counts.calls.values()) == 50
    assert len(counts.calls) <= 6


@given(st.lists(st.floats(0, 200), max_size=60))
def test_a_histogram_holds_each_value_below_its_bound(values: list[float]) -> None:
    found = Histogram.of(DURATION_BOUNDS_S)
    for value in values:
        found.add(value)
    for text, count in cumulated(found):
        assert count == sum(value <= float(text) for value in values)
    assert found.count == len(values)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Histogram).counts == found.counts
