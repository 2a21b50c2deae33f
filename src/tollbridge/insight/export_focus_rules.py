"""What does FOCUS 1.2 ask of the columns that are exported? As data, and one check. Pure.

After the column definitions of the FinOps Open Cost and Usage Specification, version 1.2. What it
says of columns that are not exported is not here.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum

import msgspec

VERSION = "1.2"
CURRENCY = "USD"
COST_STEP_USD = Decimal("1e-12")
"""How far a unit price times its quantity may be from the cost: quantities may be periodic."""


class Kind(StrEnum):
    """How a value is written."""

    TEXT = "string"
    NUMBER = "decimal"
    INSTANT = "date/time"
    OBJECT = "JSON object"


class ChargeCategory(StrEnum):
    """What a charge is for, as far as we have such charges."""

    USAGE = "Usage"
    PURCHASE = "Purchase"
    CREDIT = "Credit"
    ADJUSTMENT = "Adjustment"


CORRECTION = "Correction"
"""The charge class of what corrects a billing period that was over."""
OF_USAGE = (ChargeCategory.USAGE,)
PRICED = (ChargeCategory.USAGE, ChargeCategory.PURCHASE)
"""What has a price for each unit."""
USAGE_BASED, ONE_TIME = "Usage-Based", "One-Time"
STANDARD = "Standard"
SERVICE_CATEGORY = "AI and Machine Learning"
SERVICE_SUBCATEGORY = "Generative AI"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What the standard asks of one column."""

    description: str
    kind: Kind = Kind.TEXT
    nullable: bool = False
    allowed: tuple[str, ...] = ()
    """All values there are; empty: any."""
    only: tuple[ChargeCategory, ...] = ()
    """The charges that it has a value of, and must have one; empty: any."""
    with_: str | None = None
    """The column without whose value it has none, and with which it must have one."""
    minimum: Decimal | None = None


def _text(description: str, *allowed: str) -> Rule:
    return Rule(description=description, allowed=allowed)


def _cost(description: str) -> Rule:
    return Rule(description=description, kind=Kind.NUMBER)


def _instant(description: str) -> Rule:
    return Rule(description=description, kind=Kind.INSTANT)


def _of_usage(
    description: str, kind: Kind = Kind.TEXT, *allowed: str, minimum: Decimal | None = None
) -> Rule:
    return Rule(
        description=description,
        kind=kind,
        nullable=True,
        allowed=allowed,
        only=OF_USAGE,
        minimum=minimum,
    )


_ZERO = Decimal(0)
RULES: Mapping[str, Rule] = {
    "BilledCost": _cost("What the provider charges, in BillingCurrency."),
    "BillingAccountId": _text("The endpoint: our account with the provider."),
    "BillingAccountName": Rule(description="The same.", nullable=True),
    "BillingCurrency": _text("Always US dollars.", CURRENCY),
    "BillingPeriodStart": _instant("The month's beginning, in the billing time zone."),
    "BillingPeriodEnd": _instant("Its end; not included."),
    "ChargeCategory": _text(
        "What the charge is for.", ChargeCategory.USAGE, ChargeCategory.ADJUSTMENT
    ),
    "ChargeClass": Rule(
        description="Correction, where it corrects a billing period that was over.",
        nullable=True,
        allowed=(CORRECTION,),
    ),
    "ChargeDescription": Rule(description="The charge in words.", nullable=True),
    "ChargeFrequency": _text("How often it is charged.", USAGE_BASED, ONE_TIME),
    "ChargePeriodStart": _instant("The hour of the call's end, within its month."),
    "ChargePeriodEnd": _instant("Its end; not included."),
    "ConsumedQuantity": _of_usage("How much was used.", Kind.NUMBER),
    "ConsumedUnit": Rule(
        description="Of what.", nullable=True, only=OF_USAGE, with_="ConsumedQuantity"
    ),
    "ContractedCost": _cost("At the agreed price: the price that was in force here."),
    "ContractedUnitPrice": _of_usage("Per PricingUnit.", Kind.NUMBER, minimum=_ZERO),
    "EffectiveCost": _cost("The same as BilledCost: nothing is paid ahead."),
    "InvoiceIssuerName": _text("Who bills us: the actual provider."),
    "ListCost": _cost("The same as ContractedCost: no other list is known."),
    "ListUnitPrice": _of_usage("Per PricingUnit.", Kind.NUMBER, minimum=_ZERO),
    "PricingCategory": _of_usage("How it is priced.", Kind.TEXT, STANDARD),
    "PricingQuantity": _of_usage("ConsumedQuantity in PricingUnit.", Kind.NUMBER),
    "PricingUnit": Rule(
        description="What the unit price is for.",
        nullable=True,
        only=OF_USAGE,
        with_="PricingQuantity",
    ),
    "ProviderName": _text("Who made the service available: the actual provider."),
    "PublisherName": _text("Who ran the model, where revealed; else the provider."),
    "RegionId": Rule(description="Not known.", nullable=True),
    "RegionName": Rule(description="Not known.", nullable=True, with_="RegionId"),
    "ServiceCategory": _text("What the service is for.", SERVICE_CATEGORY),
    "ServiceName": _text("The provider and the call's category."),
    "ServiceSubcategory": _text("The same more closely.", SERVICE_SUBCATEGORY),
    "SkuId": _of_usage("Provider, model and unit."),
    "SkuMeter": Rule(description="The unit.", nullable=True, only=OF_USAGE, with_="SkuId"),
    "SkuPriceId": Rule(
        description="The version of the price; `reported` where the provider said the amount.",
        nullable=True,
        only=OF_USAGE,
        with_="SkuId",
    ),
    "SubAccountId": Rule(description="The project.", nullable=True),
    "SubAccountName": Rule(description="The project.", nullable=True, with_="SubAccountId"),
    "Tags": Rule(
        description="The call's tags; a tag without a value is true.",
        kind=Kind.OBJECT,
        nullable=True,
    ),
}
"""The columns of the standard, in the order in which they are exported."""
OWN: Mapping[str, Rule] = {
    "x_CallId": _text("The call, as in the usage log."),
    "x_Bucket": _text("The generic provider name that limits count by."),
    "x_Attempt": Rule(
        description="Which attempt of the call; empty where the charge is of all of them.",
        kind=Kind.NUMBER,
        nullable=True,
    ),
}
COLUMNS: Mapping[str, Rule] = {**RULES, **OWN}


