"""Which prices are known, on whose word, and what does a call cost by them?"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from tollbridge.cli import price_changes, price_faults, rerate
from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.instants import read_instant
from tollbridge.cli.opening import opened
from tollbridge.cli.output import money_text, note, print_json, print_line, print_table, time_text
from tollbridge.cli.price_options import ConditionOption, read_pairs
from tollbridge.core.account import Rated
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.insight.price_export import price_fields, prices_as_csv
from tollbridge.insight.price_queries import list_disputes, list_events, list_prices
from tollbridge.insight.prices import Dispute, PriceEvent, PriceFilter, PriceVersion
from tollbridge.rating.book import PriceBook
from tollbridge.rating.by_hand import read_counts
from tollbridge.rating.prices import Source, Status
from tollbridge.rating.rate import rate
from tollbridge.rating.store import load_part
from tollbridge.settings import Settings

commands = typer.Typer(help="The catalogue of prices.", no_args_is_help=True)
PAGE_ROWS = 1000
SHOWN_MAX = 1000

Provider = Annotated[str | None, typer.Option(help="Of this provider only.", show_default=False)]
Model = Annotated[
    str | None, typer.Option(help="Of this model only, as it was stated.", show_default=False)
]
UnitName = Annotated[str | None, typer.Option("--unit", help="Of this unit only.")]
SourceName = Annotated[Source | None, typer.Option(help="On this word only.")]
StatusName = Annotated[Status | None, typer.Option(help="That are this only.")]
At = Annotated[
    str | None, typer.Option(help="That hold on this day or at this instant, by their source.")
]


@commands.command("list")
def list_all(
    *,
    provider: Provider = None,
    model: Model = None,
    unit: UnitName = None,
    source: SourceName = None,
    status: StatusName = None,
    at: At = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List price versions by provider, model, unit and time."""
    wanted = PriceFilter(
        provider=provider,
        model=model,
        unit=unit,
        source=source,
        status=status,
        at_us=None if at is None else read_instant("--at", at),
    )
    rows = asyncio.run(_list(load_settings(data_dir=data_dir), wanted))
    if as_json:
        print_json([price_fields(row) for row in rows])
        return
    print_table(
        ("provider", "model", "unit", "if", "USD", "per", "from", "until", "source", "status"),
        [_cells(row) for row in rows],
        right=("USD", "per"),
    )


