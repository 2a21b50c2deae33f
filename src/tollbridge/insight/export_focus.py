"""How does a call leave as cost and usage rows of FOCUS 1.2? Pure.

A row for each line of the bill of each attempt, one for the rounding of a bill to whole nano-USD,
and one for each correction: their BilledCost is the usage log's `cost_now_usd`, to the nano-USD.
What has no known price has no row, since the standard knows no unknown cost.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from decimal import Context, Decimal
from typing import Any, NamedTuple

import msgspec

from tollbridge.core.account import CostComponent
from tollbridge.core.clock import SECOND_US, to_datetime
from tollbridge.core.money import to_usd
from tollbridge.core.provider_names import ProviderNames
from tollbridge.core.sheets import csv_head, csv_lines, guarded
from tollbridge.core.usage import Unit
from tollbridge.insight.export_focus_rules import (
    COLUMNS,
    CORRECTION,
    CURRENCY,
    ONE_TIME,
    SERVICE_CATEGORY,
    SERVICE_SUBCATEGORY,
    STANDARD,
    USAGE_BASED,
    ChargeCategory,
)
from tollbridge.insight.log_filter import period_of, period_span
from tollbridge.insight.usage import Bill
from tollbridge.rating.rate import REPORTED_DIFFERENCE

HOUR_US = 3600 * SECOND_US
QUARTER_US = 900 * SECOND_US
REPORTED = "reported"
"""The price of what the provider said the amount of."""
SOURCES = (
    "actual_provider_name",
    "upstream_provider_name",
    "endpoint",
    "requested_model",
    "label",
    "category",
    "bucket",
    "project",
    "tags",
    "components",
    "known_cost_nanousd",
    "attempt_count",
)
"""What is read of a call, behind export_queries.PLACE."""

_COUNTED_IN: Mapping[str, str] = {
    Unit.IMAGE: "Images",
    Unit.PIXEL: "Pixels",
    Unit.PIXEL_FRAME: "Pixels",
    Unit.VIDEO: "Videos",
    Unit.VIDEO_MS: "Milliseconds",
    Unit.AUDIO_MS: "Milliseconds",
    Unit.COMPUTE_MS: "Milliseconds",
    Unit.CHARACTER: "Characters",
    Unit.MESSAGE: "Messages",
    Unit.PAGE: "Pages",
    Unit.ANNOTATED_PAGE: "Pages",
    Unit.WEB_SEARCH: "Searches",
    Unit.STORAGE_SEARCH: "Searches",
    Unit.SEARCH: "Searches",
    Unit.REQUEST: "Requests",
    REPORTED_DIFFERENCE: "Requests",
}
TOKENS = "Tokens"
_EXACT = Context(prec=100)
_ZERO = Decimal(0)
_AT: Mapping[str, int] = {name: place for place, name in enumerate(COLUMNS)}
_COSTS = tuple(_AT[name] for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"))
_bills = msgspec.json.Decoder(tuple[Bill, ...]).decode
_tags = msgspec.json.Decoder(tuple[str, ...]).decode
_encode = msgspec.json.Encoder(order="deterministic").encode

_QUANTITY, _PRICED_QUANTITY = _AT["ConsumedQuantity"], _AT["PricingQuantity"]

Row = list[str | int | None]
_Priced = tuple[tuple[int, str], ...]
PRICES_KEPT_MAX = 1_000
"""Prices of which it is kept how their lines look."""


class AdjustmentPart(msgspec.Struct, frozen=True):
    """One correction of one attempt."""

    attempt: int
    recorded_at_us: int
    difference_nanousd: int
    reason: str


class AttemptPart(msgspec.Struct, frozen=True):
    """Who was tried, for what."""

    provider: str
    upstream_provider_name: str | None
    endpoint: str | None
    model: str


class _Call(NamedTuple):
    """A row that was read: export_queries.PLACE and SOURCES."""

    accounted_at_us: int
    call_id: str
    provider: str
    upstream: str | None
    endpoint: str | None
    requested_model: str | None
    label: str
    category: str
    bucket: str
    project: str
    tags: str | None
    components: str | None
    known_cost_nanousd: int
    attempt_count: int


class Period(NamedTuple):
    """When a call is charged, as the standard writes it."""

    billing: tuple[str, str]
    charge: tuple[str, str]


class Periods:
    """Says when something is charged that counts from an instant on."""

    def __init__(self, zone: tzinfo) -> None:
        """Take the billing time zone."""
        self._zone = zone
        self._quarter = -1
        self._period = Period(("", ""), ("", ""))

    def of(self, at_us: int) -> Period:
        """Return the month, and the hour within it."""
        quarter = at_us // QUARTER_US
        if quarter != self._quarter:
            # Months begin at whole quarter hours, in any time zone.
            start_us, end_us = period_span(period_of(at_us, self._zone), self._zone)
            hour_us = at_us - at_us % HOUR_US
            self._quarter = quarter
            self._period = Period(
                (_instant(start_us), _instant(end_us)),
                (_instant(max(hour_us, start_us)), _instant(min(hour_us + HOUR_US, end_us))),
            )
        return self._period


def focus_head() -> bytes:
    """Return how the export begins."""
    return csv_head(tuple(COLUMNS)).encode()


class FocusMaker:
    """Makes the rows of one export."""

    def __init__(self, zone: tzinfo, names: ProviderNames) -> None:
        """Take the billing time zone, and the names of providers that people see."""
        self._names = names
        self._periods = Periods(zone)
        self._priced: dict[tuple[str | int, ...], _Priced] = {}

    def csv(
        self,
        rows: Sequence[Any],
        attempts: Mapping[tuple[str, int], AttemptPart],
        adjustments: Mapping[str, list[AdjustmentPart]],
    ) -> bytes:
        """Return the lines of a page of calls; texts are no formulas."""
        found: list[Row] = []
        for row in rows:
            call = _Call(*row)
            found += self._of_call(call, attempts, adjustments.get(call.call_id, ()))
        return csv_lines(found).encode()

    def _of_call(
        self,
        call: _Call,
        attempts: Mapping[tuple[str, int], AttemptPart],
        adjustments: Sequence[AdjustmentPart],
    ) -> Iterator[Row]:
        own = AttemptPart(
            call.provider, call.upstream, call.endpoint, call.requested_model or call.label
        )
        period = self._periods.of(call.accounted_at_us)
        left = to_usd(call.known_cost_nanousd)
        for bill in () if call.components is None else _bills(call.components):
            attempt = attempts.get((call.call_id, bill.attempt), own)
            base = self._base(call, attempt, bill.attempt, period)
            is_alone = len(bill.components) == 1
            for line in bill.components:
                amount = Decimal(line.amount_usd)
                left = _EXACT.subtract(left, amount)
                yield self._line_row(base, line, amount, attempt, is_alone=is_alone)
            rounding = Decimal(bill.rounding_usd)
            if rounding:
                left = _EXACT.subtract(left, rounding)
                yield _other_row(base, rounding, "Rounding to whole nano-USD")
        if left:
            # Calls that were imported with their cost have no lines.
            line = CostComponent(REPORTED_DIFFERENCE, 1, f"{left:f}", 1, f"{left:f}", "")
            base = self._base(call, own, None, period)
            yield self._line_row(base, line, left, own, is_alone=call.components is None)
        for one in adjustments:
            attempt = attempts.get((call.call_id, one.attempt), own)
            base = self._base(call, attempt, one.attempt, period)
            row = _other_row(base, to_usd(one.difference_nanousd), f"Correction: {one.reason}")
            billing = self._periods.of(max(one.recorded_at_us, call.accounted_at_us)).billing
            if billing != period.billing:
                row[_AT["BillingPeriodStart"]], row[_AT["BillingPeriodEnd"]] = billing
                row[_AT["ChargeClass"]] = CORRECTION
            yield row

    def _base(self, call: _Call, attempt: AttemptPart, number: int | None, period: Period) -> Row:
        """Return a row with what all rows of an attempt share."""
        provider = guarded(self._names.display(attempt.provider))
        upstream = attempt.upstream_provider_name
        endpoint = guarded(attempt.endpoint or attempt.provider)
        project = guarded(call.project) or None
        row: Row = [None] * len(COLUMNS)
        row[_AT["BillingAccountId"]] = row[_AT["BillingAccountName"]] = endpoint
        row[_AT["BillingCurrency"]] = CURRENCY
        row[_AT["BillingPeriodStart"]], row[_AT["BillingPeriodEnd"]] = period.billing
        row[_AT["ChargePeriodStart"]], row[_AT["ChargePeriodEnd"]] = period.charge
        row[_AT["InvoiceIssuerName"]] = row[_AT["ProviderName"]] = provider
        row[_AT["PublisherName"]] = guarded(self._names.display(upstream)) if upstream else provider
        row[_AT["ServiceCategory"]] = SERVICE_CATEGORY
        row[_AT["ServiceSubcategory"]] = SERVICE_SUBCATEGORY
        row[_AT["ServiceName"]] = f"{provider} {call.category}"
        row[_AT["SubAccountId"]] = row[_AT["SubAccountName"]] = project
        if call.tags:
            row[_AT["Tags"]] = _encode(dict.fromkeys(_tags(call.tags), True)).decode()
        row[_AT["x_CallId"]] = call.call_id
        row[_AT["x_Bucket"]] = call.bucket
        row[_AT["x_Attempt"]] = number
        return row

    def _line_row(
        self,
        base: Row,
        line: CostComponent,
        amount: Decimal,
        attempt: AttemptPart,
        *,
        is_alone: bool,
    ) -> Row:
        """Return the row of a line; what leads to the provider's amount is no usage of its own."""
        if line.unit == REPORTED_DIFFERENCE and (not is_alone or amount < _ZERO):
            return _other_row(base, amount, "What the provider says, beyond our prices")
        row = base.copy()
        _set_costs(row, amount)
        of = (
            attempt.provider,
            attempt.model,
            line.unit,
            line.per,
            line.rate_usd,
            line.price_version_id,
        )
        priced = self._priced.get(of)
        if priced is None:
            if len(self._priced) >= PRICES_KEPT_MAX:
                self._priced.clear()
            priced = self._priced[of] = _priced(line, attempt)
        for place, text in priced:
            row[place] = text
        row[_QUANTITY] = line.quantity
        row[_PRICED_QUANTITY] = plain(Decimal(line.quantity) / line.per)
        return row


