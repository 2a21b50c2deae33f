"""Which plans are there, and how does one change them from a terminal?"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from tollbridge.api.control.plan_views import changed_limits, outer_name, read_usd
from tollbridge.api.control.wallet_views import credits_text, read_credits
from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import money_text, print_json, print_line, print_table, time_text
from tollbridge.core.errors import InvalidRequestError
from tollbridge.ledger import plans_store as store
from tollbridge.ledger.plans import MONTHLY_COST, RULES, PlanRow, PlanTerms, PlanVersion, Tier
from tollbridge.storage.unit import Unit

T = TypeVar("T")
UNLIMITED = "unlimited"

commands = typer.Typer(help="Plans: what users may use.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The plan's name.", show_default=False)]
MonthlyOption = Annotated[
    str | None, typer.Option(help="USD for a month.", show_default="as it was, else 0")
]
YearlyOption = Annotated[
    str | None, typer.Option(help="USD for a year.", show_default="as it was, else 0")
]
LimitOption = Annotated[
    list[str] | None,
    typer.Option(
        help="NAME=NUMBER such as video_calls=10 or monthly_cost_usd=25; 0 allows none, "
        "NAME=unlimited takes it away; again for more.",
        show_default="as they were, else unlimited",
    ),
]


@commands.command("list")
def list_all(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the plans with their prices."""
    rows = asyncio.run(_read(data_dir, store.list_plans))
    if as_json:
        print_json([_document(row) for row in rows])
        return
    print_table(
        ("plan", "tier", "monthly", "yearly", "monthly cost", "text calls", "state"),
        [
            (
                row.terms.name,
                row.terms.tier.value,
                money_text(row.terms.price_monthly_nanousd),
                money_text(row.terms.price_yearly_nanousd),
                _amount(MONTHLY_COST, row.terms.limit(MONTHLY_COST)),
                _amount("text_calls", row.terms.limit("text_calls")),
                _state(row),
            )
            for row in rows
        ],
        right=("monthly", "yearly", "monthly cost", "text calls"),
    )


