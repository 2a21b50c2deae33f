"""What a batch posts for limits: one sum for each lease, and each call of a wallet by itself."""

from tests.support.evidence import a_book, a_closed, an_attempt, an_opened
from tollbridge.conclude import Conclusions, conclude
from tollbridge.core.account import CallAccount
from tollbridge.core.call import Hold, new_id
from tollbridge.core.evidence import CallEvidence
from tollbridge.core.limits import LimitKind
from tollbridge.metering.estimate import EstimateRules
from tollbridge.recording.record import corrections, settlements

CONCLUSIONS = Conclusions(a_book("openai", "gpt-4o-mini", {"input": "1"}), EstimateRules())
MONEY = Hold("lease-1", "budget-1", 0, 10_000)
OTHER_LEASE = Hold("lease-2", "budget-1", 0, 10_000)
OTHER_PERIOD = Hold("lease-3", "budget-1", 500, 10_000)
CALLS = Hold("lease-4", "budget-2", 0, 1, LimitKind.CALLS)
WALLET = Hold("lease-5", "wallet:one", 0, 10_000)


def a_call(tokens: int, *holds: Hold, taken: tuple[int, ...] = ()) -> CallAccount:
    """Return the account of a call that costs 1,000 nano-USD for each token."""
    usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    attempt = an_attempt(provider="openai", model="gpt-4o-mini", usage=usage, http_status=200)
    opened = an_opened(call_id=new_id(5), holds=holds)
    closed = a_closed(attempts=(attempt,), http_status=200, taken=taken)
    return conclude(CallEvidence(opened, closed), CONCLUSIONS)


def test_calls_that_held_from_one_lease_are_posted_as_their_sum() -> None:
    calls = [
        a_call(1, MONEY, CALLS),
        a_call(2, MONEY, CALLS),
        a_call(4, OTHER_LEASE),
        a_call(8, OTHER_PERIOD),
    ]
    posted = {(one.lease_id, one.budget_id, one.period_start_us): one for one in settlements(calls)}
    assert {key: one.amount for key, one in posted.items()} == {
        ("lease-1", "budget-1", 0): 3000,
        ("lease-4", "budget-2", 0): 2,
        ("lease-2", "budget-1", 0): 4000,
        ("lease-3", "budget-1", 500): 8000,
    }
    kinds = {one.budget_id: one.kind for one in posted.values()}
    assert kinds == {"budget-1": LimitKind.MONEY, "budget-2": LimitKind.CALLS}


def test_each_call_of_a_wallet_is_posted_by_itself() -> None:
    calls = [a_call(1, WALLET), a_call(2, WALLET)]
    posted = settlements(calls)
    assert [one.amount for one in posted] == [1000, 2000]
    told = [one.use.call_id for one in posted if one.use is not None]
    assert told == [one.evidence.opened.call_id for one in calls]


def test_what_counts_nothing_is_not_posted() -> None:
    assert settlements([a_call(0, MONEY)]) == []


def test_only_what_was_not_taken_as_it_is_posted_is_corrected() -> None:
    right = a_call(3, MONEY, CALLS, taken=(3000, 1))
    wrong = a_call(3, MONEY, CALLS, taken=(5000, 1))
    assert corrections([right]) == []
    found = [(one.lease_id, one.limit_id, one.difference) for one in corrections([right, wrong])]
    assert found == [("lease-1", "budget-1", -2000)]
