"""Who subscribes to which plan, and what became of it? All SQL of subscriptions.

Where no instant is handed in it is the database's. Renewals need no job: a row says what holds at
any moment, and `catch_up` writes the periods that have passed into the history.
"""

from datetime import tzinfo
from typing import Any

import msgspec
from sqlalchemy import Row, insert, or_, select, tuple_, update

from tollbridge.core.call import new_id
from tollbridge.core.errors import InvalidRequestError, NotFoundError
from tollbridge.ledger.plans import PlanRow
from tollbridge.ledger.plans_store import default_plan, get_plan, plan_of_id, terms_at
from tollbridge.ledger.store import PART
from tollbridge.ledger.subscription_tables import (
    USER_LENGTH_MAX,
    subscription_events,
    subscriptions,
)
from tollbridge.ledger.subscriptions import (
    Cycle,
    Event,
    Kind,
    Period,
    Standing,
    Subscription,
    When,
    default_month,
    floor_quarter,
    kind_of,
    price_of,
)
from tollbridge.ledger.wallet_plans_store import bring_credits
from tollbridge.storage import audit, versions
from tollbridge.storage.unit import Unit

ROWS_MAX = 1001
"""Most rows of any list here: a page of a thousand, and one to know that there are more."""
RENEWALS_MAX = 1200
"""Most periods that are written into a history at once: a hundred years of months."""
NOBODY = "renewal"
"""Who is named for what happened by itself."""


class Order(msgspec.Struct, frozen=True):
    """What somebody is to subscribe to."""

    user: str
    plan: str
    cycle: Cycle = Cycle.MONTHLY
    when: When | None = None
    """None: a dearer plan at once, a cheaper one or another cycle at the period's end."""


async def find_subscription(unit: Unit, user: str) -> Subscription | None:
    """Return a user's subscription as its row stands, over or not; None where there is none."""
    found = await unit.connection.execute(
        select(subscriptions).where(subscriptions.c.user_name == user)
    )
    row = found.first()
    return None if row is None else _subscription(row)


async def list_subscriptions(
    unit: Unit, user: str | None, after: str, limit: int
) -> list[Subscription]:
    """Return a page by user, of one user or all, beginning behind `after`."""
    query = select(subscriptions).where(subscriptions.c.user_name > after)
    if user is not None:
        query = query.where(subscriptions.c.user_name == user)
    found = await unit.connection.execute(
        query.order_by(subscriptions.c.user_name).limit(min(limit, ROWS_MAX))
    )
    return [_subscription(row) for row in found]


async def list_running(unit: Unit, now_us: int) -> list[Subscription]:
    """Return the subscriptions that are not over at an instant, as their rows stand."""
    ends_at_us = subscriptions.c.ends_at_us
    found = await unit.connection.execute(
        select(subscriptions).where(or_(ends_at_us.is_(None), ends_at_us > now_us))
    )
    return [_subscription(row) for row in found]


async def standing(unit: Unit, user: str, zone: tzinfo, now_us: int | None = None) -> Standing:
    """Return which plan a user has at a moment; nothing is written."""
    at_us = await unit.now_us() if now_us is None else now_us
    found = await find_subscription(unit, user)
    if found is None or found.has_ended(at_us):
        plan = await default_plan(unit)
        month = default_month(at_us, zone)
        return Standing(user=user, plan=plan, subscription=None, month=month)
    current = found.at(at_us)
    return Standing(
        user=user,
        plan=await plan_of_id(unit, current.plan_id),
        subscription=current,
        month=current.month(at_us, zone),
        period=current.period(at_us, zone),
    )


