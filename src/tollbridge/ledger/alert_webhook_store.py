"""Whom are alerts sent to, and what became of each? All SQL of alerts' webhooks."""

from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from tollbridge.core.call import new_id
from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import ConflictError, NotFoundError
from tollbridge.core.limits import LimitKind
from tollbridge.ledger.alert_tables import alert_deliveries, alert_webhooks, alerts
from tollbridge.ledger.alerts import Alert, Severity, Source, Standing
from tollbridge.storage.unit import Unit

WEBHOOKS_MAX = 50
DELIVERED = "delivered"
FAILED = "failed"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where alerts are sent. Its secret is not kept: it follows from the id and the signing key."""

    webhook_id: str
    name: str
    url: str
    severity_min: Severity
    enabled: bool
    created_at_us: int
    updated_at_us: int


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An alert on its way to a webhook."""

    delivery_id: str
    webhook_id: str
    alert_id: str
    state: str
    tries: tuple[dict[str, Any], ...]
    """What was tried, the first one first: `at_us`, and `status` or `error`."""
    next_at_us: int | None
    created_at_us: int


class Parcel(msgspec.Struct, frozen=True):
    """A delivery with all that is needed to send it."""

    delivery: Delivery
    url: str
    alert: Alert


async def create_webhook(unit: Unit, name: str, url: str, severity_min: Severity) -> Webhook:
    """Add a webhook. Raises ConflictError where the name is taken, or there are too many."""
    if len(await list_webhooks(unit)) >= WEBHOOKS_MAX:
        raise ConflictError(f"there are {WEBHOOKS_MAX} webhooks already; remove one first")
    now_us = await unit.now_us()
    row = Webhook(
        webhook_id=new_id(now_us),
        name=name,
        url=url,
        severity_min=severity_min,
        enabled=True,
        created_at_us=now_us,
        updated_at_us=now_us,
    )
    try:
        await unit.connection.execute(
            insert(alert_webhooks).values(
                **msgspec.structs.asdict(row) | {"severity_min": severity_min.value}
            )
        )
    except IntegrityError as error:
        raise ConflictError(f"there is a webhook named {name!r} already") from error
    return row


async def list_webhooks(unit: Unit) -> list[Webhook]:
    """Return all webhooks by name; there are at most 50."""
    rows = await unit.connection.execute(
        select(alert_webhooks).order_by(alert_webhooks.c.name).limit(WEBHOOKS_MAX + 1)
    )
    return [_webhook(row) for row in rows]


async def get_webhook(unit: Unit, name: str) -> Webhook:
    """Return one webhook by name. Raises NotFoundError."""
    query = select(alert_webhooks).where(alert_webhooks.c.name == name)
    row = (await unit.connection.execute(query)).first()
    if row is None:
        raise NotFoundError(f"there is no webhook named {name!r}")
    return _webhook(row)


async def enable_webhook(unit: Unit, name: str, *, enabled: bool) -> Webhook:
    """Switch a webhook on or off; what is on its way is still tried. Raises NotFoundError."""
    webhook = await get_webhook(unit, name)
    await unit.connection.execute(
        update(alert_webhooks)
        .where(alert_webhooks.c.webhook_id == webhook.webhook_id)
        .values(enabled=enabled, updated_at_us=await unit.now_us())
    )
    return await get_webhook(unit, name)


async def remove_webhook(unit: Unit, name: str) -> Webhook:
    """Remove a webhook with the log of its deliveries. Raises NotFoundError."""
    webhook = await get_webhook(unit, name)
    for table in (alert_deliveries, alert_webhooks):
        await unit.connection.execute(delete(table).where(table.c.webhook_id == webhook.webhook_id))
    return webhook


async def list_deliveries(
    unit: Unit, webhook_id: str, before: tuple[int, str] | None, limit: int
) -> list[Delivery]:
    """Return a page of deliveries, the newest first, older than (created_at_us, id)."""
    columns = alert_deliveries.c
    query = (
        select(alert_deliveries)
        .where(columns.webhook_id == webhook_id)
        .order_by(columns.created_at_us.desc(), columns.delivery_id.desc())
    )
    if before is not None:
        query = query.where(tuple_(columns.created_at_us, columns.delivery_id) < before)
    return [_delivery(row) for row in await unit.connection.execute(query.limit(limit))]


async def claim_due(unit: Unit, now_us: int, claim_s: float, limit: int) -> list[Parcel]:
    """Return what is to be sent now. Nobody else is given it for `claim_s`, even after a crash."""
    columns = alert_deliveries.c
    query = (
        select(alert_deliveries, alert_webhooks.c.url)
        .join(alert_webhooks, alert_webhooks.c.webhook_id == columns.webhook_id)
        .where(columns.next_at_us <= now_us)
        .order_by(columns.next_at_us)
        .limit(limit)
        .with_for_update(skip_locked=True, of=alert_deliveries)
    )
    rows = (await unit.connection.execute(query)).all()
    if not rows:
        return []
    ids = [row.delivery_id for row in rows]
    await unit.connection.execute(
        update(alert_deliveries)
        .where(columns.delivery_id.in_(ids))
        .values(next_at_us=now_us + round(claim_s * SECOND_US))
    )
    wanted = [row.alert_id for row in rows]
    found = await unit.connection.execute(select(alerts).where(alerts.c.alert_id.in_(wanted)))
    of = {str(row.alert_id): alert_of(row) for row in found}
    return [Parcel(_delivery(row), row.url, of[str(row.alert_id)]) for row in rows]


async def note_try(
    unit: Unit, delivery: Delivery, tried: dict[str, Any], state: str, next_at_us: int | None
) -> None:
    """Write down what came of a try."""
    await unit.connection.execute(
        update(alert_deliveries)
        .where(alert_deliveries.c.delivery_id == delivery.delivery_id)
        .values(
            state=state,
            tries=[*delivery.tries, tried],
            try_count=len(delivery.tries) + 1,
            next_at_us=next_at_us,
            updated_at_us=await unit.now_us(),
        )
    )


async def next_due_us(unit: Unit) -> int | None:
    """Return when something is to be sent next; None where nothing is."""
    columns = alert_deliveries.c
    query = select(columns.next_at_us).where(columns.next_at_us.is_not(None))
    return (await unit.connection.execute(query.order_by(columns.next_at_us).limit(1))).scalar()


def alert_of(row: Row[Any]) -> Alert:
    """Return the alert of a row of `alerts`."""
    return Alert(
        alert_id=str(row.alert_id),
        standing=Standing(
            source=Source(row.source),
            limit_id=row.limit_id,
            name=row.name,
            subject=row.subject,
            kind=LimitKind(row.kind),
            used=row.used,
            limit=row.limit_amount,
            period_start_us=row.period_start_us,
            period_end_us=row.period_end_us,
            bucket=row.bucket,
        ),
        threshold=row.threshold,
        severity=Severity(row.severity),
        title=row.title,
        message=row.message,
        created_at_us=row.created_at_us,
        superseded_at_us=row.superseded_at_us,
    )


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(
        webhook_id=str(row.webhook_id),
        name=row.name,
        url=row.url,
        severity_min=Severity(row.severity_min),
        enabled=row.enabled,
        created_at_us=row.created_at_us,
        updated_at_us=row.updated_at_us,
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        delivery_id=str(row.delivery_id),
        webhook_id=str(row.webhook_id),
        alert_id=str(row.alert_id),
        state=row.state,
        tries=tuple(row.tries),
        next_at_us=row.next_at_us,
        created_at_us=row.created_at_us,
    )
