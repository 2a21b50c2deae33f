"""How does the office keep wallets up to date?

What has expired counts as gone to the moment, and what a plan brings is known from its month:
here both are only written down.
"""

import asyncio
from datetime import tzinfo
from typing import Any

import structlog

from tollbridge.core.errors import OverloadedError, TollbridgeError
from tollbridge.ledger.subscription_store import catch_up
from tollbridge.ledger.wallet_moves_store import touch
from tollbridge.ledger.wallet_plans_store import bring_credits, due_users
from tollbridge.ledger.wallet_store import with_expired
from tollbridge.processes.logs import cause_of
from tollbridge.storage.unit import Database

PIECE_MAX = 100
"""Wallets that are written in one go; the rest waits for the next."""

log: Any = structlog.get_logger()


async def keep_wallets(database: Database, zone: tzinfo) -> int:
    """Do what is due, at most PIECE_MAX of each; return how many wallets and users that were."""
    async with database.read() as unit:
        users = await due_users(unit, PIECE_MAX)
        expired = await with_expired(unit, PIECE_MAX)
    for user in users:
        # A unit each: wallets are locked in the order of their ids, and users are in another.
        try:
            async with database.write() as unit:
                row = await catch_up(unit, user, zone)
                if row is not None:
                    await bring_credits(unit, row, zone)
        except OverloadedError:
            raise
        except TollbridgeError as error:
            # One wallet that can take no more must not keep the others from theirs.
            log.warning("credits_not_granted", action="keep_wallets", user=user, code=error.code)
    if expired:
        async with database.write() as unit:
            await touch(unit, expired)
    return len(users) + len(expired)


async def keep_wallets_forever(database: Database, zone: tzinfo, interval_s: float) -> None:
    """Do so again and again; while the database is away, nothing is lost but time."""
    while True:
        await asyncio.sleep(interval_s)
        try:
            await keep_wallets(database, zone)
        except OverloadedError as error:
            log.warning("database_away", action="keep_wallets", kind=cause_of(error))
