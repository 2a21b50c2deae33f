from tollbridge.core.clock import SECOND_US
from tollbridge.ledger.purse import Purse, Stock

TARGET_US = 10 * SECOND_US


def purse(granted: int = 100, held: int = 0, spent: int = 0) -> Purse:
    made = Purse("b", "lease", 0, 10)
    made.top_up(granted)
    made.held, made.spent = held, spent
    return made


def test_what_is_held_or_spent_is_not_free() -> None:
    assert purse(100, held=60, spent=25).free == 15


def test_what_is_below_zero_is_never_given_back() -> None:
    one = purse(100, spent=130)
    assert one.give_back() == 0
    one.top_up(50)
    assert one.give_back() == 20
    assert one.free == 0


def test_only_what_is_free_is_given_back_and_only_once() -> None:
    one = purse(100, held=60)
    assert one.give_back() == 40
    assert one.give_back() == 0
    one.held = 0
    assert one.give_back() == 60
    assert one.returned == 100


def test_a_correction_changes_what_is_free() -> None:
    one = purse(100, spent=50)
    one.correct(-10)
    assert one.free == 60


def test_a_call_that_was_not_let_in_gives_its_unit_back() -> None:
    one = purse(10, spent=1)
    one.put_back(1)
    assert one.free == 10


def test_the_state_tells_all_amounts() -> None:
    one = purse(100, held=5, spent=25)
    one.give_back()
    state = one.state()
    assert (state.granted, state.held, state.spent, state.returned) == (100, 5, 25, 70)


def stocked(granted: int, held: int = 0) -> Stock:
    made = Stock("b", "lease", 0, 3600 * SECOND_US)
    made.top_up(granted)
    made.held = held
    return made


def test_what_is_wanted_lasts_twice_as_long_as_asked_at_the_present_pace() -> None:
    stock = stocked(100, held=7)
    stock.wanted(SECOND_US, TARGET_US)
    stock.spent = 50
    # 50 in two seconds are 500 in twice ten; 43 are free; and once more what is held.
    assert stock.wanted(3 * SECOND_US, TARGET_US) == 500 - 43 + 7


def test_one_quiet_second_does_not_make_a_purse_forget_its_pace() -> None:
    stock = stocked(1000)
    stock.wanted(SECOND_US, TARGET_US)
    stock.spent = 100
    assert stock.wanted(2 * SECOND_US, TARGET_US) == 2000 - 900
    assert stock.wanted(3 * SECOND_US, TARGET_US) == 2000 - 900
    assert stock.wanted(4 * SECOND_US, TARGET_US) == 0


def test_a_single_call_is_no_pace() -> None:
    stock = stocked(100)
    stock.wanted(SECOND_US, TARGET_US)
    stock.spent = 10
    just_after_us = SECOND_US + 1000
    assert stock.wanted(just_after_us, TARGET_US) == 200 - 90


def test_a_purse_is_running_out_where_it_would_not_last_as_long_as_it_should() -> None:
    stock = stocked(1000)
    assert not stock.is_running_out(SECOND_US, TARGET_US)
    stock.spent = 50
    assert not stock.is_running_out(2 * SECOND_US, TARGET_US)
    stock.spent = 150
    assert stock.is_running_out(3 * SECOND_US, TARGET_US), "850 are free, and 1,000 in ten seconds"
    stock.top_up(1000)
    assert not stock.is_running_out(3 * SECOND_US, TARGET_US)


def test_nothing_is_wanted_in_stock_while_others_are_short() -> None:
    stock = stocked(1000, held=50)
    stock.scarce(2 * SECOND_US)
    assert stock.wanted(SECOND_US, TARGET_US) == 0
    assert stock.wanted(3 * SECOND_US, TARGET_US) == 50
