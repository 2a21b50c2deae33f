"""What does whose wallet hold, and how does one put something into it from a terminal?"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from tollbridge.api.control import wallet_views as views
from tollbridge.api.control.page import instant_us
from tollbridge.api.control.plan_views import read_usd
from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import count_text, print_json, print_line, print_table, time_text
from tollbridge.core.call import new_id
from tollbridge.core.clock import SystemClock, to_us
from tollbridge.core.errors import InvalidRequestError
from tollbridge.insight import wallet_queries as queries
from tollbridge.ledger import wallet_store as store
from tollbridge.ledger.wallet_moves import Adjust, AnyMove, By, Grant, Purchase, Refund, check_key
from tollbridge.ledger.wallet_moves_store import Done, Recalling, move_in_time
from tollbridge.ledger.wallets import GrantKind, Wallet, WalletTerms, WalletUnit
from tollbridge.storage.unit import Unit

T = TypeVar("T")
PAGE_ROWS = 500

commands = typer.Typer(help="Wallets: credits and money that are paid from.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The wallet's name.", show_default=False)]
AmountArgument = Annotated[
    str, typer.Argument(help="Decimal number, in the wallet's unit.", show_default=False)
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key",
        help="The same again does nothing.",
        show_default="a new one: again does it again",
    ),
]
NoteOption = Annotated[str, typer.Option(help="For whoever reads the statement.")]
ExpiresOption = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="In UTC.", show_default="never"),
]
PriorityOption = Annotated[
    int | None,
    typer.Option(help="0 to 1000, the lowest is spent first.", show_default="by its kind"),
]


@commands.command("list")
def list_all(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the wallets with what they hold now."""

    async def work(unit: Unit) -> list[views.WalletShown]:
        shown: list[views.WalletShown] = []
        after = ""
        while page := await queries.list_wallets(unit, None, after, PAGE_ROWS):
            shown += await views.shown_wallets(unit, page)
            after = page[-1].terms.name
        return shown

    _print_wallets(asyncio.run(_read(data_dir, work)), as_json=as_json)


