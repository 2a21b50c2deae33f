"""What does it cost, who does it best, and what should be changed?"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import typer
from pydantic import BaseModel, ValidationError

from tollbridge.api.control.insight import OverviewView, read_overview
from tollbridge.api.control.insight_advice import (
    RecommendationQuery,
    RecommendationsView,
    read_recommendations,
)
from tollbridge.api.control.insight_costs import (
    CostsQuery,
    CostsView,
    CounterfactualQuery,
    CounterfactualsView,
    read_costs,
    read_counterfactual,
)
from tollbridge.api.control.insight_providers import ProvidersView, read_providers
from tollbridge.api.control.insight_query import Scene, SliceQuery
from tollbridge.api.control.insight_views import NamedSums, TopList
from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.instants import read_instant
from tollbridge.cli.opening import opened
from tollbridge.cli.output import note, print_json, print_line, print_table
from tollbridge.core.clock import SystemClock, to_datetime
from tollbridge.core.errors import InvalidRequestError
from tollbridge.insight.recommend import Objective
from tollbridge.rating import store as rating_store
from tollbridge.rating.book import PriceBook
from tollbridge.routing.builtin import builtin_here, key_names
from tollbridge.settings import Settings
from tollbridge.storage.unit import Unit

Answer = TypeVar("Answer", bound=BaseModel)
Asked = TypeVar("Asked", bound=BaseModel)
commands = typer.Typer(help="Costs, providers and advice.", no_args_is_help=True)

From = Annotated[
    str | None,
    typer.Option("--from", help="Day or instant; else 30 days ago.", show_default=False),
]
To = Annotated[str | None, typer.Option(help="Not included; else now.", show_default=False)]
Month = Annotated[
    str | None, typer.Option("--month", help="YYYY-MM, instead of both.", show_default=False)
]
Category = Annotated[str, typer.Option(help="text, image, video, audio …")]


class Given(BaseModel):
    """The options that every command here has."""

    from_: str | None
    to: str | None
    month: str | None

    def time(self, zone: ZoneInfo) -> dict[str, object]:
        """Return the parameters of a time."""
        found: dict[str, object] = {}
        for name, text in (("from", self.from_), ("to", self.to)):
            if text is not None:
                found[name] = to_datetime(read_instant(f"--{name}", text, zone))
        if self.month is not None:
            found["billing_period"] = self.month
        return found


@commands.command()
def overview(
    *,
    from_: From = None,
    to: To = None,
    month: Month = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show spend, calls and success of a time, against the one before, and the dearest."""
    given = Given(from_=from_, to=to, month=month)
    settings = load_settings(data_dir=data_dir)
    query = query_of(SliceQuery, given, settings)
    found = _run(settings, lambda unit, scene, _: read_overview(unit, query, scene))
    if as_json:
        print_found(found)
        return
    _print_overview(found)


