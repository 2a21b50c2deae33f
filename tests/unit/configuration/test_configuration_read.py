from pathlib import Path

import pytest

from tollbridge.configuration.read import Configuration, read, read_file
from tollbridge.core.call import Bucket, OnCallerLeft, OnContentFiltered
from tollbridge.core.errors import ConfigurationError
from tollbridge.core.plan import ProviderKey
from tollbridge.routing.builtin import load_known
from tollbridge.routing.part import CandidateEntry, RouteEntry, Skipped

KNOWN = load_known()
KEY = "k" * 32
ENVIRONMENT = {"OPENAI_API_KEY": "sk-openai", "TOLLBRIDGE_CI_KEY": KEY, "EMPTY": "", "SHORT": "abc"}

DESIGN = """
[[endpoint]]
name = "openai"
api_key_env = "OPENAI_API_KEY"
enabled = true
priority = 4

[[endpoint]]
name = "local"
provider = "local"
dialect = "openai"
base_url = "http://127.0.0.1:9000/v1/"
api_key = "none"

[[route]]
model = "gpt-4o-mini"
category = "text"
order = "priority"
candidates = [
  { endpoint = "openai", model = "gpt-4o-mini", priority = 1 },
  { endpoint = "local", model = "gpt-4o-mini", priority = 2 },
]

[[key]]
name = "ci"
key_env = "TOLLBRIDGE_CI_KEY"
user = "ci"

[[price]]
provider = "local"
model = "gpt-4o-mini"
rates = { input = "0.15", output = "0.60", cache_read = "0.075" }

[[budget]]
name = "ci-month"
subject = "key:ci"
limit_usd = "1.00"
period = "month"
hard = true
"""


def given(text: str) -> Configuration:
    return read(text, ENVIRONMENT, KNOWN)


def refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        given(text)
    return refused.value.message


def test_the_example_of_the_design_is_read_whole() -> None:
    found = given(DESIGN)
    openai, local = (one.endpoint for one in found.endpoints)
    assert (openai.base_url, openai.api_key, openai.priority) == (
        "https://api.openai.com/v1",
        "sk-openai",
        4,
    )
    assert openai.quirks == KNOWN.endpoints["openai"].quirks
    assert (local.base_url, local.api_key, local.priority) == ("http://127.0.0.1:9000/v1", "", 100)
    assert found.routes == (
        RouteEntry(
            "gpt-4o-mini",
            "text",
            "priority",
            (
                CandidateEntry("openai", "gpt-4o-mini", 1),
                CandidateEntry("local", "gpt-4o-mini", 2),
            ),
        ),
    )
    (key,) = found.keys
    assert (key.terms.name, key.terms.user, key.terms.project) == ("ci", "ci", "default")
    assert (key.terms.scopes, key.key) == (("call",), KEY)
    (price,) = found.prices
    assert price.rates == {"input": "0.15", "output": "0.60", "cache_read": "0.075"}
    (budget,) = found.budgets
    assert (budget.subject, budget.kind) == ("key:ci", "money")
    assert (budget.limit_amount, budget.period, budget.hard) == (1_000_000_000, "month", True)
    assert found.skipped == ()
    assert found.endpoint_names == {"openai", "local"}


def test_an_empty_file_declares_nothing() -> None:
    assert given("") == Configuration()


def test_a_category_can_be_switched_off_and_have_a_priority_of_its_own() -> None:
    found = given(
        """
        [[endpoint]]
        name = "openai"
        enabled = { text = true, image = false }
        priority = { text = 1 }
        """,
    )
    endpoint = found.endpoints[0].endpoint
    assert endpoint.enabled
    assert endpoint.disabled_categories == ("image",)
    known = KNOWN.endpoints["openai"].category_priority
    assert (endpoint.priority, endpoint.category_priority) == (4, {**known, "text": 1})


def test_an_endpoint_takes_all_its_other_fields() -> None:
    found = given(
        """
        [[endpoint]]
        name = "local"
        provider = "vllm"
        base_url = "https://[::1]:9000/v1"
        api_key = "secret"
        enabled = false
        default_models = { text = "m" }
        models = ["m", "n"]
        on_caller_left = "cancel"
        quirks = ["no_stream_options"]
        [[endpoint]]
        name = "second"
        provider = "vllm"
        base_url = "http://h"
        models = { embedding = ["e"] }
        """,
    )
    one, two = found.endpoints
    assert one.models == {"text": ("m", "n")}
    assert two.models == {"embedding": ("e",)}
    assert not one.endpoint.enabled
    assert one.endpoint.on_caller_left is OnCallerLeft.CANCEL
    assert one.endpoint.quirks == ("no_stream_options",)
    assert (one.endpoint.api_key, two.endpoint.api_key) == ("secret", "")


