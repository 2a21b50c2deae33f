"""What a rule may say, what comes with Tollbridge, and what an operator's rules do to it."""

import sys
from subprocess import run
from typing import Any

import msgspec
import pytest

from tollbridge.attribution.attribute import attribute
from tollbridge.attribution.detect import detect_actual_provider
from tollbridge.attribution.explain import explain
from tollbridge.attribution.rules import Rank, Rule, builtin, check, read
from tollbridge.attribution.ruling import Rules, version_of
from tollbridge.attribution.stored import StoredRule, in_force, listed
from tollbridge.core.attribution import Evidence
from tollbridge.core.call import Bucket
from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.names import load_names

NAMES = load_names()
NEEDED = """
    wavespeed google huggingface stability openai anthropic elevenlabs azure bedrock replicate
    openrouter aimlapi piapi xai mistral groq together deepseek cohere jina runware fal runway
    luma kling ideogram black-forest-labs minimax tavily serper metaphor exa firecrawl local
"""


def stored(rule_id: str, position: int = 1, **changes: Any) -> StoredRule:
    known: dict[str, Any] = {
        "enabled": True,
        "rule": None,
        "version": 1,
        "created_at_us": 0,
        "updated_at_us": 0,
        "updated_by": "root",
    }
    return StoredRule(rule_id=rule_id, position=position, **{**known, **changes})


def own(rule: Rule, position: int = 1) -> StoredRule:
    return stored(rule.id, position, rule=rule)


def rules_with(*kept: StoredRule) -> Rules:
    return Rules(in_force(builtin(), kept), NAMES.resolve)


@pytest.mark.parametrize("provider", NEEDED.split())
def test_a_provider_has_a_name_to_show_and_a_rule_that_finds_it(provider: str) -> None:
    assert provider in NAMES.shown
    assert provider in {rule.provider for rule in builtin().rules}


def test_every_provider_of_a_rule_has_a_name_to_show() -> None:
    known = {*NAMES.shown, "unknown"}
    assert {rule.provider for rule in builtin().rules} <= known


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": "Big"}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"provider": "p" * 51}, "provider"),
        ({"provider": "two words"}, "provider"),
        ({"rank": Rank.REPORTED}, "rank"),
        ({"words": ()}, "words"),
        ({"words": ("--",)}, "words"),
        ({"words": ("a\x00b",)}, "words"),
        ({"words": ("w" * 201,)}, "words"),
        ({"words": tuple(map(str, range(101)))}, "words"),
        ({"without": ("two-tokens",)}, "without"),
        ({"hosts": ("openai.com",)}, "hosts"),
        ({"buckets": ("vidoe",)}, "buckets"),
        ({"rank": Rank.BUCKET, "words": ()}, "buckets"),
        ({"note": "n" * 501}, "note"),
    ],
)
def test_a_rule_that_cannot_mean_anything_is_refused(changes: dict[str, Any], field: str) -> None:
    rule = Rule("mine", Rank.MODEL, "acme", words=("acme",))
    check(rule)
    with pytest.raises(InvalidRequestError) as refused:
        check(msgspec.structs.replace(rule, **changes))
    assert refused.value.details == {"param": field}


@pytest.mark.parametrize(
    "text",
    [
        "model = [{ id = 'a', provider = 'b', words = ['c'], colour = 'red' }]",
        "moddel = [{ id = 'a', provider = 'b', words = ['c'] }]",
        "model = [{id='a', provider='b', words=['c']}, {id='a', provider='b', words=['d']}]",
        "model = [",
    ],
)
def test_a_file_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"rules\.toml"):
        read(text)


def test_an_operator_s_rule_stands_before_the_built_in_ones_of_its_rank() -> None:
    rules = rules_with(own(Rule("mine", Rank.MODEL, "fal", words=("wan",))))
    assert attribute(Evidence(bucket="video", model="wan-2.5"), rules).rule_id == "mine"


def test_an_operator_s_weak_rule_does_not_override_a_stronger_rank() -> None:
    rules = rules_with(own(Rule("mine", Rank.MODEL, "fal", words=("wan",))))
    found = attribute(Evidence(bucket="video", model="wan-2.5", path="/x/replicate"), rules)
    assert found.provider == "replicate"


def test_of_two_operator_s_rules_the_first_in_order_decides() -> None:
    one = Rule("one", Rank.MODEL, "fal", words=("acme",))
    two = Rule("two", Rank.MODEL, "runware", words=("acme",))
    evidence = Evidence(model="acme-1")
    assert attribute(evidence, rules_with(own(one, 1), own(two, 2))).rule_id == "one"
    assert attribute(evidence, rules_with(own(one, 2), own(two, 1))).rule_id == "two"


