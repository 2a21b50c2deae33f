"""Which models are there, and how does one change them from a terminal?"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.model_fields import read_fields
from tollbridge.cli.opening import opened
from tollbridge.cli.output import count_text, note, print_json, print_line, print_table, time_text
from tollbridge.cli.who import actor_here
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.models import ModelType
from tollbridge.rating import model_store as store
from tollbridge.rating.model_changes import ModelChange, ModelFilter
from tollbridge.rating.model_costs import PriceBooks, priced
from tollbridge.rating.model_export import EXPORTED, compare, csv_of, json_of, value_of
from tollbridge.rating.model_tables import CAPABILITIES
from tollbridge.rating.models import Model
from tollbridge.settings import Settings
from tollbridge.storage.unit import Unit

commands = typer.Typer(help="The catalogue of models.", no_args_is_help=True)
PAGE_ROWS = 1000
HISTORY_ROWS_MAX = 10_000
T = TypeVar("T")

Name = Annotated[str, typer.Argument(help="The model's name.", show_default=False)]
Names = Annotated[list[str], typer.Argument(help="Names of models.", show_default=False)]
Version = Annotated[
    int | None,
    typer.Option(help="Refuse the edit where the model has another one.", show_default="any"),
]
SetOption = typer.Option(
    "--set",
    help="FIELD=VALUE, such as input_cost_per_1m=0.15 or valid_sizes=1024x1024,512x512; "
    "nothing after = takes a price, a limit or the sizes back. May be given again.",
    show_default=False,
)
Fields = Annotated[list[str], SetOption]
FieldsIfAny = Annotated[list[str] | None, SetOption]
TypeOption = Annotated[
    ModelType | None, typer.Option("--type", help="Of this type only.", show_default=False)
]
ProviderOption = Annotated[
    str | None, typer.Option(help="Of this provider only.", show_default=False)
]
ActiveOption = Annotated[
    bool | None, typer.Option("--active/--inactive", help="Only these.", show_default=False)
]


@commands.command("list")
def list_all(
    *,
    model_type: TypeOption = None,
    provider: ProviderOption = None,
    active: ActiveOption = None,
    capability: Annotated[
        list[str] | None,
        typer.Option(help="json_mode, vision or function_calling; may be given again."),
    ] = None,
    search: Annotated[
        str | None, typer.Option(help="In name, display name or description.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List models by sort order and name, with the prices in force."""
    unknown = set(capability or ()) - CAPABILITIES.keys()
    if unknown:
        raise InvalidRequestError(f"--capability is one of {', '.join(CAPABILITIES)}")
    wanted = ModelFilter(
        model_type=model_type,
        provider=provider,
        is_active=active,
        capabilities=tuple(capability or ()),
        search=search,
    )
    found = asyncio.run(_list(load_settings(data_dir=data_dir), wanted))
    if as_json:
        print_json([_shown(one) for one in found])
        return
    print_table(
        ("name", "type", "provider", "display name", "price", "context", "state", "order"),
        [
            (
                one.model_name,
                one.model_type,
                one.provider,
                one.display_name,
                one.get_display_with_pricing(),
                count_text(one.context_window),
                _state(one),
                str(one.sort_order),
            )
            for one in found
        ],
        right=("context", "order"),
    )


