"""What does each operation take in credits?"""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.page import NextCursor, PageQuery, cut, decode_cursor
from tollbridge.api.control.page import Query as Parameters
from tollbridge.api.control.plan_views import read_usd
from tollbridge.api.control.wallet_views import Amount, credits_text, read_credits
from tollbridge.api.deps import SIGNED_IN, AdminOf, ControlOf, actor_of
from tollbridge.core.clock import to_text
from tollbridge.core.money import usd_text
from tollbridge.ledger import credit_store as store
from tollbridge.ledger.credit_store import CreditRateRow
from tollbridge.ledger.credits import MODEL_LENGTH_MAX, OPERATION_LENGTH_MAX, CreditRate, credits_of

router = APIRouter(prefix="/credit-rates", tags=["wallets"])

COUNT_MAX = 10**15
Model = Annotated[
    str,
    Field(
        max_length=MODEL_LENGTH_MAX,
        description="The name that applications ask for; empty: every model without its own rate.",
    ),
]
Operation = Annotated[
    str,
    Field(
        min_length=1,
        max_length=OPERATION_LENGTH_MAX,
        description="Such as chat_completion or image_generation; or a name of your own, for "
        "deductions that you post.",
    ),
]


class Rate(BaseModel):
    """What an operation takes: by tokens, by image, or by call."""

    operation: str
    model: str = Field(description="Empty: every model without its own rate.")
    tokens_per_credit: int | None = Field(description="After the call, in whole credits.")
    min_credits: str = Field(description="The least that a call counted by tokens takes.")
    credits_per_image: str | None = Field(description="Before the call; failed ones go back.")
    credits_per_call: str | None
    price_per_credit_usd: str | None = Field(description="What a credit is sold for.")
    source: str = Field(description="file: the configuration file alone changes it; seed or api.")
    updated_at: str
    updated_by: str


class RatePage(BaseModel):
    """A page of rates, by operation and model."""

    rates: list[Rate]
    next_cursor: NextCursor


class RateOrder(BaseModel):
    """What an operation takes from now on; exactly one way of counting."""

    model_config = ConfigDict(extra="forbid")

    operation: Operation
    model: Model = ""
    tokens_per_credit: int | None = None
    min_credits: Amount = "0"
    credits_per_image: Amount | None = None
    credits_per_call: Amount | None = None
    price_per_credit_usd: str | None = Field(default=None, max_length=40)


class RateQuery(Parameters):
    """Which rate."""

    operation: Operation
    model: Model = ""


class QuoteQuery(RateQuery):
    """For what."""

    tokens: int | None = Field(default=None, ge=0, le=COUNT_MAX)
    images: int = Field(default=0, ge=0, le=COUNT_MAX)
    images_failed: int = Field(default=0, ge=0, le=COUNT_MAX)


class Quote(BaseModel):
    """What a call takes."""

    operation: str
    model: str
    credits: str | None = Field(
        description="Null: no rate says it, or it counts tokens and none are named."
    )


@router.get("", dependencies=[SIGNED_IN])
async def list_page(query: Annotated[PageQuery, Query()], control: ControlOf) -> RatePage:
    """List what operations take in credits."""
    after = None if query.cursor is None else decode_cursor(query.cursor, tuple[str, str])
    async with control.services.database.read() as unit:
        rows = await store.list_rates(unit, after, query.limit + 1)
    page, following = cut(rows, query.limit, lambda row: (row.rate.operation, row.rate.model))
    return RatePage(rates=[_shown(row) for row in page], next_cursor=following)


@router.put("")
async def put(order: RateOrder, viewer: AdminOf, control: ControlOf) -> Rate:
    """Say what an operation takes, on all workers within a second.

    Calls of the past keep what they took.
    """
    price = order.price_per_credit_usd
    rate = CreditRate(
        operation=order.operation,
        model=order.model,
        tokens_per_credit=order.tokens_per_credit,
        min_microcredits=read_credits("min_credits", order.min_credits),
        microcredits_per_image=_read("credits_per_image", order.credits_per_image),
        microcredits_per_call=_read("credits_per_call", order.credits_per_call),
        price_per_credit_nanousd=None if price is None else read_usd("price_per_credit_usd", price),
    )
    async with control.services.database.write() as unit:
        return _shown(await store.put_rate(unit, rate, actor=actor_of(viewer)))


@router.delete("", status_code=204)
async def remove(query: Annotated[RateQuery, Query()], viewer: AdminOf, control: ControlOf) -> None:
    """Take a rate away: then that of the operation counts, or none, which is unknown, not free."""
    async with control.services.database.write() as unit:
        await store.remove_rate(unit, query.operation, query.model, actor=actor_of(viewer))


@router.get("/quote", dependencies=[SIGNED_IN])
async def quote(query: Annotated[QuoteQuery, Query()], control: ControlOf) -> Quote:
    """Say what a call of so many tokens or images takes; nothing is charged."""
    async with control.services.database.read() as unit:
        rates = await store.load_rates(unit)
    amount = credits_of(
        rates, query.operation, query.model, query.tokens, query.images, query.images_failed
    )
    return Quote(operation=query.operation, model=query.model, credits=_text(amount))


def _read(param: str, text: str | None) -> int | None:
    return None if text is None else read_credits(param, text)


def _text(microcredits: int | None) -> str | None:
    return None if microcredits is None else credits_text(microcredits)


def _shown(row: CreditRateRow) -> Rate:
    rate = row.rate
    price = rate.price_per_credit_nanousd
    return Rate(
        operation=rate.operation,
        model=rate.model,
        tokens_per_credit=rate.tokens_per_credit,
        min_credits=credits_text(rate.min_microcredits),
        credits_per_image=_text(rate.microcredits_per_image),
        credits_per_call=_text(rate.microcredits_per_call),
        price_per_credit_usd=None if price is None else usd_text(price),
        source=row.source,
        updated_at=to_text(row.updated_at_us),
        updated_by=row.updated_by,
    )
