"""What does a [[budget]] declare?"""

from enum import StrEnum

import msgspec

from tollbridge.configuration.table import TableReader
from tollbridge.core.money import parse_usd, to_nanousd, to_usd

FIELDS = frozenset({"name", "subject", "limit_usd", "period", "hard"})
NOT_BUILT = frozenset(
    {
        "limit_credits",
        "limit_calls",
        "limit_tokens",
        "bucket",
        "category",
        "model",
        "provider",
        "alerts",
    },
)
SUBJECTS = frozenset({"organisation", "project", "user", "key", "customer"})
SUBJECTS_BUILT = ("organisation", "project", "user", "key")
LIMIT_TEXT_MAX = 40
LIMIT_NANOUSD_MAX = 9 * 10**18


class Period(StrEnum):
    """How long a budget lasts before it begins anew."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    TOTAL = "total"


class FileBudget(msgspec.Struct, frozen=True):
    """One [[budget]] of the file."""

    name: str
    subject: str
    """As written: "key:ci"."""
    subject_kind: str
    subject_name: str
    limit_nanousd: int
    period: Period
    hard: bool = True


def read_budget(table: TableReader) -> FileBudget:
    """Return what one [[budget]] declares."""
    table.only(FIELDS, NOT_BUILT)
    subject = table.text("subject", length_max=256)
    kind, colon, subject_name = subject.partition(":")
    if not colon or not subject_name:
        raise table.error(f'subject is a kind and a name such as "key:ci", not {subject!r}')
    table.one_of("subject", kind, SUBJECTS)
    if kind not in SUBJECTS_BUILT:
        built = ", ".join(f"{one}:" for one in SUBJECTS_BUILT)
        raise table.error(f"a budget with the subject {kind}: is not built yet; built: {built}")
    if not table.flag("hard", default=True):
        raise table.error("hard = false is not built yet: only hard budgets are")
    return FileBudget(
        name=table.text("name"),
        subject=subject,
        subject_kind=kind,
        subject_name=subject_name,
        limit_nanousd=_limit(table),
        period=Period(table.choice("period", [one.value for one in Period])),
    )


def _limit(table: TableReader) -> int:
    table.required("limit_usd")
    value = table.raw("limit_usd")
    if not isinstance(value, str):
        raise table.error('limit_usd is decimal text such as "1.00", in quotes')
    text = table.text("limit_usd", length_max=LIMIT_TEXT_MAX)
    try:
        amount = parse_usd(text)
    except ValueError as error:
        raise table.error(f"limit_usd: {error}") from error
    if amount < 0 or amount > to_usd(LIMIT_NANOUSD_MAX):
        raise table.error(f"limit_usd is from 0 to {to_usd(LIMIT_NANOUSD_MAX):f}, not {text}")
    nanousd = to_nanousd(amount)
    if to_usd(nanousd) != amount:
        raise table.error(f"limit_usd has at most 9 decimal places, {text} has more")
    return nanousd