@commands.command()
def show(name: Name, *, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show one model with the prices in force."""
    model = asyncio.run(_read(load_settings(data_dir=data_dir), name))
    _print(model, is_json=as_json)


@commands.command()
def create(
    name: Name,
    *,
    model_type: Annotated[ModelType, typer.Option("--type", show_default=False)],
    provider: Annotated[str, typer.Option(show_default=False)],
    fields: FieldsIfAny = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Add a model, on all workers within a second."""
    given = {
        "model_name": name,
        "model_type": model_type.value,
        "provider": provider,
        **read_fields(fields or []),
    }

    async def work(unit: Unit) -> Model:
        return await store.create_model(unit, given, actor=actor_here(), now_us=_now_us())

    _print(_write(data_dir, work), is_json=as_json)


@commands.command()
def edit(
    name: Name,
    *,
    fields: Fields,
    version: Version = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Change a model, on all workers within a second; a price holds from this moment on."""
    changes = read_fields(fields)

    async def work(unit: Unit) -> Model:
        now_us = _now_us()
        edited = version
        if edited is None:
            edited = (await store.get_model(unit, name, now_us)).version
        return await store.edit_model(
            unit, name, edited, changes, actor=actor_here(), now_us=now_us
        )

    _print(_write(data_dir, work), is_json=as_json)


@commands.command()
def activate(names: Names, *, data_dir: DataDir = None) -> None:
    """Activate models, all or none."""
    _switch(data_dir, names, is_active=True)


@commands.command()
def deactivate(names: Names, *, data_dir: DataDir = None) -> None:
    """Deactivate models, all or none.

    Calls for them are refused, unless a route serves the name.
    """
    _switch(data_dir, names, is_active=False)


@commands.command("set-default")
def set_default(name: Name, *, data_dir: DataDir = None) -> None:
    """Make a model the one that calls of its type take which name none."""

    async def work(unit: Unit) -> Model:
        return await store.set_default(unit, name, actor=actor_here(), now_us=_now_us())

    model = _write(data_dir, work)
    print_line(f"{model.model_name} is the default for {model.model_type}")


@commands.command("compare")
def compare_all(names: Names, *, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show two or more models side by side; a star marks what differs."""
    if len(names) < 2:
        raise InvalidRequestError("name two models or more")
    settings = load_settings(data_dir=data_dir)
    found = asyncio.run(_read_all(settings, names))
    rows = compare(found)
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("field", *(one.model_name for one in found)),
        [(f"{row.field} *" if row.differs else row.field, *map(_text, row.values)) for row in rows],
    )


@commands.command()
def history(name: Name, *, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List a model's changes, the newest first: who, when, what, before and after."""
    changes = asyncio.run(_history(load_settings(data_dir=data_dir), name))
    if as_json:
        print_json([msgspec.to_builtins(one) for one in changes])
        return
    print_table(
        ("change", "at", "who", "action", "what"),
        [
            (str(one.change_id), time_text(one.at_us), one.actor, one.action, _difference(one))
            for one in changes
        ],
        right=("change",),
    )


@commands.command()
def restore(
    name: Name,
    change: Annotated[int, typer.Argument(help="The state after this change.", min=0)],
    *,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Bring a model back to what it was after an earlier change, its prices too."""

    async def work(unit: Unit) -> Model:
        now_us = _now_us()
        version = (await store.get_model(unit, name, now_us)).version
        return await store.restore_model(
            unit, name, change, version, actor=actor_here(), now_us=now_us
        )

    _print(_write(data_dir, work), is_json=as_json)


@commands.command()
def export(
    *,
    form: Annotated[
        Literal["csv", "json"], typer.Option("--format", help="Of the pricing table.")
    ] = "csv",
    output: Annotated[
        Path | None, typer.Option(help="A file, instead of the terminal.", show_default=False)
    ] = None,
    model_type: TypeOption = None,
    provider: ProviderOption = None,
    active: ActiveOption = None,
    data_dir: DataDir = None,
) -> None:
    """Write the pricing table, with the prices in force."""
    wanted = ModelFilter(model_type=model_type, provider=provider, is_active=active)
    found = asyncio.run(_list(load_settings(data_dir=data_dir), wanted))
    data = csv_of(found).encode() if form == "csv" else json_of(found) + b"\n"
    if output is None:
        sys.stdout.write(data.decode())
    else:
        output.write_bytes(data)
        note(f"{len(found)} models: {output}")


def _now_us() -> int:
    return SystemClock().now_us()


def _write(data_dir: Path | None, work: Callable[[Unit], Awaitable[T]]) -> T:
    """Do something in one unit that is written at its end."""

    async def run() -> T:
        settings = load_settings(data_dir=data_dir)
        async with opened(settings) as database, database.write() as unit:
            return await work(unit)

    return asyncio.run(run())


def _switch(data_dir: Path | None, names: list[str], *, is_active: bool) -> None:
    async def work(unit: Unit) -> list[Model]:
        return await store.switch_models(
            unit, names, is_active=is_active, actor=actor_here(), now_us=_now_us()
        )

    for model in _write(data_dir, work):
        print_line(f"{model.model_name}: {_state(model)}")


async def _list(settings: Settings, wanted: ModelFilter) -> list[Model]:
    rows: list[Model] = []
    now_us = _now_us()
    async with opened(settings) as database, database.read() as unit:
        book = await PriceBooks().current(unit)
        while True:
            last = (rows[-1].sort_order, rows[-1].model_name) if rows else None
            page = await store.list_models(unit, wanted, last, PAGE_ROWS)
            rows += page
            if len(page) < PAGE_ROWS:
                return [priced(row, book, now_us) for row in rows]


async def _read(settings: Settings, name: str) -> Model:
    async with opened(settings) as database, database.read() as unit:
        return await store.get_model(unit, name, _now_us())


async def _read_all(settings: Settings, names: list[str]) -> list[Model]:
    async with opened(settings) as database, database.read() as unit:
        return await store.get_models(unit, names, _now_us())


async def _history(settings: Settings, name: str) -> list[ModelChange]:
    async with opened(settings) as database, database.read() as unit:
        await store.get_model(unit, name, _now_us())
        return await store.list_changes(unit, name, None, HISTORY_ROWS_MAX)


def _print(model: Model, *, is_json: bool) -> None:
    if is_json:
        print_json(_shown(model))
        return
    fields = (*EXPORTED, "origin", "version")
    print_table(
        ("field", "value"),
        [(field, _text(value_of(model, field))) for field in fields],
    )


def _shown(model: Model) -> dict[str, Any]:
    return {
        **{field: value_of(model, field) for field in EXPORTED},
        "pricing_display": model.get_display_with_pricing(),
        "origin": model.origin,
        "version": model.version,
    }


def _state(model: Model) -> str:
    if model.is_default:
        return "default"
    return "active" if model.is_active else "inactive"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(one) for one in cast("list[Any]", value))
    return str(value)


def _difference(change: ModelChange) -> str:
    if change.before is None:
        return ""
    return "; ".join(
        f"{field}: {_text(before)} → {_text(after)}"
        for field, (before, after) in change.changed.items()
    )
