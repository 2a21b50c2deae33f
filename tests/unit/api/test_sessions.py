"""Does the dashboard's cookie speak for its user, and for nobody else?"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from http.cookies import SimpleCookie
from typing import Any, TypeVar

import httpx
import pytest

from tests.support.control import PASSWORD, PEPPER, Plane, control_plane
from tollbridge.access import session_store, user_store
from tollbridge.access.sessions import SessionTerms
from tollbridge.access.users import Role, hash_password
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)

SESSION = "/api/v1/auth/session"
COOKIE = "tollbridge_session"
KEY_ORDER = {"name": "made"}
WAIT_MAX_S = 10.0
T = TypeVar("T")


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    async with control_plane(database) as made:
        await made.user("ana", Role.ADMIN)
        yield made


async def sign_in(plane: Plane, user: str = "ana", **headers: str) -> httpx.Response:
    """Sign in; the client sends the cookie from then on."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    order = {"username": user, "password": PASSWORD}
    return await plane.client.post(SESSION, json=order, headers=named)


def code_of(answer: httpx.Response) -> str:
    return answer.json()["error"]["code"]


async def test_signing_in_says_who_it_is_and_sets_a_cookie_that_no_script_reads(
    plane: Plane,
) -> None:
    answer = await sign_in(plane)
    assert answer.status_code == 200
    told = answer.json()
    assert set(told) == {
        *("user", "role", "projects", "csrf_token", "expires_at"),
        *("has_password", "oidc", "may_mint_keys"),
    }
    assert (told["user"], told["role"], told["projects"]) == ("ana", "admin", [])
    cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", "/")
    assert not cookie["secure"]
    again = await plane.client.get(SESSION)
    assert again.json() == told


async def test_the_cookie_is_secure_where_the_request_came_by_https(plane: Plane) -> None:
    answer = await sign_in(plane, x_forwarded_proto="https")
    assert SimpleCookie(answer.headers["set-cookie"])[COOKIE]["secure"]


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"username": "ana"},
        {"password": PASSWORD},
        {"username": "ana", "password": PASSWORD, "link_token": "x"},
        {"username": "ana", "link_token": "x"},
    ],
)
async def test_half_a_sign_in_is_a_400(plane: Plane, order: dict[str, str]) -> None:
    answer = await plane.client.post(SESSION, json=order)
    assert (answer.status_code, code_of(answer)) == (400, "invalid_request")


async def test_a_wrong_password_and_a_disabled_user_are_told_the_same(plane: Plane) -> None:
    wrong = await plane.client.post(SESSION, json={"username": "ana", "password": "wrong"})
    await plane.user("bo", Role.MEMBER)
    async with plane.database.write() as unit:
        await user_store.set_disabled(unit, "bo", disabled=True)
    disabled = await sign_in(plane, "bo")
    assert [code_of(one) for one in (wrong, disabled)] == ["invalid_credentials"] * 2
    assert wrong.json()["error"]["message"] == disabled.json()["error"]["message"]
    assert "set-cookie" not in wrong.headers


