"""Which keys are there? All SQL of keys."""

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from tollbridge.access.keys import (
    AccessPart,
    DeclaredKey,
    KeyEntry,
    KeyLimits,
    KeyRow,
    KeysApplied,
    KeySource,
    KeyTerms,
    Minted,
    check_given,
    check_name,
    digest,
    mint,
)
from tollbridge.access.tables import keys, users
from tollbridge.core.call import Caller, new_id
from tollbridge.core.errors import BugError, ConflictError, NotFoundError
from tollbridge.storage import versions
from tollbridge.storage.unit import Unit

PART = "access"
PAGE_ROWS_MAX = 1000


async def load_part(unit: Unit) -> AccessPart:
    """Return all keys for the workers, revoked and expired ones too: the caller is told which.

    The keys of a disabled user are worth nothing for as long as that holds.
    """
    rows = await unit.connection.execute(
        select(
            keys.c.key_id,
            keys.c.name,
            keys.c.user,
            keys.c.project,
            keys.c.digest,
            keys.c.scopes,
            keys.c.expires_at_us,
            keys.c.revoked_at_us,
            keys.c.keep_content,
            users.c.disabled_at_us,
        ).select_from(keys.outerjoin(users, users.c.name == keys.c.user)),
    )
    return AccessPart(
        keys=[
            KeyEntry(
                key_id=row.key_id,
                digest=row.digest,
                caller=Caller(row.key_id, row.name, row.user, row.project),
                scopes=tuple(row.scopes),
                expires_at_us=row.expires_at_us,
                revoked=row.revoked_at_us is not None or row.disabled_at_us is not None,
                user_disabled=row.disabled_at_us is not None,
                keep_content=row.keep_content,
            )
            for row in rows
        ],
    )


async def key_limits(unit: Unit) -> list[KeyLimits]:
    """Return the keys in force that have a limit on calls."""
    rows = await unit.connection.execute(
        select(keys.c.key_id, keys.c.name, keys.c.calls_per_minute, keys.c.concurrent_calls).where(
            keys.c.revoked_at_us.is_(None),
            keys.c.calls_per_minute.is_not(None) | keys.c.concurrent_calls.is_not(None),
        ),
    )
    return [KeyLimits(*row) for row in rows]


async def list_keys(unit: Unit, after_name: str = "", limit: int = 100) -> list[KeyRow]:
    """Return a page of keys by name, at most 1,000, beginning behind `after_name`."""
    rows = await unit.connection.execute(
        select(keys)
        .where(keys.c.name > after_name)
        .order_by(keys.c.name)
        .limit(min(limit, PAGE_ROWS_MAX)),
    )
    return [key_row(row) for row in rows]


async def get_key(unit: Unit, name: str) -> KeyRow:
    """Return one key by name. Raises NotFoundError."""
    return key_row(await _find_key(unit, name))


async def create_key(unit: Unit, terms: KeyTerms, pepper: bytes) -> Minted:
    """Mint a key. Raises ConflictError where the name is taken, also by a revoked key."""
    key = mint()
    row = await _insert_key(unit, terms, key, pepper, KeySource.MINTED)
    await versions.bump(unit, PART)
    return Minted(row, key)


async def replace_key(unit: Unit, terms: KeyTerms, pepper: bytes) -> Minted:
    """Mint a key in place of the one of that name, which is worth nothing from then on.

    The id stays, and with it the key's history. Creates the key where there is none. Raises
    ConflictError for a key that the configuration file declares.
    """
    found = await _try_key(unit, terms.name)
    if found is None:
        return await create_key(unit, terms, pepper)
    _refuse_file(found)
    key = mint()
    row = await _update_key(unit, found, terms, key, pepper)
    await versions.bump(unit, PART)
    return Minted(row, key)


