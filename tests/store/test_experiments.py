"""Experiments over the API: who may, what is counted, what stops them, what follows from them."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import update

from tests.store.test_routing_store import apply, declared, load, route, version
from tests.support.control import Plane, control_plane
from tests.support.insight import get
from tests.support.recorded import NOON_US, UTC_DAY_US, CallSpec, record
from tollbridge.access.users import Role
from tollbridge.core.clock import ManualClock
from tollbridge.processes.experiments import guard_experiments
from tollbridge.routing import change_store
from tollbridge.routing.experiment_row_store import get_experiment
from tollbridge.routing.experiment_tables import experiments
from tollbridge.routing.part import Source
from tollbridge.routing.trials import arm_of
from tollbridge.storage.unit import Database

BASE = "/api/v1/experiments"
MODEL = "gpt-4o-mini"
NOW_US = NOON_US + 10 * UTC_DAY_US
USERS = tuple(f"user-{number}" for number in range(60))
ORDER: dict[str, Any] = {
    "name": "cheaper",
    "model": MODEL,
    "arms": [
        {"name": "control", "endpoint": "one", "model": MODEL},
        {"name": "other", "endpoint": "two", "model": MODEL},
    ],
}


class Lab(msgspec.Struct):
    """A control plane with a route of two candidates, and an admin."""

    plane: Plane
    admin: dict[str, str]

    async def post(self, address: str, body: Any, status: int = 201) -> Any:
        answer = await self.plane.client.post(f"{BASE}{address}", json=body, headers=self.admin)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def results(self) -> Any:
        return await get(self.plane, self.admin, f"{BASE}/cheaper/results")

    async def start(self, **changes: Any) -> Any:
        """Let the experiment begin, as if that had been on the first day of the year."""
        made = await self.post("", ORDER | changes)
        await self.backdate(NOON_US)
        return made

    async def backdate(self, started_at_us: int) -> None:
        async with self.plane.database.write() as unit:
            await unit.connection.execute(update(experiments).values(started_at_us=started_at_us))


@asynccontextmanager
async def a_lab(database: Database, source: Source = Source.API) -> AsyncGenerator[Lab]:
    entry = route(MODEL, "one", "two", "three")
    endpoints = [declared(name) for name in ("one", "two", "three")]
    if source is Source.FILE:
        await apply(database, endpoints, [entry])
    else:
        await apply(database, endpoints)
        async with database.write() as unit:
            await change_store.put_route(unit, entry)
    async with control_plane(database, clock=ManualClock(NOW_US)) as plane:
        yield Lab(plane, await plane.key("root", "admin"))
        assert plane.faults == []


async def some_calls(database: Database, *, other_costs: float, other_fails: float = 0) -> None:
    """Put the calls of many users into the books; those of the second arm as they are said."""
    async with database.read() as unit:
        trial = (await get_experiment(unit, "cheaper")).trial
    draw = random.Random(11)
    specs: list[CallSpec] = []
    for user in USERS:
        is_other = arm_of(trial, user) == 1
        for _ in range(draw.randrange(2, 6)):
            tokens = draw.randrange(900, 1100) * (other_costs if is_other else 1)
            specs.append(
                CallSpec(
                    at_us=NOON_US + draw.randrange(3600, 9 * 86_400) * 1_000_000,
                    user=user,
                    input_tokens=round(tokens),
                    output_tokens=round(tokens),
                    refused=is_other and draw.random() < other_fails,
                )
            )
    # Of others' routes, and of before, nothing counts.
    specs += [CallSpec(at_us=NOON_US + UTC_DAY_US, user=USERS[0], label="another")] * 3
    specs += [CallSpec(at_us=NOON_US - UTC_DAY_US, user=USERS[0])] * 3
    await record(database, specs)


async def test_it_begins_for_all_workers_and_ends_for_them(database: Database) -> None:
    async with a_lab(database) as lab:
        before = await version(database)
        made = await lab.post("", ORDER)
        assert made["running"]
        assert made["started_by"] == "root (key root)"
        assert await version(database) > before
        [trial] = (await load(database)).trials
        assert (trial.name, trial.model, [arm.name for arm in trial.arms]) == (
            "cheaper", MODEL, ["control", "other"],
        )  # fmt: skip
        again = await lab.post("", ORDER, 409)
        assert "named 'cheaper' already" in again["error"]["message"]
        second = await lab.post("", ORDER | {"name": "second"}, 409)
        assert "has an experiment already" in second["error"]["message"]
        ended = await lab.post("/cheaper/stop", {"reason": "enough"}, 200)
        assert (ended["running"], ended["ended_by"], ended["end_reason"]) == (
            False, "stopped", "enough",
        )  # fmt: skip
        assert (await load(database)).trials == ()
        await lab.post("/cheaper/stop", {}, 409)
        await lab.post("", ORDER | {"name": "second"})
        listed: Any = await get(lab.plane, lab.admin, BASE)
        assert {one["name"] for one in listed["experiments"]} == {"second", "cheaper"}
        audit: Any = await get(lab.plane, lab.admin, "/api/v1/audit")
        assert [one["action"] for one in audit["changes"]].count("experiments.start") == 2


async def test_two_at_once_on_one_route_are_one(database: Database) -> None:
    async with a_lab(database) as lab:
        orders = [ORDER | {"name": f"try-{number}"} for number in range(4)]
        answers = await asyncio.gather(
            *(lab.plane.client.post(BASE, json=one, headers=lab.admin) for one in orders)
        )
        assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "nobody"}, "no route named"),
        ({"arms": ORDER["arms"][:1]}, "at least 2"),
        ({"arms": [ORDER["arms"][0]] * 2}, "a name of its own"),
        ({"arms": [ORDER["arms"][0], ORDER["arms"][0] | {"name": "b"}]}, "ask the same"),
        ({"arms": [ORDER["arms"][0], ORDER["arms"][1] | {"endpoint": "x"}]}, "no candidate of"),
        ({"name": "a=b"}, "none of them a comma"),
        ({"failed_share_max": 1.5}, "less than 1"),
        ({"subject": "moon"}, "Input should be"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
async def test_what_is_no_experiment_is_refused_with_the_reason(
    database: Database, changes: dict[str, Any], said: str
) -> None:
    async with a_lab(database) as lab:
        answer = await lab.plane.client.post(BASE, json=ORDER | changes, headers=lab.admin)
        assert answer.status_code in {400, 404}, answer.text
        assert said in answer.text
        assert (await load(database)).trials == ()


async def test_results_are_what_each_arms_users_came_to_on_the_route(database: Database) -> None:
    async with a_lab(database) as lab:
        await lab.start()
        await some_calls(database, other_costs=0.5)
        found = await lab.results()
        control, other = found["arms"]
        assert control["subjects"] + other["subjects"] == len(USERS)
        counted: Any = await get(
            lab.plane, lab.admin, "/api/v1/insight/breakdown", group_by="user", route=MODEL,
            top=100, from_=found["counted"]["from"], to=found["counted"]["to"],
        )  # fmt: skip
        assert control["calls"] + other["calls"] == counted["total"]["calls"]
        async with database.read() as unit:
            trial = (await get_experiment(unit, "cheaper")).trial
        mine = [one for one in counted["groups"] if arm_of(trial, one["group"]["user"]) == 1]
        assert other["calls"] == sum(one["calls"] for one in mine)
        cost = sum(float(one["cost_usd"]) for one in mine)
        assert float(other["cost_usd"]) == pytest.approx(cost)
        mean = float(other["cost_per_call_usd"]["mean"])
        assert mean == pytest.approx(cost / other["calls"], abs=1e-9)
        assert found["best"] == "other"
        difference = other["cost_per_call_usd"]["difference"]
        assert difference["sure"]
        assert float(difference["high"]) < 0
        assert control["cost_per_call_usd"]["difference"] is None
        assert other["success_rate"] == 1
        assert [one["latency_ms"]["mean"] for one in found["arms"]] == ["250.0", "250.0"]


async def test_a_decision_puts_the_arm_first_and_leaves_the_others_behind(
    database: Database,
) -> None:
    async with a_lab(database) as lab:
        await lab.post("", ORDER)
        unknown = await lab.post("/cheaper/apply", {"arm": "third"}, 404)
        assert "there are control, other" in unknown["error"]["message"]
        ended = await lab.post("/cheaper/apply", {"arm": "other", "reason": "cheaper"}, 200)
        assert (ended["ended_by"], ended["applied_arm"]) == ("applied", "other")
        part = await load(database)
        assert part.trials == ()
        [entry] = [one for one in part.routes if one.model == MODEL]
        places = {one.endpoint: one.priority for one in entry.candidates}
        assert places == {"two": 1, "one": 2, "three": 3}
        await lab.post("/cheaper/apply", {"arm": "other"}, 200)
        await lab.post("/cheaper/apply", {"arm": "control"}, 409)


async def test_a_route_of_the_configuration_file_is_not_changed_by_a_decision(
    database: Database,
) -> None:
    """It may be tried on, and what follows is for whoever writes the file."""
    async with a_lab(database, Source.FILE) as lab:
        await lab.post("", ORDER)
        refused = await lab.post("/cheaper/apply", {"arm": "other"}, 409)
        assert "configuration file" in refused["error"]["message"]
        assert len((await load(database)).trials) == 1


async def test_its_guardrail_stops_what_fails_too_often(database: Database) -> None:
    async with a_lab(database) as lab:
        await lab.start(failed_share_max=0.1, calls_min=20)
        await some_calls(database, other_costs=1)
        assert await guard_experiments(database, UTC) == []
        await some_calls(database, other_costs=1, other_fails=0.9)
        assert await guard_experiments(database, UTC) == ["cheaper"]
        ended: Any = await get(lab.plane, lab.admin, f"{BASE}/cheaper")
        assert ended["ended_by"] == "guarded"
        assert ended["end_reason"].startswith("of the arm other ")
        assert (await load(database)).trials == ()
        assert await guard_experiments(database, UTC) == []


async def test_members_see_what_is_tried_and_admins_alone_what_was_found(
    database: Database,
) -> None:
    async with a_lab(database) as lab:
        await lab.post("", ORDER)
        await lab.plane.user("ada", Role.MEMBER)
        ada = await lab.plane.key("of-ada", "read", user="ada")
        assert (await lab.plane.client.get(BASE, headers=ada)).status_code == 200
        asked: list[httpx.Response] = [
            await lab.plane.client.get(f"{BASE}/cheaper/results", headers=ada),
            await lab.plane.client.post(BASE, json=ORDER | {"name": "x"}, headers=ada),
            await lab.plane.client.post(f"{BASE}/cheaper/stop", json={}, headers=ada),
            await lab.plane.client.post(f"{BASE}/cheaper/apply", json={"arm": "b"}, headers=ada),
        ]
        assert {one.status_code for one in asked} == {403}
