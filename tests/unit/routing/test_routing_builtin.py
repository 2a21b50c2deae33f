from tollbridge.routing.builtin import builtin_endpoints, load_known
from tollbridge.routing.entries import implicit_routes
from tollbridge.routing.part import BUILT_DIALECTS


def test_an_endpoint_is_live_where_its_key_is_in_the_environment() -> None:
    live, skipped = builtin_endpoints(load_known(), {"OPENAI_API_KEY": " sk-x ", "XAI_API_KEY": ""})
    assert [(one.endpoint.name, one.endpoint.api_key) for one in live] == [("openai", "sk-x")]
    reasons = {one.name: one.reason for one in skipped}
    assert reasons["xai"] == "XAI_API_KEY is not set"
    assert reasons["sandbox"] == "it is not started"


def test_an_endpoint_without_a_built_dialect_is_skipped_and_says_so() -> None:
    live, skipped = builtin_endpoints(load_known(), {"ANTHROPIC_API_KEY": "x"})
    assert not live
    reasons = {one.name: one.reason for one in skipped}
    assert reasons["anthropic"] == "the dialect anthropic is not built yet"


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
    for one in load_known("http://127.0.0.1:9/v1").endpoints.values():
        assert one.base_url.startswith(("https://", "http://127.0.0.1"))
        assert one.api_key_env or one.name == "sandbox"
        assert one.default_models
        assert one.dialect in BUILT_DIALECTS or one.name == "anthropic"
