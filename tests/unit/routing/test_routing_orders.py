"""By price and by speed: in which order do candidates stand then, and what does the plan say?"""

import random
from collections import Counter
from decimal import Decimal

import msgspec

from tests.unit.routing.test_routing_plan import (
    ABC,
    TEXT,
    candidate,
    endpoint,
    healthy,
    names,
    never,
    route,
)
from tollbridge.core.call import ErrorClass
from tollbridge.core.plan import Endpoint, Plan
from tollbridge.routing.health import Health
from tollbridge.routing.ordering import EXPLORED_SHARE
from tollbridge.routing.part import CandidateEntry, Order, RouteEntry, RoutingPart
from tollbridge.routing.plan import RouteTable

CALLS = 4000


def planned(name: str, price: str | None, priority: int = 100) -> Endpoint:
    """Return an endpoint with a planning price for text, and a default model."""
    made = endpoint(name, priority, defaults={TEXT: f"model of {name}"})
    prices = {} if price is None else {TEXT.value: price}
    return msgspec.structs.replace(made, planning_price=prices)


def by_price(endpoints: list[Endpoint], known: dict[str, str]) -> Plan:
    """Return the plan of a cheapest route over endpoints; `known` are prices by model."""

    def price_of(_provider: str, model: str, _category: str) -> Decimal | None:
        return Decimal(known[model]) if model in known else None

    entry = RouteEntry("m", TEXT.value, Order.CHEAPEST)
    return RouteTable(RoutingPart(endpoints, [entry]), price_of=price_of).plan(
        "m", TEXT, healthy(), never
    )


def test_the_cheapest_stands_first_by_the_catalogue_then_by_planning_price_then_the_unknown() -> (
    None
):
    endpoints = [
        planned("unknown", None, 1),
        planned("dear", "0.0001", 2),
        planned("planned", "0.002", 3),
        planned("cheap", "9", 4),
    ]
    plan = by_price(endpoints, {"model of cheap": "0.001", "model of dear": "0.005"})
    assert names(plan) == ["cheap", "planned", "dear", "unknown"]
    assert [one.reason for one in plan.candidates] == [
        "about $0.001 a call by the catalogue",
        "about $0.002 a call by its planning price",
        "about $0.005 a call by the catalogue",
        "its price is not known",
    ]


def test_of_the_same_price_the_priority_decides() -> None:
    endpoints = [planned("late", "0.001", 2), planned("early", "0.001", 1)]
    assert names(by_price(endpoints, {})) == ["early", "late"]


def test_only_a_route_by_price_depends_on_prices() -> None:
    part = RoutingPart(ABC, [route("m", candidate("a"))])
    assert not RouteTable(part).orders_by_price
    cheap = RoutingPart(ABC, [RouteEntry("m", TEXT.value, Order.CHEAPEST)])
    assert RouteTable(cheap).orders_by_price


def fastest(*entries: CandidateEntry) -> RouteTable:
    made = entries or (candidate("a", 1), candidate("b", 2), candidate("c", 3))
    return RouteTable(RoutingPart(ABC, [route("m", *made, order=Order.FASTEST)]))


def measured(**first_byte_s: float) -> Health:
    health = healthy()
    for name, seconds in first_byte_s.items():
        health.took(name, f"model of {name}", seconds)
    return health


def not_exploring() -> float:
    return 0.99


def test_the_fastest_stands_first_and_says_how_fast_it_is() -> None:
    health = measured(a=0.3, b=0.1, c=0.2)
    plan = fastest().plan("m", TEXT, health, not_exploring)
    assert names(plan) == ["b", "c", "a"]
    assert plan.candidates[0].reason == "about 100 ms to its first byte"


def test_where_nothing_is_measured_the_priority_decides() -> None:
    plan = fastest(candidate("b", 2), candidate("a", 1)).plan("m", TEXT, healthy(), not_exploring)
    assert names(plan) == ["a", "b"]
    assert plan.candidates[0].reason == "not measured yet"