def test_what_lacks_its_variable_is_skipped_and_says_so() -> None:
    found = given(
        """
        [[endpoint]]
        name = "xai"
        [[endpoint]]
        name = "mistral"
        api_key_env = "EMPTY"
        [[endpoint]]
        name = "sandbox"
        [[key]]
        name = "a"
        key_env = "ABSENT"
        """,
    )
    assert found.endpoints == ()
    assert found.keys == ()
    assert found.skipped == (
        Skipped("xai", "XAI_API_KEY is not set"),
        Skipped("mistral", "EMPTY is not set"),
        Skipped("sandbox", "it is not started"),
        Skipped("a", "ABSENT is not set", "key"),
    )
    assert found.endpoint_names == {"xai", "mistral", "sandbox"}


def test_a_route_has_defaults_for_all_but_its_model() -> None:
    found = given(
        """
        [[route]]
        model = "m"
        [[route]]
        model = "m"
        category = "embedding"
        order = "weighted"
        candidates = [{ endpoint = "a" }, { endpoint = "b", weight = 3, model = "x" }]
        """,
    )
    assert found.routes == (
        RouteEntry("m", "text"),
        RouteEntry(
            "m",
            "embedding",
            "weighted",
            (CandidateEntry("a", "m", 1), CandidateEntry("b", "x", 2, 3)),
        ),
    )


def test_a_key_takes_its_limits_scopes_and_end() -> None:
    (key,) = given(
        """
        [[key]]
        name = "a"
        project = "p"
        scopes = ["call", "read"]
        expires = 2027-01-01T00:00:00+01:00
        calls_per_minute = 60
        concurrent_calls = 4
        """,
    ).keys
    assert key.key is None
    terms = key.terms
    assert (terms.user, terms.project, terms.scopes) == ("a", "p", ("call", "read"))
    assert (terms.calls_per_minute, terms.concurrent_calls) == (60, 4)
    assert terms.expires_at_us == 1_798_758_000_000_000


def test_keys_and_routes_keep_content_only_where_they_say_so() -> None:
    found = given(
        """
        [[key]]
        name = "a"
        [[key]]
        name = "b"
        keep_content = true
        [[route]]
        model = "m"
        [[route]]
        model = "n"
        keep_content = true
        """,
    )
    assert [one.terms.keep_content for one in found.keys] == [False, True]
    assert [one.keep_content for one in found.routes] == [False, True]
    assert "keep_content" in refusal('[[key]]\nname = "a"\nkeep_content = "yes"')


