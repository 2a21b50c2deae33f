"""Which doors of providers are there, and how does one change them from a terminal?"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import print_json, print_line, print_table
from tollbridge.core.call import Category
from tollbridge.core.errors import ConfigurationError, InvalidRequestError
from tollbridge.core.plan import Auth, Endpoint, ProviderKey
from tollbridge.processes.places import Places
from tollbridge.processes.secrets import load_secrets
from tollbridge.routing import change_store, store
from tollbridge.routing.builtin import fault_of_address, fault_of_key, load_known
from tollbridge.routing.part import BUILT_DIALECTS, ByHand, DeclaredEndpoint, EndpointRow
from tollbridge.settings import Settings
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

commands = typer.Typer(help="Providers' endpoints.", no_args_is_help=True)
PRIORITY_MAX = 1_000_000
T = TypeVar("T")

Name = Annotated[str, typer.Argument(help="The endpoint's name.", show_default=False)]
KeyName = Annotated[str, typer.Argument(help="The key's name.", show_default=False)]
CategoryOption = Annotated[
    Category | None, typer.Option(help="For this category alone.", show_default="all")
]


@commands.command("list")
def list_all(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List all endpoints by name, without their keys."""
    rows = asyncio.run(_list(load_settings(data_dir=data_dir)))
    if as_json:
        print_json([_plain(row) for row in rows])
        return
    print_table(
        ("name", "provider", "dialect", "address", "priority", "keys", "from", "state"),
        [_shown(row) for row in rows],
        right=("priority",),
    )


