"""Old alerts go, and nobody is told anything twice because of it."""

import pytest
from sqlalchemy import func, insert, select, update

from tests.support.alerting import add_budget, spend, watch_of
from tollbridge.core.call import new_id
from tollbridge.core.clock import SECOND_US
from tollbridge.ledger import alert_store
from tollbridge.ledger import alert_webhook_store as webhooks
from tollbridge.ledger.alert_tables import alert_deliveries, alert_reads, alerts
from tollbridge.ledger.alerts import Alert, Severity
from tollbridge.processes.pruning import PIECES_MAX, prune_alerts
from tollbridge.storage.unit import Database

DAY_US = 86_400 * SECOND_US
YEAR_US = 366 * DAY_US


@pytest.fixture
async def hooked(database: Database) -> Database:
    """A database with a webhook that hears of everything."""
    async with database.write() as unit:
        await webhooks.create_webhook(unit, "hook", "https://example.com/", Severity.INFO)
    return database


async def posted(database: Database, name: str, spent: int, period: str = "month") -> Alert:
    """Return an alert about a new budget of a hundred."""
    budget = await add_budget(database, name, "user:ana", 100, period=period)
    await spend(database, budget, spent, period=period)
    [alert] = await watch_of(database).sweep()
    return alert


async def delivered(database: Database) -> None:
    async with database.write() as unit:
        await unit.connection.execute(
            update(alert_deliveries).values(next_at_us=None, state=webhooks.DELIVERED)
        )


async def aged(database: Database, *, period_too: bool = True) -> None:
    """Let a year go by for everything that is written."""
    async with database.write() as unit:
        at_us = await unit.now_us() - YEAR_US
        values = {"created_at_us": at_us} | ({"period_end_us": at_us} if period_too else {})
        await unit.connection.execute(update(alerts).values(values))
        for row in (await unit.connection.execute(select(alert_deliveries.c.delivery_id))).all():
            await unit.connection.execute(
                update(alert_deliveries)
                .where(alert_deliveries.c.delivery_id == row.delivery_id)
                .values(delivery_id=new_id(at_us), created_at_us=at_us)
            )


async def left(database: Database) -> tuple[int, int, int]:
    """Return how many alerts, deliveries and marks of reading there are."""
    counts: list[int] = []
    async with database.read() as unit:
        for table in (alerts, alert_deliveries, alert_reads):
            found = await unit.connection.execute(select(func.count()).select_from(table))
            counts.append(found.scalar_one())
    return counts[0], counts[1], counts[2]


async def test_an_alert_whose_period_is_long_over_goes_with_all_that_is_about_it(
    hooked: Database,
) -> None:
    alert = await posted(hooked, "b", 80)
    async with hooked.write() as unit:
        await alert_store.mark_read(unit, "ana", [alert.alert_id])
    await delivered(hooked)
    await prune_alerts(hooked, 90)
    assert await left(hooked) == (1, 1, 1)
    await aged(hooked)
    await prune_alerts(hooked, 90)
    assert await left(hooked) == (0, 0, 0)


async def test_while_a_period_runs_its_highest_alert_stays_and_is_told_once(
    hooked: Database,
) -> None:
    """What was sent of it goes, and the lower ones that it has superseded."""
    await posted(hooked, "b", 50, period="total")
    [budget] = [one.standing.limit_id for one in await stored(hooked)]
    await spend(hooked, budget, 90, period="total")
    await watch_of(hooked).sweep()
    await delivered(hooked)
    await aged(hooked, period_too=False)
    async with hooked.write() as unit:
        await unit.connection.execute(
            update(alerts).where(alerts.c.superseded_at_us.is_not(None)).values(superseded_at_us=1)
        )
    await prune_alerts(hooked, 90)
    assert [one.threshold for one in await stored(hooked)] == [90]
    assert await left(hooked) == (1, 0, 0)
    assert await watch_of(hooked).sweep() == []


async def stored(database: Database) -> list[Alert]:
    async with database.read() as unit:
        found = await unit.connection.execute(select(alerts).order_by(alerts.c.threshold))
        return [webhooks.alert_of(row) for row in found]


async def test_of_what_has_no_end_the_alerts_before_the_last_top_up_go(hooked: Database) -> None:
    first = await posted(hooked, "b", 80, period="total")
    async with hooked.write() as unit:
        row = (await unit.connection.execute(select(alerts))).one()
        later = {**row._asdict(), "alert_id": new_id(2), "period_start_us": first.created_at_us}
        await unit.connection.execute(insert(alerts).values(later))
    await delivered(hooked)
    await aged(hooked, period_too=False)
    await prune_alerts(hooked, 90)
    assert [one.alert_id for one in await stored(hooked)] == [later["alert_id"]]


async def test_what_is_still_to_be_sent_is_kept(hooked: Database) -> None:
    await posted(hooked, "b", 80)
    await aged(hooked)
    assert await prune_alerts(hooked, 90) == 0
    assert await left(hooked) == (1, 1, 0)


async def test_one_go_is_bounded_and_the_next_goes_on(hooked: Database) -> None:
    many = 2 * PIECES_MAX + 3
    alert = await posted(hooked, "b", 80)
    async with hooked.write() as unit:
        row = (await unit.connection.execute(select(alerts))).one()._asdict()
        rows = [
            {**row, "alert_id": new_id(1), "limit_id": f"gone-{number}", "name": alert.title}
            for number in range(many - 1)
        ]
        await unit.connection.execute(insert(alerts), rows)
    await delivered(hooked)
    await aged(hooked)
    assert await prune_alerts(hooked, 90, piece_rows_max=2) == 2 * PIECES_MAX
    assert await prune_alerts(hooked, 90, piece_rows_max=2) == 3
    assert await left(hooked) == (0, 0, 0)
