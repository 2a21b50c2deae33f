"""How are prices, and what was priced by them, asked for and shown?"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tollbridge.api.control.page import NextCursor, PageQuery, Query
from tollbridge.core.account import Rated
from tollbridge.core.clock import to_text
from tollbridge.core.money import usd_text
from tollbridge.insight.price_export import price_fields
from tollbridge.insight.prices import (
    ChargeDifference,
    Dispute,
    PriceEvent,
    PriceVersion,
    UnpricedGap,
)
from tollbridge.rating.by_hand import COUNT_MAX
from tollbridge.rating.conditions import KEYS_MAX
from tollbridge.rating.prices import (
    COMMENT_MAX,
    NAME_MAX,
    PER_MAX,
    QUANTITY_MAX,
    RATE_TEXT_MAX,
    REFERENCE_MAX,
    Source,
    Status,
)

USAGE_UNITS_MAX = 40
UNIT_LENGTH_MAX = 32

Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX)]
UnitName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=UNIT_LENGTH_MAX,
        description="A unit, by its name in the configuration file (video_second) or our own "
        "(video_ms).",
    ),
]
Conditions = Annotated[
    dict[str, str],
    Field(max_length=KEYS_MAX, description="What a call must be for this price; empty is nothing."),
]
Reason = Annotated[str, Field(min_length=1, max_length=COMMENT_MAX)]


class WhichPrices(Query):
    """Which prices; filters are joined by and."""

    provider: str | None = Field(default=None, max_length=NAME_MAX)
    model: str | None = Field(
        default=None, max_length=NAME_MAX, description="The name or pattern, as it was stated."
    )
    unit: str | None = Field(default=None, max_length=UNIT_LENGTH_MAX)
    source: Source | None = None
    status: Status | None = None
    at: AwareDatetime | None = Field(
        default=None,
        description="Those that hold at this instant, each for its own source; of several "
        "sources the highest is used: seed, import, sync, file, operator.",
    )


class PriceQuery(WhichPrices, PageQuery):
    """Which prices, and which page of them."""


class ExportQuery(WhichPrices):
    """Which prices, and how they are written."""

    format: Literal["json", "csv"] = "json"


class HistoryQuery(PageQuery):
    """Of which prices."""

    provider: str | None = Field(default=None, max_length=NAME_MAX)
    model: str | None = Field(default=None, max_length=NAME_MAX)


class ProviderQuery(PageQuery):
    """Of which provider."""

    provider: str | None = Field(default=None, max_length=NAME_MAX)


class DifferenceQuery(PageQuery):
    """Which calls, and what counts as a difference."""

    provider: str | None = Field(default=None, max_length=NAME_MAX, description="Actual provider.")
    from_: AwareDatetime | None = Field(
        default=None, alias="from", description="ISO 8601 with a zone; by default 30 days ago."
    )
    to: AwareDatetime | None = Field(default=None, description="Not included.")
    tolerance_percent: str = Field(
        default="1", max_length=10, description="Of what was reported; decimal text."
    )
    tolerance_usd: str = Field(
        default="0.000001", max_length=20, description="A smaller difference is none."
    )


class Price(BaseModel):
    """One price version. Rows are added and never changed; what became of one is its status."""

    price_version_id: str
    provider: str
    model: str = Field(description="A name, or with * a prefix or a pattern.")
    unit: str
    conditions: dict[str, str]
    rate_usd: str | None = Field(description="US dollars for `per` units; null: there is no price.")
    per: int
    quantity_min: int | None
    quantity_step: int | None
    valid_from: str
    valid_to: str | None
    recorded_at: str
    source: str = Field(description="seed, import, sync, file or operator.")
    source_detail: str | None
    status: str = Field(
        description="proposed, active, disputed, superseded, rejected or withdrawn."
    )
    reference: str | None = Field(description="Where the figure was read.")
    as_of: str | None
    recorded_by: str | None
    comment: str | None


class PricePage(BaseModel):
    """A page of price versions, by provider, model, unit and time."""

    prices: list[Price]
    next_cursor: NextCursor


class PriceExport(BaseModel):
    """The pricing table."""

    prices: list[Price]


class PriceOrder(BaseModel):
    """A price that somebody states."""

    model_config = ConfigDict(extra="forbid")

    provider: Name
    model: Name = Field(description="A name, or with * a prefix or a pattern.")
    unit: UnitName
    rate_usd: str = Field(min_length=1, max_length=RATE_TEXT_MAX, description="Decimal text.")
    per: int | None = Field(
        default=None,
        ge=1,
        le=PER_MAX,
        description="How many of the unit the rate is for; by default a million tokens, or one.",
    )
    conditions: Conditions = {}
    quantity_min: int | None = Field(default=None, ge=1, le=QUANTITY_MAX)
    quantity_step: int | None = Field(default=None, ge=1, le=QUANTITY_MAX)
    valid_from: AwareDatetime | None = Field(
        default=None,
        description="By default from this moment on; the first price of a model holds always.",
    )
    valid_to: AwareDatetime | None = Field(default=None, description="Not included.")
    reference: str | None = Field(default=None, max_length=REFERENCE_MAX)
    as_of: date | None = None
    comment: str | None = Field(default=None, max_length=COMMENT_MAX)


class Withdrawal(BaseModel):
    """Which price is taken back."""

    model_config = ConfigDict(extra="forbid")

    provider: Name
    model: Name
    unit: UnitName
    conditions: Conditions = {}
    from_: AwareDatetime | None = Field(
        default=None, alias="from", description="By default from this moment on."
    )


class Withdrawn(BaseModel):
    """What a withdrawal came to."""

    withdrawn: int = Field(description="How many prices, of how many sources, end by it.")


class Verdict(BaseModel):
    """Why a proposal is accepted or rejected."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class Event(BaseModel):
    """Something that became of a price version."""

    event_id: str
    at: str
    status: str
    actor: str
    reason: str | None
    price: Price