@commands.command()
def providers(
    *,
    from_: From = None,
    to: To = None,
    month: Month = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show how each provider did: success, cost per answer, how long it took."""
    given = Given(from_=from_, to=to, month=month)
    settings = load_settings(data_dir=data_dir)
    query = query_of(SliceQuery, given, settings)
    found = _run(settings, lambda unit, scene, _: read_providers(unit, query, scene))
    if as_json:
        print_found(found)
        return
    _print_providers(found)


@commands.command()
def compare(
    *,
    category: Category = "text",
    model: Annotated[
        str | None, typer.Option(help="Whoever offers this model.", show_default=False)
    ] = None,
    usage: Annotated[
        bool, typer.Option("--usage", help="What the usage of the time would have cost elsewhere.")
    ] = False,
    from_: From = None,
    to: To = None,
    month: Month = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Compare what providers charge, or what real usage would have cost with each."""
    given = Given(from_=from_, to=to, month=month)
    settings = load_settings(data_dir=data_dir)
    if usage:
        route = [] if model is None else [model]
        query = query_of(
            CounterfactualQuery, given, settings, category=[category.lower()], route=route
        )
        found = _run(
            settings, lambda unit, scene, book: read_counterfactual(unit, query, scene, book)
        )
        if not as_json:
            _print_counterfactual(found)
            return
        print_found(found)
        return
    asked = query_of(CostsQuery, given, settings, model=model)
    costs = _run(settings, lambda unit, scene, book: read_costs(unit, category, asked, scene, book))
    if as_json:
        print_found(costs)
        return
    _print_costs(costs)


@commands.command()
def recommend(
    *,
    category: Category = "text",
    objective: Annotated[Objective, typer.Option(help="What is best.")] = Objective.COST,
    min_calls: Annotated[int, typer.Option(min=1, help="Attempts that are needed.")] = 30,
    from_: From = None,
    to: To = None,
    month: Month = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Rank the providers of a category by what they really did, and say what would save money."""
    given = Given(from_=from_, to=to, month=month)
    settings = load_settings(data_dir=data_dir)
    query = query_of(
        RecommendationQuery,
        given,
        settings,
        category=[category.lower()],
        objective=objective,
        min_calls=min_calls,
    )
    found = _run(settings, lambda unit, scene, book: read_recommendations(unit, query, scene, book))
    if as_json:
        print_found(found)
        return
    _print_recommendations(found)


def query_of(shape: type[Asked], given: Given, settings: Settings, **more: object) -> Asked:
    """Return the parameters as the API takes them. Raises InvalidRequestError naming one."""
    try:
        return shape.model_validate({**given.time(ZoneInfo(settings.billing_time_zone)), **more})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InvalidRequestError(f"{name}: {first['msg']}") from error


def _run(settings: Settings, read: Callable[[Unit, Scene, PriceBook], Awaitable[Answer]]) -> Answer:
    here = key_names(builtin_here(settings.sandbox_url, os.environ))
    scene = Scene(ZoneInfo(settings.billing_time_zone), SystemClock().now_us(), None, here)

    async def answer() -> Answer:
        async with opened(settings) as database, database.read() as unit:
            book = PriceBook(await rating_store.load_part(unit))
            return await read(unit, scene, book)

    return asyncio.run(answer())


def print_found(found: BaseModel) -> None:
    """Print an answer as JSON."""
    print_json(found.model_dump(mode="json", by_alias=True))


def _print_overview(found: OverviewView) -> None:
    total = found.total
    print_line(f"{found.span.from_} to {found.span.to}")
    print_table(
        ("", "cost", "calls", "tokens", "success"),
        [
            _figures("this time", NamedSums(name=None, **total.model_dump())),
            _figures("before", NamedSums(name=None, **found.previous.model_dump())),
        ],
        right=("cost", "calls", "tokens", "success"),
    )
    for kind, top in (
        ("provider", found.providers),
        ("model", found.models),
        ("user", found.users),
        ("key", found.keys),
    ):
        _print_top(kind, top)
    note(
        f"{total.unpriced} of {total.attempts} attempts have no price, {total.estimated} estimates"
    )


def _print_top(kind: str, top: TopList) -> None:
    rows = [_figures(one.name or "-", one) for one in top.top]
    if top.rest_count:
        rest = NamedSums(name=None, **top.rest.model_dump())
        rows.append(_figures(f"{top.rest_count} others", rest))
    print_line("")
    print_table(
        (kind, "cost", "calls", "tokens", "success"),
        rows,
        right=("cost", "calls", "tokens", "success"),
    )


def _figures(name: str, sums: NamedSums) -> tuple[str, ...]:
    return (
        name,
        _money(sums.cost_usd),
        f"{sums.calls:,}",
        f"{sums.total_tokens:,}",
        _share(sums.success_rate),
    )


def _print_providers(found: ProvidersView) -> None:
    print_table(
        ("category", "provider", "enabled", "requests", "success", "per success", "p50", "p95"),
        [
            (
                one.category,
                one.provider,
                "yes" if one.enabled else "no",
                f"{one.attempts:,}",
                _share(one.attempt_success_rate),
                _money(one.cost_per_success_usd),
                _ms(one.latency_ms and one.latency_ms.p50),
                _ms(one.latency_ms and one.latency_ms.p95),
            )
            for one in found.providers
        ],
        right=("requests", "success", "per success", "p50", "p95"),
    )


def _print_costs(found: CostsView) -> None:
    print_table(
        ("provider", "model", "nominal call", "requests", "per success"),
        [
            (
                one.provider,
                one.model,
                _money(one.nominal_usd),
                f"{one.attempts:,}",
                _money(one.cost_per_success_usd),
            )
            for one in found.offers
        ],
        right=("nominal call", "requests", "per success"),
    )


def _print_counterfactual(found: CounterfactualsView) -> None:
    print_table(
        ("provider", "model", "would cost", "saves", "calls", "not priced"),
        [
            (
                one.provider,
                one.model,
                _money(one.cost_usd),
                _money(one.saving_usd),
                f"{one.calls_priced:,}",
                f"{one.calls_unpriced:,}",
            )
            for one in found.candidates
        ],
        right=("would cost", "saves", "calls", "not priced"),
    )
    for text in dict.fromkeys(text for one in found.candidates for text in one.approximations):
        note(f"approximate: {text}")


def _print_recommendations(found: RecommendationsView) -> None:
    print_line(f"recommended: {found.recommended or found.reason}")
    print_table(
        ("rank", "provider", "requests", "success", "per success", "p95", "saves", "why not"),
        [
            (
                "-" if one.rank is None else str(one.rank),
                one.provider,
                f"{one.attempts:,}",
                _share(one.success_rate),
                _money(one.cost_per_success_usd),
                _ms(one.latency_ms_p95),
                _money(one.saving_usd),
                "; ".join(one.why_not),
            )
            for one in found.ranking
        ],
        right=("rank", "requests", "success", "per success", "p95", "saves"),
    )
    for one in found.advice:
        saves = "" if one.saving_usd is None else f" (saves {_money(one.saving_usd)})"
        print_line(f"{one.priority.value}: {one.text}{saves}")


def _money(amount_usd: str | None) -> str:
    return "-" if amount_usd is None else f"${amount_usd}"


def _share(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.2f} %"


def _ms(milliseconds: int | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds} ms"
