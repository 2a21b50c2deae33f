"""What does a [[credit_rate]] declare?"""

from tollbridge.configuration.table import TableReader
from tollbridge.core.amounts import parse_amount
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.limits import LimitKind
from tollbridge.ledger.credits import (
    MODEL_LENGTH_MAX,
    OPERATION_LENGTH_MAX,
    TOKENS_PER_CREDIT_MAX,
    CreditRate,
    check_rate,
)

FIELDS = frozenset(
    {
        "operation",
        "model",
        "tokens_per_credit",
        "min_credits",
        "credits_per_image",
        "credits_per_call",
        "price_per_credit_usd",
    }
)
AMOUNT_TEXT_MAX = 40


def read_credit_rate(table: TableReader) -> CreditRate:
    """Return what one [[credit_rate]] declares; without a model it is of all others."""
    table.only(FIELDS)
    rate = CreditRate(
        operation=table.text("operation", length_max=OPERATION_LENGTH_MAX),
        model=table.text("model", "", MODEL_LENGTH_MAX),
        tokens_per_credit=table.whole("tokens_per_credit", 1, TOKENS_PER_CREDIT_MAX),
        min_microcredits=_amount(table, "min_credits", LimitKind.CREDITS) or 0,
        microcredits_per_image=_amount(table, "credits_per_image", LimitKind.CREDITS),
        microcredits_per_call=_amount(table, "credits_per_call", LimitKind.CREDITS),
        price_per_credit_nanousd=_amount(table, "price_per_credit_usd", LimitKind.MONEY),
    )
    try:
        check_rate(rate)
    except InvalidRequestError as error:
        raise table.error(error.message) from error
    return rate


def _amount(table: TableReader, field: str, kind: LimitKind) -> int | None:
    if not table.has(field):
        return None
    if not isinstance(table.raw(field), str):
        raise table.error(f'{field} is decimal text such as "1.00", in quotes')
    try:
        return parse_amount(kind, table.text(field, length_max=AMOUNT_TEXT_MAX))
    except ValueError as error:
        raise table.error(f"{field}: {error}") from error