async def rotate_key(unit: Unit, name: str, pepper: bytes) -> Minted:
    """Give a key another text; the one that it had is worth nothing from then on.

    What it may do stays, and its history. Raises NotFoundError, and ConflictError for a key that
    was revoked, or that the configuration file declares.
    """
    # Locked, so that a key that somebody revokes meanwhile stays revoked.
    locked = select(keys).where(keys.c.name == name).with_for_update()
    found = (await unit.connection.execute(locked)).first()
    if found is None:
        raise _no_key(name)
    _refuse_file(found)
    if found.revoked_at_us is not None:
        raise ConflictError(f"the key {name!r} was revoked, and stays so")
    key = mint()
    row = await _update_key(unit, found, key_row(found).terms, key, pepper)
    await versions.bump(unit, PART)
    return Minted(row, key)


async def revoke_key(unit: Unit, name: str) -> KeyRow:
    """Revoke a key for good; again changes nothing.

    Raises NotFoundError, and ConflictError for a key that the configuration file declares.
    """
    found = await _find_key(unit, name)
    _refuse_file(found)
    if found.revoked_at_us is None:
        await _set(unit, found.key_id, revoked_at_us=await unit.now_us())
        await versions.bump(unit, PART)
    return await get_key(unit, name)


async def keep_content_of_key(unit: Unit, name: str, *, keep: bool) -> KeyRow:
    """Say whether what a key's calls ask and are answered is kept from now on.

    Raises NotFoundError, and ConflictError for a key that the configuration file declares.
    """
    found = await _find_key(unit, name)
    _refuse_file(found)
    if found.keep_content != keep:
        await _set(unit, found.key_id, keep_content=keep)
        await versions.bump(unit, PART)
    return await get_key(unit, name)


async def detach_key(unit: Unit, name: str) -> KeyRow:
    """Take a key from the configuration file's hands; what the file says of it no longer counts.

    Raises NotFoundError.
    """
    found = await _find_key(unit, name)
    await _set(unit, found.key_id, source=KeySource.MINTED.value)
    return await get_key(unit, name)


async def apply(unit: Unit, declared: Sequence[DeclaredKey], pepper: bytes) -> KeysApplied:
    """Make the file's keys what the file says, and revoke those that it no longer declares.

    Twice is once. A declared key without a given text is minted when it is first seen, and again
    when it comes back after it was revoked. Raises ConflictError where two names have one key.
    """
    existing = {row.name: row for row in await unit.connection.execute(select(keys))}
    await _free_digests(unit, existing.values(), declared, pepper)
    minted: list[Minted] = []
    changed: list[str] = []
    left_alone: list[str] = []
    for one in declared:
        found = existing.get(one.terms.name)
        if found is not None and found.source != KeySource.FILE:
            left_alone.append(one.terms.name)
        elif one.key is None and (found is None or found.revoked_at_us is not None):
            minted.append(await _mint_declared(unit, one.terms, pepper, found))
        elif await _upsert_file_key(unit, one, pepper, found):
            changed.append(one.terms.name)
    revoked = await _revoke_missing(unit, existing.values(), {one.terms.name for one in declared})
    if minted or changed or revoked:
        await versions.bump(unit, PART)
    return KeysApplied(tuple(minted), tuple(changed), tuple(revoked), tuple(left_alone))


async def _mint_declared(
    unit: Unit,
    terms: KeyTerms,
    pepper: bytes,
    found: Row[Any] | None,
) -> Minted:
    key = mint()
    if found is None:
        return Minted(await _insert_key(unit, terms, key, pepper, KeySource.FILE), key)
    return Minted(await _update_key(unit, found, terms, key, pepper), key)


async def _upsert_file_key(
    unit: Unit,
    one: DeclaredKey,
    pepper: bytes,
    found: Row[Any] | None,
) -> bool:
    if one.key is not None:
        check_given(one.terms.name, one.key)
        if found is None:
            await _insert_key(unit, one.terms, one.key, pepper, KeySource.FILE)
            return True
    elif found is None:
        raise BugError("a declared key without a text is minted before it is updated")
    same_key = one.key is None or digest(pepper, one.key) == found.digest
    if same_key and found.revoked_at_us is None and key_row(found).terms == one.terms:
        return False
    await _update_key(unit, found, one.terms, one.key, pepper)
    return True