def test_what_is_not_measured_stands_behind_and_is_explored_by_a_tenth_of_the_calls() -> None:
    health, table = measured(a=0.2), fastest()
    draw = random.Random(5).random
    plans = [table.plan("m", TEXT, health, draw) for _ in range(CALLS)]
    first = Counter(names(plan)[0] for plan in plans)
    explored = first["b"] + first["c"]
    assert 0.8 < explored / (CALLS * EXPLORED_SHARE) < 1.2
    assert 0.7 < first["b"] / first["c"] < 1.4
    (sample,) = {plan.candidates[0].reason for plan in plans if names(plan)[0] == "b"}
    assert sample == "not measured yet; first, to measure it"


def test_one_that_has_become_fast_is_found_out() -> None:
    """Each call is timed as a worker would; b was slow once and is the fastest now."""
    health, table = measured(a=0.2, b=3.0, c=0.4), fastest()
    draw = random.Random(3).random
    now = {"a": 0.2, "b": 0.05, "c": 0.4}
    first: list[str] = []
    for _ in range(CALLS):
        name = names(table.plan("m", TEXT, health, draw))[0]
        health.took(name, f"model of {name}", now[name])
        first.append(name)
    assert Counter(first[-1000:])["b"] > 850


def test_the_estimate_moves_with_the_latest_times() -> None:
    health = measured(a=1.0)
    assert health.first_byte_s("a", "model of a") == 1.0
    health.took("a", "model of a", 0.5)
    assert health.first_byte_s("a", "model of a") == 0.9
    assert health.first_byte_s("a", "another") is None


def test_an_open_breaker_stands_behind_however_fast_it_was() -> None:
    health = measured(a=0.3, b=0.1, c=0.2)
    health.failed("b", ErrorClass.AUTHENTICATION)
    plan = fastest().plan("m", TEXT, health, not_exploring)
    assert names(plan) == ["c", "a", "b"]
    assert plan.candidates[-1].reason.startswith("breaker open")


def test_weights_of_three_to_one_share_the_calls_so() -> None:
    entries = (candidate("a", 1, 3), candidate("b", 1, 1))
    table = RouteTable(RoutingPart(ABC, [route("m", *entries, order=Order.WEIGHTED)]))
    draw = random.Random(11).random
    first = Counter(names(table.plan("m", TEXT, healthy(), draw))[0] for _ in range(CALLS))
    assert 0.72 < first["a"] / CALLS < 0.78


def test_an_operation_with_models_of_its_own_is_planned_by_them() -> None:
    speaks = msgspec.structs.replace(endpoint("speaks", 1), default_models={"audio": "tts"})
    both = msgspec.structs.replace(
        endpoint("both", 2), default_models={"audio": "voice", "audio_transcription": "ears"}
    )
    table = RouteTable(RoutingPart([speaks, both], []))
    draw = never
    speech = table.plan("audio", "audio", healthy(), draw, "audio_speech")
    assert [(one.endpoint.name, one.model) for one in speech.candidates] == [
        ("speaks", "tts"),
        ("both", "voice"),
    ]
    heard = table.plan("audio", "audio", healthy(), draw, "audio_transcription")
    assert [(one.endpoint.name, one.model) for one in heard.candidates] == [("both", "ears")]


def test_each_category_is_a_route_by_itself() -> None:
    endpoints = [endpoint("a", 1, defaults={"image": "x", "video": "y", "audio": "z", "text": "t"})]
    table = RouteTable(RoutingPart(endpoints, []))
    for category in ("text", "image", "video", "audio"):
        assert names(table.plan(category, category, healthy(), never)) == ["a"]


def test_a_hedged_route_says_so_in_its_plan() -> None:
    entry = msgspec.structs.replace(route("m", candidate("a", 1)), hedge_after_ms=250)
    plan = RouteTable(RoutingPart(ABC, [entry])).plan("m", TEXT, healthy(), never)
    assert plan.hedge_after_s == 0.25
