"""What does a [[budget]] declare?"""

from collections.abc import Collection

from tollbridge.configuration.table import TableReader
from tollbridge.core.amounts import AMOUNT_MAX, parse_amount
from tollbridge.core.call import Bucket, Category
from tollbridge.core.limits import CATEGORY_COUNTED, LimitKind
from tollbridge.ledger.alerts import THRESHOLD_MAX, THRESHOLDS_MAX, check_thresholds
from tollbridge.ledger.budgets import (
    LIMIT_FIELDS,
    MODEL_LENGTH_MAX,
    PROVIDER_LENGTH_MAX,
    SELECTOR_FIELDS,
    SUBJECT_KINDS,
    BudgetTerms,
)
from tollbridge.ledger.periods import PERIODS

ALERTS = "alerts"
FIELDS = frozenset({"name", "subject", "period", "hard", ALERTS, *LIMIT_FIELDS, *SELECTOR_FIELDS})
LIMIT_TEXT_MAX = 40
AS_TEXT = frozenset({LimitKind.MONEY, LimitKind.CREDITS})
"""Kinds whose amounts are decimal text; the others are whole numbers."""


def read_budget(table: TableReader, providers: Collection[str] = ()) -> BudgetTerms:
    """Return what one [[budget]] declares; `providers` are those that there are, if known."""
    table.only(FIELDS)
    subject = table.text("subject", length_max=256)
    kind_of_subject, colon, subject_name = subject.partition(":")
    if not colon or not subject_name:
        raise table.error(f'subject is a kind and a name such as "key:ci", not {subject!r}')
    table.one_of("subject", kind_of_subject, SUBJECT_KINDS)
    kind, amount = _limit(table)
    category = _one_of(table, "category", [one.value for one in Category])
    only = CATEGORY_COUNTED.get(kind)
    if only is not None and category not in {"", only}:
        raise table.error(f"limit_{kind.value} counts calls of the category {only} alone")
    provider = table.text("provider", "", PROVIDER_LENGTH_MAX)
    if provider and providers:
        table.one_of("provider", provider, providers)
    return BudgetTerms(
        name=table.text("name"),
        subject=subject,
        limit_amount=amount,
        period=table.choice("period", PERIODS),
        hard=table.flag("hard", default=True),
        kind=kind,
        bucket=_one_of(table, "bucket", [one.value for one in Bucket]),
        category=category,
        model=table.text("model", "", MODEL_LENGTH_MAX),
        provider=provider,
    )


def read_alerts(table: TableReader) -> tuple[int, ...] | None:
    """Return at which per cent of one [[budget]] is told: None as of all others, empty: never."""
    if not table.has(ALERTS):
        return None
    thresholds = table.wholes(ALERTS, 1, THRESHOLD_MAX)
    if len(thresholds) > THRESHOLDS_MAX:
        raise table.error(f"{ALERTS}: at most {THRESHOLDS_MAX} thresholds")
    return check_thresholds(thresholds)


def _one_of(table: TableReader, field: str, choices: Collection[str]) -> str:
    return table.choice(field, choices) if table.has(field) else ""


def _limit(table: TableReader) -> tuple[LimitKind, int]:
    """Return what is counted, and how much of it there is."""
    fields = [field for field in LIMIT_FIELDS if table.has(field)]
    if not fields:
        raise table.error(f"limit_usd is missing, or another of {', '.join(LIMIT_FIELDS)}")
    if len(fields) > 1:
        raise table.error(f"a budget counts one thing: {' or '.join(fields)}")
    (field,) = fields
    kind = LIMIT_FIELDS[field]
    if kind not in AS_TEXT:
        return kind, table.whole(field, 0, AMOUNT_MAX) or 0
    if not isinstance(table.raw(field), str):
        raise table.error(f'{field} is decimal text such as "1.00", in quotes')
    text = table.text(field, length_max=LIMIT_TEXT_MAX)
    try:
        return kind, parse_amount(kind, text)
    except ValueError as error:
        raise table.error(f"{field}: {error}") from error
