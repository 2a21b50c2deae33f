"""How are rules of attribution shown, and how is it explained who served?"""

from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.page import Query, instant_text
from tollbridge.attribution.attribute import REPORTED, evidence_of
from tollbridge.attribution.explain import Explanation as Explained
from tollbridge.attribution.explain import Tried
from tollbridge.attribution.reported import evidence_of_report
from tollbridge.attribution.rules import (
    ENTRIES_MAX,
    ENTRY_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    RULE_ID_LENGTH_MAX,
    Rank,
    Rule,
)
from tollbridge.attribution.stored import ListedRule, StoredRule
from tollbridge.attribution.words import TEXT_CHARACTERS_MAX
from tollbridge.core.account import Confidence
from tollbridge.core.attribution import Evidence, EvidenceSource
from tollbridge.core.call import Bucket
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.provider_names import PROVIDER_ID_MAX
from tollbridge.core.report import REPORTED_BY
from tollbridge.insight.usage import CallWhole

RuleId = Annotated[str, Field(min_length=1, max_length=RULE_ID_LENGTH_MAX)]
Entry = Annotated[str, Field(min_length=1, max_length=ENTRY_LENGTH_MAX)]
Entries = Annotated[list[Entry], Field(max_length=ENTRIES_MAX)]
Text = Annotated[str | None, Field(max_length=TEXT_CHARACTERS_MAX)]


class MatchedRule(BaseModel):
    """A rule that matched the evidence."""

    rule_id: str
    rank: str = Field(description="The kind of evidence it reads.")
    provider: str | None
    words: str | None = Field(description="On which words it matched.")
    confidence: str = Field(description="How sure it would make us.")
    decided: bool
    note: str


class Explanation(BaseModel):
    """Who served by the rules that are in force now, and how that is found."""

    provider: str
    upstream_provider: str | None = Field(description="Who ran the model, where revealed.")
    rule_id: str
    confidence: str = Field(
        description="reported, observed, strong, weak, assumed or none.",
    )
    evidence: str
    tried: list[str] = Field(description="Rules in their order, up to the one that decided.")
    matched: list[MatchedRule] = Field(description="Also those behind the one that decided.")
    contradictions: list[str] = Field(description="Matched, and mean somebody else.")
    rules_version: str


class ExplainQuery(Query):
    """What is known of who served; nothing is needed."""

    bucket: Bucket | None = None
    model: Text = None
    served_model: Text = None
    endpoint: Text = Field(default=None, description="Its path, or its whole URL.")
    host: str | None = Field(default=None, max_length=255)
    header: list[Annotated[str, Field(max_length=TEXT_CHARACTERS_MAX)]] = Field(
        default=[], max_length=50, description="Of the answer, as `name: value`; may be repeated."
    )
    response_id: Text = None
    aggregator_provider: Text = Field(default=None, description="OpenRouter's field `provider`.")
    reported_provider: Text = None

    def evidence(self) -> Evidence:
        """Return it as evidence. Raises InvalidRequestError for a header without a colon."""
        return Evidence(
            bucket=None if self.bucket is None else self.bucket.value,
            model=self.model,
            served_model=self.served_model,
            path=self.endpoint,
            host=self.host,
            headers=read_headers(self.header),
            response_id=self.response_id,
            aggregator_provider=self.aggregator_provider,
            reported_provider=self.reported_provider,
        )


class AttributionRule(BaseModel):
    """A rule of attribution, and its state."""

    id: str
    rank: str
    provider: str = Field(description="`unknown`: a match ends the search.")
    enabled: bool
    origin: Literal["builtin", "operator"]
    buckets: list[str]
    words: list[str]
    without: list[str]
    segments: list[str]
    hosts: list[str]
    headers: list[str]
    id_prefixes: list[str]
    aggregator_field: bool
    confidence: str
    note: str
    version: int | None = Field(description="Null: built in, and never switched.")
    updated_at: str | None
    updated_by: str | None


class RuleList(BaseModel):
    """All rules in the order in which they are tried."""

    rules: list[AttributionRule]
    rules_version: str = Field(description="Of those that are on.")


