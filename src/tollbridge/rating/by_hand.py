"""What does somebody mean who states a price, or asks for one, by the names of units?

The names are those of the configuration file, and those of our own units.
"""

from collections.abc import Mapping

from tollbridge.core.errors import ConfigurationError
from tollbridge.rating.unit_names import FILE_NAMES, PER_OF, TOKENS, Priced

COUNT_MAX = 10**15


def priced_unit(name: str, per: int | None = None) -> Priced:
    """Return which unit a name means, and for how many of it a rate `per` so many is.

    Without `per`: tokens per million, everything else per one, our own units as they are usual.
    Raises ConfigurationError for an unknown name.
    """
    known = FILE_NAMES.get(name)
    if known is None:
        if name not in PER_OF:
            names = ", ".join(sorted({*FILE_NAMES, *PER_OF}))
            raise ConfigurationError(f"unit: there is no unit {name[:50]!r}; known are {names}")
        return Priced(name, PER_OF[name] if per is None else per)
    if per is None:
        return known
    return Priced(known.unit, per if known.unit in TOKENS else known.per * per)


def read_counts(usage: Mapping[str, int]) -> dict[str, int]:
    """Return counts by our units: two video seconds are 2,000 of `video_ms`.

    Raises ConfigurationError, naming the unit, for an unknown one, one that is meant twice, and a
    count below zero.
    """
    counts: dict[str, int] = {}
    for name, count in usage.items():
        if not 0 <= count <= COUNT_MAX:
            raise ConfigurationError(f"usage.{name[:50]}: a count is from 0 to {COUNT_MAX}")
        known = FILE_NAMES.get(name)
        if known is None and name not in PER_OF:
            raise ConfigurationError(f"usage.{name[:50]}: there is no such unit")
        unit = name if known is None else known.unit
        if unit in counts:
            raise ConfigurationError(f"usage.{name}: {unit} is counted twice")
        counts[unit] = count if known is None or unit in TOKENS else count * known.per
    return counts
