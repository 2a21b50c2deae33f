"""What do the days ahead bring, and how long do budgets and wallets last?"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo

import typer
from pydantic import BaseModel

from tollbridge.api.control.forecast import (
    ForecastQuery,
    ForecastView,
    OutlookPage,
    OutlookQuery,
    read_forecast,
    read_outlook,
)
from tollbridge.api.control.forecast_views import Amounts
from tollbridge.api.control.insight_query import Scene
from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.insight import From, Given, Month, To, commands, print_found, query_of
from tollbridge.cli.opening import opened
from tollbridge.cli.output import note, print_line, print_table
from tollbridge.core.clock import SystemClock
from tollbridge.insight.axes import Axis
from tollbridge.insight.forecast_usage import Measure
from tollbridge.insight.foretell import Forecaster
from tollbridge.processes.guest import make_forecaster
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database

Answer = TypeVar("Answer", bound=BaseModel)
Confidence = Annotated[float, typer.Option(min=0.5, max=0.99, help="How much the band is to hold.")]


@commands.command()
def forecast(
    *,
    group_by: Annotated[
        Axis | None, typer.Option(help="A series for each.", show_default=False)
    ] = None,
    measure: Annotated[Measure, typer.Option(help="What is forecast.")] = Measure.COST,
    top: Annotated[int, typer.Option(min=1, help="So many series; the others as one.")] = 10,
    from_: From = None,
    to: To = None,
    month: Month = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Forecast cost or usage to the end of the month, and 30 and 90 days ahead."""
    given = Given(from_=from_, to=to, month=month)
    settings = load_settings(data_dir=data_dir)
    query = query_of(
        ForecastQuery,
        given,
        settings,
        group_by=None if group_by is None else group_by.value,
        measure=measure,
        top=top,
    )
    found = _run(settings, lambda database, scene, by: read_forecast(database, query, scene, by))
    if as_json:
        print_found(found)
        return
    _print_forecast(found)


@commands.command()
def outlook(
    *,
    what: Annotated[
        Literal["budget", "wallet", "plan"], typer.Argument(help="budget, wallet or plan")
    ] = "budget",
    confidence: Confidence = 0.9,
    limit: Annotated[int, typer.Option(min=1, max=200, help="So many, by name.")] = 200,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Tell on which day each budget or limit of a plan is used up, or each wallet empty."""
    settings = load_settings(data_dir=data_dir)
    query = OutlookQuery(what=what, confidence=confidence, limit=limit)
    found = _run(settings, lambda database, scene, by: read_outlook(database, query, scene, by))
    if as_json:
        print_found(found)
        return
    _print_outlook(found)


def _run(
    settings: Settings, read: Callable[[Database, Scene, Forecaster], Awaitable[Answer]]
) -> Answer:
    scene = Scene(ZoneInfo(settings.billing_time_zone), SystemClock().now_us())

    async def answer() -> Answer:
        by = make_forecaster(settings)
        try:
            async with opened(settings) as database:
                return await read(database, scene, by)
        finally:
            if by.models is not None:
                await by.models.close()

    return asyncio.run(answer())


def _print_forecast(found: ForecastView) -> None:
    print_line(f"learnt from {found.learnt_from.from_} to {found.learnt_from.to}")
    rows: list[tuple[str, ...]] = []
    for one in found.series:
        name = "others" if one.is_rest else one.group or "all"
        if one.reason is not None:
            rows.append((name, one.reason, "", "", "", "", ""))
            continue
        month = "-" if one.month is None else _band(one.month)
        error = "-"
        if one.accuracy is not None and one.accuracy.relative_error is not None:
            error = f"{100 * one.accuracy.relative_error:.0f} %"
        ends = [_band(horizon) for horizon in one.horizons]
        rows.append((name, "", month, *ends, one.model or "", error))
    print_table(
        (found.group_by or "", "", "month", "30 days", "90 days", "model", "error a day"),
        rows,
        right=("month", "30 days", "90 days", "error a day"),
    )
    if found.unpriced:
        note(f"{found.unpriced} attempts have no price and are not in it")
    if found.note is not None:
        note(found.note)


def _print_outlook(found: OutlookPage) -> None:
    print_table(
        ("name", "subject", "left", "used up on", "between", "model", ""),
        [
            (
                one.name,
                one.subject,
                f"{one.left} {one.kind}",
                "-"
                if one.used_up is None
                else "already"
                if one.used_up.already
                else one.used_up.expected or f"not in {one.days} days",
                "-"
                if one.used_up is None
                else f"{one.used_up.earliest or '…'} and {one.used_up.latest or '…'}",
                one.model or "",
                one.reason or "",
            )
            for one in found.outlooks
        ],
        right=("left",),
    )
    if found.note is not None:
        note(found.note)


def _band(one: Amounts) -> str:
    return f"{one.expected} ({one.low} to {one.high})"
