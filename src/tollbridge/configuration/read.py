"""What does the configuration file declare, as a whole?"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast

import msgspec

from tollbridge.access.keys import DeclaredKey
from tollbridge.configuration.budgets import read_alerts, read_budget
from tollbridge.configuration.credit_rates import read_credit_rate
from tollbridge.configuration.endpoints import read_endpoint
from tollbridge.configuration.intake_sources import read_intake_source
from tollbridge.configuration.keys import read_key
from tollbridge.configuration.routes import read_route
from tollbridge.configuration.table import TableReader, near, type_name
from tollbridge.core.errors import ConfigurationError
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.credits import CreditRate
from tollbridge.providers.names import load_names
from tollbridge.rating.prices import FilePrice, read_file_prices
from tollbridge.recording.intake_registry import SourceNames
from tollbridge.routing.builtin import Known
from tollbridge.routing.part import DeclaredEndpoint, RouteEntry, Skipped

TABLES = ("endpoint", "route", "key", "price", "budget", "credit_rate", "intake_source")
FILE_BYTES_MAX = 4 * 1024 * 1024
ENTRIES_MAX = 100_000
PRICE_FIELDS = frozenset({"provider", "model", "rates"})


class Configuration(msgspec.Struct, frozen=True):
    """All that the file declares; empty where there is no file."""

    endpoints: tuple[DeclaredEndpoint, ...] = ()
    routes: tuple[RouteEntry, ...] = ()
    keys: tuple[DeclaredKey, ...] = ()
    prices: tuple[FilePrice, ...] = ()
    budgets: tuple[BudgetTerms, ...] = ()
    budget_alerts: Mapping[str, tuple[int, ...] | None] = MappingProxyType({})
    """At which per cent of each of these, by name, is told; None: as of all others."""
    credit_rates: tuple[CreditRate, ...] = ()
    intake_sources: tuple[SourceNames, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    endpoint_names: frozenset[str] = frozenset()
    """Every [[endpoint]] by name, skipped ones too: they replace the built-in ones."""


def read_file(
    path: Path,
    environment: Mapping[str, str],
    known: Known,
    file_bytes_max: int = FILE_BYTES_MAX,
) -> Configuration:
    """Read a file. Raises ConfigurationError, which names file, table, entry and field."""
    try:
        with path.open("rb") as file:
            content = file.read(file_bytes_max + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    if len(content) > file_bytes_max:
        raise ConfigurationError(f"{path}: over {file_bytes_max} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 at byte {error.start}") from error
    return read(text, environment, known, str(path))


def read(
    text: str,
    environment: Mapping[str, str],
    known: Known,
    file: str = "tollbridge.toml",
) -> Configuration:
    """Return what a file's text declares.

    `environment` gives the keys that the file names. Raises ConfigurationError, which names file,
    table, entry and field.
    """
    tables = _tables(text, file)
    endpoints = [read_endpoint(one, environment, known) for one in tables["endpoint"]]
    keys = [read_key(one, environment) for one in tables["key"]]
    routes = [read_route(one) for one in tables["route"]]
    providers = {
        *load_names().shown,
        *(one.provider or one.name for one in known.endpoints.values()),
        *(one.endpoint.provider for one in endpoints if not isinstance(one, Skipped)),
    }
    budgets = [read_budget(one, providers) for one in tables["budget"]]
    endpoint_names = [
        one.name if isinstance(one, Skipped) else one.endpoint.name for one in endpoints
    ]
    _unique(file, "endpoint", endpoint_names)
    _unique(file, "key", [one.name if isinstance(one, Skipped) else one.terms.name for one in keys])
    _unique(file, "route", [f"{one.model} ({one.category})" for one in routes])
    _unique(file, "budget", [one.name for one in budgets])
    rates = [read_credit_rate(one) for one in tables["credit_rate"]]
    _unique(file, "credit_rate", [f"{one.operation} {one.model}".strip() for one in rates])
    sources = [read_intake_source(one) for one in tables["intake_source"]]
    _unique(file, "intake_source", [one.source for one in sources])
    _one_name_per_key(file, keys)
    return Configuration(
        endpoints=tuple(one for one in endpoints if not isinstance(one, Skipped)),
        routes=tuple(routes),
        keys=tuple(one for one in keys if not isinstance(one, Skipped)),
        prices=_prices(file, tables["price"]),
        budgets=tuple(budgets),
        budget_alerts={
            budget.name: read_alerts(one)
            for budget, one in zip(budgets, tables["budget"], strict=True)
        },
        credit_rates=tuple(rates),
        intake_sources=tuple(sources),
        skipped=tuple(one for one in (*endpoints, *keys) if isinstance(one, Skipped)),
        endpoint_names=frozenset(endpoint_names),
    )


def _tables(text: str, file: str) -> dict[str, list[TableReader]]:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{file}: {error}") from error
    for name in document:
        if name not in TABLES:
            raise ConfigurationError(f"{file}: unknown table [[{name}]]{near(name, TABLES)}")
    return {name: _entries(file, name, document.get(name, [])) for name in TABLES}


def _entries(file: str, table: str, value: object) -> list[TableReader]:
    if isinstance(value, dict):
        raise ConfigurationError(f"{file}: write [[{table}]] with two brackets, not [{table}]")
    if not isinstance(value, list):
        raise ConfigurationError(f"{file}: {table} is a [[{table}]], not {type_name(value)}")
    entries = cast("list[object]", value)
    if len(entries) > ENTRIES_MAX:
        raise ConfigurationError(f"{file}: at most {ENTRIES_MAX} of [[{table}]]")
    readers: list[TableReader] = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise ConfigurationError(
                f"{file}: [[{table}]] no. {number} is a table, not {type_name(entry)}",
            )
        readers.append(TableReader.of(file, table, number, cast("dict[str, object]", entry)))
    return readers


def _prices(file: str, tables: Iterable[TableReader]) -> tuple[FilePrice, ...]:
    prices: list[FilePrice] = []
    for table in tables:
        table.only(PRICE_FIELDS)
        table.required("rates")
        rates = table.raw("rates")
        if not isinstance(rates, dict):
            raise table.error(f"rates is a table of unit and rate, not {type_name(rates)}")
        by_unit = cast("dict[str, object]", rates)
        prices.append(FilePrice(table.text("provider"), table.text("model"), by_unit))
    try:
        read_file_prices(prices)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error.message}") from error
    return tuple(prices)


def _unique(file: str, table: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ConfigurationError(f"{file}: [[{table}]] {name} is declared twice")
        seen.add(name)


def _one_name_per_key(file: str, keys: Iterable[DeclaredKey | Skipped]) -> None:
    name_of: dict[str, str] = {}
    for one in keys:
        if isinstance(one, Skipped) or one.key is None:
            continue
        other = name_of.setdefault(one.key, one.terms.name)
        if other != one.terms.name:
            raise ConfigurationError(
                f"{file}: [[key]] {other!r} and {one.terms.name!r} are given the same key",
            )
