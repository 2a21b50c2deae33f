"""Which prices are known, since when, and on whose word?"""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, Field

from tollbridge.api.control.page import (
    NextCursor,
    PageQuery,
    decode_cursor,
    encode_cursor,
    instant_text,
)
from tollbridge.api.deps import SIGNED_IN, ControlOf
from tollbridge.core.clock import to_text
from tollbridge.insight.resource_queries import PriceFilter, PriceVersion, list_prices

router = APIRouter(prefix="/prices", tags=["prices"])


class PriceQuery(PageQuery):
    """Which prices."""

    provider: str | None = Field(default=None, max_length=200)
    model: str | None = Field(default=None, max_length=200)


class Price(BaseModel):
    """One price version. Rows are added and never changed; the last recorded one holds."""

    price_version_id: str
    provider: str
    model: str
    unit: str
    rate_usd: str | None = Field(description="US dollars for `per` units; null takes it back.")
    per: int
    valid_from: str
    valid_to: str | None
    recorded_at: str
    source: str = Field(description="seed (comes with the program) or file.")
    status: str = Field(description="active, or withdrawn.")
    reference: str | None = Field(description="Where the figure was read.")
    as_of: str | None


class PricePage(BaseModel):
    """A page of price versions, by provider, model, unit and time."""

    prices: list[Price]
    next_cursor: NextCursor


@router.get("", dependencies=[SIGNED_IN])
async def list_page(
    query: Annotated[PriceQuery, QueryParameters()], control: ControlOf
) -> PricePage:
    """List price versions, all that were ever recorded."""
    after = (
        None
        if query.cursor is None
        else decode_cursor(query.cursor, tuple[str, str, str, int, str])
    )
    wanted = PriceFilter(provider=query.provider, model=query.model)
    async with control.services.database.read() as unit:
        rows = await list_prices(unit, wanted, after, query.limit + 1)
    page = rows[: query.limit]
    more = len(rows) > query.limit
    return PricePage(
        prices=[_price(row) for row in page],
        next_cursor=encode_cursor(page[-1].place) if more else None,
    )


def _price(row: PriceVersion) -> Price:
    return Price(
        price_version_id=row.price_version_id,
        provider=row.provider,
        model=row.model,
        unit=row.unit,
        rate_usd=row.rate_usd,
        per=row.per,
        valid_from=to_text(row.valid_from_us),
        valid_to=instant_text(row.valid_to_us),
        recorded_at=to_text(row.recorded_at_us),
        source=row.source,
        status=row.status,
        reference=row.reference,
        as_of=row.as_of,
    )
