"""Which version of a source holds when?

Pure. The versions that were ever in force are laid over one another in the order in which they
came into force: where two speak of the same time, the later one holds. What is left of each are
its intervals; of one key they never overlap.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from tollbridge.rating.prices import Source, Status

FOREVER_US = 2**63 - 1
KEY_BITS = 62
"""So that PostgreSQL's int8range(key_id, key_id, '[]') has an end."""


class Key(NamedTuple):
    """Whose price of what under which conditions, on whose word: of these one holds at a time."""

    provider: str
    model: str
    unit: str
    conditions: str
    source: str


class Version(msgspec.Struct, frozen=True, gc=False):
    """One recorded price version with what became of it."""

    id: str
    key: Key
    rate_usd: str | None
    """None: no price in this time."""
    per: int
    quantity_min: int | None
    quantity_step: int | None
    valid_from_us: int
    valid_to_us: int | None
    recorded_at_us: int
    status: str
    active_at_us: int | None
    """When it came into force; None: it never did."""

    @property
    def figure(self) -> tuple[str | None, int, int | None, int | None]:
        """What it says, apart from when."""
        return self.rate_usd, self.per, self.quantity_min, self.quantity_step


class Interval(NamedTuple):
    """A version holds from `start_us` until before `end_us` (FOREVER_US: open)."""

    start_us: int
    end_us: int
    version: Version


Timelines = dict[Key, list[Interval]]


def key_id(key: Key) -> int:
    """Return the number by which the database keeps the intervals of a key apart."""
    digest = hashlib.sha256("\0".join(key).encode()).digest()
    return int.from_bytes(digest[:8]) >> (64 - KEY_BITS)


def window(version: Version) -> tuple[int, int]:
    """Return the time that a version was stated for."""
    return version.valid_from_us, FOREVER_US if version.valid_to_us is None else version.valid_to_us


def derive(versions: Iterable[Version]) -> Timelines:
    """Return what holds, by key, in order of time."""
    timelines: Timelines = {}
    in_force = [version for version in versions if version.active_at_us is not None]
    for version in sorted(in_force, key=_turn):
        lay_over(timelines.setdefault(version.key, []), version)
    return timelines


def lay_over(timeline: list[Interval], version: Version) -> None:
    """Put a version into the timeline of its key; what was said of its time before is cut."""
    start, end = window(version)
    kept = [Interval(start, end, version)]
    for begin, until, other in timeline:
        if begin < start:
            kept.append(Interval(begin, min(until, start), other))
        if until > end:
            kept.append(Interval(max(begin, end), until, other))
    timeline[:] = sorted(kept, key=_start)


def is_kept(interval: Interval) -> bool:
    """Return whether an interval is one of a price, or of none whatever lower sources say.

    The configuration file takes back only its own word: what is listed holds again.
    """
    version = interval.version
    return version.rate_usd is not None or version.key.source != Source.FILE.value


def says(timeline: Iterable[Interval], start_us: int, end_us: int, version: Version) -> bool:
    """Return whether a timeline says throughout a time what a version would say."""
    at_us = start_us
    for begin, until, other in timeline:
        if until <= at_us or begin >= end_us:
            continue
        if begin > at_us or other.figure != version.figure:
            return False
        at_us = until
    return at_us >= end_us


def is_in_force(status: str) -> bool:
    """Return whether a version with this status still has a time of its own."""
    return status in {Status.ACTIVE.value, Status.DISPUTED.value}


def _turn(version: Version) -> tuple[int, int, int, str]:
    at_us = version.active_at_us or 0
    return at_us, version.recorded_at_us, version.valid_from_us, version.id


def _start(interval: Interval) -> int:
    return interval.start_us
