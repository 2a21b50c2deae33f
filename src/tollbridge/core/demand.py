"""What does a call ask for, as far as its price depends on it?

Text calls are bounded by bytes and tokens; calls for media by what they ask to be made.
"""

import msgspec


class Demand(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a call asks to be made, at most, and what its price may depend on."""

    counts: dict[str, int] = {}
    """Unit → the most that may be billed: 2 images, 8,000 ms of video, 12 characters."""
    facts: dict[str, str] = {}
    """Size, quality, resolution, duration … by the names of price conditions."""


NO_DEMAND = Demand()
