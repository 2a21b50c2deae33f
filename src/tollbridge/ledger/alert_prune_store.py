"""Which alerts does nobody need any more?

One is told once for each subject, limit, period and threshold, and that it was told is known from
its row: so the highest of a period stays for as long as that period runs, however old it is.
"""

from sqlalchemy import and_, delete, exists, or_, select

from tollbridge.core.call import new_id
from tollbridge.ledger.alert_tables import alert_deliveries, alert_reads, alerts
from tollbridge.storage.unit import Unit


async def prune_alerts(unit: Unit, before_us: int, rows_max: int) -> int:
    """Delete alerts of before an instant whose period was over by then, or that are superseded.

    With them goes who has read them, and what was sent; of what stays, that goes too once it is
    older. What is still to be sent is kept. At most `rows_max` of each; returns how many rows of
    alerts and deliveries, so that as many say that there may be more.
    """
    columns, deliveries = alerts.c, alert_deliveries.c
    later = alerts.alias("later")
    # Of a wallet a period ends with the next top-up, and that is known when it is told of again.
    has_later = exists().where(
        later.c.limit_id == columns.limit_id,
        later.c.subject == columns.subject,
        later.c.period_start_us > columns.period_start_us,
    )
    unsent = select(deliveries.alert_id).where(deliveries.next_at_us.is_not(None))
    found = await unit.connection.execute(
        select(columns.alert_id)
        .where(columns.created_at_us < before_us, columns.alert_id.not_in(unsent))
        .where(
            or_(
                columns.superseded_at_us < before_us,
                columns.period_end_us < before_us,
                and_(columns.period_end_us.is_(None), has_later),
            )
        )
        .order_by(columns.created_at_us)
        .limit(rows_max)
        # What another node deletes at this moment is left to it.
        .with_for_update(skip_locked=True, of=alerts)
    )
    ids = [str(one) for one in found.scalars()]
    if ids:
        for table in (alert_deliveries, alert_reads, alerts):
            await unit.connection.execute(delete(table).where(table.c.alert_id.in_(ids)))
    # Ids begin with their millisecond: no other index is needed for what is old.
    old = (
        select(deliveries.delivery_id)
        .where(deliveries.delivery_id < new_id(max(0, before_us)), deliveries.next_at_us.is_(None))
        .order_by(deliveries.delivery_id)
        .limit(rows_max)
        .with_for_update(skip_locked=True)
    )
    sent = [str(one) for one in (await unit.connection.execute(old)).scalars()]
    if sent:
        await unit.connection.execute(
            delete(alert_deliveries).where(deliveries.delivery_id.in_(sent))
        )
    return max(len(ids), len(sent))
