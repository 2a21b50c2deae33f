"""Which candidates of a route are compared, and how does one begin and end that from a terminal?"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import typer

from tollbridge.api.control.experiments import (
    ArmResultView,
    MeasureView,
    ResultView,
    read_results,
    subject,
)
from tollbridge.api.control.insight_query import Scene
from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.insight import print_found
from tollbridge.cli.opening import opened
from tollbridge.cli.output import note, print_json, print_line, print_table
from tollbridge.core.clock import SystemClock, to_text
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.models import ModelType
from tollbridge.routing import experiment_store
from tollbridge.routing.experiment_row_store import list_experiments
from tollbridge.routing.experiments import (
    EndedBy,
    Experiment,
    ExperimentTerms,
    Objective,
)
from tollbridge.routing.part import Arm, SubjectKind
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

Found = TypeVar("Found")
commands = typer.Typer(help="Experiments: candidates of a route, compared.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The experiment's name.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why, for whoever reads it later.")]


@commands.command("list")
def list_all(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the newest experiments, running and ended ones."""
    rows = _run(data_dir, list_experiments, write=False)
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("name", "route", "by", "arms", "since", "state"),
        [
            (
                row.terms.name,
                f"{row.terms.model} ({row.terms.category})",
                row.terms.subject,
                ", ".join(f"{arm.name}@{arm.weight}" for arm in row.terms.arms),
                to_text(row.started_at_us),
                "running" if row.ended_at_us is None else f"{row.ended_by}: {row.end_reason}",
            )
            for row in rows
        ],
    )


@commands.command()
def start(
    name: Name,
    model: Annotated[str, typer.Argument(help="The route.", show_default=False)],
    *,
    arm: Annotated[
        list[str],
        typer.Option(
            help="NAME=ENDPOINT/MODEL or NAME=ENDPOINT/MODEL@WEIGHT, two or more times; the others "
            "are compared with the first.",
            show_default=False,
        ),
    ],
    category: Annotated[ModelType, typer.Option(help="The kind of work.")] = ModelType.TEXT,
    by: Annotated[
        SubjectKind, typer.Option(help="Who always gets the same arm.")
    ] = SubjectKind.USER,
    objective: Annotated[Objective, typer.Option(help="What a decision goes by.")] = Objective.COST,
    failed_share_max: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Stop where surely more of an arm's calls fail.",
            show_default="never",
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Let an experiment begin on a route, on all workers within a second."""
    terms = ExperimentTerms(
        name=name,
        model=model,
        category=category.value,
        arms=tuple(_arm(text) for text in arm),
        subject=by,
        objective=objective,
        failed_share_max=None if failed_share_max is None else Decimal(str(failed_share_max)),
    )

    async def work(unit: Unit) -> Experiment:
        made = await experiment_store.start(unit, terms, actor())
        details = msgspec.to_builtins(terms)
        await audit.record(unit, actor(), "experiments.start", subject(made), details)
        return made

    made = _run(data_dir, work)
    print_line(f"the experiment {name} runs on {model} since {to_text(made.started_at_us)}")


@commands.command()
def results(name: Name, *, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Compare the arms by cost, latency and success, with intervals that hold at every look."""
    zone = ZoneInfo(load_settings(data_dir=data_dir).billing_time_zone)
    scene = Scene(zone, SystemClock().now_us())
    found = _run(data_dir, lambda unit: read_results(unit, name, scene), write=False)
    if as_json:
        print_found(found)
        return
    _print_results(found)


@commands.command()
def stop(name: Name, *, reason: Reason = "", data_dir: DataDir = None) -> None:
    """End an experiment: from now on all calls go as the route says."""

    async def work(unit: Unit) -> Experiment:
        ended = await experiment_store.end(unit, name, EndedBy.STOPPED, reason)
        await audit.record(unit, actor(), "experiments.stop", subject(ended), {"reason": reason})
        return ended

    _run(data_dir, work)
    print_line(f"the experiment {name} has ended")


@commands.command()
def apply(
    name: Name,
    arm: Annotated[str, typer.Argument(help="The arm's name.", show_default=False)],
    *,
    reason: Reason = "",
    data_dir: DataDir = None,
) -> None:
    """Put an arm's candidate first on the route, and end the experiment if it still runs."""

    async def work(unit: Unit) -> Experiment:
        ended = await experiment_store.apply(unit, name, arm, reason)
        details = {"arm": arm, "reason": reason}
        await audit.record(unit, actor(), "experiments.apply", subject(ended), details)
        return ended

    ended = _run(data_dir, work)
    print_line(f"{arm} of {name} is first on the route {ended.terms.model}")


def _arm(text: str) -> Arm:
    name, _, rest = text.partition("=")
    endpoint, _, model = rest.partition("/")
    # A model's name may have an @ of its own: only a number is a weight.
    before, at, weight = model.rpartition("@")
    if not at or not weight.isdigit():
        before, weight = model, "1"
    if not name or not endpoint or not before:
        raise InvalidRequestError(f"--arm is NAME=ENDPOINT/MODEL@WEIGHT, not {text!r}")
    return Arm(name, endpoint, before, int(weight))


def _run(
    data_dir: Path | None, work: Callable[[Unit], Awaitable[Found]], *, write: bool = True
) -> Found:
    settings = load_settings(data_dir=data_dir)

    async def run() -> Found:
        async with (
            opened(settings) as database,
            database.write() if write else database.read() as unit,
        ):
            return await work(unit)

    return asyncio.run(run())


def _print_results(found: ResultView) -> None:
    print_line(f"counted from {found.counted.from_} to {found.counted.to}")
    print_table(
        ("arm", f"{found.experiment.subject}s", "calls", "success", "cost a call", "latency ms"),
        [_row(one) for one in found.arms],
        right=(f"{found.experiment.subject}s", "calls", "success", "cost a call", "latency ms"),
    )
    print_line(f"best by {found.experiment.objective}: {found.best or found.reason}")
    unpriced = sum(one.unpriced for one in found.arms)
    if unpriced:
        note(f"{unpriced} calls have no known cost")


def _row(one: ArmResultView) -> tuple[str, ...]:
    return (
        one.name,
        f"{one.subjects:,}",
        f"{one.calls:,}",
        _measure(one.success),
        _measure(one.cost_per_call_usd),
        _measure(one.latency_ms),
    )


def _measure(one: MeasureView) -> str:
    if one.mean is None:
        return "-"
    difference = one.difference
    if difference is None:
        return one.mean
    band = "unsure" if difference.low is None else f"{difference.low} to {difference.high}"
    return f"{one.mean} ({difference.value}: {band})"