async def subscribe(
    unit: Unit, order: Order, *, actor: str, zone: tzinfo, now_us: int | None = None
) -> Subscription:
    """Give a user a plan, or another one; a cancelled one of the same terms goes on.

    Raises NotFoundError for an unknown plan, InvalidRequestError for one that is withdrawn.
    """
    if not 0 < len(order.user) <= USER_LENGTH_MAX:
        raise InvalidRequestError(f"a user's name has 1 to {USER_LENGTH_MAX} characters")
    plan = await get_plan(unit, order.plan)
    at_us = await unit.now_us() if now_us is None else now_us
    current = await catch_up(unit, order.user, zone, at_us)
    running = None if current is None or current.has_ended(at_us) else current
    if not plan.is_active and (running is None or running.plan_id != plan.plan_id):
        raise InvalidRequestError(
            f"the plan {order.plan!r} is withdrawn", details={"param": "plan"}
        )
    if running is not None and (running.plan_id, running.cycle) == (plan.plan_id, order.cycle):
        return await _resume(unit, running, plan, (actor, at_us), zone)
    before = None if running is None else await plan_of_id(unit, running.plan_id)
    kind = Kind.NEW if before is None else kind_of(before.terms, plan.terms)
    if running is not None and _when(order, kind, running, plan) is When.PERIOD_END:
        agreed = msgspec.structs.replace(
            running,
            next_plan_id=plan.plan_id,
            next_cycle=order.cycle,
            changes_at_us=running.period(at_us, zone).end_us,
            ends_at_us=None,
            updated_at_us=at_us,
        )
        await _write(unit, agreed, running)
        details = {"plan": plan.terms.name, "cycle": order.cycle.value, "when": "period_end"}
        await audit.record(unit, actor, "subscriptions.agree", f"user:{order.user}", details)
        return agreed
    made = Subscription(
        user=order.user,
        plan_id=plan.plan_id,
        cycle=order.cycle,
        anchor_us=floor_quarter(at_us),
        recorded_until_us=at_us,
        created_at_us=at_us if current is None else current.created_at_us,
        updated_at_us=at_us,
    )
    period = made.period(at_us, zone)
    made = msgspec.structs.replace(made, recorded_until_us=period.end_us)
    await _write(unit, made, current)
    previous = None if before is None else before.terms.name
    await _add_event(unit, made, (kind, at_us), period, previous, actor)
    await bring_credits(unit, made, zone, at_us)
    details = {"plan": plan.terms.name, "cycle": order.cycle.value}
    await audit.record(unit, actor, f"subscriptions.{kind.value}", f"user:{order.user}", details)
    return made


async def cancel(
    unit: Unit, user: str, when: When, *, actor: str, zone: tzinfo, now_us: int | None = None
) -> Subscription:
    """End a subscription, now or with its period. Raises NotFoundError where there is none."""
    at_us = await unit.now_us() if now_us is None else now_us
    current = await catch_up(unit, user, zone, at_us)
    if current is None or current.has_ended(at_us):
        raise NotFoundError(f"{user!r} has no subscription")
    period = current.period(at_us, zone)
    ends_at_us = at_us if when is When.NOW else period.end_us
    if current.ends_at_us == ends_at_us:
        return current
    ended = msgspec.structs.replace(
        current,
        ends_at_us=ends_at_us,
        next_plan_id=None,
        next_cycle=None,
        changes_at_us=None,
        updated_at_us=at_us,
    )
    await _write(unit, ended, current)
    await _add_event(unit, ended, (Kind.CANCEL, ends_at_us), period, None, actor)
    details = {"when": when.value}
    await audit.record(unit, actor, "subscriptions.cancel", f"user:{user}", details)
    return ended


async def catch_up(
    unit: Unit, user: str, zone: tzinfo, now_us: int | None = None
) -> Subscription | None:
    """Write the periods that have begun since into the history; return the row as it is then.

    Doing it again changes nothing.
    """
    at_us = await unit.now_us() if now_us is None else now_us
    found = await unit.connection.execute(
        select(subscriptions).where(subscriptions.c.user_name == user).with_for_update()
    )
    row = found.first()
    if row is None:
        return None
    kept = current = _subscription(row)
    for _ in range(RENEWALS_MAX):
        start_us = current.recorded_until_us
        if start_us > at_us or current.has_ended(start_us):
            break
        current = await _begin_period(unit, current, start_us, zone)
    if current != kept:
        await _write(unit, current, kept)
    return current


async def list_events(
    unit: Unit, user: str, after: tuple[int, str] | None, limit: int
) -> list[Event]:
    """Return a page of a user's history, the newest first, behind (at_us, event id)."""
    columns = subscription_events.c
    query = select(subscription_events).where(columns.user_name == user)
    if after is not None:
        query = query.where(tuple_(columns.at_us, columns.event_id) < after)
    found = await unit.connection.execute(
        query.order_by(columns.at_us.desc(), columns.event_id.desc()).limit(min(limit, ROWS_MAX))
    )
    return [_event(row) for row in found]