async def _free_digests(
    unit: Unit, rows: Iterable[Row[Any]], declared: Sequence[DeclaredKey], pepper: bytes
) -> None:
    # A key that moves to another name of the file leaves its old row worthless, else the two
    # rows would collide. Keys that the file does not own are not touched: that is a conflict.
    given = [one for one in declared if one.key is not None]
    owners = {digest(pepper, one.key or ""): one.terms.name for one in given}
    if len(owners) < len(given):
        raise ConflictError("the configuration file gives two names the same key")
    for row in rows:
        moved = owners.get(row.digest, row.name) != row.name
        if moved and row.source == KeySource.FILE:
            await _set(unit, row.key_id, digest=secrets.token_hex(32))


async def _revoke_missing(unit: Unit, rows: Iterable[Row[Any]], declared: set[str]) -> list[str]:
    missing = [
        row
        for row in rows
        if row.source == KeySource.FILE and row.revoked_at_us is None and row.name not in declared
    ]
    for row in missing:
        await _set(unit, row.key_id, revoked_at_us=await unit.now_us())
    return sorted(row.name for row in missing)


async def _insert_key(
    unit: Unit, terms: KeyTerms, key: str, pepper: bytes, source: KeySource
) -> KeyRow:
    check_name(terms.name)
    if await _try_key(unit, terms.name) is not None:
        raise ConflictError(f"there is a key named {terms.name!r} already")
    now_us = await unit.now_us()
    values = {
        "key_id": new_id(now_us),
        "source": source.value,
        "created_at_us": now_us,
        "updated_at_us": now_us,
        **_key_values(terms, key, pepper),
    }
    try:
        await unit.connection.execute(insert(keys).values(values))
    except IntegrityError as error:
        raise _same_key(terms.name) from error
    return await get_key(unit, terms.name)


async def _update_key(
    unit: Unit,
    found: Row[Any],
    terms: KeyTerms,
    key: str | None,
    pepper: bytes,
) -> KeyRow:
    try:
        await _set(unit, found.key_id, revoked_at_us=None, **_key_values(terms, key, pepper))
    except IntegrityError as error:
        raise _same_key(terms.name) from error
    return await get_key(unit, terms.name)


def _key_values(terms: KeyTerms, key: str | None, pepper: bytes) -> dict[str, Any]:
    values = msgspec.structs.asdict(terms)
    values["scopes"] = [str(scope) for scope in terms.scopes]
    if key is not None:
        values["digest"] = digest(pepper, key)
        values["last4"] = key[-4:]
    return values


async def _set(unit: Unit, key_id: str, **values: Any) -> None:
    now_us = await unit.now_us()
    await unit.connection.execute(
        update(keys).where(keys.c.key_id == key_id).values(updated_at_us=now_us, **values),
    )


async def _try_key(unit: Unit, name: str) -> Row[Any] | None:
    return (await unit.connection.execute(select(keys).where(keys.c.name == name))).first()


async def _find_key(unit: Unit, name: str) -> Row[Any]:
    found = await _try_key(unit, name)
    if found is None:
        raise _no_key(name)
    return found


def _no_key(name: str) -> NotFoundError:
    return NotFoundError(f"there is no key named {name!r}")


def _refuse_file(row: Row[Any]) -> None:
    if row.source == KeySource.FILE:
        raise ConflictError(
            f"the key {row.name!r} is declared in the configuration file: change it there, "
            "or detach it first",
        )


def _same_key(name: str) -> ConflictError:
    return ConflictError(f"the key given for {name!r} is another key's already, or the name is")


def key_row(row: Row[Any]) -> KeyRow:
    """Return the key of a row of the table `keys`."""
    return KeyRow(
        key_id=row.key_id,
        terms=KeyTerms(
            name=row.name,
            user=row.user,
            project=row.project,
            scopes=tuple(row.scopes),
            expires_at_us=row.expires_at_us,
            calls_per_minute=row.calls_per_minute,
            concurrent_calls=row.concurrent_calls,
            keep_content=row.keep_content,
        ),
        last4=row.last4,
        source=row.source,
        created_at_us=row.created_at_us,
        revoked_at_us=row.revoked_at_us,
    )
