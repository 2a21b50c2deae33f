"""Which candidates of a route are compared, what was found, and what follows from it?"""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.endpoint_views import ModelName
from tollbridge.api.control.insight_query import Scene, scene_of
from tollbridge.api.control.insight_views import Span, span_view
from tollbridge.api.control.page import instant_text
from tollbridge.api.deps import SIGNED_IN, AdminOf, ControlOf, actor_of
from tollbridge.core.clock import to_text
from tollbridge.core.models import ModelType
from tollbridge.core.money import usd_text
from tollbridge.insight.experiment import ArmResult, Difference, result_of
from tollbridge.insight.experiment_results import counted_span, subjects_of
from tollbridge.insight.statistics import share
from tollbridge.routing import experiment_store
from tollbridge.routing.experiment_row_store import get_experiment, list_experiments
from tollbridge.routing.experiments import (
    ARMS_MAX,
    CALLS_MIN,
    NAME_LENGTH_MAX,
    WEIGHT_MAX,
    EndedBy,
    Experiment,
    ExperimentTerms,
    Objective,
)
from tollbridge.routing.part import Arm, SubjectKind
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/experiments", tags=["experiments"])
REASON_LENGTH_MAX = 500
CALLS_MOST = 1_000_000_000
ShortName = Annotated[
    str, Field(min_length=1, max_length=NAME_LENGTH_MAX, description="No comma, blank or =.")
]


class ArmView(BaseModel):
    """One candidate of the route, and its share of the users or keys."""

    model_config = ConfigDict(extra="forbid")

    name: ShortName
    endpoint: Annotated[str, Field(min_length=1, max_length=128)]
    model: ModelName
    weight: Annotated[int, Field(ge=1, le=WEIGHT_MAX)] = 1


class ExperimentOrder(BaseModel):
    """An experiment that is to begin."""

    model_config = ConfigDict(extra="forbid")

    name: ShortName
    model: ModelName = Field(description="The route: what applications ask for.")
    category: ModelType = ModelType.TEXT
    subject: SubjectKind = Field(
        default=SubjectKind.USER, description="user or key: who always gets the same arm."
    )
    arms: Annotated[list[ArmView], Field(min_length=2, max_length=ARMS_MAX)] = Field(
        description="The others are compared with the first."
    )
    objective: Objective = Field(
        default=Objective.COST, description="cost, latency or success: what a decision goes by."
    )
    failed_share_max: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="The experiment stops where surely more of an arm's calls fail; null: never.",
    )
    calls_min: Annotated[int, Field(ge=1, le=CALLS_MOST)] = Field(
        default=CALLS_MIN, description="Calls of an arm below which it is not judged."
    )


class ExperimentView(BaseModel):
    """An experiment. Its calls bear the tag `experiment:<name>=<arm>`."""

    name: str
    model: str
    category: str
    subject: str
    arms: list[ArmView]
    objective: str
    failed_share_max: float | None
    calls_min: int
    running: bool
    started_at: str
    started_by: str
    ended_at: str | None
    ended_by: str | None = Field(description="stopped, guarded or applied.")
    end_reason: str | None
    applied_arm: str | None = Field(description="The arm that was put first on the route.")


class ExperimentList(BaseModel):
    """The newest experiments."""

    experiments: list[ExperimentView]


class DifferenceView(BaseModel):
    """Against the first arm. The bounds hold at all looks together, with 95 % confidence."""

    value: str
    low: str | None = Field(description="Null: too few users or keys to say.")
    high: str | None
    sure: bool = Field(description="Whether it is not nothing.")


class MeasureView(BaseModel):
    """One measure of an arm, and what it has more than the first arm."""

    mean: str | None = Field(description="Decimal text; null without calls.")
    difference: DifferenceView | None = Field(description="Null of the first arm.")


class ArmResultView(BaseModel):
    """What the calls of an arm came to, whoever served them in the end."""

    name: str
    subjects: int = Field(description="Users or keys.")
    calls: int
    completed: int
    success_rate: float | None
    cost_usd: str = Field(description="Of what is known.")
    unpriced: int = Field(description="Calls whose cost is not known.")
    cost_per_call_usd: MeasureView
    latency_ms: MeasureView = Field(description="Of all attempts of a call.")
    success: MeasureView = Field(description="Share of calls, 0 to 1.")


class ResultView(BaseModel):
    """What an experiment has found so far."""

    experiment: ExperimentView
    counted: Span = Field(description="Whole quarter hours in which it ran.")
    arms: list[ArmResultView]
    best: str | None = Field(description="By the objective; null: nothing is sure.")
    reason: str | None = Field(description="Why there is no best; else null.")


