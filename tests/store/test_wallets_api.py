"""Wallets and credit rates as the control plane shows them and lets them be changed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.control import Plane, control_plane
from tollbridge.access.users import Role
from tollbridge.core.clock import SECOND_US, to_text
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    async with control_plane(database) as made:
        yield made


class Caller:
    """Somebody who asks for wallets."""

    def __init__(self, plane: Plane, headers: dict[str, str]) -> None:
        self._client = plane.client
        self._headers = headers
        self._keys = 0

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self._client.get(f"/api/v1{path}", params=params, headers=self._headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: dict[str, Any], key: str | None = None) -> Any:
        """Send an order under a key of its own, and return what it came to."""
        answer = await self.send(path, body, key)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def refused(self, path: str, body: dict[str, Any], status: int) -> Any:
        """Send an order that must be refused in good order; return the error."""
        answer = await self.send(path, body)
        assert answer.status_code == status, answer.text
        return answer.json()["error"]

    async def send(self, path: str, body: dict[str, Any], key: str | None = None) -> Any:
        self._keys += 1
        headers = {**self._headers, "idempotency-key": key or f"key-{self._keys}"}
        return await self._client.post(f"/api/v1{path}", json=body, headers=headers)

    async def request(self, method: str, path: str, **more: Any) -> Any:
        return await self._client.request(method, f"/api/v1{path}", headers=self._headers, **more)


@pytest.fixture
async def admin(plane: Plane) -> Caller:
    """Return an admin, to whom ada's empty wallet is known."""
    caller = Caller(plane, await plane.key("root", "admin"))
    await caller.post("/wallets", {"name": "ada", "subject": "user:ada"})
    return caller


async def test_a_wallet_shows_what_it_holds_and_what_expires_soon(
    plane: Plane, admin: Caller
) -> None:
    async with plane.database.read() as unit:
        soon = to_text(await unit.now_us() + 5 * 86_400 * SECOND_US)
    await admin.post("/wallets/ada/purchases", {"amount": "100", "price_usd": "9.50"})
    await admin.post("/wallets/ada/grants", {"amount": "7.5", "expires_at": soon})
    await admin.post("/wallets/ada/holds", {"amount": "20", "expires_in_s": 60})
    shown = await admin.get("/wallets/ada")
    assert (shown["balance"], shown["held"], shown["available"]) == ("107.5", "20", "87.5")
    assert shown["expiring"] == [{"amount": "7.5", "expires_at": soon}]
    assert (await admin.get("/wallets"))["wallets"] == [shown]


async def test_an_operation_takes_what_the_brief_says(admin: Caller) -> None:
    """2,760 tokens at 150 for a credit, at least 10: 19 credits; three images at five: fifteen."""
    rate = {"operation": "clustering", "tokens_per_credit": 150, "min_credits": "10"}
    assert (await admin.request("PUT", "/credit-rates", json=rate)).status_code == 200
    await admin.post("/wallets/ada/purchases", {"amount": "100"})
    taken = await admin.post("/wallets/ada/deductions", {"operation": "clustering", "tokens": 2760})
    assert (taken["amount"], taken["balance_after"]) == ("-19", "81")
    images = {"operation": "image_generation", "model": "dall-e-3", "images": 3}
    taken = await admin.post("/wallets/ada/deductions", images)
    assert (taken["amount"], taken["balance_after"]) == ("-15", "66")
    back = await admin.post("/wallets/ada/refunds", {"transaction": taken["number"], "images": 1})
    assert (back["amount"], back["about"], back["balance_after"]) == ("5", taken["number"], "71")
    quote = await admin.get("/credit-rates/quote", operation="clustering", tokens=100)
    assert quote["credits"] == "10"
    unknown = await admin.get("/credit-rates/quote", operation="nothing", tokens=100)
    assert unknown["credits"] is None


async def test_the_same_request_again_answers_the_same_and_another_is_a_conflict(
    admin: Caller,
) -> None:
    first = await admin.send("/wallets/ada/purchases", {"amount": "10"}, "order-7")
    again = await admin.send("/wallets/ada/purchases", {"amount": "10.0"}, "order-7")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = await admin.send("/wallets/ada/purchases", {"amount": "11"}, "order-7")
    assert other.status_code == 409
    assert (await admin.get("/wallets/ada"))["balance"] == "10"


