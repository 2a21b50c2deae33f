"""Who is signed in, until when, and by which link?"""

import asyncio

import pytest

from tollbridge.access import session_store, user_store
from tollbridge.access.sessions import Opened, Origin, SessionTerms, Way
from tollbridge.access.users import Role, UserRow, UserTerms
from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import AuthenticationError, ConflictError, NotFoundError
from tollbridge.storage.unit import Database, Unit

PEPPER = b"pepper" * 6
NOW_US = 1_790_000_000_000_000
TERMS = SessionTerms(idle_s=100, lifetime_s=300, sessions_max=2)


async def add(database: Database, name: str, role: Role = Role.MEMBER, *projects: str) -> None:
    async with database.write() as unit:
        await user_store.create_user(unit, UserTerms(name, role, projects), "hash")


async def sign_in(database: Database, user: str, now_us: int = NOW_US) -> Opened:
    async with database.write() as unit:
        return await open_in(unit, await user_store.get_user(unit, user), now_us)


async def open_in(unit: Unit, user: UserRow, now_us: int = NOW_US) -> Opened:
    """Open a session in a unit that is there already."""
    return await session_store.open_session(
        unit, user, Way.TYPED, pepper=PEPPER, terms=TERMS, now_us=now_us
    )


async def user_of(database: Database, token: str, now_us: int = NOW_US) -> str | None:
    async with database.read() as unit:
        row = await session_store.find_session(unit, token, PEPPER, now_us)
    return None if row is None else row.user.name


async def test_a_session_speaks_for_its_user_as_they_are_now(database: Database) -> None:
    await add(database, "ana")
    opened = await sign_in(database, "ana")
    async with database.write() as unit:
        await user_store.set_role(unit, "ana", Role.MANAGER, ("shop",))
    async with database.read() as unit:
        row = await session_store.find_session(unit, opened.token, PEPPER, NOW_US)
    assert row is not None
    assert (row.user.name, row.user.role, row.user.projects) == ("ana", Role.MANAGER, ("shop",))
    assert opened.token not in repr(opened)


@pytest.mark.parametrize("token", ["", "nonsense", "é", "x" * 1000])
async def test_what_is_no_session_opens_nothing(database: Database, token: str) -> None:
    assert await user_of(database, token) is None


async def test_an_idle_session_ends_and_use_moves_its_end_on_until_its_lifetime_is_over(
    database: Database,
) -> None:
    await add(database, "ana")
    opened = await sign_in(database, "ana")
    last_us = NOW_US + 100 * SECOND_US
    assert await user_of(database, opened.token, last_us - 1) == "ana"
    assert await user_of(database, opened.token, last_us) is None
    async with database.write() as unit:
        first_us = await session_store.renew_session(
            unit, opened.row, TERMS, NOW_US + 90 * SECOND_US
        )
        then_us = await session_store.renew_session(
            unit, opened.row, TERMS, NOW_US + 290 * SECOND_US
        )
    assert first_us == NOW_US + 190 * SECOND_US
    assert then_us == NOW_US + 300 * SECOND_US


async def test_signing_out_ends_one_session_alone(database: Database) -> None:
    await add(database, "ana")
    one, other = await sign_in(database, "ana"), await sign_in(database, "ana")
    async with database.write() as unit:
        await session_store.end_session(unit, one.row.session_id)
    assert await user_of(database, one.token) is None
    assert await user_of(database, other.token) == "ana"


async def test_sessions_that_have_not_ended_are_listed_the_last_used_first(
    database: Database,
) -> None:
    await add(database, "ana")
    await add(database, "bo")
    first = await sign_in(database, "ana")
    await sign_in(database, "bo")
    async with database.write() as unit:
        ana = await user_store.get_user(unit, "ana")
        second = await session_store.open_session(
            unit,
            ana,
            Way.LINK,
            pepper=PEPPER,
            terms=TERMS,
            now_us=NOW_US + SECOND_US,
            origin=Origin("192.0.2.7", "Firefox"),
        )
        await session_store.renew_session(unit, first.row, TERMS, NOW_US + 2 * SECOND_US)
        both = await session_store.list_sessions(unit, "ana", NOW_US + 2 * SECOND_US)
        last = await session_store.list_sessions(unit, "ana", NOW_US + 101 * SECOND_US)
        none = await session_store.list_sessions(unit, "ana", NOW_US + 102 * SECOND_US)
        found = await session_store.find_listed(unit, second.row.session_id, NOW_US)
    assert [one.session_id for one in both] == [first.row.session_id, second.row.session_id]
    assert [one.origin for one in both] == [Origin(), Origin("192.0.2.7", "Firefox")]
    assert [one.session_id for one in last] == [first.row.session_id]
    assert none == []
    assert found == both[1]


async def test_all_sessions_but_one_are_ended_and_those_of_others_stay(
    database: Database,
) -> None:
    for name in ("ana", "bo"):
        await add(database, name)
    kept, ended, other = [await sign_in(database, name) for name in ("ana", "ana", "bo")]
    async with database.write() as unit:
        but = kept.row.session_id
        assert await session_store.end_sessions(unit, "ana", but, NOW_US) == 1
        assert await session_store.end_sessions(unit, "ana", but, NOW_US) == 0
    users = [await user_of(database, one.token) for one in (kept, ended, other)]
    assert users == ["ana", None, "bo"]


