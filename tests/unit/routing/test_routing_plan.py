import random
import time
from collections import Counter
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.call import Bucket, Category, ErrorClass, OnContentFiltered
from tollbridge.core.clock import ManualClock
from tollbridge.core.errors import ModelNotFoundError
from tollbridge.core.plan import Endpoint, Plan
from tollbridge.routing.health import Health
from tollbridge.routing.part import CandidateEntry, Order, RouteEntry, RoutingPart
from tollbridge.routing.plan import RouteTable

TEXT = Category.TEXT


def endpoint(
    name: str,
    priority: int = 100,
    *,
    enabled: bool = True,
    disabled: tuple[str, ...] = (),
    category_priority: dict[str, int] | None = None,
    defaults: dict[str, str] | None = None,
) -> Endpoint:
    return Endpoint(
        name=name,
        provider=f"provider of {name}",
        dialect="openai",
        base_url="http://127.0.0.1:1/v1",
        enabled=enabled,
        disabled_categories=disabled,
        priority=priority,
        category_priority=category_priority or {},
        default_models=defaults or {},
    )


def route(model: str, *candidates: CandidateEntry, order: str = Order.PRIORITY) -> RouteEntry:
    return RouteEntry(model, TEXT.value, order, candidates)


def candidate(name: str, priority: int = 1, weight: int = 1) -> CandidateEntry:
    return CandidateEntry(name, f"model of {name}", priority, weight)


def healthy() -> Health:
    return Health(ManualClock())


def broken(*names: str) -> Health:
    health = healthy()
    for name in names:
        health.failed(name, ErrorClass.AUTHENTICATION)
    return health


def never() -> float:
    raise AssertionError("nothing here is left to chance")


def names(plan: Plan) -> list[str]:
    return [one.endpoint.name for one in plan.candidates]


def make(endpoints: list[Endpoint], *routes: RouteEntry) -> RouteTable:
    return RouteTable(RoutingPart(endpoints, list(routes)))


ABC = [endpoint("a"), endpoint("b"), endpoint("c")]


def test_candidates_stand_by_priority_with_the_reason() -> None:
    table = make(ABC, route("m", candidate("c", 3), candidate("a", 1), candidate("b", 2)))
    plan = table.plan("m", TEXT, healthy(), never)
    assert names(plan) == ["a", "b", "c"]
    assert [one.reason for one in plan.candidates] == ["priority 1", "priority 2", "priority 3"]
    assert plan.candidates[0].model == "model of a"
    assert plan.label == "m"


def test_a_plan_without_chance_or_trouble_is_made_once() -> None:
    table = make(ABC, route("m", candidate("a", 1), candidate("b", 2)))
    first = table.plan("m", TEXT, healthy(), never)
    assert table.plan("m", TEXT, broken("c"), never) is first


def test_disabled_absent_and_category_disabled_endpoints_are_skipped() -> None:
    endpoints = [
        endpoint("off", enabled=False),
        endpoint("no text", disabled=("text",)),
        endpoint("no image", disabled=("image",)),
    ]
    entries = (candidate("off"), candidate("absent"), candidate("no text"), candidate("no image"))
    plan = make(endpoints, route("m", *entries)).plan("m", TEXT, healthy(), never)
    assert names(plan) == ["no image"]


def test_an_open_breaker_moves_a_candidate_to_the_end_and_never_drops_it() -> None:
    table = make(ABC, route("m", candidate("a", 1), candidate("b", 2), candidate("c", 3)))
    plan = table.plan("m", TEXT, broken("a"), never)
    assert names(plan) == ["b", "c", "a"]
    assert plan.candidates[-1].reason == "breaker open, else priority 1"
    assert names(table.plan("m", TEXT, broken("a", "b", "c"), never)) == ["a", "b", "c"]


def test_a_half_open_breaker_keeps_its_place_until_the_probe_begins() -> None:
    clock = ManualClock()
    health = Health(clock)
    health.failed("a", ErrorClass.AUTHENTICATION)
    clock.advance(30)
    table = make(ABC, route("m", candidate("a", 1), candidate("b", 2)))
    plan = table.plan("m", TEXT, health, never)
    assert names(plan) == ["a", "b"]
    assert "probing" in plan.candidates[0].reason
    health.began("a")
    assert names(table.plan("m", TEXT, health, never)) == ["b", "a"]


