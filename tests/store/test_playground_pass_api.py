"""A pass for the playground: whoever is signed in calls as a key of theirs, and that is kept."""

import httpx
import pytest

from tests.support.control import PASSWORD, PEPPER, Plane, control_plane
from tollbridge.access.authenticate import KeyRing
from tollbridge.access.store import load_part
from tollbridge.access.users import Role
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
ADDRESS = "/api/v1/playground/pass"


async def signed_in(plane: Plane, user: str, role: Role) -> dict[str, str]:
    """Return the header of a user with a sign-in token."""
    await plane.user(user, role)
    order = {"username": user, "password": PASSWORD}
    token = (await plane.client.post("/api/v1/auth/token", json=order)).json()["access_token"]
    return {"authorization": f"Bearer {token}"}


async def test_a_pass_calls_as_the_key_and_is_written_down(database: Database) -> None:
    async with control_plane(database) as plane:
        await plane.key("app", "call", user="ana")
        ana = await signed_in(plane, "ana", Role.MEMBER)
        answer = await plane.client.post(ADDRESS, json={"key": "app"}, headers=ana)
        assert answer.status_code == httpx.codes.OK, answer.text
        given = answer.json()
        assert (given["key"], given["user"], given["project"]) == ("app", "ana", "default")
        async with database.read() as unit:
            ring = KeyRing(await load_part(unit), PEPPER)
        entry = ring.authenticate(given["credential"], plane.clock.now_us())
        assert entry.caller.key_name == "app"
        root = await plane.key("root", "admin")
        log = await plane.client.get("/api/v1/audit", headers=root)
        line = log.json()["changes"][0]
        assert (line["action"], line["subject"], line["actor"]) == (
            "playground.pass",
            "key:app",
            "ana",
        )
        assert given["credential"] not in log.text


async def test_a_member_gets_no_pass_for_a_key_of_another_and_an_admin_does(
    database: Database,
) -> None:
    async with control_plane(database) as plane:
        await plane.key("app", "call", user="ana")
        await plane.key("reads", "read", user="ben")
        ben = await signed_in(plane, "ben", Role.MEMBER)
        boss = await signed_in(plane, "boss", Role.ADMIN)
        for headers, key, expected in (
            (ben, "app", httpx.codes.NOT_FOUND),
            (ben, "reads", httpx.codes.NOT_FOUND),
            (ben, "none", httpx.codes.NOT_FOUND),
            (boss, "app", httpx.codes.OK),
        ):
            answer = await plane.client.post(ADDRESS, json={"key": key}, headers=headers)
            assert answer.status_code == expected, (key, answer.text)


async def test_a_pass_reads_nothing_and_a_key_is_given_none(database: Database) -> None:
    async with control_plane(database) as plane:
        root = await plane.key("root", "admin", user="boss")
        refused = await plane.client.post(ADDRESS, json={"key": "root"}, headers=root)
        assert refused.status_code == httpx.codes.FORBIDDEN
        boss = await signed_in(plane, "boss", Role.ADMIN)
        answer = await plane.client.post(ADDRESS, json={"key": "root"}, headers=boss)
        passed = {"authorization": f"Bearer {answer.json()['credential']}"}
        for address in ("/api/v1/keys", "/api/v1/usage-logs", "/api/v1/users"):
            read = await plane.client.get(address, headers=passed)
            assert read.status_code == httpx.codes.FORBIDDEN, address
