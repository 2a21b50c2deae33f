"""What does a row of routing say, and who may change it?"""

from typing import Any

import msgspec

from tollbridge.core.call import OnCallerLeft
from tollbridge.core.errors import ConflictError
from tollbridge.core.plan import Endpoint
from tollbridge.routing.part import DeclaredEndpoint, Source


def is_live(row: Any, source: Source) -> bool:
    """Return whether there is such a row, of that source, and not withdrawn."""
    return row is not None and row.source == source and row.withdrawn_at_us is None


def may_take(row: Any, source: Source) -> bool:
    """Return whether a source may write a row, None where there is none yet."""
    return (
        row is None
        or row.withdrawn_at_us is not None
        or row.source == source
        or (source == Source.FILE and row.source == Source.BUILTIN)
    )


def refuse_file(row: Any, what: str) -> None:
    """Raise ConflictError for what the configuration file declares."""
    if row is not None and is_live(row, Source.FILE):
        raise ConflictError(
            f"{what} is declared in the configuration file: change it there, or detach it first",
        )


def switched(one: DeclaredEndpoint, row: Any, api_key: str | None = None) -> DeclaredEndpoint:
    """Return a built-in endpoint, switched on or off as its row says."""
    endpoint = one.endpoint
    enabled = row.enabled if row is not None and is_live(row, Source.BUILTIN) else endpoint.enabled
    key = endpoint.api_key if api_key is None else api_key
    changed = msgspec.structs.replace(endpoint, enabled=enabled, api_key=key)
    return DeclaredEndpoint(changed, one.models)


def declared_of(row: Any, api_key: str) -> DeclaredEndpoint:
    """Return what a row says of an endpoint, with its key."""
    return DeclaredEndpoint(
        endpoint=Endpoint(
            name=row.name,
            provider=row.provider,
            dialect=row.dialect,
            base_url=row.base_url,
            api_key=api_key,
            enabled=row.enabled,
            disabled_categories=tuple(row.disabled_categories),
            priority=row.priority,
            category_priority=row.category_priority,
            default_models=row.default_models,
            on_caller_left=OnCallerLeft(row.on_caller_left),
            quirks=tuple(row.quirks),
        ),
        models={category: tuple(models) for category, models in row.models.items()},
    )