async def _begin_period(
    unit: Unit, before: Subscription, start_us: int, zone: tzinfo
) -> Subscription:
    """Write the period that begins at `start_us` into the history, with the change agreed then."""
    after = before.at(start_us)
    kind, previous = Kind.RENEWAL, None
    if after.plan_id != before.plan_id:
        old = await terms_at(unit, before.plan_id, start_us)
        kind = kind_of(old, await terms_at(unit, after.plan_id, start_us))
        previous = old.name
    period = after.period(start_us, zone)
    after = msgspec.structs.replace(after, recorded_until_us=period.end_us)
    await _add_event(unit, after, (kind, start_us), period, previous, NOBODY)
    return after


async def _resume(
    unit: Unit, running: Subscription, plan: PlanRow, by: tuple[str, int], zone: tzinfo
) -> Subscription:
    """Take back what was agreed for the period's end, if anything was."""
    actor, at_us = by
    if running.ends_at_us is None and running.changes_at_us is None:
        return running
    resumed = msgspec.structs.replace(
        running,
        ends_at_us=None,
        next_plan_id=None,
        next_cycle=None,
        changes_at_us=None,
        updated_at_us=at_us,
    )
    await _write(unit, resumed, running)
    period = resumed.period(at_us, zone)
    await _add_event(unit, resumed, (Kind.RESUME, at_us), period, None, actor)
    details = {"plan": plan.terms.name}
    await audit.record(unit, actor, "subscriptions.resume", f"user:{running.user}", details)
    return resumed


def _when(order: Order, kind: Kind, running: Subscription, plan: PlanRow) -> When:
    if order.when is not None:
        return order.when
    stays = running.plan_id == plan.plan_id
    return When.PERIOD_END if stays or kind is Kind.DOWNGRADE else When.NOW


async def _write(unit: Unit, row: Subscription, before: Subscription | None) -> None:
    if before is None or _holds_back(row) != _holds_back(before):
        # Before any wallet is locked: whoever changes one bumps first too.
        await versions.bump(unit, PART)
    values = msgspec.to_builtins(row)
    values["user_name"] = values.pop("user")
    changed = await unit.connection.execute(
        update(subscriptions).where(subscriptions.c.user_name == row.user).values(**values)
    )
    if changed.rowcount == 0:
        await unit.connection.execute(insert(subscriptions).values(**values))


def _holds_back(row: Subscription) -> tuple[object, ...]:
    """Return what of a subscription the workers are told of, by its plan's limits."""
    return row.plan_id, row.anchor_us, row.ends_at_us, row.changes_at_us, row.next_plan_id


async def _add_event(
    unit: Unit,
    row: Subscription,
    what: tuple[Kind, int],
    period: Period,
    previous: str | None,
    actor: str,
) -> None:
    kind, at_us = what
    recorded_at_us = await unit.now_us()
    terms = await terms_at(unit, row.plan_id, at_us)
    is_paid = kind not in {Kind.CANCEL, Kind.RESUME}
    await unit.connection.execute(
        insert(subscription_events).values(
            event_id=new_id(recorded_at_us),
            user_name=row.user,
            at_us=at_us,
            recorded_at_us=recorded_at_us,
            kind=kind.value,
            plan_id=row.plan_id,
            plan_name=terms.name,
            previous_plan_name=previous,
            cycle=row.cycle.value,
            period_start_us=period.start_us,
            period_end_us=period.end_us,
            amount_nanousd=price_of(terms, row.cycle) if is_paid else 0,
            actor=actor[: audit.ACTOR_LENGTH_MAX],
        )
    )


def _subscription(row: Row[Any]) -> Subscription:
    return Subscription(
        user=row.user_name,
        plan_id=row.plan_id,
        cycle=Cycle(row.cycle),
        anchor_us=row.anchor_us,
        ends_at_us=row.ends_at_us,
        next_plan_id=row.next_plan_id,
        next_cycle=None if row.next_cycle is None else Cycle(row.next_cycle),
        changes_at_us=row.changes_at_us,
        recorded_until_us=row.recorded_until_us,
        created_at_us=row.created_at_us,
        updated_at_us=row.updated_at_us,
    )


def _event(row: Row[Any]) -> Event:
    return Event(
        event_id=str(row.event_id),
        user=row.user_name,
        at_us=row.at_us,
        recorded_at_us=row.recorded_at_us,
        kind=Kind(row.kind),
        plan_id=row.plan_id,
        plan_name=row.plan_name,
        previous_plan_name=row.previous_plan_name,
        cycle=Cycle(row.cycle),
        period_start_us=row.period_start_us,
        period_end_us=row.period_end_us,
        amount_nanousd=row.amount_nanousd,
        actor=row.actor,
    )
