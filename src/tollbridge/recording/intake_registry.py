"""Which names does a source know: its models, providers, users, keys, routes and clusters?

Read from the database and then only asked: reports are checked, and given names, by this snapshot.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec


class Kind(StrEnum):
    """What a registered name is of."""

    MODEL = "model"
    PROVIDER = "provider"
    USER = "user"
    KEY = "key"
    ROUTE = "route"
    CLUSTER = "cluster"


class RegisteredName(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One id of a source, and what it stands for."""

    kind: Kind
    id: str
    name: str
    provider_type: str | None = None
    """Of a provider: whose it is, by any name that is known for it."""
    models: tuple[str, ...] | None = None
    """Of a provider: its models; None or empty: not told."""
    model_id: str | None = None
    """Of a route: the model that it leads to."""


class SourceTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What is agreed with a source."""

    keys: tuple[str, ...] = ()
    """The API keys, by name, that may report for it, besides the one of its own name."""
    charges: bool = False
    """Whether the budgets of the caller that a report names pay for it."""
    enabled: bool = True
    """Whether reports are taken from it."""


class SourceNames(msgspec.Struct, frozen=True):
    """The registry of one source."""

    source: str
    of: Mapping[Kind, Mapping[str, RegisteredName]]
    model_names: frozenset[str]
    """Names of its models and of its routes."""
    terms: SourceTerms = SourceTerms()

    @property
    def keys(self) -> tuple[str, ...]:
        """The API keys, by name, that may report for it, besides the one of its own name."""
        return self.terms.keys

    def find(self, kind: Kind, reported_id: str | None) -> RegisteredName | None:
        """Return what an id stands for, None where it is not registered."""
        return None if reported_id is None else self.of.get(kind, _NONE).get(reported_id)

    def has(self, kind: Kind) -> bool:
        """Return whether anything of this kind is registered: only then is it checked."""
        return bool(self.of.get(kind))


_NONE: Final[Mapping[str, RegisteredName]] = {}
UNREGISTERED: Final = SourceTerms()
"""What holds for a source that is no more than a name."""


def names_of(
    source: str,
    terms: SourceTerms = UNREGISTERED,
    names: tuple[RegisteredName, ...] = (),
) -> SourceNames:
    """Return the registry of a source out of its rows."""
    of: dict[Kind, dict[str, RegisteredName]] = {}
    for one in names:
        of.setdefault(one.kind, {})[one.id] = one
    named = frozenset(one.name for one in names if one.kind in {Kind.MODEL, Kind.ROUTE})
    return SourceNames(source, of, named, terms)
