"""Whatever happens to a wallet, in whatever order, and wherever the clock goes."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.wallet_twin import (
    KINDS,
    SECOND_US,
    START_US,
    Step,
    WalletTwin,
    move_of,
    spent_in_order,
)
from tollbridge.core.errors import TollbridgeError
from tollbridge.ledger.wallet_moves import By

STEPS = st.lists(
    st.builds(
        Step,
        kind=st.sampled_from(KINDS),
        amount=st.integers(0, 40),
        pick=st.integers(0, 1000),
        seconds=st.integers(-20, 60),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, overdraft=st.sampled_from([0, 0, 15]))
def test_the_books_of_a_wallet_balance_after_every_step(steps: list[Step], overdraft: int) -> None:
    """Σ entries = 0, nothing is overdrawn unflagged, and what was told of the past stays.

    Grants are spent in their order, and a repetition changes nothing.
    """
    twin, now_us = WalletTwin(overdraft), START_US
    for number, step in enumerate(steps):
        now_us += step.seconds * SECOND_US
        at_us = max(now_us, twin.state.last_at_us)
        if step.kind == "call":
            for _ in range(2):
                twin.charge(f"call-{number}", step.amount, now_us)
        else:
            _move_twice(twin, step, number, now_us)
        told_us = at_us - step.pick % 100 * SECOND_US
        twin.told.setdefault(told_us, twin.balance_at(told_us, now_us))
        twin.check()


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, later_s=st.integers(0, 200))
def test_when_expiry_is_written_down_makes_no_difference(steps: list[Step], later_s: int) -> None:
    """A wallet that is looked at all the time and one that nobody looks at hold the same."""
    quiet, watched, now_us = WalletTwin(), WalletTwin(), START_US
    for number, step in enumerate(steps):
        for second in range(max(0, step.seconds)):
            watched.keep(watched.open(now_us + second * SECOND_US))
        now_us += max(0, step.seconds) * SECOND_US
        if step.kind in {"promotional", "expiring", "purchase", "call"}:
            for twin in (quiet, watched):
                if step.kind == "call":
                    twin.charge(f"call-{number}", step.amount, now_us)
                else:
                    twin.move(move_of(step, twin, now_us), By("ada", f"key-{number}"), now_us)
    now_us += later_s * SECOND_US
    for twin in (quiet, watched):
        twin.keep(twin.open(now_us))
        twin.check()
    assert [_shape(one) for one in quiet.transactions] == [
        _shape(one) for one in watched.transactions
    ]


def _shape(done: object) -> dict[str, object]:
    # When it was written down is all that differs.
    fields = msgspec.to_builtins(done)
    return {name: value for name, value in fields.items() if name != "recorded_at_us"}


def _move_twice(twin: WalletTwin, step: Step, number: int, now_us: int) -> None:
    wanted = move_of(step, twin, max(now_us, twin.state.last_at_us))
    by = By("ada", f"key-{number}")
    before = dict(twin.grants)
    count = len(twin.transactions)
    try:
        done = twin.move(wanted, by, now_us)
    except TollbridgeError:
        assert len(twin.transactions) == count
        return
    spent_in_order(twin, before, done)
    written = len(twin.transactions)
    assert twin.move(wanted, by, now_us) is done
    assert len(twin.transactions) == written
