"""What does each operation take in credits, and how does one change that from a terminal?"""

import asyncio
from typing import Annotated

import typer

from tollbridge.api.control.plan_views import read_usd
from tollbridge.api.control.wallet_views import credits_text, read_credits
from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import count_text, money_text, print_json, print_line, print_table
from tollbridge.ledger import credit_store as store
from tollbridge.ledger.credit_store import CreditRateRow
from tollbridge.ledger.credits import CreditRate
from tollbridge.settings import Settings

commands = typer.Typer(
    help="Credit rates: what operations take from wallets.", no_args_is_help=True
)

Operation = Annotated[
    str, typer.Argument(help="Such as chat_completion or image_generation.", show_default=False)
]
Model = Annotated[
    str,
    typer.Option(
        help="The name that applications ask for.", show_default="every model without its own"
    ),
]


@commands.command("list")
def list_all(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List what operations take, by operation and model."""
    rows = asyncio.run(_list(load_settings(data_dir=data_dir)))
    if as_json:
        print_json(rows)
        return
    print_table(
        ("operation", "model", "tokens a credit", "min", "an image", "a call", "price"),
        [
            (
                row.rate.operation,
                row.rate.model or "(every other)",
                count_text(row.rate.tokens_per_credit),
                credits_text(row.rate.min_microcredits),
                _text(row.rate.microcredits_per_image),
                _text(row.rate.microcredits_per_call),
                money_text(row.rate.price_per_credit_nanousd),
            )
            for row in rows
        ],
        right=("tokens a credit", "min", "an image", "a call", "price"),
    )


@commands.command("set")
def put(
    operation: Operation,
    *,
    model: Model = "",
    tokens_per_credit: Annotated[
        int | None, typer.Option(help="Counted after the call.", show_default=False)
    ] = None,
    min_credits: Annotated[str, typer.Option(help="The least that a call takes.")] = "0",
    per_image: Annotated[
        str | None, typer.Option(help="Credits for an image.", show_default=False)
    ] = None,
    per_call: Annotated[
        str | None, typer.Option(help="Credits for a call.", show_default=False)
    ] = None,
    price: Annotated[
        str | None, typer.Option(help="What a credit is sold for, in USD.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Say what an operation takes from now on, by tokens, by image or by call."""
    rate = CreditRate(
        operation,
        model,
        tokens_per_credit,
        read_credits("--min-credits", min_credits),
        None if per_image is None else read_credits("--per-image", per_image),
        None if per_call is None else read_credits("--per-call", per_call),
        None if price is None else read_usd("--price", price),
    )
    asyncio.run(_put(load_settings(data_dir=data_dir), rate))
    print_line(f"credit rate of {operation} {model or '(every other model)'} is set")


@commands.command()
def remove(operation: Operation, *, model: Model = "", data_dir: DataDir = None) -> None:
    """Take a rate away: then that of the operation counts, or none, which is unknown, not free."""
    asyncio.run(_remove(load_settings(data_dir=data_dir), operation, model))
    print_line(f"credit rate of {operation} {model or '(every other model)'} is gone")


async def _list(settings: Settings) -> list[CreditRateRow]:
    found: list[CreditRateRow] = []
    after: tuple[str, str] | None = None
    async with opened(settings) as database, database.read() as unit:
        while page := await store.list_rates(unit, after):
            found += page
            after = (page[-1].rate.operation, page[-1].rate.model)
    return found


async def _put(settings: Settings, rate: CreditRate) -> None:
    async with opened(settings) as database, database.write() as unit:
        await store.put_rate(unit, rate, actor=actor())


async def _remove(settings: Settings, operation: str, model: str) -> None:
    async with opened(settings) as database, database.write() as unit:
        await store.remove_rate(unit, operation, model, actor=actor())


def _text(microcredits: int | None) -> str:
    return "-" if microcredits is None else credits_text(microcredits)
