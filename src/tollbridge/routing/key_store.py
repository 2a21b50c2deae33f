"""Which keys are stored for which endpoint? All SQL of `provider_keys`; never in clear."""

from collections.abc import Iterable, Mapping

from sqlalchemy import delete, insert, select

from tollbridge.core.errors import ConflictError, NotFoundError
from tollbridge.core.plan import ProviderKey
from tollbridge.routing.sealed import Sealed, seal, try_unseal, unseal
from tollbridge.routing.tables import provider_keys
from tollbridge.storage.unit import Unit

KEYS_MAX = 100
"""Keys of one endpoint."""
NO_KEYS: Mapping[str, Sealed] = {}

_columns = provider_keys.c


async def stored_keys(unit: Unit) -> dict[str, dict[str, Sealed]]:
    """Return by endpoint and name all keys, in turn, as they are stored."""
    query = select(provider_keys).order_by(_columns.endpoint, _columns.position, _columns.name)
    found: dict[str, dict[str, Sealed]] = {}
    for row in await unit.connection.execute(query):
        found.setdefault(row.endpoint, {})[row.name] = Sealed(row.master_id, row.sealed)
    return found


def unsealed(
    master: bytes, endpoint: str, stored: Mapping[str, Sealed]
) -> tuple[ProviderKey, ...] | None:
    """Return an endpoint's keys in clear, None where this master does not open one of them."""
    keys: list[ProviderKey] = []
    for name, sealed in stored.items():
        secret = try_unseal(master, endpoint, sealed)
        if secret is None:
            return None
        keys.append(ProviderKey(name, secret))
    return tuple(keys)


async def replace_keys(
    unit: Unit, endpoint: str, keys: Iterable[ProviderKey], master: bytes
) -> None:
    """Store these keys of an endpoint in place of those that it had."""
    await unit.connection.execute(delete(provider_keys).where(_columns.endpoint == endpoint))
    for position, key in enumerate(keys):
        await _insert(unit, endpoint, key.name, position, seal(master, endpoint, key.secret))


async def add_key(unit: Unit, endpoint: str, key: ProviderKey, master: bytes) -> None:
    """Store one more key. Raises ConflictError for a name that is taken, or one too many."""
    stored = (await stored_keys(unit)).get(endpoint, NO_KEYS)
    if key.name in stored:
        raise ConflictError(f"the endpoint {endpoint!r} has a key named {key.name!r} already")
    if len(stored) >= KEYS_MAX:
        raise ConflictError(f"an endpoint has at most {KEYS_MAX} keys")
    query = select(_columns.position).where(_columns.endpoint == endpoint)
    positions = (await unit.connection.execute(query)).scalars().all()
    position = max(positions, default=-1) + 1
    await _insert(unit, endpoint, key.name, position, seal(master, endpoint, key.secret))


async def remove_key(unit: Unit, endpoint: str, name: str) -> None:
    """Delete one key. Raises NotFoundError."""
    where = (_columns.endpoint == endpoint) & (_columns.name == name)
    done = await unit.connection.execute(delete(provider_keys).where(where))
    if not done.rowcount:
        raise NotFoundError(f"the endpoint {endpoint!r} has no stored key named {name!r}")


async def rotate_master(unit: Unit, old: bytes, new: bytes) -> int:
    """Encrypt all provider keys anew; return how many. What `new` opens already is passed by.

    Raises ConfigurationError, and changes nothing, where `old` does not open one of them.
    """
    rotated = 0
    for endpoint, stored in (await stored_keys(unit)).items():
        if unsealed(new, endpoint, stored) is not None:
            continue
        keys = [
            ProviderKey(name, try_unseal(new, endpoint, sealed) or unseal(old, endpoint, sealed))
            for name, sealed in stored.items()
        ]
        await replace_keys(unit, endpoint, keys, new)
        rotated += len(keys)
    return rotated


async def _insert(unit: Unit, endpoint: str, name: str, position: int, sealed: Sealed) -> None:
    await unit.connection.execute(
        insert(provider_keys).values(
            endpoint=endpoint,
            name=name,
            position=position,
            master_id=sealed.master_id,
            sealed=sealed.text,
            updated_at_us=await unit.now_us(),
        ),
    )
