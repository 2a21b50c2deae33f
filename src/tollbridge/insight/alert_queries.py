"""Which alerts does somebody have, and which of them have they read? SQL, read-only."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, String, and_, func, select, tuple_

from tollbridge.core.sight import Sight
from tollbridge.insight.pages import ROWS_MAX
from tollbridge.insight.sight_queries import subjects_in_sight
from tollbridge.ledger.alert_tables import alert_reads, alert_rules, alerts
from tollbridge.ledger.alert_webhook_store import alert_of
from tollbridge.ledger.alerts import Alert
from tollbridge.ledger.tables import budgets
from tollbridge.storage.unit import Unit

RULES_MAX = 10_000


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts; None is any."""

    unread: bool | None = None
    severity: str | None = None
    subject: str | None = None
    superseded: bool = False
    """Whether those are shown too that a higher threshold has superseded."""


class AlertSeen(msgspec.Struct, frozen=True):
    """An alert, and whether one user has read it."""

    alert: Alert
    read_at_us: int | None


async def list_alerts(
    unit: Unit,
    sight: Sight | None,
    user: str,
    wanted: AlertFilter,
    page: tuple[tuple[int, str] | None, int],
) -> list[AlertSeen]:
    """Return a page of alerts that may be seen, the newest first; `user` says who has read them.

    `page` is the place (created_at_us, id) that they are older than, and how many.
    """
    before, limit = page
    columns = alerts.c
    query = _of(user, alerts, alert_reads.c.read_at_us).order_by(
        columns.created_at_us.desc(), columns.alert_id.desc()
    )
    if before is not None:
        query = query.where(tuple_(columns.created_at_us, columns.alert_id) < before)
    query = query.where(*_conditions(sight, wanted)).limit(min(limit, ROWS_MAX))
    return [
        AlertSeen(alert_of(row), row.read_at_us) for row in await unit.connection.execute(query)
    ]


async def count_unread(unit: Unit, sight: Sight | None, user: str, subject: str | None) -> int:
    """Return how many alerts of a user's inbox are unread."""
    wanted = AlertFilter(unread=True, subject=subject)
    query = _of(user, func.count()).where(*_conditions(sight, wanted))
    return (await unit.connection.execute(query)).scalar_one()


async def find_alert(unit: Unit, alert_id: str, user: str) -> AlertSeen | None:
    """Return one alert, whosever it is, or None."""
    # As text: PostgreSQL would refuse what is no UUID instead of not finding it.
    query = _of(user, alerts, alert_reads.c.read_at_us).where(
        alerts.c.alert_id.cast(String) == alert_id.lower()
    )
    row = (await unit.connection.execute(query)).first()
    return None if row is None else AlertSeen(alert_of(row), row.read_at_us)


async def unread_ids(unit: Unit, sight: Sight | None, user: str, limit: int) -> list[str]:
    """Return the ids of a user's unread alerts, superseded ones too."""
    wanted = AlertFilter(unread=True, superseded=True)
    query = _of(user, alerts.c.alert_id).where(*_conditions(sight, wanted)).limit(limit)
    return [str(one) for one in (await unit.connection.execute(query)).scalars()]


async def list_own_thresholds(
    unit: Unit, sight: Sight | None, limit: int = RULES_MAX
) -> list[tuple[str, tuple[int, ...]]]:
    """Return (budget's name, thresholds in per cent), by name, of those that may be seen.

    Budgets without thresholds of their own are not among them.
    """
    rows = await unit.connection.execute(
        select(budgets.c.name, alert_rules.c.thresholds)
        .join(budgets, budgets.c.budget_id == alert_rules.c.limit_id)
        .where(*subjects_in_sight(sight, budgets.c.subject))
        .order_by(budgets.c.name)
        .limit(min(limit, RULES_MAX))
    )
    return [(row.name, tuple(row.thresholds)) for row in rows]


def _of(user: str, *columns: Any) -> Select[Any]:
    mine = and_(alert_reads.c.alert_id == alerts.c.alert_id, alert_reads.c.user_name == user)
    made: Any = select(*columns).select_from(alerts.outerjoin(alert_reads, mine))
    return made


def _conditions(sight: Sight | None, wanted: AlertFilter) -> list[ColumnElement[bool]]:
    columns = alerts.c
    conditions = list(subjects_in_sight(sight, columns.subject))
    if not wanted.superseded:
        conditions.append(columns.superseded_at_us.is_(None))
    if wanted.unread is not None:
        read = alert_reads.c.read_at_us
        conditions.append(read.is_(None) if wanted.unread else read.is_not(None))
    if wanted.severity is not None:
        conditions.append(columns.severity == wanted.severity)
    if wanted.subject is not None:
        conditions.append(columns.subject == wanted.subject)
    return conditions
