"""Which rules were tried, which of them matched on which words, and what speaks against it?"""

from collections.abc import Iterator

import msgspec

from tollbridge.attribution.attribute import (
    ANSWERED,
    ASKED,
    REPORTED,
    attribute,
    by_report,
    path_and_host,
    words_of,
)
from tollbridge.attribution.matchers import (
    NONE_FOUND,
    Found,
    Headers,
    Hosts,
    Prefixes,
    Words,
)
from tollbridge.attribution.rules import (
    CONFIDENCE_OF,
    STRENGTH,
    UNKNOWN_PROVIDER,
    Rank,
    Rule,
)
from tollbridge.attribution.ruling import OWN_FIELD, Rules
from tollbridge.core.account import Attribution, Confidence
from tollbridge.core.attribution import Evidence


class Tried(msgspec.Struct, frozen=True):
    """One rule, and what it said of the evidence."""

    rule_id: str
    rank: Rank
    provider: str | None
    """Whom it means; None for one that takes the name from the evidence, and got none."""
    matched: bool
    decided: bool
    words: str | None
    """On which words it matched."""
    confidence: Confidence
    """How sure it would make us."""
    note: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """Who served, and how that was found."""

    attribution: Attribution
    tried: tuple[Tried, ...]
    """Every rule that is in force, strongest first; those behind the deciding one as well."""
    contradictions: tuple[str, ...]
    """Rules that matched and mean somebody else, in words."""
    rules_version: str


def explain(evidence: Evidence, rules: Rules) -> Explanation:
    """Return who served as `attribute` says it, with every rule one by one."""
    attribution = attribute(evidence, rules)
    tried: list[Tried] = []
    for one in _tried(evidence, rules):
        decided = one.matched and one.rule_id == attribution.rule_id
        tried.append(msgspec.structs.replace(one, decided=decided))
    meant = {attribution.provider, attribution.upstream_provider, UNKNOWN_PROVIDER}
    against = [one for one in tried if one.matched and one.provider not in meant]
    return Explanation(
        attribution,
        tuple(tried),
        tuple(f"{one.rule_id}: {one.words}, which means {one.provider}" for one in against),
        rules.version,
    )


def _tried(evidence: Evidence, rules: Rules) -> Iterator[Tried]:
    of_rank: dict[Rank, list[Rule]] = {rank: [] for rank in Rank}
    for rule in rules.rules:
        of_rank[rule.rank].append(rule)
    for rank in sorted(Rank, key=STRENGTH.__getitem__):
        if rank is Rank.ANSWERED:
            answered = evidence.http_status is not None
            deed = f"answered {evidence.http_status}" if answered else None
            yield _door(evidence, ANSWERED, rank, deed)
        elif rank is Rank.ASKED:
            silent = evidence.http_status is None
            yield _door(evidence, ASKED, rank, "was asked and did not answer" if silent else None)
        elif rank is Rank.REPORTED:
            yield _report(evidence, rules)
        for rule in of_rank[rank]:
            found = matched_by(rule, evidence)
            yield Tried(
                rule.id,
                rank,
                rule.provider,
                matched=found is not None,
                decided=False,
                words=None if found is None else words_of(rule, found),
                confidence=rule.sure,
                note=rule.note,
            )


def matched_by(rule: Rule, evidence: Evidence) -> str | None:
    """Return what of the evidence one rule matches, tried by itself; None: it does not match."""
    if rule.buckets and evidence.bucket not in rule.buckets:
        return None
    placed = [(0, rule)]
    path, host = path_and_host(evidence)
    found: Found = NONE_FOUND
    match rule.rank:
        case Rank.HOST:
            found = Hosts(placed).first(host or "")
        case Rank.HEADER:
            found = Headers(placed).first(evidence.headers)
        case Rank.ANSWER:
            if rule.aggregator_field and evidence.aggregator_provider is not None:
                return OWN_FIELD
            found = Prefixes(placed).first(evidence.response_id or "")
        case Rank.PATH:
            found = Words(placed).first(path or "")
        case Rank.ONLY_VENDOR | Rank.MODEL:
            found = Words(placed).first(evidence.model or "")
            if found is NONE_FOUND:
                found = Words(placed).first(evidence.served_model or "")
        case _:
            return evidence.bucket
    return None if found is NONE_FOUND else found[1]


def _door(evidence: Evidence, rule_id: str, rank: Rank, deed: str | None) -> Tried:
    provider = evidence.endpoint_provider
    matched = deed is not None and provider is not None
    return Tried(
        rule_id,
        rank,
        provider if matched else None,
        matched=matched,
        decided=False,
        words=f"{evidence.endpoint} {deed}" if matched else None,
        confidence=CONFIDENCE_OF[rank],
    )


def _report(evidence: Evidence, rules: Rules) -> Tried:
    name = evidence.reported_provider
    reported = rules.serving(name) if name else None
    return Tried(
        REPORTED,
        Rank.REPORTED,
        None if reported is None else reported.provider,
        matched=reported is not None,
        decided=False,
        words=None if reported is None else by_report(evidence, reported).evidence,
        confidence=Confidence.REPORTED,
    )
