"""What does a remark of media_prices.csv mean for the price beside it?

A remark is cut at its semicolons. Each part makes a condition, another figure for another
condition, a doubt, a reason to leave the row out, or is only a comment. A part that no rule knows
is a doubt too: nothing is passed over because it was not understood.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType

import msgspec

from tollbridge.rating.conditions import HOURS, INPUT_ABOVE

RESOLUTION = "resolution"
DURATION = "duration_s"
SIZE = "size"
THOUSAND = 1000


class Remark(msgspec.Struct):
    """What the parts of one remark come to."""

    facts: dict[str, str] = {}
    either: tuple[str, tuple[str, ...]] | None = None
    """A condition, and the values for any of which the row holds."""
    others: list[tuple[str, str, Decimal]] = []
    """Further figures: condition, its value, US dollars."""
    hourly_usd: Decimal | None = None
    since: date | None = None
    """The first day of the price, where it is said."""
    quantity_step: int | None = None
    doubts: list[str] = []
    skip: str | None = None


Rule = tuple[re.Pattern[str], Callable[[Remark, re.Match[str]], None]]


def read_remark(text: str) -> Remark:
    """Return what a remark means."""
    remark = Remark()
    for part in filter(None, (one.strip() for one in text.split(";"))):
        for pattern, act in RULES:
            found = pattern.fullmatch(part)
            if found is not None:
                act(remark, found)
                break
        else:
            remark.doubts.append(f"not understood: {part}")
    return remark


def _fact(remark: Remark, found: re.Match[str]) -> None:
    remark.facts.update(found.groupdict())


def _above(remark: Remark, found: re.Match[str]) -> None:
    remark.facts[INPUT_ABOVE] = str(int(found[1]) * THOUSAND)


def _either(remark: Remark, found: re.Match[str]) -> None:
    ((key, _),) = found.groupdict().items()
    remark.either = (key, tuple(re.split(r" (?:and|or) ", found[0])))


def _either_k(remark: Remark, found: re.Match[str]) -> None:
    remark.either = (RESOLUTION, (found[1], found[2]))


def _other(remark: Remark, found: re.Match[str]) -> None:
    remark.others.append((RESOLUTION, found[1], Decimal(found[2])))


def _hourly(remark: Remark, found: re.Match[str]) -> None:
    remark.hourly_usd = Decimal(found[1])


def _since(remark: Remark, found: re.Match[str]) -> None:
    remark.since = date.fromisoformat(found[1])


def _whole_seconds(remark: Remark, _found: re.Match[str]) -> None:
    remark.quantity_step = THOUSAND


def _doubt(remark: Remark, found: re.Match[str]) -> None:
    remark.doubts.append(found[0])


def _skip(reason: str) -> Callable[[Remark, re.Match[str]], None]:
    def act(remark: Remark, _found: re.Match[str]) -> None:
        remark.skip = reason

    return act


def _comment(_remark: Remark, _found: re.Match[str]) -> None:
    pass


_RESOLUTION = r"\d+p|\d[kK]"
_RULES: Mapping[Callable[[Remark, re.Match[str]], None], Sequence[str]] = MappingProxyType(
    {
        _skip("a label by which routes were chosen, not a tariff"): [r"routing label"],
        _skip("an example, of no model"): [r"example in .*"],
        _fact: [
            r"quality=(?P<quality>\w+)",
            r"size=(?P<size>\d+x\d+)",
            r"(?P<size>\d+x\d+)",
            rf"(?P<resolution>{_RESOLUTION})",
            r"(?P<duration_s>\d+) s",
            r"(?P<duration_s>\d+) s (?P<resolution>\d+p)",
            rf"(?:off-peak|standard hours) (?P<{HOURS}>\d\d:\d\d-\d\d:\d\d) UTC",
        ],
        _above: [r"prompt above (\d+)k tokens"],
        _either: [r"(?P<size>\d+x\d+) or \d+x\d+", r"(?P<resolution>\d+p) and \d+p"],
        _either_k: [r"(\dK) or (\dK)"],
        _other: [rf"({_RESOLUTION}) (\d+\.\d+)"],
        _hourly: [r"(\d+\.\d+) per hour"],
        _since: [r"from (\d{4}-\d\d-\d\d)"],
        _whole_seconds: [r"billed on whole seconds"],
        _doubt: [
            r"low confidence",
            r"approximate",
            r"an estimate .*",
            r"estimate of .*",
            r"conflict.*",
            r"litellm \S+ still said \S+",
            r"the same page also says .*",
            r"Vertex list",
            r"T4 assumed",
            r"plan rate",
            r"from",
            r"up to \d+\.\d+",
        ],
        _comment: [
            r"listed removal \d{4}-\d\d-\d\d",
            r"same value in \S+",
            r"absent from the .* list",
            r"litellm lists a tenth of this.*",
            r"(?:old list value|retired|default|text|text input|pay as you go)",
            r"\d+x\d+ default quality",
            r"credits [\d.]+",
            r"\d+ credits(?: in a documented answer)?",
            r"\d+ or \d+ s",
            r"\d+ s \d+\.\d+(?:, \d+ s \d+\.\d+)?",
            r"\d+ output tokens at \d+ per 1M",
            r"input image \S+",
            r"image \S+ and audio \S+ per 1M tokens",
            r"annotations \S+",
            r"\S+ per minute",
            r"or \S+ per second",
            r"up to \d+k",
            r"twice the input rate",
            r"derived from .*",
            r"pass-through via HF router",
            r"launch price on .*",
            r"newer model behind the alias",
            r"one (?:character|search) .*",
            r"per (?:grounded prompt|search query)",
            r"per million pixels over all frames",
            r"first megapixel",
            r"compute-billed",
            r"run time varies",
            r"reseller price .*",
        ],
    }
)
RULES: tuple[Rule, ...] = tuple(
    (re.compile(pattern), act) for act, patterns in _RULES.items() for pattern in patterns
)
