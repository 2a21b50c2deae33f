"""Who has which plan, and how does one change that from a terminal?"""

import asyncio
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import typer

from tollbridge.api.control.plan_views import IS_ENFORCED, LimitUse, shown_use
from tollbridge.api.control.subscriptions import next_plan_of, status_of
from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import money_text, print_json, print_table, time_text
from tollbridge.core.errors import NotFoundError
from tollbridge.insight.plan_queries import is_known_user, usage_of
from tollbridge.ledger import subscription_store as store
from tollbridge.ledger.plans import Used
from tollbridge.ledger.subscriptions import Cycle, Event, Period, Standing, When
from tollbridge.settings import Settings
from tollbridge.storage.unit import Unit

PAGE_ROWS = 500
EVENTS_MAX = 1000

commands = typer.Typer(help="Subscriptions: who has which plan.", no_args_is_help=True)

User = Annotated[str, typer.Argument(help="The user's name.", show_default=False)]


class Shown(msgspec.Struct, frozen=True):
    """What holds for a user now."""

    standing: Standing
    next_plan: str | None

    @property
    def document(self) -> dict[str, Any]:
        """All fields, for JSON."""
        fields: dict[str, Any] = msgspec.to_builtins(self.standing)
        plan = self.standing.plan
        fields["plan"] = None if plan is None else plan.terms.name
        for name in ("month", "period"):
            period: Period | None = getattr(self.standing, name)
            fields[name] = None if period is None else period._asdict()
        status = status_of(self.standing)
        return {**fields, "next_plan": self.next_plan, "status": status, "enforced": IS_ENFORCED}


@commands.command("list")
def list_all(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List all subscriptions by user, past ones too."""
    rows = asyncio.run(_list(load_settings(data_dir=data_dir)))
    if as_json:
        print_json([row.document for row in rows])
        return
    _print(rows)


@commands.command()
def show(user: User, *, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show which plan a user has now, and how much of its limits is used this month.

    No call is refused by a plan for now: its limits are answered by the preflight check.
    """
    row, used, uses = asyncio.run(_show(load_settings(data_dir=data_dir), user))
    if as_json:
        print_json({**row.document, "used": msgspec.to_builtins(used)})
        return
    _print([row])
    limited = [one for one in uses if not one.unlimited]
    if limited:
        print_table(
            ("limit", "used", "of", "%"),
            [(one.name, str(one.used), str(one.limit), f"{one.percentage:g}") for one in limited],
            right=("used", "of", "%"),
        )


@commands.command("set")
def put(
    user: User,
    plan: Annotated[str, typer.Argument(help="The plan's name.", show_default=False)],
    *,
    cycle: Annotated[Cycle, typer.Option(help="How it is paid for.")] = Cycle.MONTHLY,
    when: Annotated[
        When | None,
        typer.Option(
            help="From when it counts.",
            show_default="now for a dearer plan, else the period's end",
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Give a user a plan, or another one; the same again takes a cancellation back."""
    order = store.Order(user, plan, cycle, when)
    _print([asyncio.run(_subscribe(load_settings(data_dir=data_dir), order))])


@commands.command()
def cancel(
    user: User,
    *,
    when: Annotated[When, typer.Option(help="When it ends.")] = When.PERIOD_END,
    data_dir: DataDir = None,
) -> None:
    """End a user's subscription."""
    _print([asyncio.run(_cancel(load_settings(data_dir=data_dir), user, when))])


@commands.command()
def history(user: User, *, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List what became of a user's subscription, the newest first, at most 1,000 lines."""
    rows = asyncio.run(_history(load_settings(data_dir=data_dir), user))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("at", "what", "plan", "before", "cycle", "period", "until", "amount", "by"),
        [
            (
                time_text(row.at_us),
                row.kind.value,
                row.plan_name,
                row.previous_plan_name or "-",
                row.cycle.value,
                time_text(row.period_start_us),
                time_text(row.period_end_us),
                money_text(row.amount_nanousd),
                row.actor,
            )
            for row in rows
        ],
        right=("amount",),
    )


async def _list(settings: Settings) -> list[Shown]:
    shown: list[Shown] = []
    async with opened(settings) as database, database.read() as unit:
        while True:
            after = shown[-1].standing.user if shown else ""
            rows = await store.list_subscriptions(unit, None, after, PAGE_ROWS)
            shown += [await _shown(unit, settings, row.user) for row in rows]
            if len(rows) < PAGE_ROWS:
                return shown


async def _show(settings: Settings, user: str) -> tuple[Shown, Used, list[LimitUse]]:
    async with opened(settings) as database, database.read() as unit:
        await _require(unit, user)
        found = await store.standing(unit, user, _zone(settings))
        use = await usage_of(unit, user, *found.month)
        limits = {} if found.plan is None else found.plan.terms.limits
        return await _shown(unit, settings, user), use.used, shown_use(limits, use.used)


async def _subscribe(settings: Settings, order: store.Order) -> Shown:
    async with opened(settings) as database, database.write() as unit:
        await _require(unit, order.user)
        await store.subscribe(unit, order, actor=actor(), zone=_zone(settings))
        return await _shown(unit, settings, order.user)


async def _cancel(settings: Settings, user: str, when: When) -> Shown:
    async with opened(settings) as database, database.write() as unit:
        await store.cancel(unit, user, when, actor=actor(), zone=_zone(settings))
        return await _shown(unit, settings, user)


async def _history(settings: Settings, user: str) -> list[Event]:
    async with opened(settings) as database, database.write() as unit:
        await _require(unit, user)
        await store.catch_up(unit, user, _zone(settings))
        return await store.list_events(unit, user, None, EVENTS_MAX)


async def _shown(unit: Unit, settings: Settings, user: str) -> Shown:
    found = await store.standing(unit, user, _zone(settings))
    return Shown(found, await next_plan_of(unit, found.subscription))


async def _require(unit: Unit, user: str) -> None:
    if not await is_known_user(unit, user):
        raise NotFoundError(f"nothing is known of a user {user!r}")


def _zone(settings: Settings) -> ZoneInfo:
    return ZoneInfo(settings.billing_time_zone)


def _print(rows: list[Shown]) -> None:
    print_table(
        ("user", "plan", "status", "cycle", "period", "until", "then"),
        [_cells(row) for row in rows],
    )


def _cells(row: Shown) -> tuple[str, ...]:
    found = row.standing
    subscription, period = found.subscription, found.period
    return (
        found.user,
        "-" if found.plan is None else found.plan.terms.name,
        status_of(found),
        "-" if subscription is None else subscription.cycle.value,
        "-" if period is None else time_text(period.start_us),
        "-" if period is None else time_text(period.end_us),
        _then(row),
    )


def _then(row: Shown) -> str:
    subscription = row.standing.subscription
    if subscription is None:
        return "-"
    if row.next_plan is not None:
        cycle = "" if subscription.next_cycle is None else f" ({subscription.next_cycle.value})"
        return f"{row.next_plan}{cycle}"
    return "-" if subscription.ends_at_us is None else "ends"
