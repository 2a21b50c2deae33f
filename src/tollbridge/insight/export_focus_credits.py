"""How do credits leave as cost and usage rows of FOCUS 1.2? Pure.

Credits are a virtual currency: bought with US dollars, and spent for usage. What was paid for a
purchase is billed when it is bought, and becomes an effective cost when the credits are used up or
expire: over all time, both sums are the same but for what is left. Presents cost nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from decimal import Decimal

from tollbridge.core.amounts import MICRO
from tollbridge.core.money import to_usd
from tollbridge.core.sheets import csv_head, csv_lines, guarded
from tollbridge.insight.export_focus import TOKENS, Periods, plain
from tollbridge.insight.export_focus_rules import (
    CREDIT_COLUMNS,
    CURRENCY,
    ONE_TIME,
    PRICED,
    SERVICE_CATEGORY,
    SERVICE_SUBCATEGORY,
    STANDARD,
    USAGE_BASED,
    ChargeCategory,
)
from tollbridge.insight.wallet_queries import CreditMove
from tollbridge.ledger.wallets import Kind, Transaction

CREDITS = "Credits"
ISSUER = "Tollbridge"
CATEGORY_OF: Mapping[str, ChargeCategory] = {
    Kind.PURCHASE: ChargeCategory.PURCHASE,
    Kind.GRANT: ChargeCategory.CREDIT,
    Kind.DEDUCTION: ChargeCategory.USAGE,
}
"""The others, refunds, expiries and corrections, are adjustments."""
_ZERO = Decimal(0)


def credits_head() -> bytes:
    """Return how the export begins."""
    return csv_head(tuple(CREDIT_COLUMNS)).encode()


class CreditsMaker:
    """Makes the rows of one export."""

    def __init__(self, zone: tzinfo) -> None:
        """Take the billing time zone."""
        self._periods = Periods(zone)

    def csv(self, moves: Iterable[CreditMove]) -> bytes:
        """Return a line for each move whose price is known; texts are no formulas."""
        rows: list[list[str | int | None]] = []
        for move in moves:
            row = self._row(move)
            if row is not None:
                rows.append([row.get(name) for name in CREDIT_COLUMNS])
        return csv_lines(rows).encode()

    def _row(self, move: CreditMove) -> dict[str, str | int] | None:
        one = move.transaction
        category = CATEGORY_OF.get(one.kind, ChargeCategory.ADJUSTMENT)
        is_purchase = category is ChargeCategory.PURCHASE
        if move.value_usd is None or (is_purchase and one.price_nanousd is None):
            return None
        period = self._periods.of(one.posted_at_us)
        brings = category in {ChargeCategory.PURCHASE, ChargeCategory.CREDIT}
        amount = Decimal(one.amount if brings else -one.amount) / MICRO
        billed = to_usd(one.price_nanousd or 0) if is_purchase else _ZERO
        priced = billed if is_purchase else move.value_usd
        in_credits = _ZERO if brings else amount
        row: dict[str, str | int] = {
            "BilledCost": plain(billed),
            "BillingAccountId": move.wallet.wallet_id,
            "BillingAccountName": guarded(move.wallet.terms.name),
            "BillingCurrency": CURRENCY,
            "BillingPeriodStart": period.billing[0],
            "BillingPeriodEnd": period.billing[1],
            "ChargeCategory": category.value,
            "ChargeDescription": guarded(one.note or one.kind),
            "ChargeFrequency": USAGE_BASED if category is ChargeCategory.USAGE else ONE_TIME,
            "ChargePeriodStart": period.charge[0],
            "ChargePeriodEnd": period.charge[1],
            "ContractedCost": plain(priced),
            "EffectiveCost": plain(move.value_usd),
            "InvoiceIssuerName": ISSUER,
            "ListCost": plain(priced),
            "PricingCurrency": CURRENCY if is_purchase else CREDITS,
            "PricingCurrencyEffectiveCost": plain(move.value_usd if is_purchase else in_credits),
            "PricingQuantity": plain(amount),
            "PricingUnit": CREDITS,
            "ProviderName": ISSUER,
            "PublisherName": ISSUER,
            "ServiceCategory": SERVICE_CATEGORY,
            "ServiceName": guarded(one.operation or CREDITS),
            "ServiceSubcategory": SERVICE_SUBCATEGORY,
            "SubAccountId": guarded(move.wallet.terms.subject),
            "SubAccountName": guarded(move.wallet.terms.subject),
            "x_TransactionId": f"{move.wallet.wallet_id}/{one.number}",
            "x_CallId": one.call_id or "",
        }
        if category in PRICED:
            row |= _price(one, amount, priced, is_purchase=is_purchase)
        if category is ChargeCategory.USAGE:
            row["ConsumedQuantity"], row["ConsumedUnit"] = _consumed(one, amount)
        return row


def _price(
    one: Transaction, amount: Decimal, priced: Decimal, *, is_purchase: bool
) -> dict[str, str]:
    """Return what a credit is worth, and what for."""
    each = plain(priced / amount)
    in_currency = each if is_purchase else "1"
    sku = CREDITS if one.operation is None else "/".join(filter(None, (one.operation, one.model)))
    return {
        "ContractedUnitPrice": each,
        "ListUnitPrice": each,
        "PricingCategory": STANDARD,
        "PricingCurrencyContractedUnitPrice": in_currency,
        "PricingCurrencyListUnitPrice": in_currency,
        "SkuId": guarded(sku),
        "SkuMeter": CREDITS,
        "SkuPriceId": CREDITS,
    }


def _consumed(one: Transaction, amount: Decimal) -> tuple[str | int, str]:
    if one.tokens is not None:
        return one.tokens, TOKENS
    return (plain(amount), CREDITS) if one.images is None else (one.images, "Images")