class History(BaseModel):
    """A page of what became of prices, the newest first."""

    events: list[Event]
    next_cursor: NextCursor


class Disputed(BaseModel):
    """A price that is only proposed, with those that it contradicts."""

    proposed: Price
    against: list[Price] = Field(
        description="What holds by other sources, and what else is proposed for the same."
    )


class DisputePage(BaseModel):
    """A page of disputes."""

    disputes: list[Disputed]
    next_cursor: NextCursor


class QuoteOrder(BaseModel):
    """A call whose cost is asked for."""

    model_config = ConfigDict(extra="forbid")

    provider: Name
    model: Name
    usage: dict[
        Annotated[str, Field(max_length=UNIT_LENGTH_MAX)],
        Annotated[int, Field(ge=0, le=COUNT_MAX, strict=True)],
    ] = Field(
        min_length=1,
        max_length=USAGE_UNITS_MAX,
        description="Unit → count, inclusive: input contains what is cached.",
    )
    facts: Conditions = Field(
        default={}, description="What prices may depend on: service_tier, size, quality …"
    )
    at: AwareDatetime | None = Field(default=None, description="By default this moment.")


class QuoteLine(BaseModel):
    """One line of a cost: quantity times rate."""

    unit: str
    quantity: int
    rate_usd: str
    per: int
    amount_usd: str
    price_version_id: str


class Quote(BaseModel):
    """What a call costs."""

    at: str
    cost_usd: str | None = Field(description="Null: there is no price.")
    unpriced_reason: str | None
    components: list[QuoteLine]
    rounding_usd: str = Field(description="Cost minus the exact sum of the components.")
    source: str | None = Field(description="database, or seed: the catalogue of the program.")


class Unpriced(BaseModel):
    """Attempts of one provider's model that have no cost."""

    provider: str
    model: str
    category: str
    count: int
    reason: str | None = Field(description="Of the newest of them, where it was found.")
    first_seen: str = Field(description="To the quarter hour.")
    last_seen: str
    last_call_id: str | None


class UnpricedPage(BaseModel):
    """A page of what has no price, the largest first."""

    unpriced: list[Unpriced]
    next_cursor: NextCursor


class Difference(BaseModel):
    """A call for which the provider says it charged something else than our prices give."""

    call_id: str
    accounted_at: str
    provider: str
    model: str | None
    reported_usd: str
    computed_usd: str
    difference_usd: str = Field(description="Reported minus computed.")


class DifferencePage(BaseModel):
    """A page of differences, the newest first. It may be short of rows and not be the last one."""

    differences: list[Difference]
    calls_scanned: int
    next_cursor: NextCursor


def price_view(row: PriceVersion) -> Price:
    """Return a price version as it is shown."""
    return Price.model_validate(price_fields(row))


def event_view(row: PriceEvent) -> Event:
    """Return what became of a price as it is shown."""
    return Event(
        event_id=row.event_id,
        at=to_text(row.at_us),
        status=row.status,
        actor=row.actor,
        reason=row.reason,
        price=price_view(row.price),
    )


def dispute_view(row: Dispute) -> Disputed:
    """Return a dispute with both values."""
    return Disputed(
        proposed=price_view(row.proposed), against=[price_view(one) for one in row.against]
    )


def quote_view(rated: Rated, at_us: int) -> Quote:
    """Return what a call costs, line by line."""
    cost = rated.cost_nanousd
    return Quote(
        at=to_text(at_us),
        cost_usd=None if cost is None else usd_text(cost),
        unpriced_reason=rated.unpriced_reason,
        components=[
            QuoteLine(
                unit=one.unit,
                quantity=one.quantity,
                rate_usd=one.rate_usd,
                per=one.per,
                amount_usd=one.amount_usd,
                price_version_id=one.price_version_id,
            )
            for one in rated.components
        ],
        rounding_usd=rated.rounding_usd,
        source=rated.source,
    )


def unpriced_view(rows: Sequence[UnpricedGap]) -> list[Unpriced]:
    """Return what has no price as it is shown."""
    return [
        Unpriced(
            provider=row.provider,
            model=row.model,
            category=row.category,
            count=row.count,
            reason=row.reason,
            first_seen=to_text(row.first_seen_us),
            last_seen=to_text(row.last_seen_us),
            last_call_id=row.last_call_id,
        )
        for row in rows
    ]


def difference_view(row: ChargeDifference) -> Difference:
    """Return a difference as it is shown."""
    return Difference(
        call_id=row.call_id,
        accounted_at=to_text(row.accounted_at_us),
        provider=row.provider,
        model=row.model,
        reported_usd=usd_text(row.reported_nanousd),
        computed_usd=usd_text(row.computed_nanousd),
        difference_usd=usd_text(row.difference_nanousd),
    )