async def test_attempts_to_guess_a_password_are_bounded(plane: Plane) -> None:
    order = {"username": "nobody", "password": "wrong"}
    answers = [await plane.client.post(SESSION, json=order) for _ in range(11)]
    assert [one.status_code for one in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_a_page_reads_with_the_cookie_and_changes_with_the_csrf_token(plane: Plane) -> None:
    csrf_token = (await sign_in(plane)).json()["csrf_token"]
    assert (await plane.client.get("/api/v1/keys")).status_code == 200
    wrong: list[dict[str, str]] = [{}, {"x-csrf-token": "x"}, {"x-csrf-token": "x" * 64}]
    for headers in wrong:
        answer = await plane.client.post("/api/v1/keys", json=KEY_ORDER, headers=headers)
        assert (answer.status_code, code_of(answer)) == (403, "csrf_token_wrong")
    headers = {"x-csrf-token": csrf_token}
    assert (await plane.client.post("/api/v1/keys", json=KEY_ORDER, headers=headers)).is_success


async def test_the_csrf_token_of_another_session_is_none(plane: Plane) -> None:
    other = (await sign_in(plane)).json()["csrf_token"]
    await sign_in(plane)
    headers = {"x-csrf-token": other}
    answer = await plane.client.post("/api/v1/keys", json=KEY_ORDER, headers=headers)
    assert code_of(answer) == "csrf_token_wrong"


@pytest.mark.parametrize(
    "path",
    [
        "/api/subscription/usage-logs",
        "/api/subscription/plans",
        "/api/v1/billing/ai/models/",
        "/api/v1/usage",
        "/v2/usage/meta",
    ],
)
async def test_the_briefs_own_addresses_take_the_cookie_too(plane: Plane, path: str) -> None:
    await sign_in(plane)
    assert (await plane.client.get(path)).status_code == 200


async def test_signing_out_ends_the_session_for_good(plane: Plane) -> None:
    csrf_token = (await sign_in(plane)).json()["csrf_token"]
    cookies = dict(plane.client.cookies)
    refused = await plane.client.delete(SESSION)
    assert code_of(refused) == "csrf_token_wrong"
    answer = await plane.client.delete(SESSION, headers={"x-csrf-token": csrf_token})
    assert answer.status_code == 204
    assert COOKIE not in plane.client.cookies
    plane.client.cookies.update(cookies)
    after = await plane.client.get("/api/v1/keys")
    assert (after.status_code, code_of(after)) == (401, "signed_out")
    assert (await plane.client.get(SESSION)).status_code == 401


async def test_without_a_cookie_nobody_is_signed_in(plane: Plane) -> None:
    answer = await plane.client.get(SESSION)
    assert (answer.status_code, code_of(answer)) == (401, "invalid_api_key")


async def test_use_keeps_a_session_alive_and_rest_ends_it(plane: Plane) -> None:
    await sign_in(plane)
    idle_s = SessionTerms().idle_s
    first = (await plane.client.get(SESSION)).json()["expires_at"]
    plane.clock.advance(idle_s * 0.9)
    then = (await plane.client.get(SESSION)).json()["expires_at"]
    assert then > first
    plane.clock.advance(idle_s * 0.9)
    assert (await plane.client.get("/api/v1/keys")).status_code == 200
    plane.clock.advance(idle_s)
    assert code_of(await plane.client.get("/api/v1/keys")) == "signed_out"


async def test_a_link_signs_in_once(plane: Plane) -> None:
    async with plane.database.write() as unit:
        token = await session_store.make_link(
            unit, "ana", pepper=PEPPER, lifetime_s=60, now_us=plane.clock.now_us()
        )
    answer = await plane.client.post(SESSION, json={"link_token": token})
    assert answer.json()["user"] == "ana"
    again = await plane.client.post(SESSION, json={"link_token": token})
    assert (again.status_code, code_of(again)) == (401, "invalid_credentials")


async def test_a_key_that_is_sent_counts_before_the_cookie(plane: Plane) -> None:
    await sign_in(plane)
    headers = await plane.key("reader", "read")
    answer = await plane.client.post("/api/v1/keys", json=KEY_ORDER, headers=headers)
    assert code_of(answer) == "permission_denied"


async def test_a_token_of_before_a_new_password_is_worth_nothing(plane: Plane) -> None:
    order = {"username": "ana", "password": PASSWORD}
    token = (await plane.client.post("/api/v1/auth/token", json=order)).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    assert (await plane.client.get("/api/v1/keys", headers=headers)).status_code == 200
    async with plane.database.write() as unit:
        await user_store.set_password_hash(unit, "ana", "$argon2id$none")
    assert code_of(await plane.client.get("/api/v1/keys", headers=headers)) == "invalid_api_key"


class HeldThreads(ThreadPoolExecutor):
    """Lets nothing that is handed to a thread begin before it is told to."""

    def __init__(self) -> None:
        super().__init__(max_workers=2)
        self.asked = asyncio.Event()
        self.go = threading.Event()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        def wait_and_run() -> T:
            self.go.wait(WAIT_MAX_S)
            return fn(*args, **kwargs)

        self.asked.set()
        return super().submit(wait_and_run)


@pytest.mark.parametrize("path", ["session", "token"])
async def test_a_password_that_is_replaced_while_it_is_looked_at_signs_nobody_in(
    plane: Plane, path: str
) -> None:
    threads = HeldThreads()
    asyncio.get_running_loop().set_default_executor(threads)
    order = {"username": "ana", "password": PASSWORD}
    asked = asyncio.create_task(plane.client.post(f"/api/v1/auth/{path}", json=order))
    async with asyncio.timeout(WAIT_MAX_S):
        await threads.asked.wait()
        async with plane.database.write() as unit:
            await user_store.set_password_hash(unit, "ana", hash_password("another one"))
        threads.go.set()
        answer = await asked
    assert answer.status_code == 401, answer.text
    assert "set-cookie" not in answer.headers


async def test_a_link_is_not_used_up_by_a_sign_in_that_fails(plane: Plane) -> None:
    """Using it and opening the session are one unit: both happen, or neither."""
    async with plane.database.write() as unit:
        token = await session_store.make_link(
            unit, "ana", pepper=PEPPER, lifetime_s=60, now_us=plane.clock.now_us()
        )
        await unit.connection.exec_driver_sql(
            "CREATE TRIGGER no_session BEFORE INSERT ON sessions "
            "BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    failed = await plane.client.post(SESSION, json={"link_token": token})
    assert failed.status_code >= 500
    plane.faults.clear()
    async with plane.database.write() as unit:
        await unit.connection.exec_driver_sql("DROP TRIGGER no_session")
    assert (await plane.client.post(SESSION, json={"link_token": token})).status_code == 200


async def test_the_ways_to_sign_in_are_told_to_everybody(plane: Plane) -> None:
    answer = await plane.client.get("/api/v1/auth/methods")
    assert answer.json() == {"password": True, "link": True, "oidc": False, "oidc_name": None}


async def test_a_key_of_a_disabled_user_opens_nothing_until_they_are_back(plane: Plane) -> None:
    headers = await plane.key("reader", "read", user="bo")
    await plane.user("bo", Role.MEMBER)
    for disabled, status in ((True, 401), (False, 200)):
        async with plane.database.write() as unit:
            await user_store.set_disabled(unit, "bo", disabled=disabled)
        answer = await plane.client.get("/api/v1/keys", headers=headers)
        assert answer.status_code == status
