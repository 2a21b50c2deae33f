from decimal import Decimal

from tollbridge.core.call import Category
from tollbridge.core.plan import ProviderKey
from tollbridge.providers.names import load_names
from tollbridge.routing.builtin import (
    builtin_endpoints,
    builtin_here,
    fault_of_address,
    load_known,
)
from tollbridge.routing.entries import implicit_routes
from tollbridge.routing.plan import APART

CATEGORIES = {category.value for category in Category}


def test_an_endpoint_is_live_where_its_key_is_in_the_environment() -> None:
    live, skipped = builtin_endpoints(load_known(), {"OPENAI_API_KEY": " sk-x ", "XAI_API_KEY": ""})
    assert [(one.endpoint.name, one.endpoint.api_key) for one in live] == [("openai", "sk-x")]
    reasons = {one.name: one.reason for one in skipped}
    assert reasons["xai"] == "XAI_API_KEY is not set"
    assert reasons["sandbox"] == "it is not started"


def test_a_key_that_no_header_can_carry_is_skipped_and_not_shown() -> None:
    _, skipped = builtin_endpoints(load_known(), {"OPENAI_API_KEY": "sk\r\nx: y"})
    reasons = {one.name: one.reason for one in skipped}
    assert reasons["openai"] == "OPENAI_API_KEY has characters that a header cannot carry"


def test_the_order_is_that_of_the_brief_and_the_sandbox_is_last() -> None:
    known = load_known()
    order = sorted(known.endpoints.values(), key=lambda one: one.priority)
    assert [one.name for one in order][:6] == [
        "aimlapi",
        "piapi",
        "openrouter",
        "openai",
        "anthropic",
        "xai",
    ]
    assert [one.priority for one in order[:6]] == [1, 2, 3, 4, 5, 6]
    assert order[-1].name == "sandbox"
    assert len({one.priority for one in order}) == len(order)


def test_the_sandbox_is_live_once_it_has_an_address() -> None:
    live, _ = builtin_endpoints(load_known("http://127.0.0.1:9/v1/"), {})
    assert [(one.endpoint.name, one.endpoint.base_url) for one in live] == [
        ("sandbox", "http://127.0.0.1:9/v1"),
    ]
    labels = {one.model for one in implicit_routes(live, ())}
    assert labels == {"sandbox-small", "sandbox-large", "sandbox-embedding"}


def test_the_catalogues_models_follow_from_openai() -> None:
    live, _ = builtin_endpoints(load_known(), {"OPENAI_API_KEY": "x"})
    labels = {(one.model, one.category) for one in implicit_routes(live, ())}
    assert labels == {
        ("gpt-4o-mini", "text"),
        ("gpt-4o", "text"),
        ("gpt-4.1", "text"),
        ("gpt-5.1", "text"),
        ("gpt-5.2", "text"),
        ("text-embedding-3-small", "embedding"),
        ("text-embedding-3-large", "embedding"),
    }


def test_an_endpoint_that_the_file_declares_is_left_to_it() -> None:
    live, skipped = builtin_endpoints(load_known(), {"OPENAI_API_KEY": "x"}, {"openai", "xai"})
    assert not live
    assert {"openai", "xai"}.isdisjoint(one.name for one in skipped)


def test_each_known_endpoint_is_whole() -> None:
    providers = load_names().shown
    for one in load_known("http://127.0.0.1:9/v1").endpoints.values():
        address = one.base_url.replace("{address}", "https://customer")
        assert fault_of_address(address) is None
        assert ("{address}" in one.base_url) == bool(one.base_url_env)
        assert one.api_key_env or one.name == "sandbox" or one.base_url_env
        assert one.default_models or one.default_model_env
        assert (one.provider or one.name) in providers
        assert one.default_models.keys() <= CATEGORIES | APART.keys()
        assert one.category_priority.keys() <= CATEGORIES
        assert one.planning_price.keys() <= CATEGORIES
        assert all(Decimal(price) > 0 for price in one.planning_price.values())


