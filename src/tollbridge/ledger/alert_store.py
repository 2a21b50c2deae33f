"""Which limits are nearly used up, and who has been told? All SQL that writes alerts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from tollbridge.core.call import new_id
from tollbridge.core.clock import SECOND_US
from tollbridge.core.limits import LimitKind
from tollbridge.ledger.alert_tables import alert_deliveries, alert_reads, alert_rules, alerts
from tollbridge.ledger.alert_tables import alert_webhooks as webhooks
from tollbridge.ledger.alerts import (
    Alert,
    Severity,
    Source,
    Standing,
    check_thresholds,
    severity_of,
    words_of,
)
from tollbridge.ledger.applying import PLAN, user_and_rule
from tollbridge.ledger.bounds import plan_bounds
from tollbridge.ledger.budgets import BudgetSource
from tollbridge.ledger.periods import PERIODS, period_bounds
from tollbridge.ledger.plans import KIND_OF, RULES
from tollbridge.ledger.tables import budget_periods, budgets
from tollbridge.ledger.wallet_tables import wallet_grants, wallet_transactions, wallets
from tollbridge.ledger.wallets import WalletUnit, limit_id_of
from tollbridge.storage.engine import POSTGRESQL
from tollbridge.storage.unit import Unit

ROWS_MAX = 10_000
"""Most limits that have thresholds of their own."""
DUE = "due"
MONTH_US_MAX = 32 * 86_400 * SECOND_US
_RANK: Mapping[str, int] = {one.value: rank for rank, one in enumerate(Severity)}


Place = tuple[str | int, ...]
"""The key of the last row of a page; before the first page there is none."""


class Part(msgspec.Struct, frozen=True):
    """Which limits are looked at: some of them, or as many as come behind a place."""

    ids: tuple[str, ...] | None = None
    """These, and all of them; None: a page of what there is."""
    after: Place = ()
    rows_max: int = 500


class Page(msgspec.Struct, frozen=True):
    """How limits stand, and behind which place there may be more; None: there is no more."""

    standings: list[Standing]
    after: Place | None


async def budgets_used(
    unit: Unit, zone: tzinfo, now_us: int, lowest: int, part: Part | None = None
) -> Page:
    """Return budgets of whose running period about `lowest` per cent or more is used."""
    bounds = {period: period_bounds(period, now_us, zone) for period in PERIODS}
    periods, columns = budget_periods.c, budgets.c
    running = [
        and_(columns.period == period, periods.period_start_us == start_us)
        for period, (start_us, _) in bounds.items()
    ]
    query = (
        select(budgets, periods.spent, periods.period_start_us)
        .join(budget_periods, columns.budget_id == periods.budget_id)
        # Rounded down, so that it lets by rather too many: no product leaves 64 bits.
        .where(columns.enabled, or_(*running), periods.spent > 0)
        .where(periods.spent >= columns.limit_amount / 100 * min(lowest, 100))
    )
    rows, after = await _page(unit, query, (periods.budget_id, periods.period_start_us), part)
    standings = [
        Standing(
            source=Source.BUDGET,
            limit_id=row.budget_id,
            name=row.name,
            subject=row.subject,
            kind=LimitKind(row.kind),
            used=row.spent,
            limit=row.limit_amount,
            period_start_us=row.period_start_us,
            period_end_us=None if row.period == "total" else bounds[row.period][1],
            bucket=row.bucket,
        )
        for row in rows
    ]
    return Page(standings, after)


async def plans_used(unit: Unit, zone: tzinfo, now_us: int, part: Part | None = None) -> Page:
    """Return what users have used this month of the limits of their plans."""
    periods = budget_periods.c
    query: Any = select(periods.budget_id, periods.period_start_us, periods.spent).where(
        periods.spent > 0,
        periods.period_start_us > now_us - MONTH_US_MAX,
        periods.budget_id.startswith(PLAN, autoescape=True),
    )
    rows, after = await _page(unit, query, (periods.budget_id, periods.period_start_us), part)
    bounds = await plan_bounds(unit, {row.budget_id for row in rows}, now_us, zone)
    standings: list[Standing] = []
    for row in rows:
        bound = bounds.get(row.budget_id)
        user, name = user_and_rule(row.budget_id)
        rule = RULES.get(name)
        if bound is None or bound.limit is None or bound.window is None or rule is None:
            continue
        start_us, end_us = bound.window
        if row.period_start_us != start_us:
            continue  # a month that is over
        standings.append(
            Standing(
                source=Source.PLAN,
                limit_id=row.budget_id,
                name=name,
                subject=f"user:{user}",
                kind=KIND_OF[rule.measure],
                used=row.spent,
                limit=bound.limit,
                period_start_us=start_us,
                period_end_us=end_us,
                bucket=rule.buckets[0] if len(rule.buckets) == 1 else "",
            )
        )
    return Page(standings, after)


async def wallets_used(unit: Unit, part: Part | None = None) -> Page:
    """Return what is gone of each wallet's balance since its last top-up; ids are wallets'."""
    grants, moves, columns = wallet_grants.c, wallet_transactions.c, wallets.c
    # For each wallet that is looked at, by its key: not over all grants that there are.
    last = (
        select(func.max(grants.number))
        .where(grants.wallet_id == columns.wallet_id)
        .correlate(wallets)
        .scalar_subquery()
    )
    query = (
        select(wallets, moves.balance_after, moves.posted_at_us)
        .select_from(wallets)
        .join(
            wallet_transactions,
            and_(moves.wallet_id == columns.wallet_id, moves.number == last),
        )
        .where(columns.enabled, columns.balance < moves.balance_after, moves.balance_after > 0)
    )
    rows, after = await _page(unit, query, (columns.wallet_id,), part)
    standings = [
        Standing(
            source=Source.WALLET,
            limit_id=limit_id_of(row.wallet_id),
            name=row.name,
            subject=row.subject,
            kind=WalletUnit(row.unit).limit_kind,
            used=row.balance_after - row.balance,
            limit=row.balance_after,
            period_start_us=row.posted_at_us,
            period_end_us=None,
        )
        for row in rows
    ]
    return Page(standings, after)


async def grants_expiring(
    unit: Unit, now_us: int, before_us: int, part: Part | None = None
) -> Page:
    """Return the grants of which something will be lost before an instant; ids are wallets'."""
    grants = wallet_grants.c
    query = (
        select(wallet_grants, wallets.c.name, wallets.c.subject, wallets.c.unit)
        .join(wallets, wallets.c.wallet_id == grants.wallet_id)
        .where(grants.remaining > 0, grants.expires_at_us > now_us)
        .where(grants.expires_at_us <= before_us, wallets.c.enabled)
    )
    rows, after = await _page(unit, query, (grants.wallet_id, grants.number), part)
    standings = [
        Standing(
            source=Source.GRANT,
            limit_id=f"{limit_id_of(row.wallet_id)}:{row.number}",
            name=row.name,
            subject=row.subject,
            kind=WalletUnit(row.unit).limit_kind,
            used=row.remaining,
            limit=row.amount,
            period_start_us=row.granted_at_us,
            period_end_us=row.expires_at_us,
        )
        for row in rows
    ]
    return Page(standings, after)


