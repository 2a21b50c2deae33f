"""Which endpoints are known by name, and which of them are live in this environment?

The facts are data, in `providers/endpoints.toml`; it is read as a file of the package, so that
routing needs no code of another stage.
"""

import tomllib
from collections.abc import Collection, Mapping
from importlib.resources import files

import msgspec

from tollbridge.core.errors import BugError
from tollbridge.core.plan import Endpoint
from tollbridge.routing.part import BUILT_DIALECTS, DeclaredEndpoint, Skipped

SANDBOX = "sandbox"


class KnownEndpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of endpoints.toml. The provider has the endpoint's name."""

    name: str
    display_name: str
    priority: int
    base_url: str = ""
    """"" for the sandbox, until it is started."""
    api_key_env: str = ""
    """"" where no key is needed."""
    dialect: str = "openai"
    default_models: dict[str, str] = {}
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


def why_skipped(one: KnownEndpoint, environment: Mapping[str, str]) -> str | None:
    """Return why a known endpoint cannot be used as it is, None where it can."""
    if one.dialect not in BUILT_DIALECTS:
        return f"the dialect {one.dialect} is not built yet"
    if not one.base_url:
        return "it is not started"
    return why_no_key(one.api_key_env, environment) if one.api_key_env else None


def why_no_key(variable: str, environment: Mapping[str, str]) -> str | None:
    """Return why a variable gives no usable key, None where it does."""
    key = environment.get(variable, "").strip()
    if not key:
        return f"{variable} is not set"
    if not key.isascii() or not key.isprintable() or " " in key:
        return f"{variable} has characters that a header cannot carry"
    return None


def declare(one: KnownEndpoint, environment: Mapping[str, str]) -> DeclaredEndpoint:
    """Return a known endpoint with its key from the environment."""
    return DeclaredEndpoint(
        endpoint=Endpoint(
            name=one.name,
            provider=one.name,
            dialect=one.dialect,
            base_url=one.base_url,
            api_key=environment.get(one.api_key_env, "").strip(),
            priority=one.priority,
            default_models=one.default_models,
            quirks=one.quirks,
        ),
        models=one.models,
    )
