"""Who stops an experiment whose arm fails too often?"""

import asyncio
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from tollbridge.core.errors import ConflictError, NotFoundError, OverloadedError
from tollbridge.insight.experiment import broken_guardrail
from tollbridge.insight.experiment_results import guarded_span, subjects_of
from tollbridge.processes.logs import cause_of
from tollbridge.routing.experiment_row_store import running
from tollbridge.routing.experiment_store import end
from tollbridge.routing.experiments import EndedBy
from tollbridge.settings import Settings
from tollbridge.storage import audit
from tollbridge.storage.unit import Database

ACTOR = "guardrail"

log: Any = structlog.get_logger()


async def guard_experiments(database: Database, zone: tzinfo) -> list[str]:
    """Stop each running experiment of which an arm surely fails too often; return their names."""
    broken: dict[str, str] = {}
    async with database.read() as unit:
        now_us = await unit.now_us()
        for one in await running(unit):
            if one.terms.failed_share_max is None:
                continue
            arms = await subjects_of(unit, one, guarded_span(one, now_us), zone)
            why = broken_guardrail(one.terms, arms)
            if why is not None:
                broken[one.terms.name] = why
    for name, why in broken.items():
        async with database.write() as unit:
            try:
                await end(unit, name, EndedBy.GUARDED, why)
            except (ConflictError, NotFoundError):
                continue  # somebody was faster
            await audit.record(
                unit, ACTOR, "experiments.stop", f"experiment:{name}", {"reason": why}
            )
    return list(broken)


async def guard_experiments_forever(database: Database, settings: Settings) -> None:
    """Do so again and again; while the database is away, routes go on as they are."""
    zone = ZoneInfo(settings.billing_time_zone)
    while True:
        await asyncio.sleep(settings.experiment_guard_s)
        try:
            for name in await guard_experiments(database, zone):
                log.warning("experiment_stopped", action="guard", experiment=name)
        except OverloadedError as error:
            log.warning("database_away", action="guard", kind=cause_of(error))
