"""How does the demo's experiment come into being, and how does it go again without a trace?"""

from sqlalchemy import delete, select, update

from tollbridge.cli.demo_trial import LABEL, ROUTE, TERMS
from tollbridge.core.errors import ConflictError
from tollbridge.routing import experiment_store
from tollbridge.routing.experiment_tables import experiments
from tollbridge.routing.experiments import Experiment
from tollbridge.routing.part import Source
from tollbridge.routing.row_store import find, write_route
from tollbridge.routing.store import PART, is_route
from tollbridge.routing.tables import endpoints, route_candidates, routes
from tollbridge.storage import versions
from tollbridge.storage.unit import Unit

_ROUTE = is_route((ROUTE.model, ROUTE.category))


async def start_experiment(unit: Unit, wanted: Experiment) -> None:
    """Make its route and let it have begun in the past.

    Where an endpoint of it is not set up the route is switched off: nobody is to call it then.
    Raises ConflictError where the name of the route or of the experiment is taken.
    """
    if await find(unit, routes, _ROUTE) is not None:
        raise ConflictError(f"there is a route named {LABEL!r} already")
    await write_route(unit, ROUTE, Source.API, None)
    made = await experiment_store.start(unit, TERMS, wanted.actor)
    await unit.connection.execute(
        update(experiments)
        .where(experiments.c.experiment_id == made.experiment_id)
        .values(experiment_id=wanted.experiment_id, started_at_us=wanted.started_at_us)
    )
    asked = {one.endpoint for one in ROUTE.candidates}
    known = await unit.connection.execute(
        select(endpoints.c.name).where(endpoints.c.name.in_(sorted(asked)))
    )
    if set(known.scalars()) != asked:
        await unit.connection.execute(update(routes).where(_ROUTE).values(enabled=False))


async def remove_experiment(unit: Unit) -> None:
    """Delete the demo's experiment and its route."""
    gone = await unit.connection.execute(
        delete(experiments).where(experiments.c.name == TERMS.name)
    )
    if not gone.rowcount:
        return
    await unit.connection.execute(
        delete(route_candidates).where(route_candidates.c.route_model == LABEL)
    )
    await unit.connection.execute(delete(routes).where(routes.c.model == LABEL))
    await versions.bump(unit, PART)
