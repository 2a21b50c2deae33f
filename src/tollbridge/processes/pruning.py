"""How does the office get rid of leases that have long ended?"""

import asyncio
from typing import Any

import structlog

from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import OverloadedError
from tollbridge.ledger.prune import PIECE_ROWS_MAX, prune
from tollbridge.processes.logs import cause_of
from tollbridge.storage.unit import Database

DAY_US = 86_400 * SECOND_US
PIECES_MAX = 20
"""In one go; others write between the pieces, and the rest waits for the next go."""

log: Any = structlog.get_logger()


async def prune_leases(
    database: Database, keep_days: float, piece_rows_max: int = PIECE_ROWS_MAX
) -> int:
    """Delete what has been kept long enough, at most PIECES_MAX pieces; return how many leases."""
    pruned = 0
    for _ in range(PIECES_MAX):
        async with database.write() as unit:
            before_us = await unit.now_us() - round(keep_days * DAY_US)
            piece = await prune(unit, before_us, piece_rows_max)
        pruned += piece
        if piece < piece_rows_max:
            break
        await asyncio.sleep(0)
    return pruned


async def prune_leases_forever(database: Database, keep_days: float, interval_s: float) -> None:
    """Do so again and again; while the database is away, nothing is lost but time."""
    while True:
        await asyncio.sleep(interval_s)
        try:
            await prune_leases(database, keep_days)
        except OverloadedError as error:
            log.warning("database_away", action="prune_leases", kind=cause_of(error))
