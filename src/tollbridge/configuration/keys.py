"""What does a [[key]] declare?"""

from collections.abc import Mapping
from datetime import datetime

from tollbridge.access.keys import DeclaredKey, KeyTerms, Scope, check_given
from tollbridge.configuration.table import TableReader, type_name
from tollbridge.core.clock import to_us
from tollbridge.core.errors import ConfigurationError
from tollbridge.routing.part import Skipped

FIELDS = frozenset(
    {
        "name",
        "key_env",
        "user",
        "project",
        "scopes",
        "expires",
        "calls_per_minute",
        "concurrent_calls",
        "keep_content",
    },
)
COUNT_MAX = 1_000_000_000


def read_key(table: TableReader, environment: Mapping[str, str]) -> DeclaredKey | Skipped:
    """Return what one [[key]] declares; skipped where its variable is not set.

    Without `key_env` it is minted when it is first applied. The user is the key's name, if not
    given.
    """
    table.only(FIELDS)
    name = table.text("name")
    scopes = table.texts("scopes") if table.has("scopes") else (Scope.CALL.value,)
    terms = KeyTerms(
        name=name,
        user=table.text("user", name),
        project=table.text("project", "default"),
        scopes=tuple(
            table.one_of("scopes", one, [scope.value for scope in Scope]) for one in scopes
        ),
        expires_at_us=_expires(table),
        calls_per_minute=table.whole("calls_per_minute", 1, COUNT_MAX),
        concurrent_calls=table.whole("concurrent_calls", 1, COUNT_MAX),
        keep_content=table.flag("keep_content", default=False),
    )
    if not table.has("key_env"):
        return DeclaredKey(terms)
    variable = table.text("key_env")
    key = environment.get(variable, "").strip()
    if not key:
        return Skipped(name, f"{variable} is not set", table="key")
    try:
        check_given(name, key)
    except ConfigurationError as error:
        raise table.error(f"key_env {variable}: {error.message}") from error
    return DeclaredKey(terms, key)


def _expires(table: TableReader) -> int | None:
    value = table.raw("expires")
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise table.error(
            f"expires is a time with a zone such as 2027-01-01T00:00:00Z, not {type_name(value)}",
        )
    try:
        return to_us(value)
    except ValueError as error:
        raise table.error(f"expires: {error}; write 2027-01-01T00:00:00Z") from error