def _priced(line: CostComponent, attempt: AttemptPart) -> _Priced:
    """Return what all lines of one price have in common, by place."""
    meter = REPORTED if line.unit == REPORTED_DIFFERENCE else line.unit
    unit = _COUNTED_IN.get(line.unit, TOKENS)
    price = plain(Decimal(line.rate_usd))
    told = {
        "ChargeCategory": ChargeCategory.USAGE.value,
        "ChargeFrequency": USAGE_BASED,
        "ChargeDescription": guarded(f"{attempt.model} {meter}"),
        "ConsumedUnit": unit,
        "PricingCategory": STANDARD,
        "PricingUnit": unit if line.per == 1 else f"{line.per} {unit}",
        "ListUnitPrice": price,
        "ContractedUnitPrice": price,
        "SkuId": guarded(f"{attempt.provider}/{attempt.model}/{meter}"),
        "SkuMeter": meter,
        "SkuPriceId": guarded(line.price_version_id) or REPORTED,
    }
    return tuple((_AT[name], text) for name, text in told.items())


def _other_row(base: Row, amount: Decimal, description: str) -> Row:
    row = base.copy()
    _set_costs(row, amount)
    row[_AT["ChargeCategory"]] = ChargeCategory.ADJUSTMENT.value
    row[_AT["ChargeFrequency"]] = ONE_TIME
    row[_AT["ChargeDescription"]] = guarded(description)
    return row


def _set_costs(row: Row, amount: Decimal) -> None:
    text = plain(amount)
    for place in _COSTS:
        row[place] = text


def plain(amount: Decimal) -> str:
    """Return a decimal without exponent, and without zeros behind what it says."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _instant(at_us: int) -> str:
    return f"{to_datetime(at_us):%Y-%m-%dT%H:%M:%SZ}"