@commands.command()
def history(
    *,
    provider: Provider = None,
    model: Model = None,
    limit: Annotated[int, typer.Option(min=1, max=SHOWN_MAX, help="How many events.")] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List what became of prices, the newest first: who, when, what and why."""

    async def read(settings: Settings) -> list[PriceEvent]:
        async with opened(settings) as database, database.read() as unit:
            return await list_events(unit, provider, model, None, limit)

    events = asyncio.run(read(load_settings(data_dir=data_dir)))
    if as_json:
        print_json([_event_fields(one) for one in events])
        return
    print_table(
        ("at (UTC)", "status", "who", "why", "provider", "model", "unit", "if", "USD", "per"),
        [
            (time_text(one.at_us), one.status, one.actor, one.reason or "-", *_cells(one.price)[:6])
            for one in events
        ],
        right=("USD", "per"),
    )


@commands.command()
def disputes(
    *, provider: Provider = None, as_json: AsJson = False, data_dir: DataDir = None
) -> None:
    """List proposed prices, each with what it contradicts."""

    async def read(settings: Settings) -> list[Dispute]:
        async with opened(settings) as database, database.read() as unit:
            return await list_disputes(unit, None, SHOWN_MAX, provider)

    found = asyncio.run(read(load_settings(data_dir=data_dir)))
    if as_json:
        print_json(
            [
                {
                    "proposed": price_fields(one.proposed),
                    "against": [price_fields(other) for other in one.against],
                }
                for one in found
            ]
        )
        return
    print_table(
        ("version", "provider", "model", "unit", "if", "USD", "per", "from", "until", "source"),
        [
            row
            for one in found
            for row in (
                (one.proposed.price_version_id, *_cells(one.proposed)[:9]),
                *[("  against", *_cells(other)[:9]) for other in one.against],
            )
        ],
        right=("USD", "per"),
    )


@commands.command()
def export(
    *,
    form: Annotated[Literal["csv", "json"], typer.Option("--format")] = "csv",
    output: Annotated[
        Path | None, typer.Option(help="A file, instead of the terminal.", show_default=False)
    ] = None,
    provider: Provider = None,
    model: Model = None,
    status: StatusName = None,
    at: At = None,
    data_dir: DataDir = None,
) -> None:
    """Write the pricing table."""
    wanted = PriceFilter(
        provider=provider,
        model=model,
        status=status,
        at_us=None if at is None else read_instant("--at", at),
    )
    rows = asyncio.run(_list(load_settings(data_dir=data_dir), wanted))
    if form == "csv":
        data = prices_as_csv(rows).encode()
    else:
        content = {"prices": [price_fields(row) for row in rows]}
        data = msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
    if output is None:
        sys.stdout.write(data.decode())
    else:
        output.write_bytes(data)
        note(f"{len(rows)} prices: {output}")


@commands.command()
def quote(
    provider: Annotated[str, typer.Argument(show_default=False)],
    model: Annotated[str, typer.Argument(show_default=False)],
    usage: Annotated[
        list[str], typer.Argument(help="UNIT=COUNT, such as input=1000.", show_default=False)
    ],
    *,
    facts: ConditionOption = None,
    at: Annotated[str | None, typer.Option(help="A day or an instant.", show_default="now")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Say what a call would cost, line by line."""
    at_us = SystemClock().now_us() if at is None else read_instant("--at", at)
    counts = read_counts(_counts(usage))
    wanted = Usage(counts, UsageSource.REPORTED, facts=read_pairs("--if", facts))

    async def read(settings: Settings) -> PriceBook:
        async with opened(settings) as database, database.read() as unit:
            return PriceBook(await load_part(unit, provider))

    book = asyncio.run(read(load_settings(data_dir=data_dir)))
    rated = rate(wanted, provider, (model,), at_us, book)
    if as_json:
        print_json(msgspec.to_builtins(rated))
        return
    _print_rated(rated)


commands.command("add")(price_changes.add)
commands.command("withdraw")(price_changes.withdraw)
commands.command("accept")(price_changes.accept)
commands.command("reject")(price_changes.reject)
commands.command("unpriced")(price_faults.unpriced)
commands.command("differences")(price_faults.differences)
commands.command("rerate")(rerate.rerate_calls)
commands.command("rerate-marked")(rerate.rerate_marked)


async def _list(settings: Settings, wanted: PriceFilter) -> list[PriceVersion]:
    rows: list[PriceVersion] = []
    async with opened(settings) as database, database.read() as unit:
        while True:
            page = await list_prices(unit, wanted, rows[-1].place if rows else None, PAGE_ROWS)
            rows += page
            if len(page) < PAGE_ROWS:
                return rows


def _cells(row: PriceVersion) -> tuple[str, ...]:
    return (
        row.provider,
        row.model,
        row.unit,
        row.conditions or "-",
        row.rate_usd or "-",
        f"{row.per:,}",
        time_text(row.valid_from_us) if row.valid_from_us else "always",
        time_text(row.valid_to_us),
        row.source,
        row.status,
    )


def _event_fields(one: PriceEvent) -> dict[str, Any]:
    fields = msgspec.structs.asdict(one)
    return {**fields, "price": price_fields(one.price)}


def _counts(usage: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, text in read_pairs("usage", usage).items():
        if not text.isascii() or not text.isdecimal() or len(text) > 16:
            raise InvalidRequestError(f"usage: {name} needs a whole number, not {text[:50]!r}")
        counts[name] = int(text)
    return counts


def _print_rated(rated: Rated) -> None:
    if rated.cost_nanousd is None:
        print_line(f"no price: {rated.unpriced_reason}")
        return
    print_table(
        ("unit", "quantity", "USD", "per", "amount", "version"),
        [
            (
                one.unit,
                f"{one.quantity:,}",
                one.rate_usd,
                f"{one.per:,}",
                one.amount_usd,
                one.price_version_id,
            )
            for one in rated.components
        ],
        right=("quantity", "USD", "per", "amount"),
    )
    print_line(f"{money_text(rated.cost_nanousd)} (rounding {rated.rounding_usd})")
