"""Who served a call in the books, by the rules of another day?"""

import pytest

from tests.support.evidence import an_attempt
from tests.support.reattributed import rules
from tollbridge.attribution.attribute import NO_ATTEMPT
from tollbridge.attribution.ruling import builtin_rules
from tollbridge.core.account import Attribution
from tollbridge.reattribution import Detector
from tollbridge.recording.reassign import Findings, Kept, KeptReport, Memory, Page, Said, Served

GPT = rules(("gpt", "azure"))


def said(**more: object) -> Said:
    """Return what the row of an imported use says."""
    row = Said(
        bucket="mistral",
        model="gpt-4o",
        served_model=None,
        path="/v1/chat/completions",
        endpoint="other-gateway",
        dialect="import",
        http_status=200,
        error_class=None,
        cost_origin="computed",
        provider="unknown",
        upstream="",
        rule="none",
        confidence="none",
        evidence="nothing says who served",
    )
    return row._replace(**more)


CARRIED = {
    "endpoint": "router",
    "dialect": "openai",
    "provider": "openrouter",
    "rule": "endpoint-answered",
    "confidence": "observed",
}


@pytest.mark.parametrize(
    ("row", "kept", "provider", "rule"),
    [
        (said(), None, "azure", "word-gpt"),
        (said(provider="fal", rule="reported"), None, "fal", "reported"),
        (said(), KeptReport(bucket_reported=False, provider="fal"), "fal", "reported"),
        (said(endpoint="openai", dialect="openai", provider="openai"), None, "openai", None),
        (said(evidence=NO_ATTEMPT.evidence, endpoint=None, dialect=None), None, "unknown", "none"),
        (said(endpoint=None, dialect=None), None, "azure", "word-gpt"),
    ],
)
def test_what_a_row_says_decides(
    row: Said, kept: Kept | None, provider: str, rule: str | None
) -> None:
    """What is kept of the raw evidence first; a reporter's word and an answer outrank a name."""
    found = Detector(GPT)(row, kept)
    assert found.provider == provider
    assert rule in {None, found.rule_id}


def test_only_a_bucket_that_was_reported_is_evidence() -> None:
    """Without its raw evidence, the reason that was written down tells which one was."""
    builtin = Detector(builtin_rules())
    row = said(model="no-such-model")
    assert builtin(row, None).provider == "unknown"
    assert builtin(row, KeptReport(bucket_reported=False, provider=None)).provider == "unknown"
    assert builtin(row, KeptReport(bucket_reported=True, provider=None)).provider == "huggingface"
    told = row._replace(evidence='the bucket is "mistral"', provider="huggingface")
    assert builtin(told, None).provider == "huggingface"


def test_who_ran_the_model_is_not_forgotten_with_the_evidence_that_told() -> None:
    """An aggregator's answer is purged after a time; what it revealed stays."""
    row = said(**CARRIED, upstream="groq")
    assert Detector(builtin_rules())(row, None).upstream_provider == "groq"
    attempt = an_attempt(provider="openrouter", aggregator_provider="together")
    assert Detector(builtin_rules())(row, attempt).upstream_provider is not None


class Counting:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.aggregators = frozenset[str]()

    def __call__(self, said: Said, kept: Kept | None) -> Attribution:
        self.asked += 1
        return Detector(GPT)(said, kept)


def test_rows_that_say_the_same_are_detected_once() -> None:
    again = Counting()
    memory = Memory(again)
    rows = [tuple(said()), tuple(said(model="other"))] * 500
    places = [(f"call-{number}", number) for number in range(len(rows))]
    changes = memory.consider(Page(places, rows, {}))
    assert (len(changes), again.asked) == (500, 2)
    memory.consider(Page(places, rows, {}))
    assert again.asked == 2


def test_other_words_alone_are_no_change() -> None:
    row = said(
        provider="azure", rule="word-gpt", confidence="weak", evidence="words of an older version"
    )
    assert Memory(Detector(GPT)).consider(Page([("call", 0)], [tuple(row)], {})) == {}


def test_findings_of_batches_add_up_and_name_few_calls_of_each_kind() -> None:
    whole = Findings()
    for batch in range(4):
        part = Findings(calls=2, changed=1)
        part.count("unknown → azure (word-gpt)", 1, [f"call-{batch}"])
        whole.add(part)
    assert (whole.calls, whole.changed) == (8, 4)
    assert whole.moves == {"unknown → azure (word-gpt)": 4}
    assert len(whole.samples["unknown → azure (word-gpt)"]) == 3


def test_a_row_says_who_served() -> None:
    assert said().served == Served("unknown", "", "none", "none", "nothing says who served")
