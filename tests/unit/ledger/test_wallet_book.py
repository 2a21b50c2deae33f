"""What becomes of a wallet when something happens to it?"""

import pytest

from tests.support.wallet_twin import SECOND_US, START_US, WalletTwin
from tollbridge.core.errors import BudgetExceededError, ConflictError, InvalidRequestError
from tollbridge.ledger.wallet_moves import (
    Adjust,
    AnyMove,
    By,
    Deduct,
    Grant,
    Purchase,
    Refund,
    SetAside,
    check_key,
)
from tollbridge.ledger.wallets import GrantKind, Transaction


class Hand:
    """Moves a wallet in memory, each time under a new key."""

    def __init__(self, overdraft: int = 0) -> None:
        self.twin = WalletTwin(overdraft)
        self.seconds = 0

    @property
    def at_us(self) -> int:
        """The instant of the hand's clock."""
        return START_US + self.seconds * SECOND_US

    def do(self, wanted: AnyMove) -> Transaction:
        """Do it now."""
        key = f"key-{self.twin.state.count}-{self.seconds}-{len(self.twin.entries)}"
        done = self.twin.move(wanted, By("ada", key), self.at_us)
        self.twin.check()
        return done

    def left(self) -> list[int]:
        """Return what is left of each grant, in the order in which they came."""
        return [one.remaining for _, one in sorted(self.twin.grants.items())]


def expiring(amount: int, seconds: int, priority: int | None = None) -> Grant:
    return Grant(amount=amount, priority=priority, expires_at_us=START_US + seconds * SECOND_US)


def test_the_lowest_priority_is_spent_first_then_what_expires_first() -> None:
    hand = Hand()
    hand.do(Purchase(amount=10))
    hand.do(expiring(10, 200, 7))
    hand.do(expiring(10, 100, 7))
    hand.do(Grant(amount=10, priority=7))
    hand.do(Grant(amount=10, kind=GrantKind.PLAN, priority=1))
    hand.do(Deduct(amount=12))
    assert hand.left() == [10, 10, 8, 10, 0]
    hand.do(Deduct(amount=35))
    assert hand.left() == [3, 0, 0, 0, 0]


def test_a_plan_s_credits_go_before_presents_and_these_before_what_was_bought() -> None:
    hand = Hand()
    hand.do(Purchase(amount=10))
    hand.do(Grant(amount=10))
    hand.do(Grant(amount=10, kind=GrantKind.PLAN))
    hand.do(Deduct(amount=15))
    assert hand.left() == [10, 5, 0]


def test_nothing_is_taken_beyond_the_overdraft() -> None:
    hand = Hand(overdraft=5)
    hand.do(Purchase(amount=10))
    with pytest.raises(BudgetExceededError) as refusal:
        hand.do(Deduct(amount=16))
    assert refusal.value.details["available"] == 15
    assert hand.do(Deduct(amount=15)).balance_after == -5


def test_what_is_overdrawn_is_paid_back_by_the_next_grant() -> None:
    hand = Hand(overdraft=5)
    hand.do(Deduct(amount=4))
    done = hand.do(Purchase(amount=10))
    assert (done.amount, done.balance_after) == (10, 6)
    assert hand.left() == [6]


def test_a_refund_of_what_was_overdrawn_goes_to_who_has_paid_it_back() -> None:
    hand = Hand(overdraft=10)
    taken = hand.do(Deduct(amount=8))
    hand.do(expiring(5, 100))
    assert hand.do(Refund(number=taken.number)).balance_after == 5
    assert hand.left() == [5]
    hand.seconds = 100
    assert hand.twin.open(hand.at_us).balance == 0


def test_a_refund_to_a_grant_that_has_expired_is_gone_with_it() -> None:
    hand = Hand()
    hand.do(expiring(10, 50))
    taken = hand.do(Deduct(amount=4))
    hand.seconds = 60
    back = hand.do(Refund(number=taken.number))
    assert (back.amount, back.balance_after) == (4, 4)
    last = hand.twin.transactions[-1]
    assert (last.kind, last.amount, last.balance_after) == ("expiry", -4, 0)


def test_no_more_is_given_back_than_was_taken() -> None:
    hand = Hand()
    hand.do(Purchase(amount=10))
    taken = hand.do(Deduct(amount=4))
    hand.do(Refund(number=taken.number, amount=3))
    with pytest.raises(ConflictError, match="at most what is left"):
        hand.do(Refund(number=taken.number, amount=2))
    with pytest.raises(InvalidRequestError, match="no deduction"):
        hand.do(Refund(number=1))


def test_what_expired_while_nobody_looked_is_dated_at_its_moment() -> None:
    hand = Hand()
    hand.do(expiring(3, 30))
    hand.do(expiring(2, 20))
    hand.seconds = 90
    hand.do(Purchase(amount=1))
    written = [(one.kind, one.amount, one.posted_at_us) for one in hand.twin.transactions[2:]]
    assert written == [
        ("expiry", -2, START_US + 20 * SECOND_US),
        ("expiry", -3, START_US + 30 * SECOND_US),
        ("purchase", 1, START_US + 90 * SECOND_US),
    ]


def test_a_clock_that_goes_back_dates_nothing_before_what_is_written() -> None:
    hand = Hand()
    hand.seconds = 50
    hand.do(Purchase(amount=1))
    hand.seconds = 10
    assert hand.do(Purchase(amount=1)).posted_at_us == START_US + 50 * SECOND_US


def test_a_hold_ends_when_the_first_grant_that_it_needs_expires() -> None:
    hand = Hand()
    hand.do(expiring(10, 40))
    hand.do(Purchase(amount=10))
    small = hand.do(SetAside(amount=8, lasts_s=1000))
    large = hand.do(SetAside(amount=8, lasts_s=1000))
    ends = {one.number: one.expires_at_us for one in hand.twin.holds.values()}
    assert ends == {
        small.number: START_US + 1000 * SECOND_US,
        large.number: START_US + 40 * SECOND_US,
    }


def test_an_adjustment_goes_down_to_what_is_there() -> None:
    hand = Hand()
    hand.do(Adjust(amount=5, note="a present"))
    hand.do(Adjust(amount=-5, note="taken back"))
    with pytest.raises(BudgetExceededError):
        hand.do(Adjust(amount=-1, note="more"))


def test_the_gateway_s_own_keys_are_nobody_else_s() -> None:
    for key in ("", "tollbridge:plan:1:2", "x" * 256, "a\nb", "\u00e4"):
        with pytest.raises(InvalidRequestError):
            check_key(key)
    check_key("order 7")