@commands.command()
def show(name: Name, *, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show a plan with all of its limits."""
    row = asyncio.run(_read(data_dir, lambda unit: store.get_plan(unit, name)))
    if as_json:
        print_json(_document(row))
        return
    terms = row.terms
    print_line(
        f"{terms.name} ({terms.tier.value}), {money_text(terms.price_monthly_nanousd)} a month, "
        f"{money_text(terms.price_yearly_nanousd)} a year, "
        f"{credits_text(terms.microcredits_per_period)} credits a month, "
        f"{_state(row)}, version {row.version}"
    )
    limits = [(outer_name(one), _amount(one, terms.limit(one))) for one in RULES]
    print_table(("limit", "amount"), limits, right=("amount",))


@commands.command("set")
def put(
    name: Name,
    *,
    tier: Annotated[
        Tier | None,
        typer.Option(help="Its standing.", show_default="as it was; a new plan must name it"),
    ] = None,
    monthly: MonthlyOption = None,
    yearly: YearlyOption = None,
    limit: LimitOption = None,
    description: Annotated[
        str | None, typer.Option(help="A sentence.", show_default="as it was")
    ] = None,
    credits_each: Annotated[
        str | None,
        typer.Option("--credits", help="Credits for each month.", show_default="as it was, else 0"),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a plan, or change one: at once, for everybody who has it."""

    async def work(unit: Unit) -> PlanRow:
        found = await store.find_plan(unit, name)
        before = PlanTerms(
            name=name, tier=Tier.FREE, price_monthly_nanousd=0, price_yearly_nanousd=0
        )
        if found is not None:
            before = found.terms
        elif tier is None:
            raise InvalidRequestError(f"there is no plan {name!r}: a new one needs --tier")
        terms = msgspec.structs.replace(
            before,
            tier=tier or before.tier,
            price_monthly_nanousd=before.price_monthly_nanousd
            if monthly is None
            else read_usd("--monthly", monthly),
            price_yearly_nanousd=before.price_yearly_nanousd
            if yearly is None
            else read_usd("--yearly", yearly),
            limits=changed_limits(before.limits, _limits(limit or ())),
            description=before.description if description is None else description,
            microcredits_per_period=before.microcredits_per_period
            if credits_each is None
            else read_credits("--credits", credits_each),
        )
        if found is None:
            return await store.create_plan(unit, terms, actor=actor())
        return await store.change_plan(unit, name, terms, actor=actor())

    row = asyncio.run(_write(data_dir, work))
    print_line(f"plan {row.terms.name}: version {row.version}")


@commands.command()
def withdraw(name: Name, *, data_dir: DataDir = None) -> None:
    """Withdraw a plan: nobody can subscribe to it any more, who has it keeps it."""
    _switch(data_dir, name, is_active=False)


@commands.command()
def offer(name: Name, *, data_dir: DataDir = None) -> None:
    """Offer a plan again that was withdrawn."""
    _switch(data_dir, name, is_active=True)


@commands.command()
def default(
    name: Annotated[
        str | None,
        typer.Argument(help="The plan.", show_default="none: no plan's limits hold then"),
    ] = None,
    *,
    data_dir: DataDir = None,
) -> None:
    """Say which plan holds for whoever has no subscription."""
    asyncio.run(_write(data_dir, lambda unit: store.set_default(unit, name, actor=actor())))
    print_line(f"without a subscription: {name or 'no plan'}")


@commands.command()
def history(name: Name, *, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List what a plan said, the newest first."""

    async def work(unit: Unit) -> list[PlanVersion]:
        return await store.list_versions(unit, await store.get_plan(unit, name))

    rows = asyncio.run(_read(data_dir, work))
    if as_json:
        print_json([_document(row) for row in rows])
        return
    print_table(
        ("version", "since", "by", "monthly", "yearly", "limits"),
        [
            (
                str(row.version),
                time_text(row.changed_at_us),
                row.changed_by,
                money_text(row.terms.price_monthly_nanousd),
                money_text(row.terms.price_yearly_nanousd),
                ", ".join(
                    f"{outer_name(one)} {_amount(one, amount)}"
                    for one, amount in row.terms.limits.items()
                )
                or UNLIMITED,
            )
            for row in rows
        ],
    )


def _switch(data_dir: Path | None, name: str, *, is_active: bool) -> None:
    async def work(unit: Unit) -> PlanRow:
        return await store.switch_plan(unit, name, is_active=is_active, actor=actor())

    row = asyncio.run(_write(data_dir, work))
    print_line(f"plan {row.terms.name} is {_state(row)}")


def _limits(texts: Sequence[str]) -> dict[str, int | str | None]:
    limits: dict[str, int | str | None] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise InvalidRequestError(f"--limit is NAME=NUMBER or NAME=unlimited, not {text!r}")
        if value == UNLIMITED:
            limits[name] = None
        else:
            limits[name] = int(value) if value.isascii() and value.isdigit() else value
    return limits


def _document(row: PlanRow | PlanVersion) -> dict[str, Any]:
    """Return all fields, and every limit there may be: null is unlimited, 0 allows none."""
    document: dict[str, Any] = msgspec.to_builtins(row)
    document["terms"]["limits"] = {name: row.terms.limit(name) for name in RULES}
    return document


def _state(row: PlanRow) -> str:
    state = "offered" if row.is_active else "withdrawn"
    return f"{state}, default" if row.is_default else state


def _amount(name: str, amount: int | None) -> str:
    if amount is None:
        return UNLIMITED
    return money_text(amount) if name == MONTHLY_COST else str(amount)


async def _read(data_dir: Path | None, work: Callable[[Unit], Awaitable[T]]) -> T:
    settings = load_settings(data_dir=data_dir)
    async with opened(settings) as database, database.read() as unit:
        return await work(unit)


async def _write(data_dir: Path | None, work: Callable[[Unit], Awaitable[T]]) -> T:
    settings = load_settings(data_dir=data_dir)
    async with opened(settings) as database, database.write() as unit:
        return await work(unit)