def _priced(description: str, kind: Kind = Kind.NUMBER) -> Rule:
    minimum = _ZERO if kind is Kind.NUMBER else None
    return Rule(description=description, kind=kind, nullable=True, only=PRICED, minimum=minimum)


CREDIT_COLUMNS: Mapping[str, Rule] = {
    "BilledCost": _cost("What was paid for a purchase; nothing else is billed."),
    "BillingAccountId": _text("The wallet."),
    "BillingAccountName": Rule(description="Its name.", nullable=True),
    **{
        name: RULES[name]
        for name in (
            "BillingCurrency",
            "BillingPeriodStart",
            "BillingPeriodEnd",
            "ChargeClass",
            "ChargeDescription",
            "ChargeFrequency",
        )
    },
    "ChargeCategory": _text("What the charge is for.", *ChargeCategory),
    "ChargePeriodStart": _instant("The hour from which it counts, within its month."),
    "ChargePeriodEnd": RULES["ChargePeriodEnd"],
    "ConsumedQuantity": _of_usage("Tokens or images, where known, else credits.", Kind.NUMBER),
    "ConsumedUnit": RULES["ConsumedUnit"],
    "ContractedCost": _cost("The price of a purchase; of what is used, what was paid for it."),
    "ContractedUnitPrice": _priced("In US dollars per credit."),
    "EffectiveCost": _cost("What was paid for the credits that are used up; a purchase is none."),
    "InvoiceIssuerName": _text("Whoever runs the gateway."),
    "ListCost": _cost("The same as ContractedCost."),
    "ListUnitPrice": _priced("In US dollars per credit."),
    "PricingCategory": Rule(
        description="How it is priced.", nullable=True, allowed=(STANDARD,), only=PRICED
    ),
    "PricingCurrency": _text("US dollars of a purchase, else credits.", CURRENCY, "Credits"),
    "PricingCurrencyContractedUnitPrice": _priced("In PricingCurrency per credit."),
    "PricingCurrencyEffectiveCost": _cost("EffectiveCost in PricingCurrency."),
    "PricingCurrencyListUnitPrice": _priced("In PricingCurrency per credit."),
    "PricingQuantity": Rule(description="Credits; what goes back is negative.", kind=Kind.NUMBER),
    "PricingUnit": _text("Credits.", "Credits"),
    "ProviderName": _text("Whoever runs the gateway."),
    "PublisherName": _text("Whoever runs the gateway."),
    "ServiceCategory": RULES["ServiceCategory"],
    "ServiceName": _text("The operation; else credits."),
    "ServiceSubcategory": RULES["ServiceSubcategory"],
    "SkuId": _priced("The operation and model; else credits.", Kind.TEXT),
    "SkuMeter": Rule(description="Credits.", nullable=True, only=PRICED, with_="SkuId"),
    "SkuPriceId": Rule(description="Credits.", nullable=True, only=PRICED, with_="SkuId"),
    "SubAccountId": _text("Whose wallet it is."),
    "SubAccountName": RULES["SubAccountName"],
    "x_TransactionId": _text("The wallet and the number of the transaction in its statement."),
    "x_CallId": Rule(description="The call, where it was for one.", nullable=True),
}
"""The columns of credits, which are a virtual currency: cost and usage rows of their own."""

