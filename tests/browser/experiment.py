"""An experiment that has found something: a route, an experiment on it, and calls of many users."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count, islice
from typing import Any

import httpx

from tests.browser.world import World
from tollbridge.core.clock import SECOND_US, SystemClock
from tollbridge.routing.part import Arm, Trial
from tollbridge.routing.trials import arm_of

ROUTE = "try-out"
CANDIDATES = (("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"))
USERS_OF_ARM, CALLS_EACH = 30, 3
HOUR_US = 3600 * SECOND_US
CHEAPER = "anthropic"


async def put_route(world: World) -> None:
    """Make a route with two candidates that no file declares, in its first order."""
    order = {
        "model": ROUTE,
        "candidates": [
            {"endpoint": endpoint, "model": model, "priority": place}
            for place, (endpoint, model) in enumerate(CANDIDATES, 1)
        ],
    }
    async with world.client() as client:
        (await client.post("/api/v1/routes", json=order)).raise_for_status()


async def asked_first(world: World) -> str:
    """Return which endpoint the route asks first."""
    async with world.client() as client:
        found = (await client.get("/api/v1/routes")).json()["routes"]
    [route] = [one for one in found if one["model"] == ROUTE]
    return min(route["candidates"], key=lambda one: one["priority"])["endpoint"]


async def start(world: World, name: str) -> None:
    """Let an experiment begin; one that runs on the route already ends."""
    arms = [{"name": one[0], "endpoint": one[0], "model": one[1]} for one in CANDIDATES]
    await stop_all(world)
    async with world.client() as client:
        made = await client.post(
            "/api/v1/experiments", json={"name": name, "model": ROUTE, "arms": arms}
        )
        assert made.status_code == httpx.codes.CREATED, made.text


async def stop_all(world: World) -> None:
    """End whatever experiment runs."""
    async with world.client() as client:
        for one in (await client.get("/api/v1/experiments")).json()["experiments"]:
            if one["running"]:
                await client.post(f"/api/v1/experiments/{one['name']}/stop", json={})


def users_of(trial: Trial, arm: int) -> Iterator[str]:
    """Yield who gets an arm: which users that are is drawn anew with each experiment."""
    return (user for user in map("desk-{}".format, count()) if arm_of(trial, user) == arm)


async def report(world: World, name: str) -> None:
    """Let it have begun some hours ago, with as many calls of each arm, one's at half the cost."""
    now_us = SystemClock().now_us()
    with closing(sqlite3.connect(world.node.data_dir / "tollbridge.db", timeout=10)) as books:
        began_us = now_us - 5 * HOUR_US
        books.execute("UPDATE experiments SET started_at_us=? WHERE name=?", (began_us, name))
        query = "SELECT experiment_id FROM experiments WHERE name=?"
        [(experiment_id,)] = books.execute(query, (name,)).fetchall()
        books.commit()
    arms = tuple(Arm(endpoint, endpoint, model, 1) for endpoint, model in CANDIDATES)
    trial = Trial(str(experiment_id), name, ROUTE, "text", "user", arms)
    records: list[dict[str, Any]] = []
    users = [
        (arm, user)
        for number, arm in enumerate(arms)
        for user in islice(users_of(trial, number), USERS_OF_ARM)
    ]
    for place, (arm, user) in enumerate(users * CALLS_EACH):
        cost = 0.004 if arm.name == CHEAPER else 0.008
        ended_ms = (now_us - 2 * HOUR_US) // 1000 - place * 1000
        records.append({
            "id": f"{name}-{place}",
            "model": ROUTE,
            "bucket": "openai",
            "endpoint": "/v1/chat/completions",
            "actual_provider": arm.endpoint,
            "user_id": user,
            "input_token": 900,
            "output_token": 200,
            "cost_usd": str(round(cost * (1 + place % 5 / 20), 6)),
            "started_at": ended_ms - 900 - place % USERS_OF_ARM,
            "completed_at": ended_ms,
            "status_code": 200,
        })  # fmt: skip
    async with world.client() as client:
        answer = await client.post("/v2/usage/gateway-metrics", json=records)
        assert answer.json()["rejected"] == [], answer.text
    await world.node.drained()
