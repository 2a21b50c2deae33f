import time

import pytest
from sqlalchemy import insert

from tollbridge.access import store, user_store
from tollbridge.access.authenticate import KeyRing
from tollbridge.access.keys import DeclaredKey, KeyTerms, digest
from tollbridge.access.tables import keys
from tollbridge.access.users import UserTerms
from tollbridge.core.call import new_id
from tollbridge.core.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
)
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions

PEPPER = b"pepper" * 6
FIRST = "first" * 8
SECOND = "second" * 8


def terms(name: str, calls_per_minute: int | None = None) -> KeyTerms:
    return KeyTerms(name, user=f"user of {name}", calls_per_minute=calls_per_minute)


def declared(name: str, key: str | None = None) -> DeclaredKey:
    return DeclaredKey(terms(name), key)


async def apply(database: Database, *ones: DeclaredKey) -> store.KeysApplied:
    async with database.write() as unit:
        return await store.apply(unit, ones, PEPPER)


async def ring(database: Database) -> KeyRing:
    async with database.read() as unit:
        return KeyRing(await store.load_part(unit), PEPPER)


async def version(database: Database) -> int:
    async with database.read() as unit:
        return (await read_versions(unit)).get("access", 0)


async def name_of(database: Database, key: str) -> str:
    """Return the name of the key that this text opens, or why it opens none."""
    try:
        return (await ring(database)).authenticate(key, 0).caller.key_name
    except AuthenticationError as error:
        return error.message


async def test_a_minted_key_authenticates_as_its_caller(database: Database) -> None:
    async with database.write() as unit:
        minted = await store.create_key(unit, terms("app"), PEPPER)
    entry = (await ring(database)).authenticate(minted.key, 0)
    assert entry.caller.key_id == minted.row.key_id
    assert (entry.caller.user, entry.caller.project) == ("user of app", "default")
    assert entry.scopes == ("call",)
    assert minted.row.last4 == minted.key[-4:]
    assert minted.key not in repr(minted)
    assert await version(database) == 1


async def test_a_name_is_taken_even_by_a_revoked_key(database: Database) -> None:
    async with database.write() as unit:
        await store.create_key(unit, terms("app"), PEPPER)
        await store.revoke_key(unit, "app")
    async with database.write() as unit:
        with pytest.raises(ConflictError):
            await store.create_key(unit, terms("app"), PEPPER)


@pytest.mark.parametrize("name", ["", "x" * 129, "a\nb"])
async def test_a_name_that_cannot_be_shown_is_refused(database: Database, name: str) -> None:
    async with database.write() as unit:
        with pytest.raises(InvalidRequestError):
            await store.create_key(unit, terms(name), PEPPER)


async def test_a_revoked_key_is_refused_and_revoking_again_changes_nothing(
    database: Database,
) -> None:
    async with database.write() as unit:
        minted = await store.create_key(unit, terms("app"), PEPPER)
        revoked = await store.revoke_key(unit, "app")
    assert "revoked" in await name_of(database, minted.key)
    before = await version(database)
    async with database.write() as unit:
        assert await store.revoke_key(unit, "app") == revoked
        with pytest.raises(NotFoundError):
            await store.revoke_key(unit, "absent")
    assert await version(database) == before


async def test_a_replaced_key_keeps_its_id_and_the_old_text_is_worthless(
    database: Database,
) -> None:
    async with database.write() as unit:
        first = await store.replace_key(unit, terms("demo"), PEPPER)
        await store.revoke_key(unit, "demo")
    async with database.write() as unit:
        second = await store.replace_key(unit, terms("demo"), PEPPER)
    assert first.row.key_id == second.row.key_id
    assert await name_of(database, second.key) == "demo"
    assert "not known" in await name_of(database, first.key)


async def test_a_rotated_key_keeps_its_terms_and_the_old_text_is_worthless(
    database: Database,
) -> None:
    async with database.write() as unit:
        first = await store.create_key(unit, terms("app", 60), PEPPER)
    before = await version(database)
    async with database.write() as unit:
        second = await store.rotate_key(unit, "app", PEPPER)
    assert (second.row.key_id, second.row.terms) == (first.row.key_id, first.row.terms)
    assert await name_of(database, second.key) == "app"
    assert "not known" in await name_of(database, first.key)
    assert await version(database) > before


async def test_a_key_that_was_revoked_or_is_the_files_is_not_rotated(
    database: Database,
) -> None:
    await apply(database, declared("ci", FIRST))
    async with database.write() as unit:
        await store.create_key(unit, terms("app"), PEPPER)
        await store.revoke_key(unit, "app")
        for name in ("app", "ci"):
            with pytest.raises(ConflictError):
                await store.rotate_key(unit, name, PEPPER)
        with pytest.raises(NotFoundError):
            await store.rotate_key(unit, "absent", PEPPER)
    assert await name_of(database, FIRST) == "ci"


async def test_applying_the_file_twice_changes_nothing(database: Database) -> None:
    once = await apply(database, declared("ci", FIRST), declared("b"))
    assert once.changed == ("ci",)
    assert [one.row.terms.name for one in once.minted] == ["b"]
    before = await version(database)
    assert await apply(database, declared("ci", FIRST), declared("b")) == store.KeysApplied()
    assert await version(database) == before
    assert await name_of(database, FIRST) == "ci"
    assert await name_of(database, once.minted[0].key) == "b"


