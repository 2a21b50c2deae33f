"""What somebody does with their own account: password, sessions, keys. Over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from tests.support.control import PASSWORD, PEPPER, Plane, control_plane
from tests.support.recorded import CallSpec, record
from tollbridge.access import store, user_store
from tollbridge.access.keys import KeyTerms
from tollbridge.access.own_keys import MemberKeys
from tollbridge.access.users import Role
from tollbridge.core.clock import to_text
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)

OTHER = "battery staple"
SESSIONS = "/api/v1/auth/sessions"
OWN_PASSWORD = "/api/v1/auth/password"


class Browser(msgspec.Struct):
    """Somebody's browser, with its cookie and its token against forgery."""

    client: httpx.AsyncClient
    headers: dict[str, str]

    async def ask(self, method: str, path: str, **asked: Any) -> httpx.Response:
        return await self.client.request(method, path, headers=self.headers, **asked)


class Installation:
    """A control plane, and browsers that look at it."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.clients: list[httpx.AsyncClient] = []

    async def sign_in(self, user: str, password: str = PASSWORD, **said: str) -> Browser:
        """Open a browser in which somebody signs in."""
        transport = httpx.ASGITransport(self.plane.application)
        client = httpx.AsyncClient(transport=transport, base_url="http://office")
        self.clients.append(client)
        order = {"username": user, "password": password}
        named = {name.replace("_", "-"): value for name, value in said.items()}
        answer = await client.post("/api/v1/auth/session", json=order, headers=named)
        assert answer.is_success, answer.text
        return Browser(client, {"x-csrf-token": answer.json()["csrf_token"]})

    async def log(self, action: str) -> list[dict[str, Any]]:
        """Return what the audit log says of an action, the newest first."""
        root = await self.sign_in("root")
        answer = await root.ask("GET", "/api/v1/audit", params={"action": action})
        return answer.json()["changes"]

    async def give_key(self, name: str, user: str, **terms: Any) -> str:
        """Let an admin have made a key; return its id."""
        async with self.plane.database.write() as unit:
            minted = await store.create_key(unit, KeyTerms(name, user, **terms), PEPPER)
        return minted.row.key_id


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Installation]:
    allowed = MemberKeys(may_mint=True, keys_max=3)
    async with control_plane(database, member_keys=allowed) as plane:
        await plane.user("root", Role.ADMIN)
        await plane.user("ana", Role.MEMBER)
        await plane.user("bo", Role.MEMBER)
        made = Installation(plane)
        yield made
        for client in made.clients:
            await client.aclose()


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_another_password_ends_what_was_open_elsewhere_and_is_written_down(
    here: Installation,
) -> None:
    mine, elsewhere = await here.sign_in("ana"), await here.sign_in("ana")
    theirs = await here.sign_in("bo")
    order = {"username": "ana", "password": PASSWORD}
    token = (await mine.client.post("/api/v1/auth/token", json=order)).json()["access_token"]
    changed = {"current_password": PASSWORD, "password": OTHER}
    answer = await mine.ask("PUT", OWN_PASSWORD, json=changed)
    assert answer.json() == {"sessions_ended": 1}
    statuses = [(await one.ask("GET", SESSIONS)).status_code for one in (mine, elsewhere, theirs)]
    assert statuses == [200, 401, 200]
    here.plane.clock.advance(1)
    by_token = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(here.plane.application), base_url="http://office"
    ) as client:
        assert (await client.get("/api/v1/keys", headers=by_token)).status_code == 401
    await here.sign_in("ana", OTHER)
    [said] = await here.log("users.set_password")
    assert (said["actor"], said["subject"]) == ("ana", "user:ana")
    assert said["details"] == {"own": True, "sessions_ended": 1}


@pytest.mark.parametrize("guess", ["wrong", None])
async def test_without_the_password_so_far_nothing_changes(
    here: Installation, guess: str | None
) -> None:
    mine, elsewhere = await here.sign_in("ana"), await here.sign_in("ana")
    order = {"current_password": guess, "password": OTHER}
    answer = await mine.ask("PUT", OWN_PASSWORD, json=order)
    assert code_of(answer) == (403, "wrong_password")
    assert (await elsewhere.ask("GET", SESSIONS)).is_success
    await here.sign_in("ana")
    assert await here.log("users.set_password") == []


async def test_guessing_the_password_so_far_is_slowed_down(here: Installation) -> None:
    mine = await here.sign_in("ana")
    order = {"current_password": "wrong", "password": OTHER}
    answers = [await mine.ask("PUT", OWN_PASSWORD, json=order) for _ in range(11)]
    assert [one.status_code for one in answers] == [403] * 10 + [429]


async def test_a_password_that_is_too_short_is_none(here: Installation) -> None:
    mine = await here.sign_in("ana")
    order = {"current_password": PASSWORD, "password": "short"}
    answer = await mine.ask("PUT", OWN_PASSWORD, json=order)
    assert code_of(answer) == (400, "invalid_request")
    assert "short" not in answer.text


async def test_who_signs_in_by_a_link_chooses_their_first_and_who_comes_by_oidc_does_not(
    here: Installation,
) -> None:
    root = await here.sign_in("root")
    for user in ("ana", "bo"):
        browser = await here.sign_in(user)
        async with here.plane.database.write() as unit:
            if user == "bo":
                await user_store.link_user(unit, user, "https://issuer subject")
            await user_store.set_password_hash(unit, user, None)
        path = (await root.ask("POST", f"/api/v1/users/{user}/link")).json()["path"]
        order = {"link_token": path.partition("token=")[2]}
        answer = await browser.client.post("/api/v1/auth/session", json=order)
        assert answer.json()["has_password"] is False
        headers = {"x-csrf-token": answer.json()["csrf_token"]}
        changed = await browser.client.put(OWN_PASSWORD, json={"password": OTHER}, headers=headers)
        assert changed.status_code == (200 if user == "ana" else 403)
    await here.sign_in("ana", OTHER)


async def test_a_key_has_no_password_and_reads_no_sessions(here: Installation) -> None:
    headers = await here.plane.key("anas", "read", user="ana")
    client = here.plane.client
    order = {"current_password": PASSWORD, "password": OTHER}
    for answer in (
        await client.put(OWN_PASSWORD, json=order, headers=headers),
        await client.get(SESSIONS, headers=headers),
        await client.delete(SESSIONS, headers=headers),
    ):
        assert answer.status_code == 403


async def test_sessions_say_where_they_began_and_which_one_asks_and_no_secret(
    here: Installation,
) -> None:
    first = await here.sign_in("ana", x_forwarded_for="192.0.2.7", user_agent="Firefox\x01 1")
    here.plane.clock.advance(60)
    second = await here.sign_in("ana", user_agent="x" * 999)
    await here.sign_in("bo")
    answer = await second.ask("GET", SESSIONS)
    latest, earlier = answer.json()["sessions"]
    assert (latest["is_current"], earlier["is_current"]) == (True, False)
    assert (earlier["address"], earlier["agent"]) == ("192.0.2.7", "Firefox 1")
    assert (latest["address"], latest["agent"]) == (None, "x" * 200)
    assert {one["user"] for one in (latest, earlier)} == {"ana"}
    assert earlier["created_at"] == earlier["last_used_at"] < latest["created_at"]
    for browser in (first, second):
        assert browser.client.cookies["tollbridge_session"] not in answer.text
    assert "digest" not in answer.text


async def test_one_session_is_ended_by_its_user_and_by_no_other_member(
    here: Installation,
) -> None:
    mine, lost = await here.sign_in("ana"), await here.sign_in("ana")
    theirs = await here.sign_in("bo")
    listed = (await mine.ask("GET", SESSIONS)).json()["sessions"]
    [gone] = [one["session_id"] for one in listed if not one["is_current"]]
    for wrong in (gone, "no id", "01940000-0000-7000-8000-000000000001"):
        assert (await theirs.ask("DELETE", f"{SESSIONS}/{wrong}")).status_code == 404
    assert (await lost.ask("GET", SESSIONS)).is_success
    assert (await mine.ask("DELETE", f"{SESSIONS}/{gone}")).status_code == 204
    assert (await lost.ask("GET", SESSIONS)).status_code == 401
    assert (await mine.ask("DELETE", f"{SESSIONS}/{gone}")).status_code == 404
    [said] = await here.log("users.end_sessions")
    assert (said["actor"], said["subject"], said["details"]["sessions"]) == ("ana", "user:ana", 1)


async def test_all_others_are_ended_at_once_and_that_none_is_there_is_not_written_down(
    here: Installation,
) -> None:
    mine, theirs = await here.sign_in("ana"), await here.sign_in("bo")
    others = [await here.sign_in("ana") for _ in range(2)]
    assert (await mine.ask("DELETE", SESSIONS)).json() == {"ended": 2}
    assert (await mine.ask("DELETE", SESSIONS)).json() == {"ended": 0}
    statuses = [(await one.ask("GET", SESSIONS)).status_code for one in (mine, theirs, *others)]
    assert statuses == [200, 200, 401, 401]
    assert len(await here.log("users.end_sessions")) == 1


async def test_an_admin_sees_and_ends_the_sessions_of_anybody(here: Installation) -> None:
    root, ana = await here.sign_in("root"), await here.sign_in("ana")
    asked = {"user": "ana"}
    assert (await ana.ask("GET", SESSIONS, params={"user": "bo"})).status_code == 403
    assert (await ana.ask("DELETE", SESSIONS, params={"user": "bo"})).status_code == 403
    [one] = (await root.ask("GET", SESSIONS, params=asked)).json()["sessions"]
    assert (one["user"], one["is_current"]) == ("ana", False)
    assert (await root.ask("DELETE", SESSIONS, params=asked)).json() == {"ended": 1}
    assert (await ana.ask("GET", SESSIONS)).status_code == 401
    assert (await root.ask("GET", SESSIONS)).is_success
    assert (await root.ask("GET", SESSIONS, params={"user": "nobody"})).status_code == 404


async def test_a_member_makes_rotates_and_revokes_keys_of_their_own(here: Installation) -> None:
    mine, theirs = await here.sign_in("ana"), await here.sign_in("bo")
    made = await mine.ask("POST", "/api/v1/keys", json={"name": "mine"})
    assert (made.status_code, made.json()["user"]) == (201, "ana")
    key = f"/api/v1/keys/{made.json()['key_id']}"
    for method, path in (("POST", f"{key}/rotate"), ("DELETE", key)):
        assert (await theirs.ask(method, path)).status_code == 404
    rotated = await mine.ask("POST", f"{key}/rotate")
    assert rotated.json()["key"] != made.json()["key"]
    listed = (await mine.ask("GET", "/api/v1/keys", params={"user": "ana"})).json()["keys"]
    assert [(one["name"], one["last4"]) for one in listed] == [("mine", rotated.json()["last4"])]
    assert (await mine.ask("DELETE", key)).json()["revoked_at"]
    assert code_of(await mine.ask("POST", f"{key}/rotate")) == (409, "conflict")
    actions = [one["action"] for one in await here.log("keys")]
    assert actions == ["keys.revoke", "keys.rotate", "keys.create"]


async def test_a_member_makes_no_key_of_others_or_beyond_what_they_were_given(
    here: Installation,
) -> None:
    await here.give_key("given", "ana", project="shop")
    mine = await here.sign_in("ana")
    for wrong in (
        {"user": "bo"},
        {"project": "default"},
        {"scopes": ["admin"]},
        {"scopes": ["call", "intake"]},
    ):
        order = {"name": "new", "project": "shop", **wrong}
        answer = await mine.ask("POST", "/api/v1/keys", json=order)
        assert answer.status_code == 403, wrong
    root = await here.sign_in("root")
    budget = {"name": "b", "subject": "key:given", "limit_usd": "1"}
    assert (await root.ask("POST", "/api/v1/budgets", json=budget)).is_success
    answer = await mine.ask("POST", "/api/v1/keys", json={"name": "new", "project": "shop"})
    assert "limits of its own" in answer.json()["error"]["message"]


async def test_where_members_make_no_keys_they_still_rotate_and_revoke_their_own(
    database: Database,
) -> None:
    async with control_plane(database) as plane:
        await plane.user("ana", Role.MEMBER)
        here = Installation(plane)
        key_id = await here.give_key("given", "ana", scopes=("call", "read"))
        mine = await here.sign_in("ana")
        session = (await mine.ask("GET", "/api/v1/auth/session")).json()
        assert session["may_mint_keys"] is False
        assert (await mine.ask("POST", "/api/v1/keys", json={"name": "n"})).status_code == 403
        assert (await mine.ask("POST", f"/api/v1/keys/{key_id}/rotate")).is_success
        assert (await mine.ask("DELETE", f"/api/v1/keys/{key_id}")).is_success
        await mine.client.aclose()


async def test_nobody_gets_the_text_of_a_key_that_can_do_more_than_they(
    here: Installation,
) -> None:
    """Rotating hands a text over: it must not be the way to become an admin, or somebody else."""
    await here.plane.user("max", Role.MANAGER, "shop")
    admins = await here.give_key("service", "ana", scopes=("admin",))
    readers = await here.give_key("report", "bo", project="shop", scopes=("call", "read"))
    callers = await here.give_key("app", "bo", project="shop")
    ana, manager = await here.sign_in("ana"), await here.sign_in("max")
    assert (await ana.ask("POST", f"/api/v1/keys/{admins}/rotate")).status_code == 403
    assert (await manager.ask("POST", f"/api/v1/keys/{admins}/rotate")).status_code == 404
    assert (await manager.ask("POST", f"/api/v1/keys/{readers}/rotate")).status_code == 403
    assert (await manager.ask("POST", f"/api/v1/keys/{callers}/rotate")).is_success


async def test_a_key_says_when_it_made_its_last_call(here: Installation) -> None:
    used = await here.give_key("used", "ana")
    await here.give_key("unused", "ana")
    at_us = here.plane.clock.now_us()
    specs = [
        CallSpec(at_us=at_us - ago_us, user="ana", key_id=used, key_name="used")
        for ago_us in (5_000_000, 9_000_000)
    ]
    await record(here.plane.database, specs)
    mine = await here.sign_in("ana")
    listed = (await mine.ask("GET", "/api/v1/keys")).json()["keys"]
    last = {one["name"]: one["last_used_at"] for one in listed}
    assert last == {"used": to_text(at_us - 5_000_000), "unused": None}
