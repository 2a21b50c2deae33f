"""What is a rule of attribution, and which ones come with Tollbridge?

A rule reads one kind of evidence, its rank; a weaker rank never overrides a stronger one. Within
a rank the first rule that matches decides, an operator's before those of rules.toml.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from tollbridge.attribution.words import split
from tollbridge.core.account import Confidence
from tollbridge.core.call import Bucket
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.provider_names import PROVIDER_ID_MAX

RULE_ID_LENGTH_MAX: Final = 64
ENTRIES_MAX: Final = 100
ENTRY_LENGTH_MAX: Final = 200
NOTE_LENGTH_MAX: Final = 500
UNKNOWN_PROVIDER: Final = "unknown"
_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]*")


class Rank(StrEnum):
    """Kinds of evidence, the strongest first."""

    ANSWERED = "answered"  # the endpoint that we called, and that answered
    HOST = "host"  # the host that was called
    HEADER = "header"  # headers that only one provider sends
    ANSWER = "answer"  # what else the answer says: its id, an aggregator's field
    REPORTED = "reported"  # whom the reporter names
    ASKED = "asked"  # the endpoint that we called, and that did not answer
    VENDOR_BUCKET = "vendor_bucket"  # buckets that are vendors, whatever names and paths say
    ONLY_VENDOR = "only_vendor"  # models that only their own vendor serves
    PATH = "path"  # the endpoint's path names a provider
    MODEL = "model"  # other models
    BUCKET = "bucket"  # what a bucket falls back to
    NOTHING = "nothing"


STRENGTH: Final[Mapping[Rank, int]] = {rank: place for place, rank in enumerate(Rank)}

CONFIDENCE_OF: Final[Mapping[Rank, Confidence]] = {
    Rank.ANSWERED: Confidence.OBSERVED,
    Rank.HOST: Confidence.OBSERVED,
    Rank.HEADER: Confidence.OBSERVED,
    Rank.ANSWER: Confidence.STRONG,
    Rank.REPORTED: Confidence.REPORTED,
    Rank.ASKED: Confidence.ASSUMED,
    Rank.VENDOR_BUCKET: Confidence.STRONG,
    Rank.ONLY_VENDOR: Confidence.STRONG,
    Rank.PATH: Confidence.STRONG,
    Rank.MODEL: Confidence.WEAK,
    Rank.BUCKET: Confidence.ASSUMED,
    Rank.NOTHING: Confidence.NONE,
}

SAYS: Final[Mapping[Rank, str]] = {
    Rank.HOST: "the host is of",
    Rank.HEADER: "the answer has the header",
    Rank.ANSWER: "the answer has the id or field",
    Rank.VENDOR_BUCKET: "the bucket is",
    Rank.ONLY_VENDOR: "the model's name has",
    Rank.PATH: "the path has",
    Rank.MODEL: "the model's name has",
    Rank.BUCKET: "nothing but the bucket is known:",
}

# Rank → what a rule of it must say one of; and what it may say besides.
_NEEDS: Final[Mapping[Rank, tuple[str, ...]]] = {
    Rank.HOST: ("hosts",),
    Rank.HEADER: ("headers",),
    Rank.ANSWER: ("id_prefixes", "aggregator_field"),
    Rank.VENDOR_BUCKET: ("buckets",),
    Rank.ONLY_VENDOR: ("words",),
    Rank.PATH: ("words", "segments"),
    Rank.MODEL: ("words",),
    Rank.BUCKET: ("buckets",),
}
_MAY: Final[Mapping[Rank, tuple[str, ...]]] = {
    Rank.ONLY_VENDOR: ("without", "buckets"),
    Rank.PATH: ("without", "buckets"),
    Rank.MODEL: ("without", "buckets"),
}
_CONDITIONS: Final = (
    "buckets",
    "words",
    "without",
    "segments",
    "hosts",
    "headers",
    "id_prefixes",
    "aggregator_field",
)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule: of evidence like this, that provider served.

    A word is one token or several in a row ("tts-1", "black-forest-labs"); tokens end at whatever
    is no letter or digit, and a number may follow the only token of a word ("veo" is in "veo3").
    """

    id: str
    rank: Rank
    provider: str
    """Our id, or `unknown`: a match then ends the search."""
    buckets: tuple[str, ...] = ()
    """Only in these buckets; none: in all."""
    words: tuple[str, ...] = ()
    """Any of these in the model's name, or in the path."""
    without: tuple[str, ...] = ()
    """None of these tokens."""
    segments: tuple[str, ...] = ()
    """Any of these between two slashes of the path."""
    hosts: tuple[str, ...] = ()
    """A host with all below it; `*` stands for anything."""
    headers: tuple[str, ...] = ()
    """`name`, `begin-of-name-*` or `name: begin of value`."""
    id_prefixes: tuple[str, ...] = ()
    """How the answer's id begins."""
    aggregator_field: bool = False
    """The answer has the aggregator's own field."""
    confidence: Confidence | None = None
    """None: that of its rank."""
    note: str = ""

    @property
    def sure(self) -> Confidence:
        """How sure it makes us."""
        if self.confidence is not None:
            return self.confidence
        return Confidence.NONE if self.provider == UNKNOWN_PROVIDER else CONFIDENCE_OF[self.rank]


