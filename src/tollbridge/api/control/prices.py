"""Which prices are known, on whose word, and how does one change them?"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi import Query as QueryParameters

from tollbridge.api.control.page import cut, decode_cursor
from tollbridge.api.control.price_views import (
    DisputePage,
    ExportQuery,
    History,
    HistoryQuery,
    Price,
    PriceExport,
    PriceOrder,
    PricePage,
    PriceQuery,
    ProviderQuery,
    Quote,
    QuoteOrder,
    Verdict,
    WhichPrices,
    Withdrawal,
    Withdrawn,
    dispute_view,
    event_view,
    price_view,
    quote_view,
)
from tollbridge.api.deps import SIGNED_IN, ControlOf, Viewer, actor_of, admin_of
from tollbridge.core.clock import to_us
from tollbridge.core.errors import (
    BugError,
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
)
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.insight.price_export import prices_as_csv
from tollbridge.insight.price_queries import (
    find_price,
    holding_price,
    list_disputes,
    list_events,
    list_prices,
)
from tollbridge.insight.prices import PriceFilter, PriceVersion
from tollbridge.rating import store
from tollbridge.rating.by_hand import priced_unit, read_counts
from tollbridge.rating.conditions import canonical
from tollbridge.rating.prices import NAME_MAX, DeclaredPrice, Source, Status, read_rate
from tollbridge.rating.rate import rate
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/prices", tags=["prices"])
EXPORT_ROWS_MAX = 100_000
EXPORT_PAGE_ROWS = 1000

AdminOf = Annotated[Viewer, Depends(admin_of)]
PlaceShape = tuple[str, str, str, int, str]


@router.get("", dependencies=[SIGNED_IN])
async def list_page(
    query: Annotated[PriceQuery, QueryParameters()], control: ControlOf
) -> PricePage:
    """List price versions, all that were ever recorded, by provider, model, unit and time."""
    after = None if query.cursor is None else decode_cursor(query.cursor, PlaceShape)
    async with control.services.database.read() as unit:
        rows = await list_prices(unit, _filter(query), after, query.limit + 1)
    page, following = cut(rows, query.limit, lambda row: row.place)
    return PricePage(
        prices=[price_view(row) for row in page],
        next_cursor=following,
    )


@router.post("", status_code=201)
async def create(order: PriceOrder, viewer: AdminOf, control: ControlOf) -> Price:
    """State a price, on all workers within a second; the past keeps what it cost.

    It holds over whatever lists say. What was stated before is answered with the version that
    says it.
    """
    services = control.services
    now_us = services.clock.now_us()
    with _told_to_the_caller():
        price = _stated(order)
        async with services.database.write() as unit:
            await store.record_versions(
                unit,
                [price],
                source=Source.OPERATOR,
                actor=actor_of(viewer),
                now_us=now_us,
                disputes=False,
            )
            key = (
                price.provider,
                price.model,
                price.unit,
                canonical("conditions", price.conditions),
            )
            at_us = now_us if price.valid_from_us is None else price.valid_from_us
            row = await holding_price(unit, key, Source.OPERATOR.value, at_us)
            details = {"unit": price.unit, "rate_usd": str(price.rate_usd)}
            subject = f"price:{price.provider}/{price.model}"
            await audit.record(unit, actor_of(viewer), "prices.state", subject, details)
    if row is None:
        raise BugError("a price that was just stated does not hold")
    return price_view(row)


@router.post("/actions/withdraw")
async def withdraw(wanted: Withdrawal, viewer: AdminOf, control: ControlOf) -> Withdrawn:
    """Take a price back from an instant on, whoever stated it; nothing lower fills the gap.

    404 where no price holds from then on.
    """
    services = control.services
    now_us = services.clock.now_us()
    with _told_to_the_caller():
        unit_name = priced_unit(wanted.unit).unit
        async with services.database.write() as unit:
            count = await store.withdraw(
                unit,
                wanted.provider,
                wanted.model,
                unit_name,
                wanted.conditions,
                now_us if wanted.from_ is None else to_us(wanted.from_),
                actor_of(viewer),
                now_us=now_us,
            )
    if not count:
        raise NotFoundError(f"no price of {wanted.provider}/{wanted.model}: {unit_name} holds then")
    return Withdrawn(withdrawn=count)


@router.get("/history", dependencies=[SIGNED_IN])
async def history(query: Annotated[HistoryQuery, QueryParameters()], control: ControlOf) -> History:
    """List what became of prices, the newest first: who, when, what and why."""
    after = None if query.cursor is None else decode_cursor(query.cursor, tuple[int, str])
    async with control.services.database.read() as unit:
        rows = await list_events(unit, query.provider, query.model, after, query.limit + 1)
    page, following = cut(rows, query.limit, lambda row: row.place)
    return History(
        events=[event_view(row) for row in page],
        next_cursor=following,
    )


@router.get("/disputes", dependencies=[SIGNED_IN])
async def disputes(
    query: Annotated[ProviderQuery, QueryParameters()], control: ControlOf
) -> DisputePage:
    """List proposed prices, each with what it contradicts; nobody is charged by a proposal."""
    after = None if query.cursor is None else decode_cursor(query.cursor, PlaceShape)
    async with control.services.database.read() as unit:
        rows = await list_disputes(unit, after, query.limit + 1, query.provider)
    page, following = cut(rows, query.limit, lambda row: row.proposed.place)
    return DisputePage(
        disputes=[dispute_view(row) for row in page],
        next_cursor=following,
    )


@router.get("/export", dependencies=[SIGNED_IN], response_model=PriceExport)
async def export(
    query: Annotated[ExportQuery, QueryParameters()], control: ControlOf
) -> PriceExport | Response:
    """Give the pricing table whole, as JSON, or as CSV with `format=csv`."""
    async with control.services.database.read() as unit:
        rows = await exported(unit, _filter(query))
    if query.format == "json":
        return PriceExport(prices=[price_view(row) for row in rows])
    return Response(
        prices_as_csv(rows).encode(),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="prices.csv"'},
    )


@router.post("/quote", dependencies=[SIGNED_IN])
async def quote(order: QuoteOrder, control: ControlOf) -> Quote:
    """Say what a call would cost, line by line, by the prices in force at an instant."""
    at_us = control.services.clock.now_us() if order.at is None else to_us(order.at)
    with _told_to_the_caller():
        counts = read_counts(order.usage)
    async with control.services.database.read() as unit:
        book = await control.price_books.current(unit)
    usage = Usage(counts, UsageSource.REPORTED, facts=order.facts)
    return quote_view(rate(usage, order.provider, (order.model,), at_us, book), at_us)


@router.post("/disputes/{price_version_id}/accept")
async def accept(
    price_version_id: str, verdict: Verdict, viewer: AdminOf, control: ControlOf
) -> Price:
    """Accept a proposed price: it holds from now on for its time, on all workers in a second."""
    return await _change(price_version_id, Status.ACTIVE, verdict, viewer, control)


@router.post("/disputes/{price_version_id}/reject")
async def reject(
    price_version_id: str, verdict: Verdict, viewer: AdminOf, control: ControlOf
) -> Price:
    """Reject a proposed price; its source proposes it no more."""
    return await _change(price_version_id, Status.REJECTED, verdict, viewer, control)


@router.get("/versions/{price_version_id}", dependencies=[SIGNED_IN])
async def show(price_version_id: str, control: ControlOf) -> Price:
    """Show one price version."""
    async with control.services.database.read() as unit:
        return price_view(await _found(unit, price_version_id))


async def exported(unit: Unit, wanted: PriceFilter) -> list[PriceVersion]:
    """Return all prices that a filter lets by. Raises InvalidRequestError for over 100,000."""
    rows: list[PriceVersion] = []
    while True:
        after = rows[-1].place if rows else None
        page = await list_prices(unit, wanted, after, EXPORT_PAGE_ROWS)
        rows += page
        if len(page) < EXPORT_PAGE_ROWS:
            return rows
        if len(rows) >= EXPORT_ROWS_MAX:
            raise InvalidRequestError(f"more than {EXPORT_ROWS_MAX} prices: filter them")


async def _change(
    price_version_id: str, status: Status, verdict: Verdict, viewer: Viewer, control: ControlOf
) -> Price:
    services = control.services
    async with services.database.write() as unit:
        await _found(unit, price_version_id)
        await store.change_status(
            unit,
            price_version_id,
            status,
            actor=actor_of(viewer),
            reason=verdict.reason,
            now_us=services.clock.now_us(),
        )
        return price_view(await _found(unit, price_version_id))


async def _found(unit: Unit, price_version_id: str) -> PriceVersion:
    row = await find_price(unit, price_version_id)
    if row is None:
        raise NotFoundError(f"there is no price version {price_version_id[:NAME_MAX]!r}")
    return row


def _stated(order: PriceOrder) -> DeclaredPrice:
    priced = priced_unit(order.unit, order.per)
    return DeclaredPrice(
        provider=order.provider,
        model=order.model,
        unit=priced.unit,
        rate_usd=read_rate("rate_usd", order.rate_usd),
        per=priced.per,
        conditions=order.conditions,
        quantity_min=order.quantity_min,
        quantity_step=order.quantity_step,
        valid_from_us=None if order.valid_from is None else to_us(order.valid_from),
        valid_to_us=None if order.valid_to is None else to_us(order.valid_to),
        reference=order.reference,
        as_of=order.as_of,
        comment=order.comment,
    )


def _filter(query: WhichPrices) -> PriceFilter:
    return PriceFilter(
        provider=query.provider,
        model=query.model,
        unit=query.unit,
        source=query.source,
        status=query.status,
        at_us=None if query.at is None else to_us(query.at),
    )


@contextmanager
def _told_to_the_caller() -> Generator[None]:
    """Let what is wrong with a price be the caller's error: nobody's file is at fault."""
    try:
        yield
    except ConfigurationError as error:
        raise InvalidRequestError(error.message, details=error.details) from error