async def test_a_new_password_leaves_the_session_in_which_it_was_chosen(
    database: Database,
) -> None:
    await add(database, "ana")
    kept, ended = await sign_in(database, "ana"), await sign_in(database, "ana")
    async with database.write() as unit:
        await user_store.set_password_hash(unit, "ana", "another", but_session=kept.row.session_id)
    assert [await user_of(database, one.token) for one in (kept, ended)] == ["ana", None]


async def test_the_oldest_session_ends_where_there_would_be_too_many(database: Database) -> None:
    await add(database, "ana")
    await add(database, "bo")
    others = await sign_in(database, "bo")
    opened = [await sign_in(database, "ana", NOW_US + second) for second in range(3)]
    assert await user_of(database, opened[0].token) is None
    assert [await user_of(database, one.token) for one in opened[1:]] == ["ana", "ana"]
    assert await user_of(database, others.token) == "bo"


async def test_a_new_password_and_being_disabled_end_all_sessions_and_links(
    database: Database,
) -> None:
    await add(database, "ana")
    before = await sign_in(database, "ana")
    async with database.write() as unit:
        link = await session_store.make_link(
            unit, "ana", pepper=PEPPER, lifetime_s=60, now_us=NOW_US
        )
        await user_store.set_password_hash(unit, "ana", "another")
        assert await session_store.use_link(unit, link, PEPPER, NOW_US) is None
    assert await user_of(database, before.token) is None
    after = await sign_in(database, "ana")
    await add(database, "root", Role.ADMIN)
    async with database.write() as unit:
        await user_store.set_disabled(unit, "ana", disabled=True)
    assert await user_of(database, after.token) is None
    with pytest.raises(AuthenticationError):
        await sign_in(database, "ana")


async def test_whoever_was_recognised_before_a_new_password_gets_no_session(
    database: Database,
) -> None:
    await add(database, "ana")
    async with database.write() as unit:
        known = await user_store.get_user(unit, "ana")
        changed = await user_store.set_password_hash(unit, "ana", "another")
        with pytest.raises(AuthenticationError, match="signed out meanwhile"):
            await open_in(unit, known)
        assert (await open_in(unit, changed)).row.user == changed


async def test_no_session_outlives_a_password_that_is_replaced_while_it_is_opened(
    database: Database,
) -> None:
    """Whichever of the two comes first, and whether by link or by password."""
    for name in ("ana", "bo"):
        await add(database, name)
    async with database.write() as unit:
        link = await session_store.make_link(
            unit, "bo", pepper=PEPPER, lifetime_s=60, now_us=NOW_US
        )
        known = await user_store.get_user(unit, "ana")
    halfway = asyncio.Event()

    async def replace(name: str) -> None:
        await halfway.wait()
        async with database.write() as unit:
            await user_store.set_password_hash(unit, name, "another")

    async def come_in(user: UserRow | None) -> Opened:
        async with database.write() as unit:
            user = user or await session_store.use_link(unit, link, PEPPER, NOW_US)
            assert user is not None
            opened = await open_in(unit, user)
            halfway.set()
            await asyncio.sleep(0.05)  # time for the other to wait for this one
        return opened

    for name, user in (("ana", known), ("bo", None)):
        halfway.clear()
        async with asyncio.timeout(10):
            opened, _ = await asyncio.gather(come_in(user), replace(name))
        assert await user_of(database, opened.token) is None


async def test_a_link_signs_in_once_and_not_too_late(database: Database) -> None:
    await add(database, "ana")
    async with database.write() as unit:
        link, late = [
            await session_store.make_link(unit, "ana", pepper=PEPPER, lifetime_s=60, now_us=NOW_US)
            for _ in range(2)
        ]
        used = await session_store.use_link(unit, link, PEPPER, NOW_US + 1)
        assert used is not None
        assert used.name == "ana"
        assert await session_store.use_link(unit, link, PEPPER, NOW_US + 2) is None
        assert await session_store.use_link(unit, late, PEPPER, NOW_US + 60 * SECOND_US) is None
        assert await session_store.use_link(unit, "nonsense", PEPPER, NOW_US) is None
        with pytest.raises(NotFoundError):
            await session_store.make_link(unit, "no", pepper=PEPPER, lifetime_s=1, now_us=NOW_US)


async def test_the_last_admin_stays_one(database: Database) -> None:
    await add(database, "root", Role.ADMIN)
    await add(database, "other", Role.ADMIN)
    async with database.write() as unit:
        await user_store.set_disabled(unit, "other", disabled=True)
        with pytest.raises(ConflictError):
            await user_store.set_role(unit, "root", Role.MEMBER)
        with pytest.raises(ConflictError):
            await user_store.set_disabled(unit, "root", disabled=True)
        await user_store.set_disabled(unit, "other", disabled=False)
        assert (await user_store.set_role(unit, "root", Role.MEMBER)).role is Role.MEMBER


async def test_a_user_has_a_role_and_a_password_hash(database: Database) -> None:
    async with database.write() as unit:
        user = await user_store.create_user(unit, UserTerms("ana"), "hash")
        with pytest.raises(ConflictError):
            await user_store.create_user(unit, UserTerms("ana"))
        await user_store.set_password_hash(unit, "ana", "another")
        with pytest.raises(NotFoundError):
            await user_store.set_role(unit, "absent", Role.MEMBER)
    async with database.read() as unit:
        found = await user_store.find_user(unit, "ana")
        assert await user_store.find_user(unit, "absent") is None
    assert found is not None
    assert found.user.user_id == user.user_id
    assert (found.user.role, found.password_hash) == (Role.MEMBER, "another")
