import asyncio

import pytest

from tests.support.ledger import at_once, money, per_minute
from tollbridge.core.clock import SECOND_US, ManualClock
from tollbridge.core.errors import (
    BudgetExceededError,
    OverloadedError,
    RateLimitedError,
    TooManyCallsError,
)
from tollbridge.core.limits import (
    Granted,
    LeaseCorrection,
    LeaseGrant,
    LeaseRecall,
    LeaseRefusal,
    LeaseRequest,
    LeaseReturn,
    Limit,
    Need,
    Returned,
)
from tollbridge.ledger.periods import END_OF_TIME_US
from tollbridge.ledger.purse import Holds, PurseSettings
from tollbridge.ledger.reserve import Purses, ToOffice

BUDGET = money("b")
RATE = per_minute("r", 10)
CONCURRENT = at_once("c", 10)


class Worker:
    """Purses whose messages are kept for the test to read."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.sent: list[ToOffice] = []
        knobs = PurseSettings(answer_grace_us=20_000)
        self.purses = Purses(self.sent.append, self.clock, knobs)

    def grant(
        self,
        limit: Limit,
        amount: int,
        request_id: int = 0,
        *,
        lease_id: str = "",
        end_us: int = END_OF_TIME_US,
    ) -> None:
        one = Granted(limit.limit_id, lease_id or f"lease-{limit.limit_id}", 0, end_us, amount)
        self.purses.on_message(LeaseGrant(request_id, (one,)))

    async def ask(self, *needs: tuple[Limit, int], wait_s: float = 5) -> asyncio.Task[Holds]:
        task = asyncio.create_task(self.purses.reserve("call", needs, wait_s))
        await asyncio.sleep(0)
        return task

    def last_request(self) -> LeaseRequest:
        return next(m for m in reversed(self.sent) if isinstance(m, LeaseRequest))

    def returned(self) -> list[Returned]:
        return [one for m in self.sent if isinstance(m, LeaseReturn) for one in m.returned]

    def free(self, limit: Limit) -> int:
        return sum(
            s.granted - s.held - s.spent - s.returned
            for s in self.purses.states()
            if s.limit_id == limit.limit_id
        )


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_a_full_purse_serves_without_asking(worker: Worker) -> None:
    worker.grant(BUDGET, 100)
    holds = worker.purses.try_reserve([(BUDGET, 40)])
    assert holds is not None
    assert [hold.amount for hold in holds.durable] == [40]
    assert worker.free(BUDGET) == 60
    assert worker.sent == []


def test_all_limits_are_taken_or_none(worker: Worker) -> None:
    worker.grant(BUDGET, 100)
    worker.grant(RATE, 5)
    assert worker.purses.try_reserve([(RATE, 1), (BUDGET, 101)]) is None
    assert (worker.free(RATE), worker.free(BUDGET)) == (5, 100)


def test_only_money_stands_in_the_calls_record(worker: Worker) -> None:
    for limit in (BUDGET, RATE, CONCURRENT):
        worker.grant(limit, 100)
    holds = worker.purses.try_reserve([(BUDGET, 40), (RATE, 1), (CONCURRENT, 1)])
    assert holds is not None
    assert [hold.budget_id for hold in holds.durable] == ["b"]


def test_an_ended_call_frees_its_slot_but_not_its_place_in_the_minute(worker: Worker) -> None:
    for limit in (BUDGET, RATE, CONCURRENT):
        worker.grant(limit, 100)
    holds = worker.purses.try_reserve([(BUDGET, 40), (RATE, 1), (CONCURRENT, 1)])
    assert holds is not None
    assert not worker.purses.settle(holds, 25)
    assert [worker.free(one) for one in (BUDGET, RATE, CONCURRENT)] == [75, 99, 100]


def test_a_failed_call_still_counts_in_its_minute(worker: Worker) -> None:
    for limit in (BUDGET, RATE):
        worker.grant(limit, 100)
    holds = worker.purses.try_reserve([(BUDGET, 40), (RATE, 1)])
    assert holds is not None
    worker.purses.release(holds)
    assert (worker.free(BUDGET), worker.free(RATE)) == (100, 99)


def test_a_call_that_was_not_let_in_never_counted(worker: Worker) -> None:
    for limit in (BUDGET, RATE, CONCURRENT):
        worker.grant(limit, 100)
    holds = worker.purses.try_reserve([(BUDGET, 40), (RATE, 1), (CONCURRENT, 1)])
    assert holds is not None
    worker.purses.cancel(holds)
    assert [worker.free(one) for one in (BUDGET, RATE, CONCURRENT)] == [100, 100, 100]


def test_ending_a_call_twice_changes_nothing(worker: Worker) -> None:
    worker.grant(BUDGET, 100)
    holds = worker.purses.try_reserve([(BUDGET, 40)])
    assert holds is not None
    assert worker.purses.settle(holds, 50)
    assert not worker.purses.settle(holds, 50)
    worker.purses.release(holds)
    worker.purses.cancel(holds)
    assert worker.free(BUDGET) == 50


async def test_a_short_purse_asks_for_the_whole_need_and_some_in_stock(worker: Worker) -> None:
    task = await worker.ask((BUDGET, 40))
    request = worker.last_request()
    assert request.needs == (Need("b", 40, 160),)
    assert request.deadline_us == worker.clock.now_us() + 5 * SECOND_US
    worker.grant(BUDGET, 160, request.request_id)
    assert (await task).durable[0].amount == 40
    assert worker.free(BUDGET) == 120


async def test_only_limits_that_are_short_are_asked_for(worker: Worker) -> None:
    worker.grant(RATE, 5)
    task = await worker.ask((BUDGET, 40), (RATE, 1))
    assert [need.limit_id for need in worker.last_request().needs] == ["b"]
    task.cancel()


async def test_after_an_overrun_the_hole_is_asked_for_too(worker: Worker) -> None:
    worker.grant(BUDGET, 100)
    holds = worker.purses.try_reserve([(BUDGET, 100)])
    assert holds is not None
    assert worker.purses.settle(holds, 130)
    task = await worker.ask((BUDGET, 40))
    assert worker.last_request().needs[0].needed == 70
    task.cancel()


async def test_a_grant_cannot_be_taken_by_another_call(worker: Worker) -> None:
    """The waiting call has it before anybody else gets a turn."""
    task = await worker.ask((BUDGET, 40))
    worker.grant(BUDGET, 40, worker.last_request().request_id)
    assert worker.purses.try_reserve([(BUDGET, 1)]) is None
    assert (await task).durable[0].amount == 40


async def test_a_second_shortage_is_asked_for_again(worker: Worker) -> None:
    worker.grant(RATE, 1)
    task = await worker.ask((BUDGET, 40), (RATE, 1))
    assert worker.purses.try_reserve([(RATE, 1)]) is not None
    request = worker.last_request()
    worker.grant(BUDGET, 40, request.request_id)
    again = worker.last_request()
    assert [need.limit_id for need in again.needs] == ["r"]
    assert again.request_id == request.request_id
    worker.grant(RATE, 1, again.request_id)
    assert len((await task).rates) == 1


async def test_money_that_falls_free_serves_a_waiting_call(worker: Worker) -> None:
    worker.grant(BUDGET, 50)
    holds = worker.purses.try_reserve([(BUDGET, 50)])
    assert holds is not None
    task = await worker.ask((BUDGET, 40))
    worker.purses.settle(holds, 10)
    assert (await task).durable[0].amount == 40


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        (BUDGET, BudgetExceededError),
        (RATE, RateLimitedError),
        (CONCURRENT, TooManyCallsError),
    ],
)
async def test_a_refusal_says_which_limit_and_when_it_resets(
    worker: Worker,
    limit: Limit,
    error: type[Exception],
) -> None:
    task = await worker.ask((limit, 4))
    resets_at_us = worker.clock.now_us() + 90 * SECOND_US - 1
    request = worker.last_request()
    worker.purses.on_message(
        LeaseRefusal(request.request_id, limit.limit_id, 8, 10, resets_at_us),
    )
    with pytest.raises(error) as caught:
        await task
    refused = caught.value
    assert isinstance(refused, (BudgetExceededError, RateLimitedError, TooManyCallsError))
    assert refused.details["limit"] == limit.limit_id
    assert refused.retry_after_s == (1 if limit is CONCURRENT else 90)


async def test_a_refusal_answers_further_calls_for_a_while(worker: Worker) -> None:
    task = await worker.ask((BUDGET, 40))
    refusal = LeaseRefusal(worker.last_request().request_id, "b", 980, 1000, 0, available=20)
    worker.purses.on_message(refusal)
    with pytest.raises(BudgetExceededError):
        await task
    asked = len(worker.sent)
    with pytest.raises(BudgetExceededError):
        await worker.purses.reserve("call", [(BUDGET, 30)], 5)
    assert len(worker.sent) == asked
    smaller = await worker.ask((BUDGET, 20))
    assert worker.last_request().needs[0].needed == 20
    smaller.cancel()
    worker.clock.advance(0.2)
    later = await worker.ask((BUDGET, 40))
    assert worker.last_request().needs[0].needed == 40
    later.cancel()


async def test_a_grant_ends_what_a_refusal_said(worker: Worker) -> None:
    task = await worker.ask((BUDGET, 40))
    worker.purses.on_message(LeaseRefusal(worker.last_request().request_id, "b", 980, 1000, 0))
    with pytest.raises(BudgetExceededError):
        await task
    worker.grant(BUDGET, 5)
    again = await worker.ask((BUDGET, 40))
    assert not again.done()
    again.cancel()


async def test_without_an_office_a_call_that_finds_its_purse_short_is_turned_away(
    worker: Worker,
) -> None:
    with pytest.raises(OverloadedError) as caught:
        await asyncio.wait_for(worker.purses.reserve("call", [(BUDGET, 40)], 0.01), 5)
    assert caught.value.retry_after_s == 1


async def test_an_answer_that_comes_too_late_stays_in_the_purse(worker: Worker) -> None:
    task = await worker.ask((BUDGET, 40))
    request = worker.last_request()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    worker.grant(BUDGET, 40, request.request_id)
    assert worker.free(BUDGET) == 40


async def test_a_caller_who_leaves_as_the_answer_comes_holds_nothing(worker: Worker) -> None:
    worker.grant(RATE, 3)
    task = await worker.ask((BUDGET, 40), (RATE, 1))
    worker.grant(BUDGET, 40, worker.last_request().request_id)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (worker.free(BUDGET), worker.free(RATE)) == (40, 3)


async def test_what_waits_is_asked_for_again_when_an_office_comes(worker: Worker) -> None:
    task = await worker.ask((BUDGET, 40))
    worker.sent.clear()
    worker.purses.ask_again()
    worker.grant(BUDGET, 40, worker.last_request().request_id)
    assert (await task).durable[0].amount == 40


def test_a_purse_is_refilled_at_half(worker: Worker) -> None:
    worker.grant(BUDGET, 100)
    assert worker.purses.try_reserve([(BUDGET, 50)]) is not None
    assert worker.sent == []
    assert worker.purses.try_reserve([(BUDGET, 1)]) is not None
    request = worker.last_request()
    assert (request.request_id, request.needs[0].needed) == (0, 0)
    assert request.needs[0].wanted == 51
    # Once; until it is answered, or for a while.
    assert worker.purses.try_reserve([(BUDGET, 1)]) is not None
    assert len(worker.sent) == 1


def test_a_recall_is_answered_with_all_that_is_free_and_even_with_nothing(worker: Worker) -> None:
    worker.grant(BUDGET, 100)
    assert worker.purses.try_reserve([(BUDGET, 30)]) is not None
    worker.purses.on_message(LeaseRecall("b"))
    worker.purses.on_message(LeaseRecall("b"))
    worker.purses.on_message(LeaseRecall("unknown"))
    assert worker.returned() == [
        Returned("b", "lease-b", 70),
        Returned("b", "lease-b", 0),
        Returned("unknown", "", 0),
    ]


def test_a_call_settles_in_the_period_it_was_reserved_in(worker: Worker) -> None:
    """What falls free there goes back at once, and new calls take from the new purse."""
    now_us = worker.clock.now_us()
    worker.grant(BUDGET, 100, lease_id="old", end_us=now_us + SECOND_US)
    holds = worker.purses.try_reserve([(BUDGET, 60)])
    assert holds is not None
    worker.clock.advance(1)
    assert worker.purses.try_reserve([(BUDGET, 10)]) is None
    worker.grant(BUDGET, 200, lease_id="new")
    assert worker.returned() == [Returned("b", "old", 40)]
    worker.purses.settle(holds, 20)
    assert worker.returned()[1:] == [Returned("b", "old", 40)]
    later = worker.purses.try_reserve([(BUDGET, 10)])
    assert later is not None
    assert later.durable[0].lease_id == "new"


async def test_a_period_that_has_just_ended_by_our_clock_alone_still_serves(
    worker: Worker,
) -> None:
    task = await worker.ask((BUDGET, 40))
    now_us = worker.clock.now_us()
    worker.grant(BUDGET, 40, worker.last_request().request_id, end_us=now_us - 1000)
    assert (await task).durable[0].amount == 40


def test_a_correction_changes_what_is_free(worker: Worker) -> None:
    worker.grant(BUDGET, 100)
    holds = worker.purses.try_reserve([(BUDGET, 60)])
    assert holds is not None
    worker.purses.settle(holds, 50)
    worker.purses.on_message(LeaseCorrection("lease-b", "b", -20))
    assert worker.free(BUDGET) == 70


def test_an_idle_purse_returns_what_is_free(worker: Worker) -> None:
    worker.grant(BUDGET, 100)
    worker.clock.advance(5)
    worker.purses.return_idle(10 * SECOND_US)
    assert worker.returned() == []
    worker.clock.advance(5)
    worker.purses.return_idle(10 * SECOND_US)
    assert worker.returned() == [Returned("b", "lease-b", 100)]


def test_minutes_that_are_over_are_forgotten(worker: Worker) -> None:
    now_us = worker.clock.now_us()
    one = Granted("r", "r@1", now_us, now_us + 60 * SECOND_US, 5)
    worker.purses.on_message(LeaseGrant(0, (one,)))
    worker.clock.advance(121)
    worker.purses.return_idle(SECOND_US)
    assert worker.purses.states() == ()


def test_limits_that_no_longer_exist_are_given_back(worker: Worker) -> None:
    worker.grant(BUDGET, 100)
    worker.grant(RATE, 5)
    worker.purses.keep_only({"r"}.__contains__)
    assert worker.returned() == [Returned("b", "lease-b", 100)]
    assert worker.purses.try_reserve([(BUDGET, 0)]) is None


def test_a_worker_that_ends_returns_all_now_and_the_rest_as_it_falls_free(worker: Worker) -> None:
    worker.grant(BUDGET, 100)
    worker.grant(CONCURRENT, 2)
    holds = worker.purses.try_reserve([(BUDGET, 60), (CONCURRENT, 1)])
    assert holds is not None
    worker.purses.return_all()
    worker.purses.settle(holds, 25)
    worker.grant(BUDGET, 9)
    total: dict[str, int] = {}
    for one in worker.returned():
        total[one.limit_id] = total.get(one.limit_id, 0) + one.amount
    assert total == {"b": 84, "c": 2}
