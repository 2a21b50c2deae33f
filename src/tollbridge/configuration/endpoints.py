"""What does an [[endpoint]] declare?"""

from collections.abc import Mapping

from tollbridge.configuration.table import TEXT_LENGTH_MAX, TableReader
from tollbridge.core.call import OnCallerLeft
from tollbridge.core.money import parse_usd
from tollbridge.core.plan import Auth, Endpoint, ProviderKey
from tollbridge.routing.builtin import (
    Known,
    KnownEndpoint,
    default_models,
    fault_of_address,
    fault_of_key,
    resolved_url,
    why_no_key,
)
from tollbridge.routing.kept import FIRST_KEY, with_keys
from tollbridge.routing.part import BUILT_DIALECTS, DeclaredEndpoint, Skipped
from tollbridge.routing.plan import APART

FIELDS = frozenset(
    {
        "name",
        "provider",
        "dialect",
        "base_url",
        "api_key",
        "api_key_env",
        "api_keys_env",
        "auth",
        "enabled",
        "priority",
        "default_models",
        "models",
        "on_caller_left",
        "planning_price",
        "quirks",
    },
)
KEY_FIELDS = ("api_key", "api_key_env", "api_keys_env")
PRIORITY_DEFAULT = 100
PRIORITY_MAX = 1_000_000
NO_KEY = "none"
"""What people write for a server that wants no key: no Authorization is sent."""


def read_endpoint(
    table: TableReader,
    environment: Mapping[str, str],
    known: Known,
) -> DeclaredEndpoint | Skipped:
    """Return what one [[endpoint]] declares, or why it cannot be used here."""
    table.only(FIELDS)
    name = table.text("name")
    like = known.endpoints.get(name)
    dialect = table.text("dialect", like.dialect if like else "openai")
    if dialect not in BUILT_DIALECTS:
        built = ", ".join(sorted(BUILT_DIALECTS))
        raise table.error(f"dialect {dialect!r} is not built yet; built: {built}")
    known_url = resolved_url(like, environment) if like else ""
    if like is not None and not known_url and not table.has("base_url"):
        missing = f"{like.base_url_env} is not set" if like.base_url_env else "it is not started"
        return Skipped(name, missing)
    enabled, disabled_categories = _enabled(table, like)
    priority, category_priority = _priority(table, like)
    # Before the key: what is wrong is said with or without it.
    endpoint = Endpoint(
        name=name,
        provider=table.text("provider", (like.provider or like.name) if like else None),
        dialect=dialect,
        base_url=_base_url(table, known_url),
        enabled=enabled,
        disabled_categories=disabled_categories,
        priority=priority,
        category_priority=category_priority,
        default_models=_default_models(table, like, environment),
        on_caller_left=OnCallerLeft(
            table.choice("on_caller_left", [one.value for one in OnCallerLeft], "drain"),
        ),
        quirks=_quirks(table, like, known),
        auth=table.choice("auth", [one.value for one in Auth], like.auth if like else Auth.BEARER),
        planning_price=_planning_price(table, like),
    )
    models = _models(table, like)
    keys = _keys(table, environment, like)
    if isinstance(keys, str):
        return Skipped(name, keys)
    return DeclaredEndpoint(with_keys(endpoint, keys), models)


def _keys(
    table: TableReader,
    environment: Mapping[str, str],
    like: KnownEndpoint | None,
) -> tuple[ProviderKey, ...] | str:
    """Return the keys, or why there is none where there should be one."""
    if sum(table.has(field) for field in KEY_FIELDS) > 1:
        raise table.error(f"{', '.join(KEY_FIELDS)}: only one can say the key")
    if table.has("api_key"):
        key = table.text("api_key", length_max=TEXT_LENGTH_MAX)
        if (fault := fault_of_key(key)) is not None:
            raise table.error(f"api_key {fault}")
        return () if key == NO_KEY else (ProviderKey(FIRST_KEY, key),)
    if table.has("api_keys_env"):
        return _several_keys(table.texts("api_keys_env"), environment)
    known_variable = like.api_key_env if like else ""
    variable = table.text("api_key_env") if table.has("api_key_env") else known_variable
    if not variable:
        return ()
    if (missing := why_no_key(variable, environment)) is not None:
        return missing
    return (ProviderKey(FIRST_KEY, environment[variable].strip()),)


def _several_keys(
    variables: tuple[str, ...], environment: Mapping[str, str]
) -> tuple[ProviderKey, ...] | str:
    """Return the keys of those variables that have one, by the variables' names."""
    missing = {name: why_no_key(name, environment) for name in variables}
    keys = tuple(
        ProviderKey(name, environment[name].strip())
        for name, fault in missing.items()
        if fault is None
    )
    return keys or "; ".join(fault for fault in missing.values() if fault) or "it names no key"


def _base_url(table: TableReader, known_url: str) -> str:
    url = table.text("base_url", known_url or None, TEXT_LENGTH_MAX)
    if (fault := fault_of_address(url)) is not None:
        raise table.error(f"base_url {fault}")
    return url.rstrip("/")


def _enabled(table: TableReader, like: KnownEndpoint | None) -> tuple[bool, tuple[str, ...]]:
    if isinstance(table.raw("enabled"), dict):
        flags = table.flags_by_category("enabled")
        return True, tuple(sorted(name for name, enabled in flags.items() if not enabled))
    return table.flag("enabled", default=like.enabled if like else True), ()


def _priority(table: TableReader, like: KnownEndpoint | None) -> tuple[int, dict[str, int]]:
    default = like.priority if like else PRIORITY_DEFAULT
    known = like.category_priority if like else {}
    if isinstance(table.raw("priority"), dict):
        return default, {**known, **table.wholes_by_category("priority", 0, PRIORITY_MAX)}
    given = table.whole("priority", 0, PRIORITY_MAX)
    return (default, known) if given is None else (given, {})


def _default_models(
    table: TableReader, like: KnownEndpoint | None, environment: Mapping[str, str]
) -> dict[str, str]:
    if like is not None and not table.has("default_models"):
        return default_models(like, environment)
    return table.text_by_category("default_models", more=APART)


def _planning_price(table: TableReader, like: KnownEndpoint | None) -> dict[str, str]:
    if like is not None and not table.has("planning_price"):
        return like.planning_price
    prices = table.text_by_category("planning_price")
    for category, text in prices.items():
        try:
            negative = parse_usd(text) < 0
        except ValueError as error:
            raise table.error(f"planning_price.{category}: {error}") from error
        if negative:
            raise table.error(f"planning_price.{category} is not below zero")
    return prices


def _models(table: TableReader, like: KnownEndpoint | None) -> dict[str, tuple[str, ...]]:
    if isinstance(table.raw("models"), list):
        return {"text": table.texts("models")}
    if like is not None and not table.has("models"):
        return like.models
    return table.texts_by_category("models")


def _quirks(table: TableReader, like: KnownEndpoint | None, known: Known) -> tuple[str, ...]:
    if like is not None and not table.has("quirks"):
        return like.quirks
    return tuple(table.one_of("quirks", one, known.quirks) for one in table.texts("quirks"))
