"""An experiment decides who is asked first, always the same for the same caller, and no more."""

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.call import Caller
from tollbridge.core.plan import Endpoint, Plan
from tollbridge.routing.health import Breaker
from tollbridge.routing.part import (
    Arm,
    CandidateEntry,
    Order,
    RouteEntry,
    RoutingPart,
    SubjectKind,
    Trial,
)
from tollbridge.routing.plan import RouteTable
from tollbridge.routing.trials import arm_of

NAMES = ("a", "b", "c")
ARMS = (Arm("control", "a", "m", 2), Arm("other", "b", "m", 1))
TRIAL = Trial("0199-id", "try", "m", "text", SubjectKind.USER, ARMS)


class Health:
    """Breakers as a test sets them."""

    def __init__(self, **states: Breaker) -> None:
        self._states = states

    @property
    def troubled(self) -> frozenset[str]:
        return frozenset(self._states)

    def state(self, endpoint: str) -> Breaker:
        return self._states.get(endpoint, Breaker.CLOSED)

    def first_byte_s(self, endpoint: str, model: str) -> float | None:
        return None


WELL = Health()


def a_table(
    *trials: Trial, order: str = Order.PRIORITY, names: tuple[str, ...] = NAMES
) -> RouteTable:
    candidates = tuple(CandidateEntry(name, "m", place) for place, name in enumerate(names))
    return RouteTable(
        RoutingPart(
            endpoints=[Endpoint(name, name, "openai", "http://127.0.0.1/v1") for name in names],
            routes=[
                RouteEntry("m", "text", order, candidates),
                RouteEntry("untried", "text", order, candidates),
            ],
            trials=trials,
        )
    )


def asked(
    table: RouteTable, user: str, health: Health = WELL, label: str = "m", key: str = "k"
) -> Plan:
    caller = Caller("id", key, user, "default")
    return table.plan(label, "text", health, lambda: 0.5, "chat_completion", caller)


def order_of(plan: Plan) -> list[str]:
    return [one.endpoint.name for one in plan.candidates]


@given(st.text(max_size=20))
def test_the_same_caller_gets_the_same_arm_from_every_table(user: str) -> None:
    arm = ARMS[arm_of(TRIAL, user)]
    for _ in range(2):
        plan = asked(a_table(TRIAL), user)
        assert order_of(plan)[0] == arm.endpoint
        assert sorted(order_of(plan)) == sorted(NAMES)
        assert plan.tag == f"experiment:try={arm.name}"
        assert f"arm {arm.name} of the experiment try" in plan.candidates[0].reason


def test_arms_get_their_share_of_the_subjects() -> None:
    counts = Counter(arm_of(TRIAL, f"user-{number}") for number in range(6000))
    assert abs(counts[0] - 4000) < 150
    # Another experiment deals them anew.
    other = msgspec.structs.replace(TRIAL, experiment_id="another")
    both = sum(
        arm_of(TRIAL, f"user-{number}") == arm_of(other, f"user-{number}") for number in range(6000)
    )
    assert abs(both - 6000 * 5 / 9) < 200


def test_by_key_the_key_decides_and_not_the_user() -> None:
    trial = msgspec.structs.replace(TRIAL, subject=SubjectKind.KEY)
    table = a_table(trial)
    for number in range(20):
        key = f"key-{number}"
        firsts = {order_of(asked(table, user, key=key))[0] for user in ("ada", "bob", "eve")}
        assert firsts == {ARMS[arm_of(trial, key)].endpoint}


def test_without_an_experiment_the_ready_made_plan_is_given() -> None:
    table = a_table(TRIAL)
    assert asked(table, "ada", label="untried") is asked(table, "bob", label="untried")
    assert asked(table, "ada", label="untried").tag == ""
    # Who is nobody in particular is outside of it.
    assert table.plan("m", "text", WELL, lambda: 0.5).tag == ""


def test_with_one_too() -> None:
    """Nothing is made anew for a call while all are well."""
    table = a_table(TRIAL)
    assert asked(table, "ada") is asked(table, "ada")


def test_an_arm_in_trouble_is_not_asked_first_but_still_counts() -> None:
    table = a_table(TRIAL)
    user = next(name for name in "abcdefghij" if arm_of(TRIAL, name) == 1)
    assert order_of(asked(table, user)) == ["b", "a", "c"]
    plan = asked(table, user, Health(b=Breaker.OPEN))
    assert order_of(plan) == ["a", "c", "b"]
    assert plan.tag == "experiment:try=other"
    # Another's trouble moves that one alone.
    assert order_of(asked(table, user, Health(a=Breaker.OPEN))) == ["b", "c", "a"]


def test_an_arm_that_the_route_no_longer_has_changes_nothing_but_counts() -> None:
    table = a_table(TRIAL, names=("a", "c"))
    user = next(name for name in "abcdefghij" if arm_of(TRIAL, name) == 1)
    plan = asked(table, user)
    assert order_of(plan) == ["a", "c"]
    assert plan.tag == "experiment:try=other"


def test_chance_still_deals_the_others() -> None:
    table = a_table(TRIAL, order=Order.WEIGHTED)
    user = next(name for name in "abcdefghij" if arm_of(TRIAL, name) == 1)
    caller = Caller("id", "k", user, "default")
    orders = {
        tuple(order_of(table.plan("m", "text", WELL, lambda value=value: value, "", caller)))
        for value in (0.0, 0.3, 0.6, 0.9)
    }
    assert {order[0] for order in orders} == {"b"}
    assert len(orders) > 1


def test_a_snapshot_without_experiments_is_read_as_before() -> None:
    """A worker may be a moment older than its office."""
    part = RoutingPart(endpoints=[], routes=[], trials=(TRIAL,))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=RoutingPart) == part
    assert msgspec.convert({"endpoints": [], "routes": []}, RoutingPart).trials == ()