@commands.command()
def add(
    name: Name,
    *,
    base_url: Annotated[str, typer.Option(help="Such as http://127.0.0.1:9000/v1.")],
    provider: Annotated[
        str | None, typer.Option(help="Who bills.", show_default="the endpoint's name")
    ] = None,
    dialect: Annotated[str, typer.Option(help="Its wire format.")] = "openai",
    auth: Annotated[Auth, typer.Option(help="In which header the key goes.")] = Auth.BEARER,
    default_model: Annotated[
        list[str] | None,
        typer.Option(help="CATEGORY=MODEL, its own model; may be given again."),
    ] = None,
    key_from_input: Annotated[
        bool, typer.Option("--key", help="Read its key from standard input.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Add or replace an endpoint, on all workers within a second; it stands behind the others."""
    if dialect not in BUILT_DIALECTS:
        raise InvalidRequestError(f"--dialect is one of {', '.join(sorted(BUILT_DIALECTS))}")
    if (fault := fault_of_address(base_url)) is not None:
        raise InvalidRequestError(f"--base-url {fault}")
    key = _read_key() if key_from_input else ""
    known = load_known().endpoints.get(name)
    endpoint = Endpoint(
        name=name,
        provider=provider or (known.provider if known else "") or name,
        dialect=dialect,
        base_url=base_url.rstrip("/"),
        api_key=key,
        default_models=dict(_pair(one) for one in default_model or ()),
        auth=auth,
    )
    settings = load_settings(data_dir=data_dir)
    master = _master(settings)

    async def work(unit: Unit) -> None:
        await change_store.put_endpoint(unit, DeclaredEndpoint(endpoint), master)
        details = {"base_url": endpoint.base_url, "has_key": bool(key)}
        await audit.record(unit, actor(), "endpoints.put", f"endpoint:{name}", details)

    _write(settings, work)
    print_line(f"endpoint {name}: {endpoint.base_url}")


@commands.command()
def remove(name: Name, *, data_dir: DataDir = None) -> None:
    """Withdraw an endpoint that was added here or by the API, with its keys."""

    async def work(unit: Unit) -> None:
        await change_store.remove_endpoint(unit, name)
        await audit.record(unit, actor(), "endpoints.remove", f"endpoint:{name}")

    _write(load_settings(data_dir=data_dir), work)
    print_line(f"endpoint {name} is withdrawn")


@commands.command()
def enable(name: Name, *, category: CategoryOption = None, data_dir: DataDir = None) -> None:
    """Switch an endpoint on, on all workers within a second."""
    _switch(data_dir, name, category, enabled=True)


@commands.command()
def disable(name: Name, *, category: CategoryOption = None, data_dir: DataDir = None) -> None:
    """Switch an endpoint off, on all workers within a second."""
    _switch(data_dir, name, category, enabled=False)


@commands.command()
def priority(
    name: Name,
    place: Annotated[
        int,
        typer.Argument(help="Lower is tried first.", min=0, max=PRIORITY_MAX, show_default=False),
    ],
    *,
    category: CategoryOption = None,
    data_dir: DataDir = None,
) -> None:
    """Move an endpoint, on all workers within a second."""
    places = {} if category is None else {category.value: place}
    change = ByHand(priority=place if category is None else None, category_priority=places)
    _change(data_dir, name, change)
    print_line(f"endpoint {name}: priority {place}{_of(category)}")


@commands.command()
def detach(name: Name, *, data_dir: DataDir = None) -> None:
    """Take an endpoint from the configuration file's hands."""

    async def work(unit: Unit) -> None:
        await change_store.detach_endpoint(unit, name)
        await audit.record(unit, actor(), "endpoints.detach", f"endpoint:{name}")

    _write(load_settings(data_dir=data_dir), work)
    print_line(f"endpoint {name} is no longer the file's")


@commands.command("add-key")
def add_key(name: Name, key: KeyName, *, data_dir: DataDir = None) -> None:
    """Give an endpoint one more key, read from standard input; all its keys take turns."""
    settings = load_settings(data_dir=data_dir)
    secret, master = _read_key(), _master(settings)

    async def work(unit: Unit) -> None:
        await change_store.add_key(unit, name, ProviderKey(key, secret), master)
        details = {"key": key}
        await audit.record(unit, actor(), "endpoints.add_key", f"endpoint:{name}", details)

    _write(settings, work)
    print_line(f"endpoint {name} has the key {key}")


@commands.command("remove-key")
def remove_key(name: Name, key: KeyName, *, data_dir: DataDir = None) -> None:
    """Delete a stored key of an endpoint."""

    async def work(unit: Unit) -> None:
        await change_store.remove_key(unit, name, key)
        details = {"key": key}
        await audit.record(unit, actor(), "endpoints.remove_key", f"endpoint:{name}", details)

    _write(load_settings(data_dir=data_dir), work)
    print_line(f"endpoint {name} no longer has the key {key}")


def _switch(data_dir: Path | None, name: str, category: Category | None, *, enabled: bool) -> None:
    categories = {} if category is None else {category.value: enabled}
    change = ByHand(enabled=enabled if category is None else None, categories=categories)
    _change(data_dir, name, change)
    print_line(f"endpoint {name}: {'on' if enabled else 'off'}{_of(category)}")


def _change(data_dir: Path | None, name: str, change: ByHand) -> None:
    async def work(unit: Unit) -> None:
        await change_store.change_endpoint(unit, name, change)
        details: dict[str, Any] = msgspec.to_builtins(change)
        await audit.record(unit, actor(), "endpoints.change", f"endpoint:{name}", details)

    _write(load_settings(data_dir=data_dir), work)


def _write(settings: Settings, work: Callable[[Unit], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened(settings) as database, database.write() as unit:
            return await work(unit)

    return asyncio.run(run())


async def _list(settings: Settings) -> list[EndpointRow]:
    async with opened(settings) as database, database.read() as unit:
        return await store.list_endpoints(unit)


def _master(settings: Settings) -> bytes:
    places = Places(settings.data_dir)
    if settings.database_url is not None and not places.secrets.is_dir():
        # A new master key would make a key that no node can open.
        raise ConfigurationError(
            f"there are no secrets in {places.secrets}: name the node's directory with --data-dir",
        )
    return load_secrets(settings, places).master


def _read_key() -> str:
    key = sys.stdin.readline().strip()
    fault = "is missing" if not key else fault_of_key(key)
    if fault is not None:
        raise InvalidRequestError(f"the key on standard input {fault}")
    return key


def _pair(text: str) -> tuple[str, str]:
    category, equals, model = text.partition("=")
    if not equals or not model or category not in {one.value for one in Category}:
        raise InvalidRequestError(f"--default-model is CATEGORY=MODEL, not {text!r}")
    return category, model


def _of(category: Category | None) -> str:
    return "" if category is None else f" for {category.value}"


def _plain(row: EndpointRow) -> dict[str, Any]:
    endpoint: dict[str, Any] = msgspec.to_builtins(row.declared.endpoint)
    return {
        **endpoint,
        "models": row.declared.models,
        "keys": list(row.keys),
        "source": row.source,
        "withdrawn_at_us": row.withdrawn_at_us,
    }


def _shown(row: EndpointRow) -> tuple[str, ...]:
    endpoint = row.declared.endpoint
    if row.withdrawn_at_us is not None:
        state = "withdrawn"
    elif not endpoint.enabled:
        state = "off"
    elif endpoint.disabled_categories:
        state = f"off for {', '.join(endpoint.disabled_categories)}"
    else:
        state = "on"
    by_category = [f"{name} {place}" for name, place in sorted(endpoint.category_priority.items())]
    return (
        endpoint.name,
        endpoint.provider,
        endpoint.dialect,
        endpoint.base_url,
        ", ".join([str(endpoint.priority), *by_category]),
        ", ".join(row.keys) or "-",
        row.source,
        state,
    )
