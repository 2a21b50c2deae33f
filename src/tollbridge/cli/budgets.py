"""Which budgets are there, and how does one change them from a terminal?"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import typer

from tollbridge.api.control.budget_views import budget_view, checked
from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import print_json, print_line, print_table
from tollbridge.core.amounts import UNIT_NAMES, amount_text, parse_amount
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.limits import DURABLE, LimitKind
from tollbridge.insight.pages import ROWS_MAX
from tollbridge.insight.resource_queries import BudgetNow, list_budgets
from tollbridge.ledger import store
from tollbridge.ledger.budgets import SELECTOR_FIELDS, BudgetRow, BudgetTerms
from tollbridge.settings import Settings
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

T = TypeVar("T")

commands = typer.Typer(help="Budgets: what may be spent, called or made.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The budget's name.", show_default=False)]
Limit = Annotated[
    str | None,
    typer.Option(
        help="KIND=AMOUNT such as usd=1.00, credits=250, calls=100, tokens=50000, images=10, "
        "videos=2 or audio=5; 0 allows none.",
        show_default="as it was; a new budget must name it",
    ),
]
Period = Annotated[
    str | None,
    typer.Option(
        help="hour, day, week, month, quarter, year or total.",
        show_default="as it was; month for a new budget",
    ),
]
Hard = Annotated[
    bool | None,
    typer.Option("--hard/--soft", help="Refuse calls, or only count.", show_default="hard"),
]
Subject = Annotated[
    str | None,
    typer.Option(
        help="organisation:default, project:, user:, key: or customer: and a name.",
        show_default="as it was; a new budget must name it",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        help="Which calls count: bucket=, category=, model= or provider=NAME; again for more.",
        show_default="all of the subject's",
    ),
]


@commands.command("list")
def list_all(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the budgets with what is used of them."""
    settings = load_settings(data_dir=data_dir)
    rows = asyncio.run(_list(settings))
    views = [budget_view(row) for row in rows]
    if as_json:
        print_json([one.model_dump() for one in views])
        return
    print_table(
        ("budget", "subject", "counts", "limit", "spent", "held", "left", "resets", "state"),
        [
            (
                one.name,
                one.subject,
                " ".join(
                    (one.kind, *filter(None, (one.bucket, one.category, one.model, one.provider)))
                ),
                one.limit,
                one.spent,
                one.held,
                one.left,
                one.resets_at or "never",
                ("hard" if one.hard else "soft") if one.enabled else "off",
            )
            for one in views
        ],
        right=("limit", "spent", "held", "left"),
    )


@commands.command("set")
def put(
    name: Name,
    *,
    limit: Limit = None,
    subject: Subject = None,
    period: Period = None,
    hard: Hard = None,
    only: Only = None,
    data_dir: DataDir = None,
) -> None:
    """Make a budget, or change its limit, period or hardness; it goes on counting the same."""
    selector = _selector(only or ())

    async def work(unit: Unit) -> BudgetRow:
        found = await store.find_budget(unit, name)
        said = None if limit is None else _limit(limit)
        if found is None:
            if said is None or subject is None:
                raise InvalidRequestError(f"a new budget {name!r} needs --limit and --subject")
            terms = BudgetTerms(
                name=name,
                subject=subject,
                limit_amount=said[1],
                period=period or "month",
                hard=hard is not False,
                kind=said[0],
                **selector,
            )
            row = await store.create_budget(unit, checked(terms))
            await audit.record(unit, actor(), "budgets.create", f"budget:{name}")
            return row
        if subject not in {None, found.terms.subject} or selector:
            raise InvalidRequestError("a budget keeps its subject, and which calls it counts")
        if said is not None and said[0] is not found.terms.kind:
            raise InvalidRequestError(f"the budget counts {found.terms.kind.value}, and stays so")
        terms = msgspec.structs.replace(
            found.terms,
            limit_amount=found.terms.limit_amount if said is None else said[1],
            period=period or found.terms.period,
            hard=found.terms.hard if hard is None else hard,
        )
        row = await store.change_budget(unit, checked(terms), enabled=found.enabled)
        await audit.record(unit, actor(), "budgets.change", f"budget:{name}")
        return row

    row = asyncio.run(_write(data_dir, work))
    kind, amount = row.terms.kind, row.terms.limit_amount
    unit_name = UNIT_NAMES.get(kind, kind.value)
    print_line(f"budget {name}: {amount_text(kind, amount)} {unit_name}, {row.terms.period}")


@commands.command()
def off(name: Name, *, data_dir: DataDir = None) -> None:
    """Switch a budget off: nothing is refused or counted for it."""
    _switch(data_dir, name, enabled=False)


@commands.command()
def on(name: Name, *, data_dir: DataDir = None) -> None:
    """Switch a budget on again."""
    _switch(data_dir, name, enabled=True)


def _switch(data_dir: Path | None, name: str, *, enabled: bool) -> None:
    async def work(unit: Unit) -> BudgetRow:
        found = await store.get_budget(unit, name)
        row = await store.change_budget(unit, found.terms, enabled=enabled)
        await audit.record(unit, actor(), "budgets.change", f"budget:{name}", {"enabled": enabled})
        return row

    row = asyncio.run(_write(data_dir, work))
    print_line(f"budget {name} is {'on' if row.enabled else 'off'}")


def _limit(text: str) -> tuple[LimitKind, int]:
    name, equals, amount = text.partition("=")
    kinds = {"usd" if kind is LimitKind.MONEY else kind.value: kind for kind in DURABLE}
    kind = kinds.get(name)
    if not equals or kind is None:
        raise InvalidRequestError(f"--limit is one of {', '.join(sorted(kinds))}, then =AMOUNT")
    try:
        return kind, parse_amount(kind, amount)
    except ValueError as error:
        raise InvalidRequestError(f"--limit: {error}") from error


def _selector(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value or name not in SELECTOR_FIELDS:
            raise InvalidRequestError(f"--only is one of {', '.join(SELECTOR_FIELDS)}, then =NAME")
        found[name] = value
    return found


async def _list(settings: Settings) -> list[BudgetNow]:
    zone = ZoneInfo(settings.billing_time_zone)
    rows: list[BudgetNow] = []
    async with opened(settings) as database, database.read() as unit:
        while True:
            after = rows[-1].row.terms.name if rows else ""
            page = await list_budgets(unit, zone, None, after, ROWS_MAX)
            rows += page
            if len(page) < ROWS_MAX:
                return rows


async def _write(data_dir: Path | None, work: Callable[[Unit], Awaitable[T]]) -> T:
    async with opened(load_settings(data_dir=data_dir)) as database, database.write() as unit:
        return await work(unit)
