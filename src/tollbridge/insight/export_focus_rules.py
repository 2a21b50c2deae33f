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
    ADJUSTMENT = "Adjustment"


CORRECTION = "Correction"
"""The charge class of what corrects a billing period that was over."""
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
    usage_only: bool = False
    """Whether it has a value in rows of usage only, and must have one there."""
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
        usage_only=True,
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
    "ChargeCategory": _text("What the charge is for.", *ChargeCategory),
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
        description="Of what.", nullable=True, usage_only=True, with_="ConsumedQuantity"
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
        usage_only=True,
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
    "SkuMeter": Rule(description="The unit.", nullable=True, usage_only=True, with_="SkuId"),
    "SkuPriceId": Rule(
        description="The version of the price; `reported` where the provider said the amount.",
        nullable=True,
        usage_only=True,
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

_NAME = re.compile(r"(x_)?[A-Z][A-Za-z]{0,49}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_PRODUCTS = (
    ("ListUnitPrice", "PricingQuantity", "ListCost"),
    ("ContractedUnitPrice", "PricingQuantity", "ContractedCost"),
)
_PERIODS = (("BillingPeriodStart", "BillingPeriodEnd"), ("ChargePeriodStart", "ChargePeriodEnd"))


def faults(row: Mapping[str, str]) -> list[str]:
    """Return where a row, in its texts, breaks a rule of the standard; "" is null."""
    found = [f"{name}: no name of a column" for name in row if not _NAME.fullmatch(name)]
    found += [f"{name} is missing" for name in COLUMNS if name not in row]
    found += [f"{name} is not known" for name in row if name not in COLUMNS]
    if found:
        return found
    for name, rule in COLUMNS.items():
        found += [f"{name}: {fault}" for fault in _faults_of(rule, row[name], row)]
    return found or _dependencies(row)


def _faults_of(rule: Rule, text: str, row: Mapping[str, str]) -> list[str]:
    is_usage = row["ChargeCategory"] == ChargeCategory.USAGE
    if rule.usage_only and bool(text) != is_usage:
        return ["there is one in rows of usage, and in no other"]
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
        found.append("usage is charged as it is used, and an adjustment once")
    return found