def test_a_category_falls_back_to_the_operator_s_default() -> None:
    default = Rule("video-default", Rank.BUCKET, "wavespeed", buckets=("video",))
    rules = rules_with(own(default))
    found = attribute(Evidence(bucket="video", model="kling-v2"), rules)
    assert (found.provider, found.confidence.value) == ("wavespeed", "assumed")
    assert attribute(Evidence(bucket="audio"), rules).provider == "unknown"


def test_a_built_in_rule_can_be_switched_off_and_is_still_listed() -> None:
    off = stored("bucket-stability", enabled=False)
    rules = rules_with(off)
    assert attribute(Evidence(bucket="stability"), rules).provider == "unknown"
    assert rules.version != version_of(builtin())
    [shown] = [one for one in listed(builtin(), [off]) if one.rule.id == "bucket-stability"]
    assert (shown.enabled, shown.is_builtin) == (False, True)


def test_the_version_is_of_what_is_in_force() -> None:
    rule = Rule("mine", Rank.MODEL, "fal", words=("acme",))
    assert rules_with().version == version_of(builtin())
    assert rules_with(own(rule)).version != version_of(builtin())
    assert rules_with(stored("mine", rule=rule, enabled=False)).version == version_of(builtin())


def test_what_contradicts_the_decision_is_kept() -> None:
    evidence = Evidence(bucket="stability", model="qwen-image", host="api.openai.com")
    explained = explain(evidence, rules_with())
    assert explained.attribution.provider == "openai"
    assert explained.contradictions == (
        'model-open-media: the model\'s name has "qwen", which means wavespeed',
        'bucket-stability: nothing but the bucket is known: "stability", which means stability',
    )


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("x" * 10_000, "/" * 10_000),
        ("tts-1 " * 5_000, None),
        ("\x00\x1b[2J\r\n", "\x00"),
        ("\ud800", "\udfff/wavespeed"),
        ("\u017fora-2", "/\ufb01le"),
        ("::::", "://"),
        ("", "https://"),
        ("a", "https://user:password@/"),
    ],
)
def test_nothing_that_somebody_wrote_is_too_much(model: str, path: str | None) -> None:
    for bucket in (*Bucket, "nonsense", None):
        assert len(detect_actual_provider(bucket, model, path)) <= 50
        found = attribute(Evidence(bucket=bucket, model=model, path=path), rules_with())
        assert len(found.evidence) < 300
        assert found.evidence.isprintable()


def test_a_report_of_any_length_becomes_an_id_and_printable_words() -> None:
    report = "ACME\x00\u202e" + "y" * 10_000
    found = attribute(Evidence(reported_provider=report), rules_with())
    assert len(found.provider) <= 50
    assert len(found.evidence) < 300
    assert found.evidence.isprintable()


def test_a_path_that_is_a_url_is_read_by_its_host() -> None:
    url = "https://api.groq.com/openai/v1/chat/completions"
    assert detect_actual_provider(None, "openai/gpt-oss-120b", url) == "groq"
    assert detect_actual_provider(Bucket.VIDEO, None, "https://example.org/x/fal") == "fal"


def test_who_only_detects_loads_no_database() -> None:
    script = (
        "import sys\nfrom tollbridge import APIProvider, detect_actual_provider\n"
        "assert detect_actual_provider(APIProvider.VIDEO, 'veo-3') == 'google'\n"
        "print('sqlalchemy' in sys.modules, 'tollbridge.storage' in sys.modules)"
    )
    done = run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("rule", "evidence"),
    [
        (Rule("mine", Rank.HOST, "acme", hosts=("*.Acme.COM", "acme.COM")), {"host": "a.acme.com"}),
        (
            Rule("mine", Rank.HEADER, "acme", headers=("X-Acme: Yes", "X-Acme-*")),
            {"headers": {"x-acme": "YES"}},
        ),
        (Rule("mine", Rank.HEADER, "acme", headers=("X-Acme-*",)), {"headers": {"X-ACME-1": ""}}),
        (Rule("mine", Rank.ANSWER, "acme", id_prefixes=("Acme_",)), {"response_id": "Acme_1"}),
        (Rule("mine", Rank.PATH, "acme", segments=("Acme",)), {"path": "/ACME/v1"}),
        (Rule("mine", Rank.PATH, "acme", words=("Acme-AI",)), {"path": "/acme.ai"}),
        (Rule("mine", Rank.ONLY_VENDOR, "acme", words=("ACME",)), {"model": "Acme7"}),
        (Rule("mine", Rank.VENDOR_BUCKET, "acme", buckets=("mistral",)), {"bucket": "mistral"}),
    ],
)
def test_a_rule_of_each_rank_matches_in_whatever_case(rule: Rule, evidence: dict[str, Any]) -> None:
    check(rule)
    explained = explain(Evidence(**evidence), rules_with(own(rule)))
    assert (explained.attribution.provider, explained.attribution.rule_id) == ("acme", "mine")
