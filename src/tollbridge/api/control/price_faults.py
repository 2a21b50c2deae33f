"""Which calls have no price, and for which does the provider charge something else?"""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as QueryParameters

from tollbridge.api.control.page import cut, decode_cursor, encode_cursor
from tollbridge.api.control.price_views import (
    DifferencePage,
    DifferenceQuery,
    ProviderQuery,
    UnpricedPage,
    difference_view,
    unpriced_view,
)
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.core.clock import SECOND_US, to_us
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import parse_usd, to_nanousd
from tollbridge.insight.prices import Tolerance, Whose
from tollbridge.insight.queries import is_call_id
from tollbridge.insight.unpriced_queries import list_differences, list_unpriced

router = APIRouter(prefix="/prices", tags=["prices"])
LOOKED_BACK_US = 30 * 86_400 * SECOND_US
PERCENT_MAX = Decimal(100_000)
TOLERANCE_USD_MAX = Decimal(1_000_000)


@router.get("/unpriced")
async def unpriced(
    query: Annotated[ProviderQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> UnpricedPage:
    """List what was called and has no price, the largest first; no admin: by their own user.

    State a price and rate the calls again (`tollbridge prices rerate`): they leave this list.
    """
    after = None if query.cursor is None else decode_cursor(query.cursor, tuple[int, str, str, str])
    wanted = Whose(provider=query.provider, sight=viewer.sight)
    async with control.services.database.read() as unit:
        rows = await list_unpriced(unit, wanted, after, query.limit + 1)
    page, following = cut(rows, query.limit, lambda row: row.place)
    return UnpricedPage(
        unpriced=unpriced_view(page),
        next_cursor=following,
    )


@router.get("/differences")
async def differences(
    query: Annotated[DifferenceQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> DifferencePage:
    """List calls whose reported charge is not what our prices give, the newest first.

    Looks at no more than 10,000 calls for one page. Whoever is no admin sees their user's.
    """
    after = None if query.cursor is None else decode_cursor(query.cursor, tuple[int, str])
    if after is not None and not is_call_id(after[1]):
        raise InvalidRequestError(
            "the cursor is not one of this list's", details={"param": "cursor"}
        )
    now_us = control.services.clock.now_us()
    end_us = now_us if query.to is None else to_us(query.to)
    from_us = end_us - LOOKED_BACK_US if query.from_ is None else to_us(query.from_)
    tolerance = read_tolerance(query.tolerance_percent, query.tolerance_usd)
    wanted = Whose(provider=query.provider, sight=viewer.sight)
    async with control.services.database.read() as unit:
        page = await list_differences(
            unit, wanted, (from_us, end_us), tolerance, after, query.limit
        )
    return DifferencePage(
        differences=[difference_view(row) for row in page.differences],
        calls_scanned=page.scanned,
        next_cursor=None if page.next_place is None else encode_cursor(page.next_place),
    )


def read_tolerance(percent: str, amount_usd: str) -> Tolerance:
    """Return a tolerance. Raises InvalidRequestError naming the parameter."""
    share = _bounded("tolerance_percent", percent, PERCENT_MAX) / 100
    amount = _bounded("tolerance_usd", amount_usd, TOLERANCE_USD_MAX)
    return Tolerance(share, to_nanousd(amount))


def _bounded(param: str, text: str, most: Decimal) -> Decimal:
    try:
        value = parse_usd(text)
    except ValueError as error:
        raise InvalidRequestError(
            f"{param} is a decimal number", details={"param": param}
        ) from error
    if not 0 <= value <= most:
        raise InvalidRequestError(f"{param} is from 0 to {most}", details={"param": param})
    return value
