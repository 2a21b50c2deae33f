"""Any interleaving of grants, holds, charges, returns, recalls, deaths and drains.

The machine is driven twice: by hypothesis, which shrinks what it finds, and by long random walks,
which get further.
"""

import random
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.ledger_machine import AMOUNTS, BUDGETS, LIMITS, NEEDS, SECONDS, LedgerMachine


def walk(machine: LedgerMachine, dice: random.Random, steps: int) -> None:
    """Take random steps; the usual ones are the most frequent."""

    def node() -> int:
        return dice.randrange(2)

    def pick() -> int:
        return dice.randrange(10**6)

    usual: list[Callable[[], None]] = [
        lambda: machine.call(pick(), dice.choice(AMOUNTS), dice.choice(NEEDS), dice.randrange(4)),
        lambda: machine.office_hears(node()),
        lambda: machine.office_decides(node()),
        lambda: machine.workers_hear(node()),
        lambda: machine.all_of_it(node()),
        lambda: machine.call_ends(pick(), dice.randrange(131), dice.randrange(-20, 21)),
        lambda: machine.call_ends(pick(), dice.randrange(100), 1),
        lambda: machine.drain(dice.randrange(1, 6)),
        lambda: machine.clock.advance(0.06),
        lambda: machine.another_worker(node()),
    ]
    rare: list[Callable[[], None]] = [
        lambda: machine.caller_leaves_while_waiting(pick()),
        lambda: machine.call_fails(pick()),
        lambda: machine.call_is_not_let_in(pick()),
        lambda: machine.worker_dies(pick(), keeps=dice.random() < 0.5),
        lambda: machine.worker_ends_well(pick()),
        lambda: machine.office_dies(node()),
        lambda: machine.database_fails(dice.choice(["before", "after"])),
        lambda: machine.recall(node(), dice.choice([*BUDGETS, "rate", "concurrent"])),
        lambda: machine.return_idle(node()),
        lambda: machine.change_limit(dice.choice(BUDGETS), dice.choice(LIMITS)),
        lambda: machine.time_passes(dice.choice(SECONDS)),
    ]
    if dice.random() < 0.1:
        rare.append(machine.operator_releases_the_node)
    for _ in range(steps):
        dice.choice(rare if dice.random() < 0.15 else usual)()
        machine.the_books_balance()
        machine.nothing_is_granted_over_a_limit()
        machine.the_database_never_counts_less_than_the_workers_hold()
        machine.calls_are_counted_exactly()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(min_value=0, max_value=2**32))
def test_the_ledger_holds_on_long_random_walks(seed: int) -> None:
    machine = LedgerMachine()
    machine.begin()
    try:
        walk(machine, random.Random(seed), steps=150)
    finally:
        machine.teardown()


LedgerMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLedger = LedgerMachine.TestCase