ENDPOINT = '[[endpoint]]\nname = "local"\nprovider = "local"\nbase_url = "http://h/v1"\n'
ROUTE = '[[route]]\nmodel = "m"\n'
KEY_TABLE = '[[key]]\nname = "ci"\n'
PRICE = '[[price]]\nprovider = "local"\nmodel = "m"\n'
BUDGET = '[[budget]]\nname = "b"\nsubject = "key:ci"\nlimit_usd = "1"\nperiod = "month"\n'
CALLS = '[[budget]]\nname = "b"\nsubject = "customer:ci"\nlimit_calls = 5\nperiod = "day"\n'
BUDGET_HEAD = '[[budget]]\nname = "b"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # Unknown tables and fields are named, with what is near.
        ("[[endpoints]]\nname = 'a'", ["[[endpoints]]", "did you mean endpoint?"]),
        ("zzz = 1", ["[[zzz]]", "there are budget, credit_rate, endpoint, intake_source, key"]),
        (ENDPOINT + "base_ulr = 'x'", ['[[endpoint]] "local"', "base_ulr", "mean base_url?"]),
        (ROUTE + "modle = 'x'", ['[[route]] "m"', "modle", "model"]),
        (ROUTE + "candidates = [{ endpiont = 'a' }]", ["candidate 1", "endpiont", "endpoint"]),
        (KEY_TABLE + "key = 'x'", ['[[key]] "ci"', "unknown field key"]),
        (PRICE + "rates = {}\nunit = 'x'", ['[[price]] "m"', "unknown field unit"]),
        (BUDGET + "limit = 1", ['[[budget]] "b"', "unknown field limit"]),
        # Shapes.
        ("[endpoint]\nname = 'a'", ["write [[endpoint]]"]),
        ("endpoint = 5", ["endpoint is a [[endpoint]], not a whole number"]),
        ("endpoint = ['a']", ["[[endpoint]] no. 1 is a table, not text"]),
        ("[[endpoint]]\nname = 5x", ["tollbridge.toml", "line 2"]),
        # Wrong types.
        ("[[endpoint]]\nname = 5", ["no. 1", "name is text, not a whole number"]),
        ("[[endpoint]]\nname = ''", ["name has 1 to 128"]),
        (ENDPOINT + "priority = 'high'", ["priority is a whole number, not text"]),
        (ENDPOINT + "priority = true", ["priority is a whole number, not true or false"]),
        (ENDPOINT + "priority = -1", ["priority is from 0 to 1000000, not -1"]),
        (
            ENDPOINT + "priority = { text = 1.5 }",
            ["priority.text is a whole number, not a number w"],
        ),
        (ENDPOINT + "priority = { txt = 1 }", ["there is no 'txt'", "did you mean text?"]),
        (ENDPOINT + "enabled = 'yes'", ["enabled is true or false, not text"]),
        (ENDPOINT + "enabled = { text = 1 }", ["enabled.text is true or false"]),
        (ENDPOINT + "models = 'm'", ["models is a table of categories, not text"]),
        (ENDPOINT + "models = [5]", ["models is text, not a whole number"]),
        (
            ENDPOINT + "default_models = ['m']",
            ["default_models is a table of categories, not a list"],
        ),
        (ENDPOINT + "quirks = ['x']", ["there is no 'x'", "no_stream_options"]),
        (ENDPOINT + "on_caller_left = 'x'", ["on_caller_left", "cancel, drain"]),
        (ROUTE + "candidates = 5", ["candidates is a list, not a whole number"]),
        (ROUTE + "candidates = ['openai']", ["candidates is a list of tables, not text"]),
        (ROUTE + "candidates = [{ model = 'm' }]", ["candidate 1: endpoint is missing"]),
        (ROUTE + "candidates = [{ endpoint = 'a', weight = -1 }]", ["weight is from 0"]),
        (ROUTE + "category = 'txt'", ["there is no 'txt'", "text"]),
        (ROUTE + "order = 'random'", ["order: there is no 'random'"]),
        (KEY_TABLE + "scopes = ['root']", ["there is no 'root'", "admin, call, intake, read"]),
        (KEY_TABLE + "expires = 2027-01-01", ["expires is a time with a zone", "a date or time"]),
        (KEY_TABLE + "expires = 2027-01-01T00:00:00", ["a time without a zone"]),
        (KEY_TABLE + "calls_per_minute = 0", ["calls_per_minute is from 1"]),
        (PRICE, ["rates is missing"]),
        (PRICE + "rates = 'x'", ["rates is a table of unit and rate, not text"]),
        (PRICE + "rates = {}", ["no rate is given"]),
        (PRICE + "rates = { input = 0.15 }", ["write the rate as text"]),
        (PRICE + "rates = { input = '-1' }", ["negative"]),
        (PRICE + "rates = { inptu = '1' }", ["inptu", "no such unit"]),
        (BUDGET.replace('"1"', "1"), ['limit_usd is decimal text such as "1.00"']),
        (BUDGET.replace('"1"', "1.5"), ["limit_usd is decimal text"]),
        (BUDGET.replace('"1"', '"one"'), ["limit_usd: 'one' is no finite number"]),
        (BUDGET.replace('"1"', '"-1"'), ["limit_usd: -1 is negative; 0 allows none"]),
        (BUDGET.replace('"1"', '"1e30"'), ["limit_usd: 1e30 is over 1000000000"]),
        (BUDGET.replace('"1"', '"0.0000000001"'), ["at most 9 decimal places"]),
        (BUDGET.replace("month", "fortnight"), ["there is no 'fortnight'", "month"]),
        (BUDGET.replace("key:ci", "ci"), ["a kind and a name"]),
        (BUDGET.replace("key:ci", "kye:ci"), ["there is no 'kye'", "key"]),
        # Missing.
        ("[[endpoint]]", ["no. 1: name is missing"]),
        ("[[endpoint]]\nname = 'a'", ["provider is missing"]),
        ("[[endpoint]]\nname = 'a'\nprovider = 'a'", ["base_url is missing"]),
        ("[[route]]", ["model is missing"]),
        ("[[key]]", ["name is missing"]),
        (BUDGET_HEAD, ["subject is missing"]),
        (BUDGET_HEAD + "subject = 'key:a'\nperiod = 'day'", ["limit_usd is missing"]),
        # What is not built yet says so.
        (ENDPOINT + "dialect = 'klingon'", ["'klingon' is not built yet; built: "]),
        (ROUTE + "category = 'search'", ["there is no 'search'"]),
        (ROUTE + "order = 'dearest'", ["there is no 'dearest'", "cheapest"]),
        (ROUTE + "hedge_after_ms = 0", ["hedge_after_ms is from 1 to"]),
        (ENDPOINT + "auth = 'cookie'", ["there is no 'cookie'", "bearer"]),
        (ENDPOINT + "planning_price = { text = 'cheap' }", ["planning_price.text"]),
        (ENDPOINT + "planning_price = { text = '-1' }", ["planning_price.text is not below"]),
        (ENDPOINT + "default_models = { texts = 'm' }", ["there is no 'texts'"]),
        (ROUTE + "bucket = 'opena'", ["there is no 'opena'", "openai"]),
        (ROUTE + "on_content_filtered = 'ask'", ["there is no 'ask'"]),
        (PRICE + "rates = { video_ms = '1' }", ["rates.video_ms: no such unit"]),
        (BUDGET + "limit_calls = 5", ["a budget counts one thing: limit_usd or limit_calls"]),
        (CALLS.replace("5", "-5"), ["limit_calls", "from 0"]),
        (CALLS.replace("5", "'5'"), ["limit_calls"]),
        (CALLS.replace("calls", "credits"), ["limit_credits is decimal text"]),
        (CALLS + "bucket = 'opnai'", ["bucket: there is no 'opnai'; did you mean openai"]),
        (CALLS + "category = 'film'", ["category: there is no 'film'"]),
        (CALLS + "provider = 'opnai'", ["provider: there is no 'opnai'; did you mean openai"]),
        (CALLS.replace("calls", "images") + "category = 'text'", ["of the category image alone"]),
        (BUDGET + "alerts = 50", ["alerts is a list"]),
        (BUDGET + "alerts = ['50']", ["alerts is a whole number"]),
        (BUDGET + "alerts = [0]", ["alerts is from 1 to"]),
        (BUDGET + f"alerts = {list(range(1, 12))}", ["alerts: at most 10 thresholds"]),
        # What cannot be.
        (ENDPOINT + "api_key = 'a'\napi_key_env = 'B'", ["only one can say the key"]),
        (ENDPOINT + 'api_key = "a b"', ["characters that a header cannot carry"]),
        (KEY_TABLE + "key_env = 'SHORT'", ["SHORT", "3 characters; at least 32"]),
        (ENDPOINT + ENDPOINT, ["[[endpoint]] local is declared twice"]),
        (ROUTE + ROUTE, ["[[route]] m (text) is declared twice"]),
        (KEY_TABLE + KEY_TABLE, ["[[key]] ci is declared twice"]),
        (BUDGET + BUDGET, ["[[budget]] b is declared twice"]),
        ((PRICE + "rates = { input = '1' }\n") * 2, ["declared twice"]),
        (
            KEY_TABLE
            + "key_env = 'TOLLBRIDGE_CI_KEY'\n"
            + KEY_TABLE.replace("ci", "b")
            + "key_env = 'TOLLBRIDGE_CI_KEY'",
            ["'ci' and 'b' are given the same key"],
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, words: list[str]) -> None:
    message = refusal(text)
    assert message.startswith("tollbridge.toml: ")
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:9000",
        "ftp://host",
        "http://",
        "http://user:password@host/v1",
        "http://host/v1?key=x",
        "http://host/v1#x",
        "http://host:99999",
        "http://host:0",
        "http://h ost",
        "http://hôst",
    ],
)
def test_a_base_url_that_is_no_plain_address_is_refused(url: str) -> None:
    assert "base_url" in refusal(ENDPOINT.replace("http://h/v1", url))