class RuleOrder(BaseModel):
    """A rule that an operator adds."""

    model_config = ConfigDict(extra="forbid")

    id: RuleId
    rank: Rank
    provider: str = Field(min_length=1, max_length=PROVIDER_ID_MAX)
    buckets: list[Bucket] = Field(default=[], description="Only in these; none: in all.")
    words: Entries = Field(default=[], description="Any of these, at the ends of tokens.")
    without: Entries = Field(default=[], description="None of these tokens.")
    segments: Entries = Field(default=[], description="Any of these between slashes of a path.")
    hosts: Entries = Field(default=[], description="With all below them; * is anything.")
    headers: Entries = Field(default=[], description="`name`, `name-*` or `name: value`.")
    id_prefixes: Entries = []
    aggregator_field: bool = False
    confidence: Confidence | None = Field(default=None, description="Null: that of the rank.")
    note: str = Field(default="", max_length=NOTE_LENGTH_MAX)

    def rule(self) -> Rule:
        """Return it as a rule, not checked yet."""
        return msgspec.convert(self.model_dump(exclude={"version"}, mode="json"), Rule)


class RuleEdit(RuleOrder):
    """A rule as it shall be."""

    version: int = Field(ge=0, le=2**31 - 1, description="Of the rule as it was last seen.")


class RuleSwitch(BaseModel):
    """Which rule is switched on or off."""

    model_config = ConfigDict(extra="forbid")

    id: RuleId
    enabled: bool


class RuleSequence(BaseModel):
    """The order of the operator's rules."""

    model_config = ConfigDict(extra="forbid")

    ids: list[RuleId] = Field(min_length=1, max_length=1000, description="Each of them once.")


def read_headers(lines: list[str]) -> dict[str, str]:
    """Return `name: value` lines as headers. Raises InvalidRequestError."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise InvalidRequestError(
                "a header is given as `name: value`", details={"param": "header"}
            )
        headers[name.strip().lower()] = value.strip()
    return headers


def explanation_view(explained: Explained) -> Explanation:
    """Return an explanation as it is shown."""
    one = explained.attribution
    tried: list[str] = []
    for rule in explained.tried:
        tried.append(rule.rule_id)
        if rule.decided:
            break
    return Explanation(
        provider=one.provider,
        upstream_provider=one.upstream_provider,
        rule_id=one.rule_id,
        confidence=one.confidence.value,
        evidence=one.evidence,
        tried=tried,
        matched=[_matched(rule) for rule in explained.tried if rule.matched],
        contradictions=list(explained.contradictions),
        rules_version=explained.rules_version,
    )


def evidence_of_call(whole: CallWhole) -> Evidence:
    """Return what the books still know of who served a call.

    While its raw evidence is kept, all of it; later what the row and its last attempt say.
    """
    row = whole.call
    if whole.report is not None and whole.serving is not None:
        return evidence_of_report(whole.report, whole.serving.dialect)
    if whole.serving is not None:
        return msgspec.structs.replace(evidence_of(whole.serving), bucket=row.bucket, path=row.path)
    if not whole.attempts:
        return Evidence(bucket=row.bucket, model=row.label, path=row.path)
    last = whole.attempts[-1]
    if last.reason.startswith(REPORTED_BY):
        return Evidence(
            model=last.model,
            path=row.path,
            reported_provider=last.provider if row.rule_id == REPORTED else None,
            source=EvidenceSource.INTAKE,
        )
    return Evidence(
        bucket=row.bucket,
        model=last.model,
        served_model=last.served_model,
        path=row.path,
        response_id=last.response_id,
        endpoint=last.endpoint,
        endpoint_provider=last.provider,
        http_status=last.http_status,
        error=last.error_class,
    )


def rule_view(one: ListedRule) -> AttributionRule:
    """Return a rule as it is shown."""
    rule, stored = one.rule, one.stored
    return AttributionRule(
        id=rule.id,
        rank=rule.rank.value,
        provider=rule.provider,
        enabled=one.enabled,
        origin="builtin" if one.is_builtin else "operator",
        buckets=list(rule.buckets),
        words=list(rule.words),
        without=list(rule.without),
        segments=list(rule.segments),
        hosts=list(rule.hosts),
        headers=list(rule.headers),
        id_prefixes=list(rule.id_prefixes),
        aggregator_field=rule.aggregator_field,
        confidence=rule.sure.value,
        note=rule.note,
        version=None if stored is None else stored.version,
        updated_at=None if stored is None else instant_text(stored.updated_at_us),
        updated_by=None if stored is None else stored.updated_by,
    )


def own_rule_view(stored: StoredRule, rule: Rule) -> AttributionRule:
    """Return a rule that was just written as it is shown."""
    return rule_view(ListedRule(rule, stored.enabled, stored))


def _matched(rule: Tried) -> MatchedRule:
    return MatchedRule(
        rule_id=rule.rule_id,
        rank=rule.rank.value,
        provider=rule.provider,
        words=rule.words,
        confidence=rule.confidence.value,
        decided=rule.decided,
        note=rule.note,
    )
