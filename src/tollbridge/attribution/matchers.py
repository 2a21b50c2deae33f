"""Which of many rules is the first to match, without trying each?

What is looked up here decides as trying the rules one by one does (`explain`); a property test
holds the two together.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tollbridge.attribution.rules import Rule
from tollbridge.attribution.words import DIGITS, SHORTEST_BEFORE_DIGITS, phrase, split

NO_PLACE: Final = 1 << 30
"""Behind every rule."""

Found = tuple[int, str]
"""The rule's place among all, and what it matched."""
NONE_FOUND: Final[Found] = (NO_PLACE, "")
# place, the word, the phrase to be looked for (None: the token itself), the segment, without
_Hit = tuple[int, str, bytes | None, str | None, frozenset[bytes]]


class Words:
    """The words of the model rules, or of the path rules, that hold in one bucket."""

    __slots__ = ("_hits",)

    def __init__(self, placed: Iterable[tuple[int, Rule]]) -> None:
        hits: dict[bytes, list[_Hit]] = {}
        for place, rule in placed:
            without = frozenset(token for word in rule.without for token in split(word))
            for word in rule.words:
                tokens = split(word)
                wanted = phrase(word) if len(tokens) > 1 else None
                hits.setdefault(tokens[0], []).append((place, word, wanted, None, without))
            for segment in rule.segments:
                hits.setdefault(split(segment)[0], []).append(
                    (place, segment, None, f"/{segment.lower()}/", without)
                )
        # The sort is stable: words of one rule stay in their order.
        self._hits: Mapping[bytes, Sequence[_Hit]] = {
            token: tuple(sorted(found, key=_place_of)) for token, found in hits.items()
        }

    def first(self, text: str) -> Found:
        """Return the first rule with a word in the text."""
        tokens = split(text)
        hits = self._hits
        best = NONE_FOUND
        for token in tokens:
            if token in hits:
                best = _better(best, hits[token], tokens, text)
            if not token.isalpha():
                # A whole phrase or segment is not found with its number cut off: see `_better`.
                bare = token.rstrip(DIGITS)
                if bare in hits and SHORTEST_BEFORE_DIGITS <= len(bare) < len(token):
                    best = _better(best, hits[bare], tokens, text)
        return best


def _better(best: Found, hits: Sequence[_Hit], tokens: Sequence[bytes], text: str) -> Found:
    """Return the first of these that is really there, if it comes before `best`."""
    for place, word, wanted, segment, without in hits:
        if place >= best[0]:
            break
        if wanted is not None and wanted not in b" %b " % b" ".join(tokens):
            continue
        if segment is not None and segment not in f"/{text.lower()}/":
            continue
        if without and not without.isdisjoint(tokens):
            continue
        return (place, word)
    return best


def _place_of(hit: _Hit) -> int:
    return hit[0]


def has_word(rule: Rule, text: str) -> str | None:
    """Return the first word of one rule that is in a text: what `Words` says, tried one by one."""
    found = Words([(0, rule)]).first(text)
    return found[1] if found is not NONE_FOUND else None


class Hosts:
    """The hosts of the host rules."""

    __slots__ = ("_exact", "_patterns")

    def __init__(self, placed: Iterable[tuple[int, Rule]]) -> None:
        exact: dict[str, Found] = {}
        patterns: list[tuple[int, str, re.Pattern[str]]] = []
        for place, rule in placed:
            for host in rule.hosts:
                if "*" in host:
                    parts = [re.escape(part) for part in host.lower().split("*")]
                    patterns.append((place, host, re.compile(".*".join(parts), re.DOTALL)))
                else:
                    exact.setdefault(host.lower(), (place, host))
        self._exact: Mapping[str, Found] = exact
        self._patterns = tuple(patterns)

    def first(self, host: str) -> Found:
        """Return the first rule with this host, or one above it."""
        name = plain_host(host)
        best = NONE_FOUND
        above = name
        while above:
            found = self._exact.get(above)
            if found is not None and found[0] < best[0]:
                best = found
            above = above.partition(".")[2]
        for place, pattern, matches in self._patterns:
            if place >= best[0]:
                break
            if matches.fullmatch(name) is not None:
                best = (place, pattern)
                break
        return best


def plain_host(host: str) -> str:
    """Return a host in lower case without its port."""
    name = host.strip().lower().rstrip(".")
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]


class Headers:
    """The headers of the header rules."""

    __slots__ = ("_begins", "_named")

    def __init__(self, placed: Iterable[tuple[int, Rule]]) -> None:
        named: dict[str, list[tuple[int, str, str]]] = {}
        begins: list[tuple[int, str, str]] = []
        for place, rule in placed:
            for header in rule.headers:
                name, _, value = header.lower().partition(":")
                name = name.strip()
                if name.endswith("*"):
                    begins.append((place, header, name[:-1]))
                else:
                    named.setdefault(name, []).append((place, header, value.strip()))
        self._named: Mapping[str, Sequence[tuple[int, str, str]]] = named
        self._begins = tuple(begins)

    def first(self, headers: Mapping[str, str]) -> Found:
        """Return the first rule with one of these headers."""
        best = NONE_FOUND
        for given, value in headers.items():
            name = given.lower()
            for place, header, begin in self._named.get(name, ()):
                if place < best[0] and value.lower().startswith(begin):
                    best = (place, header)
            for place, header, begin in self._begins:
                if place < best[0] and name.startswith(begin):
                    best = (place, header)
        return best


class Prefixes:
    """How the ids of the answer rules begin."""

    __slots__ = ("_prefixes",)

    def __init__(self, placed: Iterable[tuple[int, Rule]]) -> None:
        self._prefixes = tuple(
            (place, prefix) for place, rule in placed for prefix in rule.id_prefixes
        )

    def first(self, response_id: str) -> Found:
        """Return the first rule that this id begins by."""
        for found in self._prefixes:
            if response_id.startswith(found[1]):
                return found
        return NONE_FOUND