async def test_a_key_removed_from_the_file_is_revoked_and_comes_back_with_it(
    database: Database,
) -> None:
    await apply(database, declared("ci", FIRST))
    assert (await apply(database)).revoked == ("ci",)
    assert "revoked" in await name_of(database, FIRST)
    assert (await apply(database)).revoked == ()
    assert (await apply(database, declared("ci", FIRST))).changed == ("ci",)
    assert await name_of(database, FIRST) == "ci"


async def test_a_changed_text_or_term_replaces_the_old_one(database: Database) -> None:
    await apply(database, declared("ci", FIRST))
    await apply(database, declared("ci", SECOND))
    assert await name_of(database, SECOND) == "ci"
    assert "not known" in await name_of(database, FIRST)
    changed = DeclaredKey(terms("ci", calls_per_minute=5), SECOND)
    assert (await apply(database, changed)).changed == ("ci",)
    async with database.read() as unit:
        assert (await store.get_key(unit, "ci")).terms.calls_per_minute == 5


async def test_a_key_may_move_to_another_name_and_two_may_swap(database: Database) -> None:
    await apply(database, declared("old", FIRST))
    await apply(database, declared("new", FIRST), declared("other", SECOND))
    assert await name_of(database, FIRST) == "new"
    await apply(database, declared("new", SECOND), declared("other", FIRST))
    assert await name_of(database, FIRST) == "other"
    assert await name_of(database, SECOND) == "new"


async def test_two_names_cannot_have_one_key(database: Database) -> None:
    with pytest.raises(ConflictError):
        await apply(database, declared("a", FIRST), declared("b", FIRST))
    async with database.write() as unit:
        await unit.connection.execute(
            insert(keys).values(
                key_id=new_id(1),
                name="minted",
                digest=digest(PEPPER, FIRST),
                last4="last",
                user="u",
                project="p",
                scopes=["call"],
                source="minted",
                created_at_us=1,
                updated_at_us=1,
            ),
        )
    with pytest.raises(ConflictError):
        await apply(database, declared("a", FIRST))
    assert await name_of(database, FIRST) == "minted"


async def test_a_short_given_key_is_refused(database: Database) -> None:
    with pytest.raises(ConfigurationError):
        await apply(database, declared("a", "short"))


async def test_the_files_key_is_read_only_until_it_is_detached(database: Database) -> None:
    await apply(database, declared("ci", FIRST))
    async with database.write() as unit:
        with pytest.raises(ConflictError, match="configuration file"):
            await store.revoke_key(unit, "ci")
        with pytest.raises(ConflictError, match="configuration file"):
            await store.replace_key(unit, terms("ci"), PEPPER)
        await store.detach_key(unit, "ci")
        await store.revoke_key(unit, "ci")
    applied = await apply(database, declared("ci", FIRST))
    assert applied.left_alone == ("ci",)
    assert "revoked" in await name_of(database, FIRST)
    assert (await apply(database)).revoked == ()


async def test_the_limits_are_those_of_keys_in_force(database: Database) -> None:
    async with database.write() as unit:
        await store.create_key(unit, terms("limited", 60), PEPPER)
        await store.create_key(unit, terms("revoked", 60), PEPPER)
        await store.create_key(unit, terms("free"), PEPPER)
        await store.revoke_key(unit, "revoked")
    async with database.read() as unit:
        (limits,) = await store.key_limits(unit)
    assert (limits.name, limits.calls_per_minute, limits.concurrent_calls) == ("limited", 60, None)


async def test_keys_and_users_are_listed_page_by_page(database: Database) -> None:
    async with database.write() as unit:
        for name in ("a", "b", "c"):
            await store.create_key(unit, terms(name), PEPPER)
            await user_store.create_user(unit, UserTerms(name))
    async with database.read() as unit:
        first = [one.terms.name for one in await store.list_keys(unit, limit=2)]
        then = [one.terms.name for one in await store.list_keys(unit, after_name="b", limit=2)]
        people = [one.name for one in await user_store.list_users(unit, after_name="a", limit=1)]
    assert (first, then, people) == (["a", "b"], ["c"], ["b"])


async def test_10_000_keys_are_loaded_in_300_ms(database: Database) -> None:
    rows = [
        {
            "key_id": new_id(number * 1000),
            "name": f"key {number}",
            "digest": digest(PEPPER, f"{number}"),
            "last4": "last",
            "user": "u",
            "project": "p",
            "scopes": ["call"],
            "source": "minted",
            "created_at_us": 1,
            "updated_at_us": 1,
        }
        for number in range(10_000)
    ]
    async with database.write() as unit:
        await unit.connection.execute(insert(keys), rows)
    took: list[float] = []
    async with database.read() as unit:
        for _ in range(3):  # the best: the machine may be busy with something else
            started = time.perf_counter()
            assert len((await store.load_part(unit)).keys) == 10_000
            took.append(time.perf_counter() - started)
    assert min(took) < 0.3
