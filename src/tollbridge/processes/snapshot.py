"""Of which parts does a worker's snapshot consist?"""

from enum import StrEnum

import msgspec

from tollbridge.access.keys import AccessPart


class PartName(StrEnum):
    """The parts; each is sent anew when its version in the database has changed."""

    ACCESS = "access"
    ROUTING = "routing"
    PRICES = "prices"
    MODELS = "models"
    LIMITS = "limits"


class AccessSnapshot(msgspec.Struct, frozen=True):
    """All keys, and the pepper under which their digests were made."""

    part: AccessPart
    pepper: bytes
    """Only ever on the local socket and in memory."""