_NAME = re.compile(r"(x_)?[A-Z][A-Za-z]{0,49}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_PRODUCTS = (
    ("ListUnitPrice", "PricingQuantity", "ListCost"),
    ("ContractedUnitPrice", "PricingQuantity", "ContractedCost"),
)
_PERIODS = (("BillingPeriodStart", "BillingPeriodEnd"), ("ChargePeriodStart", "ChargePeriodEnd"))


def faults(row: Mapping[str, str], columns: Mapping[str, Rule] = COLUMNS) -> list[str]:
    """Return where a row, in its texts, breaks a rule of the standard; "" is null."""
    found = [f"{name}: no name of a column" for name in row if not _NAME.fullmatch(name)]
    found += [f"{name} is missing" for name in columns if name not in row]
    found += [f"{name} is not known" for name in row if name not in columns]
    if found:
        return found
    for name, rule in columns.items():
        found += [f"{name}: {fault}" for fault in _faults_of(rule, row[name], row)]
    return found or _dependencies(row)


def _faults_of(rule: Rule, text: str, row: Mapping[str, str]) -> list[str]:
    if rule.only and bool(text) != (row["ChargeCategory"] in rule.only):
        return [f"there is one in rows of {' and '.join(rule.only).lower()}, and in no other"]
    if rule.with_ is not None and bool(text) != bool(row[rule.with_]):
        return [f"there is one where there is a {rule.with_}, and only there"]
    if not text:
        return [] if rule.nullable else ["must not be null"]
    found: list[str] = []
    if rule.allowed and text not in rule.allowed:
        found.append(f"{text!r} is none of {', '.join(rule.allowed)}")
    if not _is_of(rule.kind, text):
        found.append(f"{text!r} is no {rule.kind}")
    elif rule.minimum is not None and Decimal(text) < rule.minimum:
        found.append(f"{text} is less than {rule.minimum}")
    return found


def _is_of(kind: Kind, text: str) -> bool:
    try:
        if kind is Kind.NUMBER:
            return _NUMBER.fullmatch(text) is not None and Decimal(text).is_finite()
        if kind is Kind.INSTANT:
            return _INSTANT.fullmatch(text) is not None and bool(datetime.fromisoformat(text))
        if kind is Kind.OBJECT:
            values = msgspec.json.decode(text, type=dict[str, str | int | float | bool | None])
            return len(values) > 0
    except (InvalidOperation, ValueError, msgspec.MsgspecError):
        return False
    return True


def _dependencies(row: Mapping[str, str]) -> list[str]:
    """Return where values do not go together, each of which is well for itself."""
    found = [f"{start} is not before {end}" for start, end in _PERIODS if row[start] >= row[end]]
    is_correction = row["ChargeClass"] == CORRECTION
    is_within = (
        row["BillingPeriodStart"] <= row["ChargePeriodStart"]
        and row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
    )
    if is_within == is_correction:
        found.append("a charge lies in its billing period, or corrects one that was over")
    for price, quantity, cost in _PRODUCTS:
        if row[price] and row[quantity]:
            product = Decimal(row[price]) * Decimal(row[quantity])
            if abs(product - Decimal(row[cost])) > COST_STEP_USD:
                found.append(f"{price} times {quantity} is not {cost}")
    if row["ChargeCategory"] == ChargeCategory.USAGE and is_correction:
        found.append("what corrects is an adjustment here")
    if (row["ChargeFrequency"] == USAGE_BASED) != (row["ChargeCategory"] == ChargeCategory.USAGE):
        found.append("usage is charged as it is used, and all else once")
    if row["ChargeCategory"] == ChargeCategory.CREDIT and Decimal(row["BilledCost"]) > 0:
        found.append("a present is not billed")
    return found
