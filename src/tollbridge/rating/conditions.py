"""Of which calls does a price speak?

Conditions are a small mapping of text, kept as canonical JSON: keys sorted, no blanks, "" for
none. A key is a fact of the call that must be equal (service_tier, size, quality …), or one of:

- `input_above` N: the call has more than N input tokens, and then the price is for all of them;
- `graduated_above` N: the price is for what goes beyond N units, as they are billed;
- `hours` "HH:MM-HH:MM", half-open, possibly over midnight, in the zone `zone` (IANA; UTC).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from tollbridge.core.errors import ConfigurationError
from tollbridge.core.usage import FACTS

INPUT_ABOVE = "input_above"
GRADUATED_ABOVE = "graduated_above"
HOURS = "hours"
ZONE = "zone"
SPECIAL = frozenset({INPUT_ABOVE, GRADUATED_ABOVE, HOURS, ZONE})
UTC_ZONE = "UTC"
THRESHOLD_MAX = 10**12
KEYS_MAX = 8
VALUE_MAX = 100
NONE = ""

_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24(?=:00)):([0-5]\d)")
_WHOLE = re.compile(r"0|[1-9]\d{0,12}")


class Condition(msgspec.Struct, frozen=True):
    """Conditions, read."""

    facts: tuple[tuple[str, str], ...] = ()
    """What the facts of a call must say, by key."""
    group: str = NONE
    """The facts as canonical text: prices of one group are of the same calls."""
    input_above: int | None = None
    graduated_above: int | None = None
    hours: tuple[int, int] | None = None
    """Minutes of the day, from and until before; the second may be the smaller one."""
    zone: str = UTC_ZONE


ALWAYS = Condition()


def canonical(where: str, conditions: Mapping[str, object]) -> str:
    """Return conditions as the text that they are kept and compared by.

    Numbers may be given as such. Raises ConfigurationError as "WHERE.KEY: why".
    """
    if len(conditions) > KEYS_MAX:
        raise ConfigurationError(f"{where}: at most {KEYS_MAX} conditions")
    found = {key: _value(f"{where}.{key}", key, conditions[key]) for key in sorted(conditions)}
    if ZONE in found and HOURS not in found:
        raise ConfigurationError(f"{where}.{ZONE}: a zone without {HOURS}")
    if found.get(ZONE) == UTC_ZONE:
        del found[ZONE]
    return _text(found)


def check_known(where: str, conditions: Mapping[str, object]) -> None:
    """Raise ConfigurationError for a condition that no call will ever meet."""
    known = FACTS | SPECIAL
    for key in conditions:
        if key not in known:
            raise ConfigurationError(
                f"{where}.{key}: no call tells such a fact; known are {', '.join(sorted(known))}",
            )


@lru_cache(maxsize=4096)
def parse(text: str) -> Condition:
    """Return what a canonical text says. Raises ConfigurationError where it is not one."""
    if text == NONE:
        return ALWAYS
    try:
        found = msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"conditions {text[:VALUE_MAX]!r}: {error}") from error
    if canonical("conditions", found) != text:
        raise ConfigurationError(f"conditions {text[:VALUE_MAX]!r} are not in canonical form")
    facts = {key: value for key, value in found.items() if key not in SPECIAL}
    return Condition(
        facts=tuple(facts.items()),
        group=_text(facts),
        input_above=_threshold(found.get(INPUT_ABOVE)),
        graduated_above=_threshold(found.get(GRADUATED_ABOVE)),
        hours=None if HOURS not in found else _minutes(found[HOURS]),
        zone=found.get(ZONE, UTC_ZONE),
    )


def as_mapping(text: str) -> dict[str, str]:
    """Return a canonical text as the mapping that it was made from."""
    return {} if text == NONE else msgspec.json.decode(text, type=dict[str, str])


def in_hours(hours: tuple[int, int], minute: int) -> bool:
    """Return whether a minute of the day lies in a window, which may go over midnight."""
    start, end = hours
    return start <= minute < end if start < end else minute >= start or minute < end


def _value(where: str, key: str, value: object) -> str:
    if not _KEY.fullmatch(key):
        raise ConfigurationError(f"{where}: a condition has 1 to 32 of a-z, 0-9 and _")
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int):
        value = str(value)
    if not isinstance(value, str):
        raise ConfigurationError(f"{where}: a condition is text, not {type(value).__name__}")
    if not 0 < len(value) <= VALUE_MAX or not value.isprintable():
        raise ConfigurationError(f"{where}: 1 to {VALUE_MAX} printable characters")
    if key in {INPUT_ABOVE, GRADUATED_ABOVE}:
        if not _WHOLE.fullmatch(value) or int(value) > THRESHOLD_MAX:
            raise ConfigurationError(f"{where}: {value} is no number from 0 to {THRESHOLD_MAX}")
    elif key == HOURS:
        _check_hours(where, value)
    elif key == ZONE:
        _check_zone(where, value)
    return value


def _check_hours(where: str, value: str) -> None:
    if not _HOURS.fullmatch(value):
        raise ConfigurationError(f'{where}: hours are "HH:MM-HH:MM", not {value!r}')
    start, end = _minutes(value)
    if start == end:
        raise ConfigurationError(f"{where}: {value} is no time at all")


def _check_zone(where: str, name: str) -> None:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"{where}: there is no time zone {name!r}") from error


def _minutes(hours: str) -> tuple[int, int]:
    start, _, end = hours.partition("-")
    return _minute(start), _minute(end)


def _minute(time: str) -> int:
    hour, _, minute = time.partition(":")
    return int(hour) * 60 + int(minute)


def _threshold(text: str | None) -> int | None:
    return None if text is None else int(text)


def _text(found: Mapping[str, str]) -> str:
    return msgspec.json.encode(found).decode() if found else NONE
