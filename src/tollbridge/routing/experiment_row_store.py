"""Which experiments are there? SQL, reading alone."""

from typing import Any

import msgspec
from sqlalchemy import Row, select

from tollbridge.core.errors import NotFoundError
from tollbridge.routing.experiment_tables import experiments
from tollbridge.routing.experiments import Experiment, ExperimentTerms
from tollbridge.routing.part import Arm, Trial
from tollbridge.storage.unit import Unit

ROWS_MAX = 501
"""Most experiments that are listed: the newest, and one to know that there are more."""


async def list_experiments(unit: Unit) -> list[Experiment]:
    """Return the newest experiments, running and ended ones."""
    rows = await unit.connection.execute(
        select(experiments)
        .order_by(experiments.c.started_at_us.desc(), experiments.c.experiment_id.desc())
        .limit(ROWS_MAX)
    )
    return [_experiment(row) for row in rows]


async def get_experiment(unit: Unit, name: str) -> Experiment:
    """Return one experiment. Raises NotFoundError."""
    found = await unit.connection.execute(select(experiments).where(experiments.c.name == name))
    row = found.first()
    if row is None:
        raise NotFoundError(f"there is no experiment named {name!r}")
    return _experiment(row)


async def running(unit: Unit) -> list[Experiment]:
    """Return those that have not ended."""
    rows = await unit.connection.execute(
        select(experiments)
        .where(experiments.c.ended_at_us.is_(None))
        .order_by(experiments.c.started_at_us)
        .limit(ROWS_MAX)
    )
    return [_experiment(row) for row in rows]


async def running_trials(unit: Unit) -> tuple[Trial, ...]:
    """Return what workers need of those."""
    return tuple(one.trial for one in await running(unit))


def _experiment(row: Row[Any]) -> Experiment:
    return Experiment(
        experiment_id=str(row.experiment_id),
        terms=ExperimentTerms(
            name=row.name,
            model=row.model,
            category=row.category,
            arms=msgspec.convert(row.arms, tuple[Arm, ...]),
            subject=row.subject,
            objective=row.objective,
            failed_share_max=row.failed_share_max,
            calls_min=row.calls_min,
        ),
        started_at_us=row.started_at_us,
        actor=row.actor,
        ended_at_us=row.ended_at_us,
        ended_by=row.ended_by,
        end_reason=row.end_reason,
        applied_arm=row.applied_arm,
    )
