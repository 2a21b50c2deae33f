"""How much was used, in which units, and how sure are we?"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Unit(StrEnum):
    """What is counted. Token counts are inclusive: `input` contains its cached and audio parts."""

    INPUT = "input"
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"
    AUDIO_INPUT = "audio_input"
    IMAGE_INPUT = "image_input"
    OUTPUT = "output"
    REASONING = "reasoning"
    AUDIO_OUTPUT = "audio_output"
    IMAGE_OUTPUT = "image_output"
    REQUEST = "request"


# A child's tokens are counted in its parent too; where the child has a price of its own,
# the parent's billable count is itself minus the child.
PARENT_OF: Mapping[Unit, Unit] = {
    Unit.CACHE_READ: Unit.INPUT,
    Unit.CACHE_WRITE: Unit.INPUT,
    Unit.AUDIO_INPUT: Unit.INPUT,
    Unit.IMAGE_INPUT: Unit.INPUT,
    Unit.REASONING: Unit.OUTPUT,
    Unit.AUDIO_OUTPUT: Unit.OUTPUT,
    Unit.IMAGE_OUTPUT: Unit.OUTPUT,
}


class UsageSource(StrEnum):
    """Where the counts come from."""

    REPORTED = "reported"  # the provider said so
    DRAINED = "drained"  # the provider said so after the caller had left
    ESTIMATED = "estimated"  # the provider said nothing; counted from bytes and chunks
    NONE = "none"  # nothing is known


class Usage(msgspec.Struct, frozen=True):
    """Counts per unit with their source. An absent unit is unknown, never zero."""

    counts: dict[str, int]
    source: UsageSource
    flags: tuple[str, ...] = ()
    reported_charge_usd: str | None = None
    """What the provider says it charged, decimal text in USD, where it says so."""

    def get(self, unit: str) -> int | None:
        """Return the count of one unit, None where it is unknown."""
        return self.counts.get(unit)


NO_USAGE = Usage(counts={}, source=UsageSource.NONE)