def shares(table: RouteTable, calls: int = 4000) -> Counter[str]:
    draw = random.Random(7).random
    return Counter(names(table.plan("m", TEXT, healthy(), draw))[0] for _ in range(calls))


def test_equal_priorities_share_by_weight_and_stay_before_the_next_priority() -> None:
    table = make(
        ABC,
        route("m", candidate("a", 1, weight=3), candidate("b", 1, weight=1), candidate("c", 2)),
    )
    first = shares(table)
    assert 2800 < first["a"] < 3200
    assert first["a"] + first["b"] == 4000
    assert names(table.plan("m", TEXT, healthy(), random.random))[-1] == "c"


def test_a_weighted_route_ignores_priorities() -> None:
    table = make(
        ABC,
        route("m", candidate("a", 1, 1), candidate("b", 2, 3), order=Order.WEIGHTED),
    )
    first = shares(table)
    assert 2800 < first["b"] < 3200
    assert table.plan("m", TEXT, healthy(), lambda: 0.0).candidates[0].reason == "weight 1"


def test_a_weight_of_zero_is_tried_only_after_the_others() -> None:
    table = make(ABC, route("m", candidate("a", 1, 0), candidate("b", 1, 1), candidate("c", 1, 1)))
    assert all(
        names(table.plan("m", TEXT, healthy(), random.random))[-1] == "a" for _ in range(100)
    )


@given(
    weights=st.lists(st.integers(0, 5), min_size=1, max_size=6),
    draws=st.lists(st.floats(0, 1, exclude_max=True), min_size=6, max_size=6),
    broken_ones=st.sets(st.integers(0, 5)),
)
def test_any_chance_and_any_trouble_only_reorder_the_candidates(
    weights: list[int],
    draws: list[float],
    broken_ones: set[int],
) -> None:
    endpoints = [endpoint(str(number)) for number in range(len(weights))]
    entries = [candidate(str(number), 1, weight) for number, weight in enumerate(weights)]
    table = make(endpoints, route("m", *entries))
    health = broken(*(str(number) for number in broken_ones))
    got = names(table.plan("m", TEXT, health, iter(draws).__next__))
    assert sorted(got) == sorted(one.name for one in endpoints)
    last = [int(name) in broken_ones for name in got]
    assert last == sorted(last)


def test_a_category_is_served_by_all_its_defaults_in_order() -> None:
    table = make(
        [
            endpoint("late", 9, defaults={"text": "l"}),
            endpoint("early", 1, defaults={"text": "e"}),
            endpoint("moved", 1, category_priority={"text": 5}, defaults={"text": "m"}),
            endpoint("other", 0, defaults={"embedding": "o"}),
        ],
    )
    plan = table.plan("text", TEXT, healthy(), never)
    assert [(one.endpoint.name, one.model) for one in plan.candidates] == [
        ("early", "e"),
        ("moved", "m"),
        ("late", "l"),
    ]


def test_a_route_without_candidates_stands_for_its_category() -> None:
    table = make([endpoint("a", 1, defaults={"text": "x"})], route("anything"))
    plan = table.plan("anything", TEXT, healthy(), never)
    assert [(one.endpoint.name, one.model) for one in plan.candidates] == [("a", "x")]
    assert plan.label == "anything"


def test_a_route_named_like_a_category_wins_over_it() -> None:
    table = make(
        [endpoint("a", 1, defaults={"text": "x"}), endpoint("b")], route("text", candidate("b"))
    )
    assert names(table.plan("text", TEXT, healthy(), never)) == ["b"]


def missing(table: RouteTable, label: str, category: str = TEXT) -> ModelNotFoundError:
    with pytest.raises(ModelNotFoundError) as refused:
        table.plan(label, category, healthy(), never)
    return refused.value


def test_an_unknown_model_names_at_most_three_near_ones_that_can_be_asked_for() -> None:
    known = [route(f"gpt-4o-{end}", candidate("a")) for end in ("mini", "maxi", "midi", "moni")]
    table = make(
        [*ABC, endpoint("off", enabled=False)], *known, route("gpt-4o-min", candidate("off"))
    )
    error = missing(table, "gpt-4o-min")
    near = cast("list[str]", error.details["near"])
    assert near[0] == "gpt-4o-mini"
    assert len(near) == 3
    assert "near it: gpt-4o-mini" in error.message
    assert error.details["param"] == "model"
    assert missing(table, "gpt-4o-min").details == error.details


