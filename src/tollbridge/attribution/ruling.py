"""Which rules are in force, made ready for many questions?"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Final

import msgspec

from tollbridge.attribution.matchers import (
    NONE_FOUND,
    Found,
    Headers,
    Hosts,
    Prefixes,
    Words,
)
from tollbridge.attribution.rules import SAYS, Rank, Reveal, Rule, RuleSet, builtin
from tollbridge.attribution.words import TEXT_CHARACTERS_MAX
from tollbridge.core.account import Attribution
from tollbridge.core.call import Bucket
from tollbridge.core.provider_names import PROVIDER_ID_MAX, Serving

VERSION_CHARACTERS: Final = 12
OWN_FIELD: Final = "its own field"
_NOT_IN_IDS: Final = re.compile(r"[^a-z0-9]+")
Resolve = Callable[[str], Serving | None]
Placed = list[tuple[int, Rule]]
# Of one bucket: it is a vendor; the words of models, of paths; what it falls back to.
_InBucket = tuple[Found | None, Words, Words, Found]


def nobody(_name: str) -> Serving | None:
    """Know no provider by name."""
    return None


class Rules:
    """The rules in force, in order, and how one asks them. `resolve` knows providers' names."""

    def __init__(self, rule_set: RuleSet, resolve: Resolve = nobody) -> None:
        self.rules = rule_set.rules
        self.version = version_of(rule_set)
        """Rules with the same version give the same answers."""
        self._resolve = resolve
        placed = list(enumerate(self.rules))
        self.verdicts: Mapping[Found, Attribution] = {
            (place, word): Attribution(
                rule.provider, rule.id, rule.sure, f'{SAYS.get(rule.rank, "")} "{word}"'
            )
            for place, rule in placed
            for word in _matchable(rule)
        }
        """What each rule comes to on each of its words; made once, for there are few."""
        of_rank: dict[Rank, Placed] = {rank: [] for rank in Rank}
        for place, rule in placed:
            of_rank[rule.rank].append((place, rule))
        self._hosts = Hosts(of_rank[Rank.HOST])
        self._headers = Headers(of_rank[Rank.HEADER])
        self._ids = Prefixes(of_rank[Rank.ANSWER])
        fields = [place for place, rule in of_rank[Rank.ANSWER] if rule.aggregator_field]
        self._field: Found = (fields[0], OWN_FIELD) if fields else NONE_FOUND
        names = of_rank[Rank.ONLY_VENDOR] + of_rank[Rank.MODEL]
        vendors = _of_buckets(of_rank[Rank.VENDOR_BUCKET])
        fallbacks = _of_buckets(of_rank[Rank.BUCKET])
        self._in_bucket: Mapping[str | None, _InBucket] = {
            bucket: (
                vendors.get(bucket or ""),
                Words(_in(bucket, names)),
                Words(_in(bucket, of_rank[Rank.PATH])),
                fallbacks.get(bucket or "", NONE_FOUND),
            )
            for bucket in (None, *(bucket.value for bucket in Bucket))
        }
        only = [place for place, rule in placed if rule.rank is Rank.ONLY_VENDOR]
        self._only_until = only[-1] + 1 if only else 0
        reveals: dict[str, list[Reveal]] = {}
        for reveal in rule_set.reveals:
            reveals.setdefault(reveal.provider, []).append(reveal)
        self.reveals: Mapping[str, Sequence[Reveal]] = reveals
        """Aggregator → where it says who runs the model."""

    def by_name(
        self, bucket: str | None, model: str | None, served_model: str | None, path: str | None
    ) -> Found:
        """Return the first rule that matches of the ranks from bucket and names alone."""
        in_bucket = self._in_bucket
        vendor, models, paths, fallback = in_bucket.get(bucket) or in_bucket[None]
        if vendor is not None:
            return vendor
        best = models.first(model) if model else NONE_FOUND
        if served_model and served_model != model:
            best = min(best, models.first(served_model), key=_place)
        if best[0] < self._only_until:
            return best
        if path:
            named = paths.first(path)
            if named is not NONE_FOUND:
                return named
        return fallback if best is NONE_FOUND else best

    def by_host(self, host: str) -> Found:
        """Return the first rule that names this host."""
        return self._hosts.first(host)

    def by_headers(self, headers: Mapping[str, str]) -> Found:
        """Return the first rule that names one of these headers."""
        return self._headers.first(headers)

    def by_answer(self, response_id: str | None, *, has_field: bool) -> Found:
        """Return the first rule of what else the answer says."""
        found = self._ids.first(response_id) if response_id else NONE_FOUND
        return min(found, self._field, key=_place) if has_field else found

    def serving(self, name: str) -> Serving | None:
        """Return whom others mean by a name; one that is not known becomes an id of its own."""
        found = self._resolve(name) or self._resolve(plain_id(name))
        if found is not None:
            return found
        plain = plain_id(name)
        return Serving(plain) if plain and plain not in NOBODY else None

    def known(self, name: str) -> str | None:
        """Return who is meant by a name, None where it is no provider's."""
        found = self._resolve(name)
        return None if found is None else found.provider


# What somebody writes who does not know, or who means a category.
NOBODY: Final = frozenset({"unknown", "none", "null", "default", "video", "audio", "image-edit"})


def plain_id(name: str) -> str:
    """Return a name as our ids are written: "Google AI Studio" → "google-ai-studio"."""
    return _NOT_IN_IDS.sub("-", name[:TEXT_CHARACTERS_MAX].lower()).strip("-")[:PROVIDER_ID_MAX]


def version_of(rule_set: RuleSet) -> str:
    """Return what tells one set of rules from another, in 12 characters."""
    return hashlib.sha256(msgspec.json.encode(rule_set)).hexdigest()[:VERSION_CHARACTERS]


@cache
def builtin_rules() -> Rules:
    """Return the rules that come with Tollbridge, alone."""
    return Rules(builtin())


def _matchable(rule: Rule) -> Iterable[str]:
    yield from (*rule.words, *rule.segments, *rule.buckets)
    yield from (*rule.hosts, *rule.headers, *rule.id_prefixes)
    if rule.aggregator_field:
        yield OWN_FIELD


def _in(bucket: str | None, placed: Placed) -> Placed:
    return [(place, rule) for place, rule in placed if not rule.buckets or bucket in rule.buckets]


def _of_buckets(placed: Placed) -> Mapping[str, Found]:
    found: dict[str, Found] = {}
    for place, rule in placed:
        for bucket in rule.buckets:
            found.setdefault(bucket, (place, bucket))
    return found


def _place(found: Found) -> int:
    return found[0]
