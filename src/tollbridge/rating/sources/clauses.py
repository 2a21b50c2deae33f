"""Which names of a model does a clause of genai-prices stand for, as matchers of ours?

Ours are: a name, a prefix `x*`, and a pattern with `*` anywhere else. A regular expression is
carried where it says one of a few things (a date behind a name, a choice, an optional part); what
it says beyond that is left out, never widened to names that it would not take.
"""

import re
from collections.abc import Iterator

from genai_prices import types as genai

ANY = "*"
# A date's digits begin with the century, which keeps `name-20*` from taking other names.
DATES = ((r"\d{4}-\d{2}-\d{2}", "202*"), (r"\d{8}", "202*"))
DIGITS = "0123456789"
OPTIONAL = re.compile(r"\(([^()|]*)\)\?")
CHOICE = re.compile(r"\[([^\]\\^]+)\]")
NOT_SPEECH = r"^(?!.*-[tT][tT][sS](?:$|-))"
# Where speech models are excepted from a prefix, these names behind it are still carried.
NOT_SPEECH_ENDS = (
    "",
    "-latest",
    "-preview",
    "-preview-0*",
    "-preview-1*",
    "-exp*",
    "-0*",
    "-1*",
    "-2*",
)
COMPACT_DATE = re.compile(r"^(.*-)(20\d{2})-(\d{2})-(\d{2})$")


def matchers_of(clause: genai.MatchLogic) -> Iterator[str]:
    """Yield the matchers that together stand for a clause; nothing for what cannot be said."""
    if isinstance(clause, genai.ClauseOr):
        for one in clause.or_:
            yield from matchers_of(one)
    elif isinstance(clause, genai.ClauseEquals):
        yield from _with_compact_date(clause.equals)
    elif isinstance(clause, genai.ClauseStartsWith):
        yield f"{clause.starts_with}{ANY}"
    elif isinstance(clause, genai.ClauseEndsWith):
        yield f"{ANY}{clause.ends_with}"
    elif isinstance(clause, genai.ClauseContains):
        yield f"{ANY}{clause.contains}{ANY}"
    elif isinstance(clause, genai.ClauseRegex):
        yield from _from_regex(clause.regex)
    else:
        yield from _from_both(clause.and_)


def _with_compact_date(name: str) -> Iterator[str]:
    """Yield the name, and with a date written in eight digits, as aggregators write it."""
    yield name
    dated = COMPACT_DATE.match(name)
    if dated is not None:
        yield "".join(dated.groups())


def _from_both(clauses: list[genai.MatchLogic]) -> Iterator[str]:
    starts = [one.starts_with for one in clauses if isinstance(one, genai.ClauseStartsWith)]
    others = [one.regex for one in clauses if isinstance(one, genai.ClauseRegex)]
    if len(starts) == 1 and others == [NOT_SPEECH] and len(clauses) == 2:
        for end in NOT_SPEECH_ENDS:
            yield starts[0] + end


def _from_regex(regex: str) -> Iterator[str]:
    if not regex.startswith("^"):
        return
    for text in _choices(regex[1:]):
        plain, anchored = text.removesuffix("$"), text.endswith("$")
        for digits, glob in DATES:
            if plain.endswith(digits):
                plain, anchored = plain.removesuffix(digits) + glob, False
                break
        if plain.endswith(r"\d") and not anchored:
            plain = plain.removesuffix(r"\d")
            names = [f"{plain}{digit}{ANY}" for digit in DIGITS]
        else:
            names = [plain if anchored or plain.endswith(ANY) else plain + ANY]
        yield from (name for name in map(_literal, names) if name is not None)


def _choices(text: str) -> Iterator[str]:
    """Yield the text once for each choice `[-@]` and with and without each optional `(…)?`."""
    for pattern in (OPTIONAL, CHOICE):
        found = pattern.search(text)
        if found is not None and not text[: found.start()].endswith("\\"):
            parts = ("", found[1]) if pattern is OPTIONAL else tuple(found[1])
            for part in parts:
                yield from _choices(text[: found.start()] + part + text[found.end() :])
            return
    yield text


def _literal(name: str) -> str | None:
    """Return a name without its escapes; None where something is left that is no plain text."""
    plain = re.sub(r"\\([.\[\]/@-])", r"\1", name)
    rest = name.removesuffix(ANY)
    if re.search(r"(?<!\\)[.\[\](){}?+|^$]|\\[a-zA-Z]|\*", rest):
        return None
    return plain
