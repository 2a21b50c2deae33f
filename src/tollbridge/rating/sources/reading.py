"""What was found in a source of prices, and what of it was left out, and why?"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256

import msgspec

from tollbridge.core.provider_names import Serving
from tollbridge.rating.prices import DeclaredAlias, DeclaredPrice

Resolve = Callable[[str], Serving | None]
"""A source's name of a provider → who is meant; None where nobody knows."""


class SourceModel(msgspec.Struct, frozen=True, kw_only=True):
    """What a source says of a model besides its prices."""

    provider: str
    name: str
    display_name: str
    model_type: str
    description: str = ""
    context_window: int | None = None


class Skipped(msgspec.Struct, frozen=True):
    """Something in a source that made no price, and why."""

    provider: str
    """As the source calls it."""
    what: str
    reason: str


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """All that one source says. Nothing of it has been compared with what is known already."""

    detail: str
    """Which edition of which source."""
    prices: tuple[DeclaredPrice, ...] = ()
    proposals: tuple[DeclaredPrice, ...] = ()
    """Prices that the source itself is not sure of: they need somebody's word."""
    aliases: tuple[DeclaredAlias, ...] = ()
    models: tuple[SourceModel, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def skipped_of(self) -> Mapping[str, int]:
        """Return how much was left out, by the source's name of the provider."""
        return Counter(one.provider for one in self.skipped)


def conditions_of(facts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return conditions in the order of their names, so that equal ones are written equally."""
    return dict(sorted(facts))


def content_hash(*parts: object) -> str:
    """Return the SHA-256, in hexadecimal, of what a source said."""
    return sha256("\n".join(str(part) for part in parts).encode()).hexdigest()
