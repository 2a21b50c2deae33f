"""How sure it is who served: counted call by call, and seen by whom it concerns alone."""

import pytest

from tests.support.control import control_plane
from tests.support.recorded import CallSpec, record
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
ADDRESS = "/api/v1/attribution/confidence"


async def test_shares_sum_to_all_calls_least_sure_first(database: Database) -> None:
    """A member is told of their own calls; a time without calls has no shares."""
    await record(database, [CallSpec(user="ada"), CallSpec(user="ada"), CallSpec(user="bob")])
    async with control_plane(database) as plane:
        plane.clock.advance(2 * 86_400)
        admin = await plane.key("root", "admin")
        ada = await plane.key("ada", "read", user="ada")
        found = (await plane.client.get(ADDRESS, headers=admin)).json()
        own = (await plane.client.get(ADDRESS, headers=ada)).json()
        past = (
            await plane.client.get(
                ADDRESS,
                headers=admin,
                params={"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z"},
            )
        ).json()
        assert plane.faults == []
    assert found["is_complete"] is True
    assert [one["confidence"] for one in found["shares"]] == [
        "none", "assumed", "weak", "strong", "observed", "reported",
    ]  # fmt: skip
    assert found["calls"] == sum(one["calls"] for one in found["shares"]) == 3
    assert own["calls"] == 2
    assert past["calls"] == 0
    assert {one["share"] for one in past["shares"]} == {None}


async def test_doubted_calls_are_grouped_and_the_rest_is_counted(database: Database) -> None:
    """Those who were asked and did not answer are assumed, each model by itself."""
    await record(
        database,
        [CallSpec(refused=True), CallSpec(refused=True), CallSpec(refused=True, label="other")],
    )
    async with control_plane(database) as plane:
        plane.clock.advance(2 * 86_400)
        admin = await plane.key("root", "admin")
        answer = await plane.client.get(ADDRESS, headers=admin, params={"limit": 1})
    found = answer.json()
    doubted = sum(
        one["calls"] for one in found["shares"] if one["confidence"] in {"none", "assumed", "weak"}
    )
    assert doubted == sum(one["calls"] for one in found["doubted"]) + found["doubted_more"]
    assert len(found["doubted"]) <= 1
