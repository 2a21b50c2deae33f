"""The addresses of corrections: who served and what it cost, looked at and put right."""

from decimal import Decimal
from typing import Any

from tests.support.control import Plane, control_plane
from tests.support.reattributed import ReportSpec, rules, run
from tests.support.reattributed import put as put_reports
from tests.support.recorded import NOON_US, CallSpec
from tests.support.rerated import put
from tollbridge.core.clock import to_text
from tollbridge.rating.prices import DeclaredPrice, Source
from tollbridge.rating.store import record_versions
from tollbridge.storage.unit import Database

PREVIEW = "/api/v1/attribution/backfill/preview"
BACKFILL = "/api/v1/attribution/backfill"
RERATE = "/api/v1/prices/rerate"
BEFORE, AFTER = to_text(NOON_US - 10**9), to_text(NOON_US + 10**9)


async def state(plane: Plane, rate_usd: str) -> None:
    """State a price of what `put` calls, for all time."""
    async with plane.database.write() as unit:
        await record_versions(
            unit,
            [
                DeclaredPrice(
                    provider="openai",
                    model="gpt-4o-mini",
                    unit=unit_name,
                    rate_usd=Decimal(rate_usd),
                    per=1_000_000,
                    valid_from_us=0,
                )
                for unit_name in ("input", "output")
            ],
            source=Source.OPERATOR,
            actor="test",
            now_us=NOON_US,
            disputes=False,
        )


async def ask(plane: Plane, headers: dict[str, str], address: str, **order: Any) -> Any:
    answer = await plane.client.post(address, json=order, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_preview_says_what_a_backfill_would_change_and_writes_nothing(
    database: Database,
) -> None:
    await put_reports(database, [ReportSpec(model="gpt-4o"), ReportSpec(model="nobody-knows")])
    async with control_plane(database) as plane:
        admin = await plane.key("root", "admin")
        found = await ask(plane, admin, PREVIEW, until=AFTER)
        assert (found["calls"], found["total"], found["complete"]) == (2, 2, True)
        assert found["changed"] == found["reassigned"] == 1
        [move] = found["moves"]
        assert (move["calls"], len(move["examples"])) == (1, 1)
        assert move["move"].startswith("unknown → ")
        runs = (await plane.client.get("/api/v1/attribution/backfill", headers=admin)).json()
        assert runs["runs"] == []
        reader = await plane.key("reader", "read")
        assert (await plane.client.post(PREVIEW, json={}, headers=reader)).status_code == 403


async def test_a_backfill_goes_on_step_by_step_and_is_taken_back(database: Database) -> None:
    """Each request looks at so many calls; the run says where it is, and ends by itself."""
    await put_reports(
        database, [ReportSpec(at_us=NOON_US + place, model="gpt-4o") for place in range(5)]
    )
    async with control_plane(database) as plane:
        admin = await plane.key("root", "admin")
        step = await ask(plane, admin, BACKFILL, until=AFTER, calls_max=2)
        run_id = step["run_id"]
        assert (step["state"], step["calls"], step["changed"]) == ("running", 2, 2)
        assert step["actor"] == "root (key root)"
        again = await ask(plane, admin, BACKFILL, until=AFTER, calls_max=2)
        assert (again["run_id"], again["calls"]) == (run_id, 4)
        done = await ask(plane, admin, f"{BACKFILL}/{run_id}/continue")
        assert (done["state"], done["calls"], done["changed"]) == ("done", 5, 5)
        ended = await plane.client.post(f"{BACKFILL}/{run_id}/continue", json={}, headers=admin)
        assert ended.status_code == 409
        back = await ask(plane, admin, f"{BACKFILL}/{run_id}/revert", calls_max=2)
        assert (back["state"], back["reverts_run_id"], back["calls"]) == ("running", run_id, 2)
        whole = await ask(plane, admin, f"{BACKFILL}/{back['run_id']}/continue")
        assert (whole["state"], whole["changed"], whole["left_alone"]) == ("done", 5, 0)
        found = await ask(plane, admin, PREVIEW, until=AFTER)
        assert found["changed"] == 5
        reader = await plane.key("reader", "read")
        for address in (BACKFILL, f"{BACKFILL}/{run_id}/continue", f"{BACKFILL}/{run_id}/revert"):
            refused = await plane.client.post(address, json={}, headers=reader)
            assert refused.status_code == 403


async def test_a_preview_of_too_many_calls_says_that_it_is_not_complete(
    database: Database,
) -> None:
    await put_reports(database, [ReportSpec(at_us=NOON_US + place) for place in range(3)])
    async with control_plane(database) as plane:
        admin = await plane.key("root", "admin")
        found = await ask(plane, admin, PREVIEW, until=AFTER, calls_max=2)
        assert (found["calls"], found["total"], found["complete"]) == (2, 3, False)


async def test_a_calls_detail_lists_how_it_was_attributed_anew(database: Database) -> None:
    await put_reports(database, [ReportSpec(model="flux-dev")])
    first, _ = await run(database, rules(("flux", "wavespeed")))
    second, _ = await run(database, rules(("flux", "replicate")))
    async with control_plane(database) as plane:
        admin = await plane.key("root", "admin")
        listed = (await plane.client.get("/api/v1/usage-logs", headers=admin)).json()
        [call_id] = [one["call_id"] for one in listed["calls"]]
        shown = (await plane.client.get(f"/api/v1/usage-logs/{call_id}", headers=admin)).json()
    told = shown["reattributions"]
    assert [one["run_id"] for one in told] == [first, second]
    assert [one["old"]["provider"] for one in told] == ["unknown", "wavespeed"]
    assert [one["new"]["provider"] for one in told] == ["wavespeed", "replicate"]
    assert told[0]["new"]["rule_id"] == "word-flux"


async def test_a_dry_run_says_what_rating_again_would_come_to_and_writes_nothing(
    database: Database,
) -> None:
    await put(database, [CallSpec(), CallSpec(refused=True)])
    async with control_plane(database) as plane:
        admin = await plane.key("root", "admin")
        await state(plane, "1")
        order = {"from": BEFORE, "to": AFTER}
        dry = await ask(plane, admin, RERATE, **order)
        assert (dry["dry_run"], dry["calls"], dry["adjustments"]) == (True, 2, 1)
        real = await ask(plane, admin, RERATE, **order, dry_run=False, reason="a new list")
        assert real == {**dry, "dry_run": False}
        assert real["by_provider"] == {"openai": real["difference_usd"]}
        again = await ask(plane, admin, RERATE, **order, dry_run=False)
        assert (again["adjustments"], again["difference_usd"]) == (0, "0")


async def test_what_cannot_be_rated_again_is_refused_and_says_why(
    database: Database,
) -> None:
    await put(database, [CallSpec(), CallSpec()])
    async with control_plane(database) as plane:
        admin, reader = await plane.key("root", "admin"), await plane.key("reader", "read")
        for order, status, word in (
            ({}, 400, "`from` is missing"),
            ({"from": AFTER, "to": BEFORE}, 400, "not before"),
            ({"from": BEFORE, "to": AFTER, "calls_max": 1}, 400, "narrow the time"),
            ({"from": BEFORE, "nonsense": 1}, 400, "nonsense"),
        ):
            answer = await plane.client.post(RERATE, json=order, headers=admin)
            assert (answer.status_code, word in answer.text) == (status, True), answer.text
        assert (await plane.client.post(RERATE, json={}, headers=reader)).status_code == 403
