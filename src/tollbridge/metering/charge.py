"""What does the provider itself say it charged?

Only providers whose field is known to be US dollars are read: the same field of another
provider may be credits of its own, or nothing at all.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, cast

CHARGE_USD_MAX = Decimal(1_000_000)
"""A charge for one attempt above this is a fault of the provider."""
CHARGE_PLACES_MAX = 30
CHARGE_TEXT_MAX = 40
TICK_USD_PLACES = -10
"""xAI counts money in ticks: 1e10 of them are one dollar."""
CREDIT_USD = Decimal("0.0000005")
"""AIMLAPI's credits: 2,000,000 are one dollar."""
REFUSED = "charge_refused"

Said = tuple[str | None, str | None]
"""The charge as decimal text in USD, or None and why there is none."""


def reported_charge(provider: str, raw: Mapping[str, Any]) -> Said:
    """Return (charge as decimal text in USD, None), or (None, a flag or None).

    The flag `charge_refused` marks a charge that is no amount; `charge_incomplete` one that
    leaves out what a key of our own paid upstream.
    """
    read = _READ_OF.get(provider)
    return (None, None) if read is None else read(raw)


def charge_in_headers(provider: str, headers: Mapping[str, str]) -> Said:
    """Return likewise what an answer's headers say, for where its body does not."""
    return _said(headers.get("x-aimlapi-usd-spent")) if provider == "aimlapi" else (None, None)


def _openrouter(raw: Mapping[str, Any]) -> Said:
    if raw.get("cost") is None:
        return None, None
    cost = _amount(raw["cost"])
    if cost is None:
        return None, REFUSED
    if raw.get("is_byok") is not True:
        return _checked(cost)
    # With our own upstream key `cost` is only the router's fee; the rest is said apart.
    details = raw.get("cost_details")
    upstream = (
        _amount(cast("dict[str, Any]", details).get("upstream_inference_cost"))
        if isinstance(details, dict)
        else None
    )
    return (None, "charge_incomplete") if upstream is None else _checked(cost + upstream)


def _xai(raw: Mapping[str, Any]) -> Said:
    ticks = raw.get("cost_in_usd_ticks")
    if ticks is None:
        return None, None
    if type(ticks) is not int:
        return None, REFUSED
    return _checked(Decimal(ticks).scaleb(TICK_USD_PLACES))


def _runware(raw: Mapping[str, Any]) -> Said:
    return _said(raw.get("cost"))


def _aimlapi(raw: Mapping[str, Any]) -> Said:
    """Read what AIMLAPI charged: dollars, else its credits, by the name of the answer's age."""
    said = raw.get("usd_spent")
    credit_usd = Decimal(1)
    if said is None:
        said = raw.get("credits_used", raw.get("tokens_used"))
        credit_usd = CREDIT_USD
    if said is None:
        return None, None
    amount = _amount(said)
    return (None, REFUSED) if amount is None else _checked(amount * credit_usd)


def _said(value: object) -> Said:
    if value is None:
        return None, None
    amount = _amount(value)
    return (None, REFUSED) if amount is None else _checked(amount)


def _amount(value: object) -> Decimal | None:
    """Return a JSON number or its text as a finite Decimal, None where it is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int):
        return Decimal(value)
    # The text of a JSON number, not its binary value: 1.13e-05 is exactly 0.0000113.
    text = str(value)
    if len(text) > CHARGE_TEXT_MAX:
        return None
    try:
        amount = Decimal(text)
    except ArithmeticError:
        return None
    return amount if amount.is_finite() else None


def _checked(amount: Decimal) -> Said:
    if not 0 <= amount <= CHARGE_USD_MAX or amount.adjusted() < -CHARGE_PLACES_MAX:
        return None, REFUSED
    return f"{amount:f}", None


_READ_OF: Mapping[str, Callable[[Mapping[str, Any]], Said]] = MappingProxyType(
    {"aimlapi": _aimlapi, "openrouter": _openrouter, "runware": _runware, "xai": _xai}
)
