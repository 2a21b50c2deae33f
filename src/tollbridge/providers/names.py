"""Which providers are known, and by which names?

The facts are data, in `providers.toml`; other stages are handed what is read here.
"""

import tomllib
from importlib.resources import files

import msgspec

from tollbridge.core.errors import ConfigurationError
from tollbridge.core.provider_names import NamedProvider, ProviderNames


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    provider: list[NamedProvider]


def load_names() -> ProviderNames:
    """Return the providers of providers.toml."""
    return read_names((files("tollbridge.providers") / "providers.toml").read_text("utf-8"))


def read_names(text: str) -> ProviderNames:
    """Return the providers of one file. Raises ConfigurationError for what is none."""
    try:
        read = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"providers.toml: {error}") from error
    return ProviderNames(read.provider)