async def test_what_moves_money_needs_an_idempotency_key(admin: Caller) -> None:
    answer = await admin.request("POST", "/wallets/ada/purchases", json={"amount": "1"})
    assert answer.status_code == 400
    for key in ("tollbridge:plan:1:2", "x" * 300):
        refused = await admin.send("/wallets/ada/purchases", {"amount": "1"}, key)
        assert refused.status_code == 400, refused.text
    assert (await admin.get("/wallets/ada"))["transactions"] == 0


async def test_what_is_not_there_is_refused_and_says_what_is(admin: Caller) -> None:
    await admin.post("/wallets/ada/purchases", {"amount": "5"})
    error = await admin.refused("/wallets/ada/deductions", {"amount": "5.000001"}, 402)
    assert error["code"] == "insufficient_credits"
    assert (error["details"]["available"], error["details"]["asked"]) == ("5", "5.000001")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("purchases", {"amount": "-5"}),
        ("purchases", {"amount": "0"}),
        ("purchases", {"amount": "NaN"}),
        ("purchases", {"amount": "1e999999999"}),
        ("purchases", {"amount": "99999999999999999999"}),
        ("purchases", {"amount": "0.0000001"}),
        ("purchases", {"amount": 5}),
        ("purchases", {"amount": "5", "note": "n" * 10_000}),
        ("purchases", {"amount": "5", "price_usd": "-1"}),
        ("purchases", {"amount": "5", "currency": "EUR"}),
        ("grants", {"amount": "5", "expires_at": "2025-12-31T00:00:00Z"}),
        ("grants", {"amount": "5", "expires_at": "2026-12-31T00:00:00"}),
        ("grants", {"amount": "5", "kind": "bribe"}),
        ("grants", {"amount": "5", "priority": 10**30}),
        ("deductions", {}),
        ("deductions", {"operation": "nothing", "tokens": 5}),
        ("deductions", {"operation": "chat_completion", "tokens": 2**64}),
        ("refunds", {"transaction": 1}),
        ("adjustments", {"amount": "5"}),
        ("adjustments", {"amount": "0", "note": "why"}),
        ("holds", {"amount": "1", "expires_in_s": 0}),
        ("holds", {"amount": "1", "expires_in_s": 2**70}),
    ],
)
async def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    admin: Caller, path: str, body: dict[str, Any]
) -> None:
    await admin.post("/wallets/ada/purchases", {"amount": "5"})
    error = await admin.refused(f"/wallets/ada/{path}", body, 400)
    assert error["details"]
    assert (await admin.get("/wallets/ada"))["transactions"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x" * 10_000, "subject": "user:x"},
        {"name": "x", "subject": "robot:x"},
        {"name": "x", "subject": "user:x", "unit": "EUR"},
        {"name": "x", "subject": "user:x", "overdraft": "-1"},
        {"name": "x", "subject": "user:x", "overdraft": "1" * 30},
        {"subject": "user:x"},
    ],
)
async def test_a_wallet_that_makes_no_sense_is_refused(admin: Caller, body: dict[str, Any]) -> None:
    await admin.refused("/wallets", body, 400)
    assert len((await admin.get("/wallets"))["wallets"]) == 1


async def test_numbers_beyond_64_bits_in_an_address_find_nothing(admin: Caller) -> None:
    await admin.refused(f"/wallets/ada/holds/{2**70}/void", {}, 400)
    await admin.refused("/wallets/ada/refunds", {"transaction": 2**70}, 400)


async def test_a_statement_is_paged_and_its_balance_runs(admin: Caller) -> None:
    for amount in ("10", "20", "30"):
        await admin.post("/wallets/ada/purchases", {"amount": amount, "note": f"pack {amount}"})
    first = await admin.get("/wallets/ada/transactions", limit=2)
    rest = await admin.get("/wallets/ada/transactions", limit=2, cursor=first["next_cursor"])
    rows = [*first["transactions"], *rest["transactions"]]
    assert [(row["number"], row["balance_after"]) for row in rows] == [
        (3, "60"),
        (2, "30"),
        (1, "10"),
    ]
    assert rest["next_cursor"] is None
    kinds = await admin.get("/wallets/ada/transactions", kind="refund")
    assert kinds["transactions"] == []


async def test_a_balance_of_the_past_is_told_and_the_future_is_not(
    admin: Caller,
) -> None:
    await admin.post("/wallets/ada/purchases", {"amount": "10"})
    told = await admin.get("/wallets/ada/balance", at="2020-01-01T00:00:00Z")
    assert told["balance"] == "0"
    assert (await admin.get("/wallets/ada/balance"))["balance"] == "10"
    future = await admin.request("GET", "/wallets/ada/balance?at=2999-01-01T00:00:00Z")
    assert future.status_code == 400