class End(BaseModel):
    """Why it ends."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=REASON_LENGTH_MAX)] = ""


class Decision(End):
    """Which arm is put first on the route."""

    arm: ShortName


@router.get("", dependencies=[SIGNED_IN])
async def list_all(control: ControlOf) -> ExperimentList:
    """List the newest experiments, running and ended ones."""
    async with control.services.database.read() as unit:
        rows = await list_experiments(unit)
    return ExperimentList(experiments=[experiment_view(row) for row in rows])


@router.post("", status_code=201)
async def start(order: ExperimentOrder, admin: AdminOf, control: ControlOf) -> ExperimentView:
    """Let an experiment begin on a route, on all workers within a second.

    Each user or key always gets the same arm: its candidate is asked first, the others are there
    to fall back on. 409 where the route has one already.
    """
    async with control.services.database.write() as unit:
        made = await experiment_store.start(unit, terms_of(order), actor_of(admin))
        details = order.model_dump(mode="json")
        await audit.record(unit, actor_of(admin), "experiments.start", subject(made), details)
    return experiment_view(made)


@router.get("/{name}", dependencies=[SIGNED_IN])
async def show(name: str, control: ControlOf) -> ExperimentView:
    """Show an experiment."""
    async with control.services.database.read() as unit:
        return experiment_view(await get_experiment(unit, name))


@router.get("/{name}/results")
async def show_results(name: str, admin: AdminOf, control: ControlOf) -> ResultView:
    """Compare the arms by cost, latency and success, with intervals that hold at every look.

    What the route's calls came to by arm, whoever served them in the end: so an arm pays for the
    fallbacks that it causes.
    """
    async with control.services.database.read() as unit:
        return await read_results(unit, name, scene_of(admin, control))


@router.post("/{name}/stop")
async def stop(name: str, why: End, admin: AdminOf, control: ControlOf) -> ExperimentView:
    """End an experiment: from now on all calls go as the route says. 409 where it has ended."""
    async with control.services.database.write() as unit:
        ended = await experiment_store.end(unit, name, EndedBy.STOPPED, why.reason)
        details = {"reason": why.reason}
        await audit.record(unit, actor_of(admin), "experiments.stop", subject(ended), details)
    return experiment_view(ended)


@router.post("/{name}/apply")
async def apply(name: str, wanted: Decision, admin: AdminOf, control: ControlOf) -> ExperimentView:
    """Put an arm's candidate first on the route, and end the experiment if it still runs.

    The route's order becomes that by priority. 409 where the configuration file declares it.
    """
    async with control.services.database.write() as unit:
        ended = await experiment_store.apply(unit, name, wanted.arm, wanted.reason)
        details = {"arm": wanted.arm, "reason": wanted.reason}
        await audit.record(unit, actor_of(admin), "experiments.apply", subject(ended), details)
    return experiment_view(ended)


async def read_results(unit: Unit, name: str, scene: Scene) -> ResultView:
    """Return what an experiment has found. Raises NotFoundError."""
    found = await get_experiment(unit, name)
    span = counted_span(found, scene.now_us)
    result = result_of(found.terms, await subjects_of(unit, found, span, scene.zone))
    return ResultView(
        experiment=experiment_view(found),
        counted=span_view(*span),
        arms=[_arm_view(one) for one in result.arms],
        best=result.best,
        reason=result.reason,
    )


def terms_of(order: ExperimentOrder) -> ExperimentTerms:
    """Return what an experiment says."""
    most = order.failed_share_max
    return ExperimentTerms(
        name=order.name,
        model=order.model,
        category=order.category.value,
        arms=tuple(Arm(one.name, one.endpoint, one.model, one.weight) for one in order.arms),
        subject=order.subject,
        objective=order.objective,
        failed_share_max=None if most is None else Decimal(str(most)),
        calls_min=order.calls_min,
    )


def subject(found: Experiment) -> str:
    """Return what the audit log calls an experiment."""
    return f"experiment:{found.terms.name}"


def experiment_view(found: Experiment) -> ExperimentView:
    """Return how an experiment is shown."""
    terms = found.terms
    most = terms.failed_share_max
    return ExperimentView(
        name=terms.name,
        model=terms.model,
        category=terms.category,
        subject=str(terms.subject),
        arms=[
            ArmView(name=arm.name, endpoint=arm.endpoint, model=arm.model, weight=arm.weight)
            for arm in terms.arms
        ],
        objective=str(terms.objective),
        failed_share_max=None if most is None else float(most),
        calls_min=terms.calls_min,
        running=found.ended_at_us is None,
        started_at=to_text(found.started_at_us),
        started_by=found.actor,
        ended_at=instant_text(found.ended_at_us),
        ended_by=found.ended_by,
        end_reason=found.end_reason or None,
        applied_arm=found.applied_arm,
    )


def _arm_view(one: ArmResult) -> ArmResultView:
    return ArmResultView(
        name=one.name,
        subjects=one.subjects,
        calls=one.calls,
        completed=one.completed,
        success_rate=share(one.completed, one.calls),
        cost_usd=usd_text(one.cost_nanousd),
        unpriced=one.unpriced,
        cost_per_call_usd=_measure(one, Objective.COST),
        latency_ms=_measure(one, Objective.LATENCY),
        success=_measure(one, Objective.SUCCESS),
    )


def _measure(one: ArmResult, what: Objective) -> MeasureView:
    mean, found = one.means.get(what), one.differences.get(what)
    return MeasureView(
        mean=None if mean is None else _words(what, mean.value),
        difference=None if found is None else _difference(what, found),
    )


def _difference(what: Objective, found: Difference) -> DifferenceView:
    return DifferenceView(
        value=_words(what, found.value),
        low=None if found.low is None else _words(what, found.low),
        high=None if found.high is None else _words(what, found.high),
        sure=found.is_sure,
    )


def _words(what: Objective, value: float) -> str:
    """Return a mean as text: US dollars to a nano-dollar, milliseconds, or a share."""
    if what is Objective.COST:
        return usd_text(round(value))
    return f"{value:.1f}" if what is Objective.LATENCY else f"{value:.6f}"
