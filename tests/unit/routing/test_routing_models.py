"""What the catalogue of models decides about a call."""

from typing import Any

import pytest

from tests.unit.routing.test_routing_plan import broken, candidate, endpoint, healthy, never
from tollbridge.core.call import Category
from tollbridge.core.errors import InvalidRequestError, ModelInactiveError, ModelNotFoundError
from tollbridge.core.models import ModelEntry, ModelPart
from tollbridge.core.plan import Endpoint, Plan
from tollbridge.routing.entries import implicit_routes
from tollbridge.routing.part import DeclaredEndpoint, RouteEntry, RoutingPart
from tollbridge.routing.plan import RouteTable

TEXT, IMAGE = Category.TEXT.value, Category.IMAGE.value


def model(name: str, provider: str = "provider of a", **fields: Any) -> ModelEntry:
    given: dict[str, Any] = {
        "model_type": TEXT,
        "is_active": True,
        "is_default": False,
        **fields,
    }
    return ModelEntry(name=name, provider=provider, **given)


def table(endpoints: list[Endpoint], routes: list[RouteEntry], *models: ModelEntry) -> RouteTable:
    return RouteTable(RoutingPart(endpoints, routes), ModelPart(list(models)))


def order(plan: Plan) -> list[tuple[str, str]]:
    return [(one.endpoint.name, one.model) for one in plan.candidates]


A = endpoint("a", 50, defaults={TEXT: "a-small", IMAGE: "a-image"})
B = endpoint("b", 10, defaults={TEXT: "b-small"})
C = endpoint("c", 20, defaults={TEXT: "c-small"})
WRITTEN = RouteEntry("m", TEXT, candidates=(candidate("b"),))


def test_an_active_model_without_a_route_is_asked_of_its_own_provider_then_of_the_others() -> None:
    """Its provider's endpoint by the model's name, the others by their own default model."""
    found = table([A, B, C], [], model("m")).plan("m", TEXT, healthy(), never)
    assert order(found) == [("a", "m"), ("b", "b-small"), ("c", "c-small")]
    assert found.label == "m"
    assert found.candidates[0].reason == "the model's own provider, priority 50"
    assert found.candidates[1].reason == "priority 10"


def test_a_model_whose_provider_is_not_here_is_served_by_the_category() -> None:
    found = table([B, C], [], model("m")).plan("m", TEXT, healthy(), never)
    assert order(found) == [("b", "b-small"), ("c", "c-small")]


def test_a_provider_switched_off_for_the_category_is_not_asked() -> None:
    off = endpoint("a", 1, disabled=(TEXT,), defaults={TEXT: "a-small"})
    found = table([off, B], [], model("m")).plan("m", TEXT, healthy(), never)
    assert order(found) == [("b", "b-small")]


def test_a_broken_own_provider_goes_behind_the_others() -> None:
    found = table([A, B], [], model("m")).plan("m", TEXT, broken("a"), never)
    assert order(found) == [("b", "b-small"), ("a", "m")]


def test_a_route_with_candidates_is_served_whatever_the_catalogue_says() -> None:
    for entry in (model("m", is_active=False), model("m")):
        found = table([A, B], [WRITTEN], entry).plan("m", TEXT, healthy(), never)
        assert order(found) == [("b", "model of b")]


def test_an_inactive_model_is_refused_with_the_active_ones_of_its_type() -> None:
    routes = table(
        [A, B],
        [],
        model("m", is_active=False),
        model("z"),
        model("y"),
        model("i", model_type=IMAGE),
    )
    with pytest.raises(ModelInactiveError) as caught:
        routes.plan("m", TEXT, healthy(), never)
    assert caught.value.message == "the model 'm' is inactive; active are y, z"
    assert (caught.value.status, caught.value.code) == (404, "model_inactive")
    assert caught.value.details == {"param": "model", "active": ["y", "z"]}
    listed = {one.model for one in routes.models()}
    assert {"i", "image", "text", "y", "z"} <= listed
    assert "m" not in listed


