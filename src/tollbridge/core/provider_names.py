"""Which provider is meant by a name that somebody else uses for it?"""

from collections.abc import Iterable, Mapping

import msgspec

from tollbridge.core.errors import ConfigurationError

PROVIDER_ID_MAX = 50


class NamedProvider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One provider: our id for it, the name that people see, what others call it."""

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    upstream_separators: tuple[str, ...] = ()
    """What stands between this aggregator's name and who runs the model behind it."""
    makes_models: bool = False
    """Whether it serves models of its own making: a model's name is its maker's first."""


class Serving(msgspec.Struct, frozen=True):
    """Who bills, and who runs the model behind it where that is told."""

    provider: str
    upstream: str | None = None


class ProviderNames:
    """Every provider that is known, by each of its names. Case and outer blanks do not count."""

    def __init__(self, providers: Iterable[NamedProvider]) -> None:
        """Take the providers. Raises ConfigurationError for a name that would mean two of them."""
        self._names: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        self._aggregators: list[tuple[str, str]] = []
        self._makers: set[str] = set()
        for provider in providers:
            if not 0 < len(provider.id) <= PROVIDER_ID_MAX or provider.id != _plain(provider.id):
                raise ConfigurationError(
                    f"provider {provider.id!r}: an id is lower case, of 1 to {PROVIDER_ID_MAX} "
                    "characters"
                )
            self._shown[provider.id] = provider.name
            if provider.makes_models:
                self._makers.add(provider.id)
            for name in (provider.id, *provider.aliases):
                if self._names.setdefault(_plain(name), provider.id) != provider.id:
                    raise ConfigurationError(f"provider name {name!r} is given twice")
                self._aggregators.extend(
                    (_plain(name) + separator, provider.id)
                    for separator in provider.upstream_separators
                )

    @property
    def shown(self) -> Mapping[str, str]:
        """The name that people see, by our id."""
        return self._shown

    @property
    def makers(self) -> frozenset[str]:
        """Our ids of those who make the models that they serve."""
        return frozenset(self._makers)

    def resolve(self, name: str) -> Serving | None:
        """Return who is meant by a name of any source; None where it is not known."""
        plain = _plain(name)
        provider = self._names.get(plain)
        if provider is not None:
            return Serving(provider)
        for prefix, aggregator in self._aggregators:
            upstream = self._names.get(plain.removeprefix(prefix))
            if plain.startswith(prefix) and upstream is not None:
                return Serving(aggregator, upstream)
        return None

    def display(self, provider: str) -> str:
        """Return the name that people see for one of our ids; the id itself where it is unknown."""
        return self._shown.get(provider, provider)


def _plain(name: str) -> str:
    return name.strip().lower()
