"""Which names can applications ask for, and how does one change that from a terminal?"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import print_json, print_line, print_table
from tollbridge.core.call import Bucket, OnContentFiltered
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.models import ModelType
from tollbridge.routing import change_store, store
from tollbridge.routing.part import CandidateEntry, Order, RouteEntry, RouteRow
from tollbridge.settings import Settings
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

commands = typer.Typer(help="Routes: the names that applications ask for.", no_args_is_help=True)
PRIORITY_MAX = 1_000_000
HEDGE_AFTER_MS_MAX = 600_000

Model = Annotated[str, typer.Argument(help="What applications ask for.", show_default=False)]
CategoryOption = Annotated[ModelType, typer.Option(help="The kind of work.")]


@commands.command("list")
def list_all(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List all written routes by model and category."""
    rows = asyncio.run(_list(load_settings(data_dir=data_dir)))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("model", "category", "order", "candidates", "hedge", "from", "state"),
        [_shown(row) for row in rows],
    )


@commands.command("set")
def put(
    model: Model,
    *,
    category: CategoryOption = ModelType.TEXT,
    order: Annotated[
        Order, typer.Option(help="How its candidates are put in order.")
    ] = Order.PRIORITY,
    candidate: Annotated[
        list[str] | None,
        typer.Option(
            help="ENDPOINT, ENDPOINT=MODEL or ENDPOINT=MODEL@WEIGHT; may be given again, the first "
            "is tried first.",
            show_default="the category's endpoints, each with its default model",
        ),
    ] = None,
    hedge_after_ms: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=HEDGE_AFTER_MS_MAX,
            help="Ask the second candidate too after so long without a first byte.",
            show_default="never",
        ),
    ] = None,
    keep_content: Annotated[
        bool, typer.Option("--keep-content", help="Keep prompts and answers of its calls.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Make or replace a route, on all workers within a second; `policy` says more of it."""
    candidates = [_candidate(text, place, model) for place, text in enumerate(candidate or (), 1)]
    entry = RouteEntry(
        model=model,
        category=category.value,
        order=order.value,
        candidates=tuple(candidates),
        keep_content=keep_content,
        hedge_after_ms=hedge_after_ms,
    )

    async def work(unit: Unit) -> None:
        await change_store.put_route(unit, entry)
        details: dict[str, Any] = msgspec.to_builtins(entry)
        await audit.record(unit, actor(), "routes.put", _subject(model, category), details)

    _write(data_dir, work)
    print_line(f"route {model} ({category.value}), {order.value}: {len(candidates)} candidates")


@commands.command()
def policy(
    model: Model,
    *,
    category: CategoryOption = ModelType.TEXT,
    bucket: Annotated[
        Bucket | None,
        typer.Option(
            help="What its calls count in.", show_default="what operation and model's author say"
        ),
    ] = None,
    on_content_filtered: Annotated[
        OnContentFiltered,
        typer.Option(help="Whether what one candidate's filter refuses is asked of the next."),
    ] = OnContentFiltered.FINAL,
    data_dir: DataDir = None,
) -> None:
    """Say of a route what its calls count in, and what becomes of those that a filter refuses."""

    async def work(unit: Unit) -> None:
        row = await store.get_route(unit, (model, category.value))
        entry = msgspec.structs.replace(
            row.entry, bucket=bucket, on_content_filtered=on_content_filtered
        )
        await change_store.put_route(unit, entry)
        details: dict[str, Any] = msgspec.to_builtins(entry)
        await audit.record(unit, actor(), "routes.put", _subject(model, category), details)

    _write(data_dir, work)
    counts = "as its operation says" if bucket is None else f"in {bucket.value}"
    print_line(
        f"route {model} ({category.value}) counts {counts}; what a filter refuses: "
        f"{on_content_filtered.value}"
    )


@commands.command()
def remove(
    model: Model, *, category: CategoryOption = ModelType.TEXT, data_dir: DataDir = None
) -> None:
    """Withdraw a route that was made here or by the API."""

    async def work(unit: Unit) -> None:
        await change_store.remove_route(unit, (model, category.value))
        await audit.record(unit, actor(), "routes.remove", _subject(model, category))

    _write(data_dir, work)
    print_line(f"route {model} ({category.value}) is withdrawn")


@commands.command()
def enable(
    model: Model, *, category: CategoryOption = ModelType.TEXT, data_dir: DataDir = None
) -> None:
    """Switch a route on, on all workers within a second."""
    _switch(data_dir, model, category, enabled=True)


@commands.command()
def disable(
    model: Model, *, category: CategoryOption = ModelType.TEXT, data_dir: DataDir = None
) -> None:
    """Switch a route off, on all workers within a second."""
    _switch(data_dir, model, category, enabled=False)


@commands.command()
def detach(
    model: Model, *, category: CategoryOption = ModelType.TEXT, data_dir: DataDir = None
) -> None:
    """Take a route from the configuration file's hands."""

    async def work(unit: Unit) -> None:
        await change_store.detach_route(unit, (model, category.value))
        await audit.record(unit, actor(), "routes.detach", _subject(model, category))

    _write(data_dir, work)
    print_line(f"route {model} ({category.value}) is no longer the file's")


def _switch(data_dir: Path | None, model: str, category: ModelType, *, enabled: bool) -> None:
    async def work(unit: Unit) -> None:
        await change_store.enable_route(unit, (model, category.value), enabled=enabled)
        details = {"enabled": enabled}
        await audit.record(unit, actor(), "routes.change", _subject(model, category), details)

    _write(data_dir, work)
    print_line(f"route {model} ({category.value}): {'on' if enabled else 'off'}")


def _candidate(text: str, place: int, model: str) -> CandidateEntry:
    endpoint, _, rest = text.partition("=")
    # A model's name may have an @ of its own (claude@20240620): only a number is a weight.
    name, at, weight = rest.rpartition("@")
    if not at or not weight.isdigit():
        name, weight = rest, "1"
    if not endpoint or int(weight) > PRIORITY_MAX:
        raise InvalidRequestError(f"--candidate is ENDPOINT=MODEL@WEIGHT, not {text!r}")
    return CandidateEntry(endpoint, name or model, place, int(weight))


def _subject(model: str, category: ModelType) -> str:
    return f"route:{model} ({category.value})"


def _write(data_dir: Path | None, work: Callable[[Unit], Awaitable[None]]) -> None:
    settings = load_settings(data_dir=data_dir)

    async def run() -> None:
        async with opened(settings) as database, database.write() as unit:
            await work(unit)

    asyncio.run(run())


async def _list(settings: Settings) -> list[RouteRow]:
    async with opened(settings) as database, database.read() as unit:
        return await store.list_routes(unit)


def _shown(row: RouteRow) -> tuple[str, ...]:
    entry = row.entry
    on_or_off = "on" if row.enabled else "off"
    state = on_or_off if row.withdrawn_at_us is None else "withdrawn"
    candidates = [
        f"{one.endpoint}={one.model}{'' if one.weight == 1 else f'@{one.weight}'}"
        for one in entry.candidates
    ]
    return (
        entry.model,
        entry.category,
        entry.order,
        ", ".join(candidates) or "the category's",
        "-" if entry.hedge_after_ms is None else f"after {entry.hedge_after_ms} ms",
        row.source,
        state,
    )
