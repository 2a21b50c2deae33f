"""Who served, by which rule, and how sure are we?

Evidence is tried in the order of its rank; of a call that we carried, the door tells: we know
which endpoint we asked and whether it answered.
"""

from collections.abc import Mapping
from typing import Final

from tollbridge.attribution.matchers import NONE_FOUND
from tollbridge.attribution.rules import SAYS, UNKNOWN_PROVIDER, Rule
from tollbridge.attribution.ruling import Rules
from tollbridge.core.account import Attribution, Confidence
from tollbridge.core.attribution import Evidence
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.provider_names import PROVIDER_ID_MAX, Serving

ANSWERED: Final = "endpoint-answered"
ASKED: Final = "endpoint-asked"
REPORTED: Final = "reported"
NO_RULE: Final = "none"
CACHED: Final = "x-openrouter-cache-status"
PIN_CHARACTERS_MAX: Final = PROVIDER_ID_MAX
HOST_CHARACTERS_MAX: Final = 255
NOTHING_SAYS: Final = "nothing says who served"

NO_ATTEMPT: Final = Attribution(
    provider=UNKNOWN_PROVIDER,
    rule_id=NO_RULE,
    confidence=Confidence.NONE,
    evidence="no attempt was made",
)
NOTHING: Final = Attribution(UNKNOWN_PROVIDER, NO_RULE, Confidence.NONE, NOTHING_SAYS)
_NO_HEADERS: Final[Mapping[str, str]] = {}


def attribute(evidence: Evidence, rules: Rules) -> Attribution:
    """Return who served by all that is known; `unknown` where that says nothing."""
    if evidence.endpoint_provider is not None and evidence.http_status is not None:
        return _with_upstream(_answered(evidence), evidence, rules)
    path, host = evidence.path, evidence.host
    if host is not None or (path is not None and "://" in path):
        path, host = path_and_host(evidence)
    found = rules.by_host(host) if host else NONE_FOUND
    if found is NONE_FOUND and evidence.headers:
        found = rules.by_headers(evidence.headers)
    if found is NONE_FOUND and (evidence.response_id or evidence.aggregator_provider):
        found = rules.by_answer(
            evidence.response_id, has_field=evidence.aggregator_provider is not None
        )
    if found is NONE_FOUND:
        if evidence.reported_provider:
            reported = rules.serving(evidence.reported_provider)
            if reported is not None:
                return _with_upstream(by_report(evidence, reported), evidence, rules)
        if evidence.endpoint_provider is not None:
            return _with_upstream(_asked(evidence), evidence, rules)
        found = rules.by_name(evidence.bucket, evidence.model, evidence.served_model, path)
    if found is NONE_FOUND:
        return NOTHING
    one = rules.verdicts[found]
    return one if one.provider not in rules.reveals else _with_upstream(one, evidence, rules)


def attribute_attempt(attempt: AttemptEvidence | None, rules: Rules) -> Attribution:
    """Return who served one attempt of ours; None, for a call without attempts, is `unknown`.

    An endpoint that answered, with whatever status, was observed; one that was asked and did not
    answer is assumed.
    """
    if attempt is None:
        return NO_ATTEMPT
    if attempt.provider in rules.reveals:
        return attribute(evidence_of(attempt), rules)
    if attempt.http_status is not None:
        return Attribution(
            attempt.provider,
            ANSWERED,
            Confidence.OBSERVED,
            f"{attempt.endpoint} answered {attempt.http_status}",
        )
    return _asked(evidence_of(attempt))


def evidence_of(attempt: AttemptEvidence) -> Evidence:
    """Return what one attempt of ours says of who served it."""
    error = attempt.error_class
    return Evidence(
        model=attempt.model,
        served_model=attempt.served_model,
        headers=attempt.headers or _NO_HEADERS,
        response_id=attempt.response_id,
        aggregator_provider=attempt.aggregator_provider,
        endpoint=attempt.endpoint,
        endpoint_provider=attempt.provider,
        http_status=attempt.http_status,
        error=None if error is None else error.value,
    )


