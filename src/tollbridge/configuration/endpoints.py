"""What does an [[endpoint]] declare?"""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from tollbridge.configuration.table import TEXT_LENGTH_MAX, TableReader
from tollbridge.core.call import OnCallerLeft
from tollbridge.core.plan import Endpoint
from tollbridge.routing.builtin import Known, KnownEndpoint, why_no_key
from tollbridge.routing.part import BUILT_DIALECTS, DeclaredEndpoint, Skipped

FIELDS = frozenset(
    {
        "name",
        "provider",
        "dialect",
        "base_url",
        "api_key",
        "api_key_env",
        "enabled",
        "priority",
        "default_models",
        "models",
        "on_caller_left",
        "quirks",
    },
)
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
    if like is not None and not like.base_url and not table.has("base_url"):
        return Skipped(name, "it is not started")
    enabled, disabled_categories = _enabled(table)
    priority, category_priority = _priority(table, like)
    # Before the key: what is wrong is said with or without it.
    endpoint = Endpoint(
        name=name,
        provider=table.text("provider", like.name if like else None),
        dialect=dialect,
        base_url=_base_url(table, like),
        enabled=enabled,
        disabled_categories=disabled_categories,
        priority=priority,
        category_priority=category_priority,
        default_models=_default_models(table, like),
        on_caller_left=OnCallerLeft(
            table.choice("on_caller_left", [one.value for one in OnCallerLeft], "drain"),
        ),
        quirks=_quirks(table, like, known),
    )
    models = _models(table, like)
    api_key, why_skipped = _api_key(table, environment, like)
    if why_skipped is not None:
        return Skipped(name, why_skipped)
    return DeclaredEndpoint(msgspec.structs.replace(endpoint, api_key=api_key), models)


def _api_key(
    table: TableReader,
    environment: Mapping[str, str],
    like: KnownEndpoint | None,
) -> tuple[str, str | None]:
    """Return the key, and why there is none where there should be one."""
    if table.has("api_key") and table.has("api_key_env"):
        raise table.error("api_key and api_key_env: only one can say the key")
    if table.has("api_key"):
        key = table.text("api_key", length_max=TEXT_LENGTH_MAX)
        if not key.isascii() or " " in key:
            raise table.error("api_key has characters that a header cannot carry")
        return ("" if key == NO_KEY else key), None
    known_variable = like.api_key_env if like else ""
    variable = table.text("api_key_env") if table.has("api_key_env") else known_variable
    if not variable:
        return "", None
    return environment.get(variable, "").strip(), why_no_key(variable, environment)


def _base_url(table: TableReader, like: KnownEndpoint | None) -> str:
    default = like.base_url or None if like else None
    url = table.text("base_url", default, TEXT_LENGTH_MAX)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise table.error(f"base_url cannot be read: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise table.error("base_url is an address such as https://host/v1 or http://127.0.0.1:9000")
    if parts.username is not None or parts.query or parts.fragment:
        raise table.error("base_url has neither user and password, nor ? or #")
    if not url.isascii() or " " in url:
        raise table.error("base_url has only ASCII characters, and no blanks")
    return url.rstrip("/")


def _enabled(table: TableReader) -> tuple[bool, tuple[str, ...]]:
    if isinstance(table.raw("enabled"), dict):
        flags = table.flags_by_category("enabled")
        return True, tuple(sorted(name for name, enabled in flags.items() if not enabled))
    return table.flag("enabled", default=True), ()


def _priority(table: TableReader, like: KnownEndpoint | None) -> tuple[int, dict[str, int]]:
    default = like.priority if like else PRIORITY_DEFAULT
    if isinstance(table.raw("priority"), dict):
        return default, table.wholes_by_category("priority", 0, PRIORITY_MAX)
    given = table.whole("priority", 0, PRIORITY_MAX)
    return (default if given is None else given), {}


def _default_models(table: TableReader, like: KnownEndpoint | None) -> dict[str, str]:
    if like is not None and not table.has("default_models"):
        return like.default_models
    return table.text_by_category("default_models")


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