async def test_what_was_set_aside_is_posted_in_part_and_the_rest_is_free(admin: Caller) -> None:
    await admin.post("/wallets/ada/purchases", {"amount": "10"})
    held = await admin.post("/wallets/ada/holds", {"amount": "8"})
    assert (held["phase"], held["held"], held["amount"]) == ("pending", "8", "0")
    done = await admin.post(f"/wallets/ada/holds/{held['number']}/post", {"amount": "3"})
    assert (done["phase"], done["about"], done["balance_after"]) == ("post", held["number"], "7")
    error = await admin.refused(f"/wallets/ada/holds/{held['number']}/void", {}, 409)
    assert error["code"] == "conflict"


async def test_a_member_sees_their_own_wallet_and_moves_nothing(
    plane: Plane, admin: Caller
) -> None:
    await admin.post("/wallets", {"name": "bob", "subject": "user:bob"})
    await plane.key("ada-ci", "call", user="ada")
    await admin.post("/wallets", {"name": "ci", "subject": "key:ada-ci"})
    member = Caller(plane, await plane.key("ada-reads", "read", user="ada"))
    assert [one["name"] for one in (await member.get("/wallets"))["wallets"]] == ["ada", "ci"]
    assert (await member.get("/wallets/ada"))["balance"] == "0"
    for path in ("/wallets/bob", "/wallets/bob/transactions", "/wallets/bob/grants"):
        assert (await member.request("GET", path)).status_code == 404
    assert (await member.request("GET", "/wallets/bob/balance")).status_code == 404
    await member.refused("/wallets/ada/purchases", {"amount": "5"}, 403)
    await member.refused("/wallets", {"name": "x", "subject": "user:ada", "unit": "usd"}, 403)


async def test_a_wallet_of_money_counts_nano_dollars(plane: Plane, admin: Caller) -> None:
    await plane.user("carol", Role.MEMBER)
    order = {"name": "carol usd", "subject": "user:carol", "unit": "usd", "overdraft": "1"}
    await admin.post("/wallets", order)
    await admin.post("/wallets/carol usd/purchases", {"amount": "0.000000001"})
    taken = await admin.post("/wallets/carol usd/deductions", {"amount": "1"})
    assert taken["balance_after"] == "-0.999999999"
    await admin.refused("/wallets/carol usd/deductions", {"amount": "0.000000002"}, 402)
    await admin.refused("/wallets/carol usd/deductions", {"operation": "chat_completion"}, 400)


async def test_a_plan_says_what_credits_it_brings(admin: Caller) -> None:
    changed = await admin.request("PATCH", "/plans/Basic", json={"credits_per_period": "1000"})
    assert changed.json()["credits_per_period"] == "1000"
    wrong = await admin.request("PATCH", "/plans/Basic", json={"credits_per_period": "-1"})
    assert wrong.status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"operation": "x"},
        {"operation": "x", "tokens_per_credit": 0},
        {"operation": "x", "tokens_per_credit": 2**64},
        {"operation": "x", "tokens_per_credit": 1, "credits_per_image": "1"},
        {"operation": "x", "credits_per_image": "-1"},
        {"operation": "x", "credits_per_call": "1" * 30},
        {"operation": "x" * 10_000, "credits_per_call": "1"},
        {"operation": "x", "credits_per_call": "1", "price_per_credit_usd": "-1"},
    ],
)
async def test_a_rate_that_makes_no_sense_is_refused(admin: Caller, body: dict[str, Any]) -> None:
    before = await admin.get("/credit-rates")
    answer = await admin.request("PUT", "/credit-rates", json=body)
    assert answer.status_code == 400, answer.text
    assert await admin.get("/credit-rates") == before


async def test_a_rate_is_listed_and_removed(admin: Caller) -> None:
    rates = (await admin.get("/credit-rates", limit=500))["rates"]
    images = {one["model"]: one["credits_per_image"] for one in rates if one["credits_per_image"]}
    assert images == {"dall-e-3": "5", "google:4@2": "15", "runware:97@1": "1"}
    params = {"operation": "image_generation", "model": "dall-e-3"}
    assert (await admin.request("DELETE", "/credit-rates", params=params)).status_code == 204
    assert (await admin.request("DELETE", "/credit-rates", params=params)).status_code == 404