def test_no_error_shows_a_keys_value() -> None:
    environment = {"A": "secret-but-short"}
    with pytest.raises(ConfigurationError) as refused:
        read(KEY_TABLE + "key_env = 'A'", environment, KNOWN)
    assert "secret" not in refused.value.message


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "tollbridge.toml"
    path.write_text(DESIGN)
    assert read_file(path, ENVIRONMENT, KNOWN) == given(DESIGN)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.toml"
    with pytest.raises(ConfigurationError, match=r"absent\.toml: No such file"):
        read_file(path, {}, KNOWN)
    path.write_bytes(b"# \xff")
    with pytest.raises(ConfigurationError, match="not UTF-8 at byte 2"):
        read_file(path, {}, KNOWN)
    path.write_text("# " + "x" * 100)
    with pytest.raises(ConfigurationError, match="over 50 bytes"):
        read_file(path, {}, KNOWN, file_bytes_max=50)


def test_an_endpoint_has_as_many_keys_as_its_variables_give() -> None:
    text = """
    [[endpoint]]
    name = "openai"
    api_keys_env = ["OPENAI_API_KEY", "EMPTY", "SHORT", "ABSENT"]
    """
    (one,) = given(text).endpoints
    assert one.endpoint.keys == (
        ProviderKey("OPENAI_API_KEY", "sk-openai"),
        ProviderKey("SHORT", "abc"),
    )
    assert one.endpoint.api_key == "sk-openai"
    found = given(text.replace('"OPENAI_API_KEY", ', "").replace('"SHORT", ', ""))
    assert found.skipped == (Skipped("openai", "EMPTY is not set; ABSENT is not set"),)


