"""Which experiments are there, and how do they begin and end?"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import insert, update

from tollbridge.core.call import new_id
from tollbridge.core.errors import ConflictError, NotFoundError
from tollbridge.routing import change_store
from tollbridge.routing.experiment_row_store import get_experiment, list_experiments
from tollbridge.routing.experiment_tables import REASON_LENGTH_MAX, experiments
from tollbridge.routing.experiments import (
    EndedBy,
    Experiment,
    ExperimentTerms,
    check_terms,
    decided,
)
from tollbridge.routing.part import Arm
from tollbridge.routing.store import PART, get_route
from tollbridge.storage import versions
from tollbridge.storage.unit import Unit


async def start(unit: Unit, terms: ExperimentTerms, actor: str) -> Experiment:
    """Let an experiment begin, on all workers within a second.

    Raises NotFoundError without such a route, InvalidRequestError for terms that do not fit it,
    ConflictError where the name is taken or the route has an experiment already.
    """
    # First: whoever does the same at this moment waits here, and then finds what was written.
    await versions.bump(unit, PART)
    row = await get_route(unit, (terms.model, terms.category))
    if row.withdrawn_at_us is not None or not row.enabled:
        raise ConflictError(f"the route {terms.model!r} is not in use")
    check_terms(terms, row.entry)
    for other in await list_experiments(unit):
        if other.terms.name == terms.name:
            raise ConflictError(f"there is an experiment named {terms.name!r} already")
        is_here = (other.terms.model, other.terms.category) == (terms.model, terms.category)
        if is_here and other.ended_at_us is None:
            raise ConflictError(
                f"the route {terms.model!r} has an experiment already: {other.terms.name!r}"
            )
    now_us = await unit.now_us()
    made = Experiment(new_id(now_us), terms, now_us, actor)
    values = msgspec.structs.asdict(terms)
    values["arms"] = msgspec.to_builtins(terms.arms)
    await unit.connection.execute(
        insert(experiments).values(
            experiment_id=made.experiment_id,
            started_at_us=now_us,
            actor=actor,
            **{**values, "subject": str(terms.subject), "objective": str(terms.objective)},
        )
    )
    return made


async def end(
    unit: Unit, name: str, by: EndedBy, reason: str, *, applied_arm: str | None = None
) -> Experiment:
    """Let a running experiment end: calls go as the route says.

    Raises NotFoundError; ConflictError where it has ended.
    """
    await versions.bump(unit, PART)
    found = await get_experiment(unit, name)
    if found.ended_at_us is not None:
        raise ConflictError(f"the experiment {name!r} has ended already")
    values = {
        "ended_at_us": await unit.now_us(),
        "ended_by": by.value,
        "end_reason": reason[:REASON_LENGTH_MAX],
        "applied_arm": applied_arm,
    }
    await unit.connection.execute(
        update(experiments)
        .where(
            experiments.c.experiment_id == found.experiment_id,
            experiments.c.ended_at_us.is_(None),
        )
        .values(values)
    )
    return await get_experiment(unit, name)


async def apply(unit: Unit, name: str, arm_name: str, reason: str) -> Experiment:
    """Put an arm's candidate first on the route, and end the experiment if it still runs.

    Raises NotFoundError for an unknown experiment or arm, ConflictError where the configuration
    file declares the route, or where another arm was applied.
    """
    found = await get_experiment(unit, name)
    arm = arm_named(found, arm_name)
    if found.applied_arm not in {None, arm_name}:
        raise ConflictError(f"the arm {found.applied_arm!r} was applied already")
    row = await get_route(unit, (found.terms.model, found.terms.category))
    await change_store.put_route(unit, decided(row.entry, arm))
    if found.ended_at_us is None:
        return await end(unit, name, EndedBy.APPLIED, reason, applied_arm=arm_name)
    await unit.connection.execute(
        update(experiments)
        .where(experiments.c.experiment_id == found.experiment_id)
        .values(applied_arm=arm_name)
    )
    return await get_experiment(unit, name)


def arm_named(found: Experiment, name: str) -> Arm:
    """Return an arm. Raises NotFoundError."""
    for arm in found.terms.arms:
        if arm.name == name:
            return arm
    names: Sequence[str] = [arm.name for arm in found.terms.arms]
    raise NotFoundError(f"there is no arm {name!r}; there are {', '.join(names)}")
