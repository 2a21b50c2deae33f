from tollbridge.core.clock import SECOND_US
from tollbridge.ledger.purse import Purse, Stock


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


def test_what_is_wanted_lasts_as_long_as_asked_at_the_present_pace() -> None:
    stock = Stock("b", "lease", 0, 10)
    stock.top_up(1000)
    stock.wanted(SECOND_US, 10 * SECOND_US)
    stock.spent, stock.held = 50, 7
    # 50 in two seconds are 250 in ten; and once more what is held.
    assert stock.wanted(3 * SECOND_US, 10 * SECOND_US) == 250 + 7


def test_nothing_is_wanted_in_stock_while_others_are_short() -> None:
    stock = Stock("b", "lease", 0, 10)
    stock.top_up(1000)
    stock.held = 50
    stock.scarce(2 * SECOND_US)
    assert stock.wanted(SECOND_US, 10 * SECOND_US) == 0
    assert stock.wanted(3 * SECOND_US, 10 * SECOND_US) == 50