def test_a_long_list_of_active_models_is_cut() -> None:
    many = [model(f"m{number:04}") for number in range(500)]
    routes = table([A], [], model("off", is_active=False), *many)
    with pytest.raises(ModelInactiveError, match="and 450 more") as caught:
        routes.plan("off", TEXT, healthy(), never)
    active = caught.value.details["active"]
    assert isinstance(active, list)
    assert active == [f"m{number:04}" for number in range(50)]


OFFERED = implicit_routes([DeclaredEndpoint(B, {TEXT: ("m",)})], ())


def test_a_model_that_somebody_switched_off_is_refused_though_an_endpoint_offers_it() -> None:
    with pytest.raises(ModelInactiveError):
        table([B], OFFERED, model("m", is_active=False)).plan("m", TEXT, healthy(), never)


def test_what_a_sync_brought_changes_nothing_of_what_is_served() -> None:
    """An offered model is served as before, until somebody decides about it."""
    synced = model("m", is_active=False, is_decided=False)
    found = table([A, B], OFFERED, synced).plan("m", TEXT, healthy(), never)
    assert order(found) == [("b", "m")]
    with pytest.raises(ModelInactiveError):
        table([A, B], [], synced).plan("m", TEXT, healthy(), never)


def test_an_active_model_that_an_endpoint_offers_is_asked_there_alone() -> None:
    found = table([A, B], OFFERED, model("m")).plan("m", TEXT, healthy(), never)
    assert order(found) == [("b", "m")]


def test_a_call_without_a_model_takes_the_default_of_its_category() -> None:
    routes = table(
        [A, B],
        [WRITTEN],
        model("m", is_default=True),
        model("i", model_type=IMAGE, is_default=True),
    )
    found = routes.plan("", TEXT, healthy(), never)
    assert (found.label, order(found)) == ("m", [("b", "model of b")])
    assert routes.plan("", IMAGE, healthy(), never).label == "i"


def test_a_call_without_a_model_is_refused_where_there_is_no_default() -> None:
    routes = table([A], [], model("m"), model("n", is_active=False))
    with pytest.raises(InvalidRequestError) as caught:
        routes.plan("", TEXT, healthy(), never)
    assert caught.value.message == (
        "no model was given, and none is the default for text; active are m"
    )
    assert caught.value.status == 400
    assert caught.value.details["param"] == "model"
    with pytest.raises(InvalidRequestError, match="none is active here"):
        routes.plan("", "embedding", healthy(), never)


def test_a_default_that_nobody_serves_is_not_found() -> None:
    routes = table([], [], model("m", is_default=True))
    with pytest.raises(ModelNotFoundError, match="no model 'm' for text"):
        routes.plan("", TEXT, healthy(), never)


def test_a_name_of_another_type_says_so() -> None:
    routes = table(
        [A], [], model("i", model_type=IMAGE), model("j", model_type=IMAGE, is_active=False)
    )
    with pytest.raises(ModelNotFoundError, match="'i' does image, not text"):
        routes.plan("i", TEXT, healthy(), never)
    with pytest.raises(ModelNotFoundError, match="there is no model 'j'"):
        routes.plan("j", TEXT, healthy(), never)


def test_a_size_is_checked_against_those_of_the_model() -> None:
    sizes = ("1024x1024", "1792x1024")
    routes = table(
        [A],
        [],
        model("i", model_type=IMAGE, is_default=True, valid_sizes=sizes),
        model("j", model_type=IMAGE),
    )
    routes.check_size("i", IMAGE, "1024x1024")
    routes.check_size("", IMAGE, "1792x1024")
    routes.check_size("j", IMAGE, "1x1")
    routes.check_size("not in the catalogue", IMAGE, "1x1")
    for label in ("i", ""):
        with pytest.raises(InvalidRequestError) as caught:
            routes.check_size(label, IMAGE, "512x512")
        assert caught.value.message == (
            "i does not make images of the size '512x512'; its sizes are 1024x1024, 1792x1024"
        )
        assert caught.value.details == {"param": "size", "valid_sizes": list(sizes)}