class Reveal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an aggregator says who runs the model behind it."""

    provider: str
    by: str
    """`header NAME`, `answer` (its own field), `pin` (the model's suffix), `path`, `id_suffix`."""


class RuleSet(msgspec.Struct, frozen=True):
    """Rules in the order in which they are tried, strongest rank first."""

    rules: tuple[Rule, ...]
    reveals: tuple[Reveal, ...] = ()


@cache
def builtin() -> RuleSet:
    """Return the rules that come with Tollbridge; read when they are first asked for."""
    return read((files("tollbridge.attribution") / "rules.toml").read_text("utf-8"))


def read(text: str) -> RuleSet:
    """Return the rules of one file. Raises InvalidRequestError for what is none."""
    try:
        stated = tomllib.loads(text)
        reveals = msgspec.convert(stated.pop("upstream", []), tuple[Reveal, ...])
        rules = [
            msgspec.convert({"rank": rank, **one}, Rule)
            for rank, group in stated.items()
            for one in group
        ]
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidRequestError(f"rules.toml: {error}") from error
    for rule in rules:
        check(rule)
    if len({rule.id for rule in rules}) < len(rules):
        raise InvalidRequestError("rules.toml: two rules have one id")
    return RuleSet(tuple(sorted(rules, key=lambda rule: STRENGTH[rule.rank])), reveals)


def check(rule: Rule) -> None:
    """Raise InvalidRequestError, naming the field, for a rule that cannot mean anything."""
    if len(rule.id) > RULE_ID_LENGTH_MAX or _ID.fullmatch(rule.id) is None:
        raise _refused("id", f"is 1 to {RULE_ID_LENGTH_MAX} of a-z, 0-9 and -")
    if len(rule.provider) > PROVIDER_ID_MAX or _PROVIDER.fullmatch(rule.provider) is None:
        raise _refused("provider", f"is our id of a provider: at most {PROVIDER_ID_MAX} of a-z …")
    if len(rule.note) > NOTE_LENGTH_MAX:
        raise _refused("note", f"has at most {NOTE_LENGTH_MAX} characters")
    needs = _NEEDS.get(rule.rank)
    if needs is None:
        raise _refused("rank", f"a rule has one of {', '.join(_NEEDS)}")
    allowed = (*needs, *_MAY.get(rule.rank, ()))
    said = [name for name in _CONDITIONS if getattr(rule, name)]
    for name in said:
        if name not in allowed:
            raise _refused(name, f"a rule of rank {rule.rank} does not look at {name}")
    if not any(name in needs for name in said):
        raise _refused(needs[0], f"a rule of rank {rule.rank} needs {' or '.join(needs)}")
    for name in said:
        if name != "aggregator_field":
            _check_entries(name, getattr(rule, name))


def _check_entries(name: str, entries: Sequence[str]) -> None:
    if len(entries) > ENTRIES_MAX:
        raise _refused(name, f"has at most {ENTRIES_MAX} entries")
    for entry in entries:
        if not entry.strip() or len(entry) > ENTRY_LENGTH_MAX or not entry.isprintable():
            raise _refused(name, f"an entry has 1 to {ENTRY_LENGTH_MAX} printable characters")
        if name in {"words", "without"} and not split(entry):
            raise _refused(name, f"{entry!r} has neither letters nor digits")
        if name == "without" and len(split(entry)) != 1:
            raise _refused(name, f"{entry!r} is more than one token")
        if name == "buckets" and entry not in _BUCKETS:
            raise _refused(name, f"{entry!r} is none of {', '.join(sorted(_BUCKETS))}")


def _refused(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(f"{field}: {message}", details={"param": field})


_BUCKETS: Final = frozenset(bucket.value for bucket in Bucket)
