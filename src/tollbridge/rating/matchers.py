"""Which names does a price speak of?

A matcher is a name; with one * at its end a prefix; with any other * a pattern, in which * stands
for any text, none too. There is no other sign. A name beats the longest prefix beats the pattern
with the most literal characters.
"""

import re
from enum import IntEnum
from functools import cache, lru_cache

from tollbridge.core.errors import ConfigurationError

ANY = "*"
STARS_MAX = 8


class Kind(IntEnum):
    """How sharply a matcher speaks, sharpest first."""

    NAME = 0
    PREFIX = 1
    PATTERN = 2


def kind_of(matcher: str) -> Kind:
    """Return which kind a matcher is."""
    star = matcher.find(ANY)
    if star < 0:
        return Kind.NAME
    return Kind.PREFIX if star == len(matcher) - 1 else Kind.PATTERN


def literals(matcher: str) -> int:
    """Return how many characters of a matcher stand for themselves."""
    return len(matcher) - matcher.count(ANY)


def check_matcher(where: str, matcher: str) -> None:
    """Raise ConfigurationError, naming `where`, for a matcher that says nothing."""
    if matcher.count(ANY) > STARS_MAX or ANY * 2 in matcher:
        raise ConfigurationError(f"{where}: at most {STARS_MAX} times *, and never two together")
    if not literals(matcher):
        raise ConfigurationError(f"{where}: {matcher!r} would match any model")


@lru_cache(maxsize=4096)
def pattern_of(matcher: str) -> re.Pattern[str]:
    """Return a matcher as a regular expression for whole names."""
    return re.compile(".*".join(re.escape(part) for part in matcher.split(ANY)), re.DOTALL)


def matches(matcher: str, name: str) -> bool:
    """Return whether a matcher speaks of a name."""
    kind = kind_of(matcher)
    if kind is Kind.NAME:
        return matcher == name
    if kind is Kind.PREFIX:
        return name.startswith(matcher[:-1])
    return pattern_of(matcher).fullmatch(name) is not None


def can_meet(one: str, other: str) -> bool:
    """Return whether there is a name that both matchers speak of."""

    @cache
    def meet(left: int, right: int) -> bool:
        rest_left, rest_right = one[left:], other[right:]
        if not rest_left or not rest_right:
            return not (rest_left + rest_right).strip(ANY)
        if rest_left[0] == ANY:
            return meet(left + 1, right) or meet(left, right + 1)
        if rest_right[0] == ANY:
            return meet(left, right + 1) or meet(left + 1, right)
        return rest_left[0] == rest_right[0] and meet(left + 1, right + 1)

    return meet(0, 0)
