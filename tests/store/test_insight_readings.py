"""Is what one answer needs read from the books once, and all of it?"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.store.test_provider_statistics import MODEL, configured, put
from tests.support.control import Plane, control_plane
from tests.support.recorded import NOON_US, CallSpec, record
from tests.support.statements import Statement, repeated, statements
from tollbridge.core.call import Operation
from tollbridge.rating.prices import DeclaredPrice, Source
from tollbridge.rating.store import record_versions
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
BOOKS = ("rollup", "dimensions", "call_details", "call_attempt_rows", "ai_models", "users")
TEXT_MODEL: Mapping[str, Any] = {
    "model_type": "text",
    "provider": "openai",
    "context_window": 100_000_000,
    "max_output_tokens": 100,
    "is_active": True,
}


async def asked_by(plane: Plane, headers: dict[str, str], address: str) -> list[Statement]:
    """Return what the database is asked for one answer."""
    with statements(plane.database) as asked:
        answer = await plane.client.get(address, headers=headers)
    assert answer.status_code == 200, answer.text
    return asked


@pytest.mark.parametrize(
    "address",
    [
        "insight/overview",
        "insight/overview?key=k1",
        f"insight/models/{MODEL}",
        "insight/providers",
        "insight/breakdown?group_by=provider",
        "insight/recommendations",
        "insight/recommendations?category=image",
        "subscription/dashboard/ada",
        "subscription/usage/ada",
    ],
)
@pytest.mark.parametrize("who", ["admin", "ada"])
async def test_no_answer_asks_the_books_the_same_twice(
    database: Database, address: str, who: str
) -> None:
    specs = [CallSpec(user="ada", provider=name, fails_first=True) for name in ("openai", "piapi")]
    pictures = [msgspec.structs.replace(one, operation=Operation.IMAGE_EDIT) for one in specs]
    await put(database, [*specs, *pictures], {"openai": "0.002", "piapi": "0.001"})
    await record(database, specs)
    async with control_plane(database) as plane:
        admin = await configured(plane)
        headers = admin if who == "admin" else await plane.key("ada", "read", user="ada")
        base = "/api" if address.startswith("subscription") else "/api/v1"
        asked = await asked_by(plane, headers, f"{base}/{address}")
    assert any("rollup" in text for text, _ in asked)
    # How many rows there may be is a bound that each look-up of many asks for.
    asked = [one for one in asked if not one[0].startswith("SELECT coalesce(sum(")]
    assert [one for about in BOOKS for one in repeated(asked, about)] == []


async def test_thresholds_of_many_budgets_are_one_question(database: Database) -> None:
    async with control_plane(database) as plane:
        admin = await plane.key("root", "admin")
        ada = await plane.key("ada", "read", user="ada")
        counts: list[int] = []
        for number in range(4):
            budget = {"name": f"b{number}", "subject": "user:ada", "limit_usd": "1"}
            made = await plane.client.post("/api/v1/budgets", json=budget, headers=admin)
            assert made.status_code == 201, made.text
            own = {"thresholds": [10 + number]}
            put_rule = await plane.client.put(
                f"/api/v1/alerts/rules/b{number}", json=own, headers=admin
            )
            assert put_rule.status_code == 200, put_rule.text
            counts.append(len(await asked_by(plane, ada, "/api/v1/alerts/rules")))
        shown = (await plane.client.get("/api/v1/alerts/rules", headers=ada)).json()
    assert [one["thresholds"] for one in shown["budgets"]] == [[10], [11], [12], [13]]
    assert len(set(counts)) == 1


async def test_a_cheaper_model_is_found_however_many_come_before_it(database: Database) -> None:
    """Not among the first of the catalogue's order alone."""
    await put(database, [CallSpec(provider="openai", input_tokens=100_000)] * 3, {"openai": "0.02"})
    async with database.write() as unit:
        cheap = [
            DeclaredPrice(
                provider="openai",
                model="z-cheap",
                unit=name,
                rate_usd=Decimal("0.01"),
                per=1_000_000,
                valid_from_us=0,
            )
            for name in ("input", "output")
        ]
        await record_versions(
            unit, cheap, source=Source.OPERATOR, actor="test", now_us=NOON_US, disputes=False
        )
    async with control_plane(database) as plane:
        admin = await configured(plane)
        # Their window is more than any other of that provider's models has: none but these do.
        for name in (MODEL, *(f"a-model-{place:02}" for place in range(30)), "z-cheap"):
            order = {**TEXT_MODEL, "model_name": name}
            made = await plane.client.post("/api/v1/models", json=order, headers=admin)
            assert made.status_code == 201, made.text
        answer = await plane.client.get("/api/v1/insight/recommendations", headers=admin)
    [cheaper] = [one for one in answer.json()["advice"] if one["kind"] == "cheaper_model"]
    assert (cheaper["model"], cheaper["instead_model"]) == (MODEL, "z-cheap")
