"""What does a row of routing say, and who may change it?"""

from typing import Any

import msgspec

from tollbridge.core.call import Category, OnCallerLeft
from tollbridge.core.errors import ConflictError
from tollbridge.core.plan import Endpoint, ProviderKey
from tollbridge.routing.part import ByHand, DeclaredEndpoint, Source

FIRST_KEY = "default"
"""The name of a key that was given without one."""


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


def by_hand_of(row: Any) -> ByHand:
    """Return what somebody has switched or moved of a built-in endpoint."""
    if row is None or not is_live(row, Source.BUILTIN) or row.by_hand is None:
        return ByHand()
    return msgspec.convert(row.by_hand, ByHand)


def merged(before: ByHand, change: ByHand) -> ByHand:
    """Return what stands after a change; a change of the whole takes back those of categories."""
    categories = {} if change.enabled is not None else before.categories
    priorities = {} if change.priority is not None else before.category_priority
    return ByHand(
        enabled=before.enabled if change.enabled is None else change.enabled,
        categories={**categories, **change.categories},
        priority=before.priority if change.priority is None else change.priority,
        category_priority={**priorities, **change.category_priority},
    )


def moved(endpoint: Endpoint, change: ByHand) -> Endpoint:
    """Return an endpoint, switched and moved.

    One that is off as a whole is on for a category that is switched on, and for no other.
    """
    disabled = set(endpoint.disabled_categories)
    enabled = endpoint.enabled
    if change.enabled is not None:
        enabled = change.enabled
        disabled.clear()
    if not enabled and any(change.categories.values()):
        enabled, disabled = True, {category.value for category in Category}
    for category, is_on in change.categories.items():
        (disabled.discard if is_on else disabled.add)(category)
    priorities = {} if change.priority is not None else endpoint.category_priority
    return msgspec.structs.replace(
        endpoint,
        enabled=enabled,
        disabled_categories=tuple(sorted(disabled)),
        priority=endpoint.priority if change.priority is None else change.priority,
        category_priority={**priorities, **change.category_priority},
    )


def switched(
    one: DeclaredEndpoint, row: Any, more: tuple[ProviderKey, ...] = ()
) -> DeclaredEndpoint:
    """Return a built-in endpoint as its row says that it was switched and moved.

    `more` are its stored keys, which take turns with this node's own.
    """
    changed = moved(one.endpoint, by_hand_of(row))
    if more:
        changed = with_keys(changed, (*named_keys(changed), *more))
    return DeclaredEndpoint(changed, one.models)


def named_keys(endpoint: Endpoint) -> tuple[ProviderKey, ...]:
    """Return all keys of an endpoint by name; a single one may have none of its own."""
    if endpoint.keys or not endpoint.api_key:
        return endpoint.keys
    return (ProviderKey(FIRST_KEY, endpoint.api_key),)


def with_keys(endpoint: Endpoint, keys: tuple[ProviderKey, ...]) -> Endpoint:
    """Return an endpoint with these keys and no others."""
    only_first = len(keys) == 1 and keys[0].name == FIRST_KEY
    return msgspec.structs.replace(
        endpoint, api_key=keys[0].secret if keys else "", keys=() if only_first else keys
    )


def declared_of(row: Any, keys: tuple[ProviderKey, ...] = ()) -> DeclaredEndpoint:
    """Return what a row says of an endpoint, with its keys."""
    endpoint = Endpoint(
        name=row.name,
        provider=row.provider,
        dialect=row.dialect,
        base_url=row.base_url,
        enabled=row.enabled,
        disabled_categories=tuple(row.disabled_categories),
        priority=row.priority,
        category_priority=row.category_priority,
        default_models=row.default_models,
        on_caller_left=OnCallerLeft(row.on_caller_left),
        quirks=tuple(row.quirks),
        auth=row.auth,
        planning_price=row.planning_price,
    )
    return DeclaredEndpoint(
        endpoint=with_keys(endpoint, keys),
        models={category: tuple(models) for category, models in row.models.items()},
    )