def ranked(category: str) -> list[str]:
    """Return the known endpoints of a category in order."""
    known = [
        (one.category_priority.get(category, one.priority), one.name)
        for one in load_known().endpoints.values()
        if category in one.default_models
    ]
    assert len({priority for priority, _ in known}) == len(known)
    return [name for _, name in sorted(known)]


def test_each_category_is_in_the_order_of_the_brief_and_everybody_else_comes_after() -> None:
    text = ["aimlapi", "piapi", "openrouter", "openai", "anthropic", "xai"]
    assert ranked("text")[:6] == text
    assert ranked("image")[:2] == ["replicate", "openai"]
    assert ranked("video")[0] == "replicate"
    assert ranked("audio")[:2] == ["elevenlabs", "replicate"]


def test_the_default_models_are_those_of_the_brief() -> None:
    known = load_known().endpoints
    assert known["openai"].default_models["text"] == "gpt-4o"
    assert known["openai"].default_models["image"] == "dall-e-3"
    assert "claude" in known["anthropic"].default_models["text"]
    assert "grok" in known["xai"].default_models["text"]
    replicate = known["replicate"]
    assert "flux" in replicate.default_models["image"]
    assert "kling" in replicate.default_models["video"]
    assert "bark" in replicate.default_models["audio"]
    assert any("luma" in model for model in replicate.models["video"])


def test_the_planning_prices_are_those_of_the_brief() -> None:
    known = load_known().endpoints
    text = {
        name: one.planning_price["text"]
        for name, one in known.items()
        if one.planning_price.get("text")
    }
    assert text == {
        "aimlapi": "0.0015",
        "piapi": "0.0012",
        "openrouter": "0.002",
        "openai": "0.0025",
        "anthropic": "0.003",
        "xai": "0.005",
    }
    assert known["replicate"].planning_price["image"] == "0.003"
    assert known["openai"].planning_price["image"] == "0.04"


def test_a_customers_own_address_and_model_come_from_the_environment() -> None:
    environment = {
        "AZURE_OPENAI_API_KEY": "x",
        "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com/",
        "AZURE_OPENAI_DEPLOYMENT": "fast",
    }
    here = builtin_here(None, environment)
    assert here["azure"].endpoint.base_url == "https://mine.openai.azure.com/openai/v1"
    assert here["azure"].endpoint.default_models["text"] == "fast"
    _, skipped = builtin_endpoints(load_known(), {"AZURE_OPENAI_API_KEY": "x"})
    reasons = {one.name: one.reason for one in skipped}
    assert reasons["azure"] == "AZURE_OPENAI_ENDPOINT is not set"


def test_an_address_that_is_none_is_skipped_and_says_so() -> None:
    _, skipped = builtin_endpoints(load_known(), {"OLLAMA_BASE_URL": "127.0.0.1:11434"})
    (reason,) = [one.reason for one in skipped if one.name == "ollama"]
    assert reason.startswith("OLLAMA_BASE_URL: is an address such as")


def test_a_server_of_our_own_needs_no_key() -> None:
    here = builtin_here(None, {"VLLM_BASE_URL": "http://127.0.0.1:8000/v1", "VLLM_MODEL": "m"})
    (one,) = here.values()
    assert (one.endpoint.provider, one.endpoint.api_key) == ("local", "")
    assert one.endpoint.default_models == {"text": "m"}


def test_runware_is_off_until_it_is_switched_on() -> None:
    here = builtin_here(None, {"RUNWARE_API_KEY": "x"})
    if "runware" in here:  # its wire format may not be built
        assert not here["runware"].endpoint.enabled
    assert not load_known().endpoints["runware"].enabled
    assert not any("kie" in name for name in load_known().endpoints)


def test_a_key_of_the_environment_is_known_by_its_variable() -> None:
    (one,) = builtin_here(None, {"OPENAI_API_KEY": "sk-x"}).values()
    assert one.endpoint.keys == (ProviderKey("OPENAI_API_KEY", "sk-x"),)