@commands.command()
def show(name: Name, *, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show what a wallet holds now, and what of it expires soon."""

    async def work(unit: Unit) -> list[views.WalletShown]:
        return await views.shown_wallets(unit, [await store.get_wallet(unit, name)])

    rows = asyncio.run(_read(data_dir, work))
    _print_wallets(rows, as_json=as_json)
    if not as_json and rows[0].expiring:
        print_table(
            ("expires", "amount"),
            [(one.expires_at, one.amount) for one in rows[0].expiring],
            right=("amount",),
        )


@commands.command()
def create(
    name: Name,
    subject: Annotated[
        str, typer.Argument(help="Whose it is, such as user:ada.", show_default=False)
    ],
    *,
    counted: Annotated[WalletUnit, typer.Option("--unit", help="What it counts.")] = (
        WalletUnit.CREDITS
    ),
    overdraft: Annotated[str, typer.Option(help="How far below nothing it may go.")] = "0",
    data_dir: DataDir = None,
) -> None:
    """Make a wallet; from now on its subject's calls are charged to it."""
    terms = WalletTerms(name, subject, counted, views.read_amount("overdraft", overdraft, counted))
    asyncio.run(_write(data_dir, lambda unit: store.create_wallet(unit, terms, actor=actor())))
    print_line(f"wallet {name} of {subject}: 0 {counted.value}")


@commands.command()
def purchase(
    name: Name,
    amount: AmountArgument,
    *,
    price: Annotated[
        str | None, typer.Option(help="What was paid, in USD.", show_default=False)
    ] = None,
    expires: ExpiresOption = None,
    note: NoteOption = "",
    idempotency_key: KeyOption = None,
    data_dir: DataDir = None,
) -> None:
    """Put into a wallet what somebody has paid for."""
    paid = None if price is None else read_usd("price", price)
    _move(
        data_dir,
        name,
        idempotency_key,
        lambda wallet: Purchase(
            amount=_amount(wallet, amount),
            price_nanousd=paid,
            expires_at_us=instant_us(_utc(expires)),
            note=note,
        ),
    )


@commands.command()
def grant(
    name: Name,
    amount: AmountArgument,
    *,
    kind: Annotated[GrantKind, typer.Option(help="What it is.")] = GrantKind.PROMOTIONAL,
    expires: ExpiresOption = None,
    priority: PriorityOption = None,
    note: NoteOption = "",
    idempotency_key: KeyOption = None,
    data_dir: DataDir = None,
) -> None:
    """Give a wallet something."""
    _move(
        data_dir,
        name,
        idempotency_key,
        lambda wallet: Grant(
            amount=_amount(wallet, amount),
            kind=kind,
            priority=priority,
            expires_at_us=instant_us(_utc(expires)),
            note=note,
        ),
    )


@commands.command()
def refund(
    name: Name,
    transaction: Annotated[
        int, typer.Argument(help="The number of the deduction.", show_default=False)
    ],
    *,
    amount: Annotated[
        str | None, typer.Option(help="How much of it.", show_default="what is left of it")
    ] = None,
    note: NoteOption = "",
    idempotency_key: KeyOption = None,
    data_dir: DataDir = None,
) -> None:
    """Give a deduction back to the grants that it came from."""
    _move(
        data_dir,
        name,
        idempotency_key,
        lambda wallet: Refund(
            number=transaction,
            amount=None if amount is None else _amount(wallet, amount),
            note=note,
        ),
    )


@commands.command()
def adjust(
    name: Name,
    amount: Annotated[
        str,
        typer.Argument(help="What it changes by; after -- where it is negative, as in -- -5."),
    ],
    note: Annotated[str, typer.Argument(help="Why.", show_default=False)],
    *,
    idempotency_key: KeyOption = None,
    data_dir: DataDir = None,
) -> None:
    """Correct a balance, up or down; down to what is there."""
    _move(
        data_dir,
        name,
        idempotency_key,
        lambda wallet: Adjust(amount=_amount(wallet, amount), note=note),
    )


@commands.command()
def transactions(
    name: Name,
    *,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List a wallet's statement with the running balance, the newest first."""

    async def work(unit: Unit) -> list[views.TransactionShown]:
        wallet = await store.get_wallet(unit, name)
        nothing = queries.StatementFilter()
        found = await queries.list_transactions(unit, wallet.wallet_id, nothing, None, rows)
        return [views.shown_transaction(one, wallet.terms.unit) for one in found]

    found = asyncio.run(_read(data_dir, work))
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    print_table(
        ("no.", "at", "what", "amount", "balance", "about", "operation", "model", "tokens", "note"),
        [
            (
                str(one.number),
                one.posted_at[:19],
                one.kind.value if one.phase.value == "single" else f"{one.kind} ({one.phase})",
                one.amount,
                one.balance_after,
                count_text(one.about),
                one.operation or "-",
                one.model or "-",
                count_text(one.tokens),
                one.note,
            )
            for one in found
        ],
        right=("no.", "amount", "balance", "about", "tokens"),
    )


@commands.command()
def balance(
    name: Name,
    *,
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="In UTC.", show_default="now"),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Print a balance as of an instant; for one of the past it never changes again."""

    async def work(unit: Unit) -> tuple[Wallet, int, int]:
        now_us = await unit.now_us()
        at_us = now_us if at is None else to_us(at.replace(tzinfo=UTC))
        if at_us > now_us:
            raise InvalidRequestError("--at is in the future")
        wallet = await store.get_wallet(unit, name)
        return wallet, at_us, await store.balance_at(unit, name, at_us)

    wallet, at_us, amount = asyncio.run(_write(data_dir, work))
    unit = wallet.terms.unit
    print_line(f"{time_text(at_us)}: {views.shown_amount(amount, unit)} {unit.value}")


def _move(
    data_dir: Path | None, name: str, key: str | None, wanted: Callable[[Wallet], AnyMove]
) -> None:
    if key is not None:
        check_key(key)
    by = By(actor(), key or new_id(SystemClock().now_us()))

    settings = load_settings(data_dir=data_dir)

    async def work() -> Done:
        async with opened(settings) as database:
            async with database.read() as unit:
                asked = wanted(await store.get_wallet(unit, name))
            recalling = Recalling(settings.wallet_recall_wait_ms / 1000)
            return await move_in_time(database, name, asked, by, recalling)

    done = asyncio.run(work())
    unit = done.wallet.terms.unit
    row = done.transaction
    again = " (done before)" if done.replayed else ""
    print_line(
        f"transaction {row.number}: {views.shown_amount(row.amount, unit)}, "
        f"balance {views.shown_amount(row.balance_after, unit)} {unit.value}{again}"
    )


def _print_wallets(rows: list[views.WalletShown], *, as_json: bool) -> None:
    if as_json:
        print_json([row.model_dump(mode="json") for row in rows])
        return
    print_table(
        ("wallet", "subject", "unit", "balance", "held", "leased", "available", "state"),
        [
            (
                row.name,
                row.subject,
                row.unit.value,
                row.balance,
                row.held,
                row.leased,
                row.available,
                "on" if row.enabled else "off",
            )
            for row in rows
        ],
        right=("balance", "held", "leased", "available"),
    )


def _amount(wallet: Wallet, text: str) -> int:
    return views.read_amount("amount", text, wallet.terms.unit)


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)


async def _read(data_dir: Path | None, work: Callable[[Unit], Awaitable[T]]) -> T:
    settings = load_settings(data_dir=data_dir)
    async with opened(settings) as database, database.read() as unit:
        return await work(unit)


async def _write(data_dir: Path | None, work: Callable[[Unit], Awaitable[T]]) -> T:
    settings = load_settings(data_dir=data_dir)
    async with opened(settings) as database, database.write() as unit:
        return await work(unit)