def path_and_host(evidence: Evidence) -> tuple[str | None, str | None]:
    """Return the path and the host; where the path is a whole URL, its own."""
    path, host = evidence.path, evidence.host
    if path is not None and "://" in path:
        named, slash, path = path.partition("://")[2].partition("/")
        path = slash + path
        host = host or named.rpartition("@")[2]
    return path, host[:HOST_CHARACTERS_MAX] if host else None


def by_report(evidence: Evidence, reported: Serving) -> Attribution:
    """Return whom the reporter names."""
    name = shown(evidence.reported_provider or "")
    return Attribution(
        reported.provider,
        REPORTED,
        Confidence.REPORTED,
        f'the {evidence.source.value} names "{name}"',
        reported.upstream,
    )


def shown(text: str) -> str:
    """Return what somebody else wrote as it can be shown: short, and without control characters."""
    cut = text[:PROVIDER_ID_MAX]
    return "".join(character if character.isprintable() else "?" for character in cut)


def words_of(rule: Rule, matched: str) -> str:
    """Return in words what a rule matched."""
    return f'{SAYS.get(rule.rank, "")} "{matched}"'


def _answered(evidence: Evidence) -> Attribution:
    return Attribution(
        evidence.endpoint_provider or UNKNOWN_PROVIDER,
        ANSWERED,
        Confidence.OBSERVED,
        f"{evidence.endpoint} answered {evidence.http_status}",
    )


def _asked(evidence: Evidence) -> Attribution:
    why = f": {evidence.error}" if evidence.error is not None else ""
    return Attribution(
        evidence.endpoint_provider or UNKNOWN_PROVIDER,
        ASKED,
        Confidence.ASSUMED,
        f"{evidence.endpoint} was asked and did not answer{why}",
    )


def _with_upstream(one: Attribution, evidence: Evidence, rules: Rules) -> Attribution:
    """Return it with who ran the model, where an aggregator's answer or the request says so."""
    reveals = rules.reveals.get(one.provider)
    if reveals is None:
        return one
    if (_header(evidence.headers, CACHED) or "").upper() == "HIT":
        words = f"{one.evidence}; from its cache: nobody ran the model"
        return Attribution(one.provider, one.rule_id, one.confidence, words)
    for reveal in reveals:
        upstream = _revealed(reveal.by, evidence, rules)
        if upstream is not None:
            words = f"{one.evidence}; {_REVEALED_BY.get(reveal.by, reveal.by)} names {upstream}"
            return Attribution(one.provider, one.rule_id, one.confidence, words, upstream)
    return one


_REVEALED_BY: Final[Mapping[str, str]] = {
    "answer": "its answer",
    "pin": "the model's suffix",
    "path": "the path",
    "id_suffix": "the answer's id",
}


def _revealed(by: str, evidence: Evidence, rules: Rules) -> str | None:
    if by == "answer":
        name = evidence.aggregator_provider
        found = rules.serving(name) if name else None
        return None if found is None else found.provider
    if by == "pin":
        pin = (evidence.model or "")[-PIN_CHARACTERS_MAX:].rpartition(":")
        return rules.known(pin[2]) if pin[1] else None
    if by == "path":
        path, host = path_and_host(evidence)
        first = (path or "").lstrip("/").partition("/")[0] if host else ""
        return rules.known(first) if first else None
    if by == "id_suffix":
        model = (evidence.response_id or "").rpartition(":")[2]
        author, slash, _ = model.partition("/")
        return rules.known(author) if slash else None
    name = _header(evidence.headers, by.removeprefix("header "))
    found = rules.serving(name) if name else None
    return None if found is None else found.provider


def _header(headers: Mapping[str, str], wanted: str) -> str | None:
    value = headers.get(wanted)
    if value is not None:
        return value
    for name, given in headers.items():
        if name.lower() == wanted:
            return given
    return None
