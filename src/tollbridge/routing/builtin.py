"""Which endpoints are known by name, and which of them are live in this environment?

The facts are data, in `providers/endpoints.toml`; it is read as a file of the package, so that
routing needs no code of another stage.
"""

import tomllib
from collections.abc import Collection, Mapping
from importlib.resources import files
from urllib.parse import urlsplit

import msgspec

from tollbridge.core.call import Category
from tollbridge.core.errors import BugError
from tollbridge.core.plan import Auth, Endpoint, ProviderKey
from tollbridge.routing.part import BUILT_DIALECTS, DeclaredEndpoint, Skipped

SANDBOX = "sandbox"
ADDRESS = "{address}"


class KnownEndpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of endpoints.toml."""

    name: str
    display_name: str
    provider: str = ""
    """"" where it has the endpoint's name."""
    priority: int
    category_priority: dict[str, int] = {}
    enabled: bool = True
    """False for one that is used only where somebody switches it on."""
    base_url: str = ""
    """"" for the sandbox, until it is started. `{address}` stands for what the environment says."""
    base_url_env: str = ""
    """Which variable says the address, where each customer or server has its own."""
    api_key_env: str = ""
    """"" where no key is needed."""
    auth: Auth = Auth.BEARER
    dialect: str = "openai"
    default_models: dict[str, str] = {}
    """Category, or an operation that differs from its category's others → model."""
    default_model_env: str = ""
    """Which variable says the model for text, where it is the customer's own name."""
    planning_price: dict[str, str] = {}
    models: dict[str, tuple[str, ...]] = {}
    quirks: tuple[str, ...] = ()


class Quirk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How some endpoints deviate from their dialect."""

    name: str
    expected: str
    actual: str
    why: str
    source: str


class Known(msgspec.Struct, frozen=True):
    """All that endpoints.toml says, by name."""

    endpoints: dict[str, KnownEndpoint]
    quirks: dict[str, Quirk]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    endpoint: list[KnownEndpoint]
    quirk: list[Quirk]


def load_known(sandbox_url: str | None = None) -> Known:
    """Read endpoints.toml; `sandbox_url` is the sandbox's base URL, where one is running."""
    text = (files("tollbridge") / "providers" / "endpoints.toml").read_text("utf-8")
    read = msgspec.convert(tomllib.loads(text), _File)
    endpoints = {one.name: one for one in read.endpoint}
    quirks = {one.name: one for one in read.quirk}
    unexplained = {quirk for one in read.endpoint for quirk in one.quirks} - quirks.keys()
    if unexplained or len(endpoints) < len(read.endpoint):
        raise BugError("endpoints.toml names an endpoint twice, or a quirk that it does not have")
    if sandbox_url is not None:
        sandbox = msgspec.structs.replace(endpoints[SANDBOX], base_url=sandbox_url.rstrip("/"))
        endpoints[SANDBOX] = sandbox
    return Known(endpoints, quirks)


def builtin_endpoints(
    known: Known,
    environment: Mapping[str, str],
    declared: Collection[str] = (),
) -> tuple[list[DeclaredEndpoint], list[Skipped]]:
    """Return the known endpoints that are live in this environment, and why the others are not.

    Those that the configuration file declared are in neither list: they are the file's.
    """
    live: list[DeclaredEndpoint] = []
    skipped: list[Skipped] = []
    for one in known.endpoints.values():
        if one.name in declared:
            continue
        reason = why_skipped(one, environment)
        if reason is None:
            live.append(declare(one, environment))
        else:
            skipped.append(Skipped(one.name, reason))
    return live, skipped


def builtin_here(
    sandbox_url: str | None, environment: Mapping[str, str]
) -> dict[str, DeclaredEndpoint]:
    """Return the known endpoints that can be used on this node, by name, with its own keys."""
    live, _ = builtin_endpoints(load_known(sandbox_url), environment)
    return {one.endpoint.name: one for one in live}


def key_names(here: Mapping[str, DeclaredEndpoint]) -> dict[str, tuple[str, ...]]:
    """Return by endpoint the names of the keys that it has of its node's environment."""
    return {name: tuple(key.name for key in one.endpoint.keys) for name, one in here.items()}


def why_skipped(one: KnownEndpoint, environment: Mapping[str, str]) -> str | None:
    """Return why a known endpoint cannot be used as it is, None where it can."""
    if one.dialect not in BUILT_DIALECTS:
        return f"the dialect {one.dialect} is not built yet"
    if one.base_url_env and not environment.get(one.base_url_env, "").strip():
        return f"{one.base_url_env} is not set"
    address = resolved_url(one, environment)
    if not address:
        return "it is not started"
    if (fault := fault_of_address(address)) is not None:
        return f"{one.base_url_env}: {fault}"
    return why_no_key(one.api_key_env, environment) if one.api_key_env else None


def resolved_url(one: KnownEndpoint, environment: Mapping[str, str]) -> str:
    """Return a known endpoint's address with what the environment says of it."""
    if not one.base_url_env:
        return one.base_url
    address = environment.get(one.base_url_env, "").strip().rstrip("/")
    return one.base_url.replace(ADDRESS, address) if address else ""


def fault_of_address(url: str) -> str | None:
    """Return why a text is no address of a provider, None where it is one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"cannot be read: {error}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return "is an address such as https://host/v1 or http://127.0.0.1:9000"
    if parts.username is not None or parts.query or parts.fragment:
        return "has neither user and password, nor ? or #"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "has only ASCII characters, and no blanks"
    return None


def fault_of_key(key: str) -> str | None:
    """Return why a text can be no key, None where it can."""
    if not key.isascii() or not key.isprintable() or " " in key:
        return "has characters that a header cannot carry"
    return None


def why_no_key(variable: str, environment: Mapping[str, str]) -> str | None:
    """Return why a variable gives no usable key, None where it does."""
    key = environment.get(variable, "").strip()
    if not key:
        return f"{variable} is not set"
    fault = fault_of_key(key)
    return None if fault is None else f"{variable} {fault}"


def declare(one: KnownEndpoint, environment: Mapping[str, str]) -> DeclaredEndpoint:
    """Return a known endpoint with its address and key from the environment."""
    key = environment.get(one.api_key_env, "").strip() if one.api_key_env else ""
    return DeclaredEndpoint(
        endpoint=Endpoint(
            name=one.name,
            provider=one.provider or one.name,
            dialect=one.dialect,
            base_url=resolved_url(one, environment),
            api_key=key,
            enabled=one.enabled,
            priority=one.priority,
            category_priority=one.category_priority,
            default_models=default_models(one, environment),
            quirks=one.quirks,
            auth=one.auth,
            keys=(ProviderKey(one.api_key_env, key),) if key else (),
            planning_price=one.planning_price,
        ),
        models=one.models,
    )


def default_models(one: KnownEndpoint, environment: Mapping[str, str]) -> dict[str, str]:
    """Return a known endpoint's own models, with the one that the environment names."""
    named = environment.get(one.default_model_env, "").strip() if one.default_model_env else ""
    return {**one.default_models, Category.TEXT.value: named} if named else one.default_models
