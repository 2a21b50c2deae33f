"""How do the credits of a plan come into the wallet of whoever subscribes to it?

Each month of a subscription brings a grant that expires with the month: when somebody subscribes,
and then whenever a month has begun. Months that nobody was there for bring nothing: their credits
would have expired by now.
"""

from collections.abc import Sequence
from datetime import tzinfo

from sqlalchemy import or_, select, update

from tollbridge.core.call import new_id
from tollbridge.ledger.plans_store import terms_at
from tollbridge.ledger.subscription_tables import subscriptions
from tollbridge.ledger.subscriptions import Subscription
from tollbridge.ledger.wallet_moves import By, Grant
from tollbridge.ledger.wallet_moves_store import find_by_key, move
from tollbridge.ledger.wallet_store import create_wallet, find_wallet, wallet_of
from tollbridge.ledger.wallets import (
    OWN_KEYS,
    GrantKind,
    Transaction,
    Wallet,
    WalletTerms,
    WalletUnit,
)
from tollbridge.storage.unit import Unit

ACTOR = "subscription"
"""Who is named for what a plan brings by itself."""


async def due_users(unit: Unit, limit: int) -> Sequence[str]:
    """Return users whose subscription has begun a month that has brought nothing yet."""
    now_us = await unit.now_us()
    columns = subscriptions.c
    found = await unit.connection.execute(
        select(columns.user_name)
        .where(
            columns.credits_until_us <= now_us,
            or_(columns.ends_at_us.is_(None), columns.ends_at_us > now_us),
        )
        .order_by(columns.credits_until_us)
        .limit(limit)
    )
    return found.scalars().all()


async def bring_credits(
    unit: Unit, row: Subscription, zone: tzinfo, now_us: int | None = None
) -> Transaction | None:
    """Grant what the running month of a subscription brings; None where there is nothing more.

    Doing it again changes nothing. The subscription's row must be locked.
    """
    at_us = await unit.now_us() if now_us is None else now_us
    if row.has_ended(at_us):
        return None
    current = row.at(at_us)
    month = current.month(at_us, zone)
    await unit.connection.execute(
        update(subscriptions)
        .where(subscriptions.c.user_name == row.user)
        .values(credits_until_us=month.end_us)
    )
    terms = await terms_at(unit, current.plan_id, at_us)
    if terms.microcredits_per_period == 0:
        return None
    wallet = await _wallet(unit, row.user)
    by = By(ACTOR, f"{OWN_KEYS}plan:{current.plan_id}:{month.start_us}")
    if month.end_us <= wallet.last_at_us or await find_by_key(unit, wallet, by.idempotency_key):
        return None
    given = Grant(
        amount=terms.microcredits_per_period,
        kind=GrantKind.PLAN,
        expires_at_us=month.end_us,
        note=terms.name,
    )
    return (await move(unit, wallet.terms.name, given, by, at_us)).transaction


async def _wallet(unit: Unit, user: str) -> Wallet:
    """Return a user's wallet of credits; it is made where there is none."""
    subject = f"user:{user}"
    found = await wallet_of(unit, subject, WalletUnit.CREDITS)
    if found is not None:
        return found
    name = subject
    if "/" in name or await find_wallet(unit, name) is not None:
        name = f"credits-{new_id(await unit.now_us())}"
    return await create_wallet(unit, WalletTerms(name, subject), actor=ACTOR)