async def told(unit: Unit, standings: Sequence[Standing]) -> dict[tuple[str, str, int], int]:
    """Return the highest threshold told, by (limit id, subject, start of the period)."""
    columns = alerts.c
    place = (columns.limit_id, columns.subject, columns.period_start_us)
    wanted = [(one.limit_id, one.subject, one.period_start_us) for one in standings]
    rows = await unit.connection.execute(
        select(*place, func.max(columns.threshold).label("highest"))
        .where(tuple_(*place).in_(wanted))
        .group_by(*place)
    )
    return {(row.limit_id, row.subject, row.period_start_us): row.highest for row in rows}


async def thresholds_of(unit: Unit, ids: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return the thresholds of those limits that have some of their own."""
    columns = alert_rules.c
    query = select(columns.limit_id, columns.thresholds).where(columns.limit_id.in_(list(ids)))
    return {row.limit_id: tuple(row.thresholds) for row in await unit.connection.execute(query)}


async def lowest_threshold(unit: Unit, otherwise: Sequence[int]) -> int:
    """Return the lowest threshold of any limit, in per cent."""
    rows = await unit.connection.execute(select(alert_rules.c.thresholds).limit(ROWS_MAX))
    return min((*otherwise, *(one for row in rows for one in row.thresholds)), default=100)


async def set_thresholds(unit: Unit, limit_id: str, thresholds: Sequence[int] | None) -> None:
    """Say at which thresholds a limit is told of: none of them (empty); None: as all others.

    Raises InvalidRequestError.
    """
    await unit.connection.execute(delete(alert_rules).where(alert_rules.c.limit_id == limit_id))
    if thresholds is not None:
        await unit.connection.execute(
            insert(alert_rules).values(
                limit_id=limit_id,
                thresholds=list(check_thresholds(thresholds)),
                updated_at_us=await unit.now_us(),
            )
        )


async def apply_file(unit: Unit, declared: Mapping[str, Sequence[int] | None]) -> None:
    """Give the file's budgets, by name, the thresholds that it says; None: as all others.

    Twice is once. A budget of that name which the file does not own is left alone.
    """
    columns = budgets.c
    query = select(columns.budget_id, columns.name).where(columns.source == BudgetSource.FILE)
    ids = {row.name: row.budget_id for row in await unit.connection.execute(query)}
    wanted = {ids[name]: own for name, own in declared.items() if name in ids}
    stands = await thresholds_of(unit, wanted)
    for limit_id, own in wanted.items():
        if stands.get(limit_id) != (None if own is None else check_thresholds(own)):
            await set_thresholds(unit, limit_id, own)


async def post_alert(unit: Unit, standing: Standing, threshold: int) -> Alert | None:
    """Write an alert, once for ever, and whom it is to be sent; None where it was written before.

    Lower ones of the same limit and period are superseded by it.
    """
    now_us = await unit.now_us()
    title, message = words_of(standing, threshold)
    alert = Alert(
        alert_id=new_id(now_us),
        standing=standing,
        threshold=threshold,
        severity=severity_of(threshold),
        title=title,
        message=message,
        created_at_us=now_us,
    )
    making = postgresql_insert if unit.dialect == POSTGRESQL else sqlite_insert
    # What another node has written meanwhile is not written again.
    made = await unit.connection.execute(
        making(alerts).values(_row(alert)).on_conflict_do_nothing()
    )
    if made.rowcount == 0:
        return None
    columns = alerts.c
    same: tuple[ColumnElement[bool], ...] = (
        columns.limit_id == standing.limit_id,
        columns.subject == standing.subject,
        columns.period_start_us == standing.period_start_us,
    )
    await unit.connection.execute(
        update(alerts)
        .where(*same, columns.threshold < threshold, columns.superseded_at_us.is_(None))
        .values(superseded_at_us=now_us)
    )
    await _deliver(unit, alert)
    return alert


async def mark_read(unit: Unit, user: str, alert_ids: Sequence[str]) -> int:
    """Note that a user has read alerts; return how many of them were unread."""
    known = await unit.connection.execute(
        select(alert_reads.c.alert_id).where(
            alert_reads.c.user_name == user, alert_reads.c.alert_id.in_(alert_ids)
        )
    )
    unread = sorted(set(alert_ids) - {str(row.alert_id) for row in known})
    if unread:
        now_us = await unit.now_us()
        making = postgresql_insert if unit.dialect == POSTGRESQL else sqlite_insert
        await unit.connection.execute(
            making(alert_reads).on_conflict_do_nothing(),
            [{"alert_id": one, "user_name": user, "read_at_us": now_us} for one in unread],
        )
    return len(unread)


async def _page(
    unit: Unit, query: Select[Any], key: tuple[ColumnElement[Any], ...], part: Part | None
) -> tuple[Sequence[Row[Any]], Place | None]:
    """Return the rows of a part, by a key that no two have, and behind what there may be more."""
    wanted = part or Part()
    if wanted.ids is not None:
        return (await unit.connection.execute(query.where(key[0].in_(wanted.ids)))).all(), None
    if wanted.after:
        beyond = key[0] > wanted.after[0] if len(key) == 1 else tuple_(*key) > wanted.after
        query = query.where(beyond)
    found = await unit.connection.execute(query.order_by(*key).limit(wanted.rows_max))
    rows = found.all()
    if len(rows) < wanted.rows_max:
        return rows, None
    return rows, tuple(getattr(rows[-1], one.key or "") for one in key)


async def _deliver(unit: Unit, alert: Alert) -> None:
    rows = await unit.connection.execute(
        select(webhooks.c.webhook_id, webhooks.c.severity_min).where(webhooks.c.enabled)
    )
    rank = _RANK[alert.severity.value]
    wanted = [row.webhook_id for row in rows if _RANK[row.severity_min] <= rank]
    if wanted:
        at_us = alert.created_at_us
        values: list[dict[str, Any]] = [
            {
                "delivery_id": new_id(at_us),
                "webhook_id": webhook_id,
                "alert_id": alert.alert_id,
                "state": DUE,
                "tries": [],
                "try_count": 0,
                "next_at_us": at_us,
                "created_at_us": at_us,
                "updated_at_us": at_us,
            }
            for webhook_id in wanted
        ]
        await unit.connection.execute(insert(alert_deliveries), values)


def _row(alert: Alert) -> dict[str, Any]:
    standing = alert.standing
    return {
        "alert_id": alert.alert_id,
        "source": standing.source.value,
        "limit_id": standing.limit_id,
        "name": standing.name,
        "subject": standing.subject,
        "bucket": standing.bucket,
        "kind": standing.kind.value,
        "used": standing.used,
        "limit_amount": standing.limit,
        "period_start_us": standing.period_start_us,
        "period_end_us": standing.period_end_us,
        "threshold": alert.threshold,
        "severity": alert.severity.value,
        "title": alert.title,
        "message": alert.message,
        "created_at_us": alert.created_at_us,
    }
