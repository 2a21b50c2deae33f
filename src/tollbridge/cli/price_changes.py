"""How is a price stated, taken back, accepted or rejected from a terminal?"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from tollbridge.cli.environment import DataDir, load_settings
from tollbridge.cli.instants import read_instant
from tollbridge.cli.opening import opened
from tollbridge.cli.output import print_line
from tollbridge.cli.price_options import ConditionOption, read_pairs
from tollbridge.cli.who import actor_here
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import NotFoundError
from tollbridge.insight.price_queries import find_price
from tollbridge.rating import store
from tollbridge.rating.by_hand import priced_unit
from tollbridge.rating.prices import DeclaredPrice, Source, Status, read_rate
from tollbridge.rating.store import Recorded
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

T = TypeVar("T")

Provider = Annotated[str, typer.Argument(show_default=False)]
Model = Annotated[
    str, typer.Argument(help="A name, or with * a prefix or a pattern.", show_default=False)
]
UnitName = Annotated[
    str, typer.Argument(help="Such as input, image or video_second.", show_default=False)
]
VersionId = Annotated[str, typer.Argument(help="Of `prices disputes`.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Stands in the history.", show_default=False)]


def add(
    provider: Provider,
    model: Model,
    unit: UnitName,
    rate_usd: Annotated[str, typer.Argument(help="US dollars.", show_default=False)],
    *,
    per: Annotated[
        int | None,
        typer.Option(min=1, help="The rate is for so many.", show_default="a million tokens, or 1"),
    ] = None,
    conditions: ConditionOption = None,
    window: Annotated[
        tuple[str, str],
        typer.Option("--valid", metavar="FROM TO", help='Days or instants; "" is open.'),
    ] = ("", ""),
    data_dir: DataDir = None,
) -> None:
    """State a price, on all workers within a second; the past keeps what it cost.

    It holds from now on unless --valid says otherwise; the very first price of a model, of
    whatever unit, holds always. For calls of the past: --valid, then `prices rerate`.
    """
    priced = priced_unit(unit, per)
    since, until = [read_instant("--valid", text) if text else None for text in window]
    price = DeclaredPrice(
        provider=provider,
        model=model,
        unit=priced.unit,
        rate_usd=read_rate("rate", rate_usd),
        per=priced.per,
        conditions=read_pairs("--if", conditions),
        valid_from_us=since,
        valid_to_us=until,
    )

    async def work(unit_: Unit) -> Recorded:
        details = {"unit": price.unit, "rate_usd": str(price.rate_usd)}
        subject = f"price:{price.provider}/{price.model}"
        await audit.record(unit_, actor_here(), "prices.state", subject, details)
        return await store.record_versions(
            unit_,
            [price],
            source=Source.OPERATOR,
            actor=actor_here(),
            now_us=SystemClock().now_us(),
            disputes=False,
        )

    recorded = _write(data_dir, work)
    print_line("the price is in force" if recorded.added else "that was stated before")


def withdraw(
    provider: Provider,
    model: Model,
    unit: UnitName,
    *,
    conditions: ConditionOption = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="A day or an instant.", show_default="now")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Take a price back, whoever stated it; nothing lower fills the gap."""
    unit_name = priced_unit(unit).unit
    now_us = SystemClock().now_us()
    from_us = now_us if from_ is None else read_instant("--from", from_)

    async def work(unit_: Unit) -> int:
        return await store.withdraw(
            unit_,
            provider,
            model,
            unit_name,
            read_pairs("--if", conditions),
            from_us,
            actor_here(),
            now_us=now_us,
        )

    count = _write(data_dir, work)
    if not count:
        raise NotFoundError(f"no price of {provider}/{model}: {unit_name} holds then")
    print_line(f"{count} prices are taken back")


def accept(version: VersionId, *, reason: Reason, data_dir: DataDir = None) -> None:
    """Accept a proposed price: it holds for its time from now on."""
    _change(version, Status.ACTIVE, reason, data_dir)
    print_line(f"{version} is accepted")


def reject(version: VersionId, *, reason: Reason, data_dir: DataDir = None) -> None:
    """Reject a proposed price; its source proposes it no more."""
    _change(version, Status.REJECTED, reason, data_dir)
    print_line(f"{version} is rejected")


def _change(version: str, status: Status, reason: str, data_dir: Path | None) -> None:
    async def work(unit: Unit) -> None:
        if await find_price(unit, version) is None:
            raise NotFoundError(f"there is no price version {version[:50]!r}")
        await store.change_status(
            unit,
            version,
            status,
            actor=actor_here(),
            reason=reason,
            now_us=SystemClock().now_us(),
        )

    _write(data_dir, work)


def _write(data_dir: Path | None, work: Callable[[Unit], Awaitable[T]]) -> T:
    """Do something in one unit that is written at its end."""

    async def run() -> T:
        async with opened(load_settings(data_dir=data_dir)) as database, database.write() as unit:
            return await work(unit)

    return asyncio.run(run())