def test_a_model_of_another_category_is_said_to_be_that() -> None:
    table = make(ABC, route("m", candidate("a")))
    assert "does text, not embedding" in missing(table, "m", Category.EMBEDDING).message


def test_a_label_without_anything_near_or_without_end_is_refused_shortly() -> None:
    table = make(ABC, route("m", candidate("a")))
    assert missing(table, "x" * 1_000_000).details["near"] == []
    assert len(missing(table, "x" * 1_000_000).message) < 300
    assert "near it" not in missing(make([]), "m").message


def test_the_models_are_all_labels_that_have_a_candidate() -> None:
    table = make(
        [endpoint("a", 1, defaults={"text": "x"}), endpoint("off", enabled=False)],
        route("m", candidate("a")),
        route("n", candidate("off")),
    )
    assert [(one.model, one.category, one.provider) for one in table.models()] == [
        ("m", "text", "provider of a"),
        ("text", "text", "provider of a"),
        ("x", "text", "provider of a"),
    ]


def test_default_models_can_be_asked_for_by_their_own_names_of_all_that_have_them() -> None:
    """Those of single operations belong to their category; a written route comes first."""
    table = make(
        [
            endpoint("a", 2, defaults={"text": "x", "audio_transcription": "ears"}),
            endpoint("b", 1, defaults={"text": "x", "image": "m", "image_edit": "m"}),
        ],
        RouteEntry("ears", "audio", candidates=(candidate("b"),)),
    )
    assert names(table.plan("x", TEXT, healthy(), never)) == ["b", "a"]
    assert names(table.plan("m", "image", healthy(), never, "image_edit")) == ["b"]
    assert names(table.plan("ears", "audio", healthy(), never)) == ["b"]


def test_a_plan_carries_the_vendor_of_its_label() -> None:
    table = make(ABC, route("gpt-4o-mini", candidate("a")), route("m", candidate("a")))
    assert table.plan("gpt-4o-mini", TEXT, healthy(), never).vendor == "openai"
    assert table.plan("m", TEXT, healthy(), never).vendor is None


def best_us(work: Callable[[], object]) -> float:
    rounds: list[float] = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(1000):
            work()
        rounds.append((time.perf_counter() - started) * 1000)
    return min(rounds)


def test_a_plan_takes_five_microseconds_at_most_where_nothing_is_wrong() -> None:
    table = make(ABC, route("m", candidate("a", 1), candidate("b", 2)))
    health = healthy()
    assert best_us(lambda: table.plan("m", TEXT, health, never)) < 5  # 0.3 where nothing else runs


@pytest.mark.parametrize("priorities", [(1, 2), (1, 1)], ids=["ready-made", "dealt"])
@pytest.mark.parametrize("keeps", [False, True])
def test_a_plan_says_whether_its_route_keeps_content(
    priorities: tuple[int, int], *, keeps: bool
) -> None:
    candidates = tuple(candidate(name, each) for name, each in zip("ab", priorities, strict=True))
    part = RoutingPart(
        [endpoint("a"), endpoint("b")],
        [RouteEntry("m", TEXT.value, candidates=candidates, keep_content=keeps)],
    )
    plan = RouteTable(part).plan("m", TEXT, healthy(), random.random)
    assert plan.keep_content is keeps


@pytest.mark.parametrize("priorities", [(1, 2), (1, 1)], ids=["ready-made", "dealt"])
def test_a_plan_has_its_routes_bucket_and_what_follows_a_filters_no(
    priorities: tuple[int, int],
) -> None:
    candidates = tuple(candidate(name, each) for name, each in zip("ab", priorities, strict=True))
    entry = RouteEntry(
        "m",
        TEXT.value,
        candidates=candidates,
        bucket=Bucket.AUDIO,
        on_content_filtered=OnContentFiltered.FALLBACK,
    )
    table = RouteTable(RoutingPart([endpoint("a"), endpoint("b")], [entry]))
    plan = table.plan("m", TEXT, healthy(), random.random)
    assert (plan.bucket, plan.on_content_filtered) == (Bucket.AUDIO, OnContentFiltered.FALLBACK)
