"""How does the office get rid of leases that have long ended, and of old alerts?"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import OverloadedError
from tollbridge.ledger.alert_prune_store import prune_alerts as prune_alerts_once
from tollbridge.ledger.prune import PIECE_ROWS_MAX, prune
from tollbridge.processes.logs import cause_of
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database, Unit

DAY_US = 86_400 * SECOND_US
PIECES_MAX = 20
"""In one go; others write between the pieces, and the rest waits for the next go."""

log: Any = structlog.get_logger()


PruneOnce = Callable[[Unit, int, int], Awaitable[int]]
"""Deletes what is older than an instant, at most so many rows; returns how many."""


async def prune_leases(
    database: Database, keep_days: float, piece_rows_max: int = PIECE_ROWS_MAX
) -> int:
    """Delete what has been kept long enough, at most PIECES_MAX pieces; return how many leases."""
    return await _prune(prune, database, keep_days, piece_rows_max)


async def prune_alerts(
    database: Database, keep_days: float, piece_rows_max: int = PIECE_ROWS_MAX
) -> int:
    """Do the same with alerts and what was sent of them; return how many alerts and deliveries."""
    return await _prune(prune_alerts_once, database, keep_days, piece_rows_max)


async def prune_forever(database: Database, settings: Settings) -> None:
    """Do so again and again; while the database is away, nothing is lost but time."""
    while True:
        await asyncio.sleep(settings.spool_tidy_s)
        try:
            await prune_leases(database, settings.lease_keep_days)
            await prune_alerts(database, settings.alert_keep_days)
        except OverloadedError as error:
            log.warning("database_away", action="prune", kind=cause_of(error))


async def _prune(once: PruneOnce, database: Database, keep_days: float, rows_max: int) -> int:
    pruned = 0
    for _ in range(PIECES_MAX):
        async with database.write() as unit:
            before_us = await unit.now_us() - round(keep_days * DAY_US)
            piece = await once(unit, before_us, rows_max)
        pruned += piece
        if piece < rows_max:
            break
        await asyncio.sleep(0)
    return pruned
