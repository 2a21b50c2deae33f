"""How is money held without losing any?

Amounts are Decimal US dollars while they are calculated, rounded once per call, half-even, to
integer nano-dollars (1e-9 USD), stored as integers, and shown as decimal text. No float.
"""

from decimal import ROUND_HALF_EVEN, Decimal

NANO = Decimal(10) ** 9
NANO_PLACES = -9


def to_nanousd(amount_usd: Decimal) -> int:
    """Round an exact amount in US dollars half-even to integer nano-dollars."""
    return int((amount_usd * NANO).to_integral_value(rounding=ROUND_HALF_EVEN))


def to_usd(amount_nanousd: int) -> Decimal:
    """Return nano-dollars as an exact Decimal of US dollars."""
    return Decimal(amount_nanousd).scaleb(NANO_PLACES)


def usd_text(amount_nanousd: int) -> str:
    """Return nano-dollars as plain decimal text in US dollars: 450000 is "0.00045"."""
    text = f"{to_usd(amount_nanousd):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_usd(text: str) -> Decimal:
    """Read a finite decimal of US dollars.

    Raises ValueError where the text is no finite number.
    """
    try:
        amount = Decimal(text.strip())
    except ArithmeticError as error:
        raise ValueError(f"{text!r} is no amount of money") from error
    if not amount.is_finite():
        raise ValueError(f"{text!r} is no finite amount of money")
    return amount