def test_a_route_may_be_of_any_category_and_order_and_hedge() -> None:
    (route,) = given(
        """
        [[route]]
        model = "pictures"
        category = "image"
        order = "cheapest"
        hedge_after_ms = 250
        """
    ).routes
    assert route == RouteEntry("pictures", "image", "cheapest", hedge_after_ms=250)


def test_a_route_may_say_what_it_counts_in_and_what_follows_a_filters_no() -> None:
    one, two = given(
        """
        [[route]]
        model = "m"
        bucket = "wavespeed"
        on_content_filtered = "fallback"
        [[route]]
        model = "n"
        """
    ).routes
    assert (one.bucket, one.on_content_filtered) == (Bucket.WAVESPEED, OnContentFiltered.FALLBACK)
    assert (two.bucket, two.on_content_filtered) == (None, OnContentFiltered.FINAL)


def test_an_endpoint_says_its_auth_its_planning_price_and_models_for_single_operations() -> None:
    (one,) = given(
        """
        [[endpoint]]
        name = "mine"
        provider = "mine"
        base_url = "http://h"
        auth = "x-api-key"
        planning_price = { text = "0.001" }
        default_models = { audio = "speak", audio_transcription = "hear" }
        """
    ).endpoints
    assert one.endpoint.auth == "x-api-key"
    assert one.endpoint.planning_price == {"text": "0.001"}
    assert one.endpoint.default_models == {"audio": "speak", "audio_transcription": "hear"}


def test_what_is_off_by_default_stays_off_unless_the_file_says_otherwise() -> None:
    environment = {"RUNWARE_API_KEY": "x"}
    (off,) = read("[[endpoint]]\nname = 'runware'", environment, KNOWN).endpoints
    (on,) = read("[[endpoint]]\nname = 'runware'\nenabled = true", environment, KNOWN).endpoints
    assert (off.endpoint.enabled, on.endpoint.enabled) == (False, True)


def test_a_budget_says_when_it_is_told_of() -> None:
    """In order and each once; none is never, and without the field it is as for all others."""
    text = "".join(
        f"[[budget]]\nname = '{name}'\nsubject = 'key:ci'\nlimit_usd = '1'\nperiod = 'day'\n{own}\n"
        for name, own in (("own", "alerts = [95, 10, 95]"), ("never", "alerts = []"), ("usual", ""))
    )
    assert given(text).budget_alerts == {"own": (10, 95), "never": (), "usual": None}
