"""How does a call of the usage log leave as a line of CSV or JSON? Pure.

The columns are fields of the usage log, under their names there. Most of them stand on the line as
they are in the books, and the database writes these, neighbours in one text: a value that becomes
an object of this program costs more than the database needs to write it. Instants, and money with
its corrections, are put between them here.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from enum import Enum
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from tollbridge.core.clock import SECOND_US, to_text
from tollbridge.core.money import NANO
from tollbridge.core.sheets import LINE_END, csv_head
from tollbridge.insight.log_filter import period_of

QUARTER_US = 900 * SECOND_US
"""Months begin at whole quarter hours, in any time zone."""
DAY_S = 86_400
DATE_LENGTH = len("2026-01-01T")
DAY_US = DAY_S * SECOND_US
_MINUTES = tuple(f"{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))
_SECONDS = tuple(f"{second:02d}." for second in range(60))
_MILLIS = tuple(f"{milli:03d}" for milli in range(1000))
_MICROS = tuple(f"{micro:03d}Z" for micro in range(1000))
"""What instants are put together of, which is a good deal faster than to format numbers."""
NANO_WHOLE = int(NANO)


class Correction(msgspec.Struct, frozen=True):
    """What corrections of a call come to."""

    difference_nanousd: int
    charge_difference_nanousd: int
    is_priced: bool
    """Whether all of its attempts have a price only since then."""


class Cell(Enum):
    """What kind of value a column has."""

    CALL = "call"
    INSTANT = "instant"
    MONTH = "month"
    MONEY = "money"
    TEXT = "text"
    NUMBER = "number"
    TRUTH = "truth"
    SEVERAL = "several"
    """Whether a number is more than one."""
    LIST = "list"
    OBJECT = "object"


MADE = frozenset({Cell.CALL, Cell.INSTANT, Cell.MONTH, Cell.MONEY})
"""What is put on a line here; the database writes the others."""


class ExportColumn(NamedTuple):
    """One column of the export."""

    cell: Cell
    source: str
    """The column of the books that it is made of."""
    description: str


COLUMNS: Mapping[str, ExportColumn] = {
    "call_id": ExportColumn(Cell.CALL, "call_id", "The call."),
    "received_at": ExportColumn(Cell.INSTANT, "received_at_us", "ISO 8601 in UTC."),
    "accounted_at": ExportColumn(
        Cell.INSTANT, "accounted_at_us", "Its end; it decides the day. The newest come first."
    ),
    "billing_period": ExportColumn(
        Cell.MONTH, "accounted_at_us", "YYYY-MM, in the billing time zone."
    ),
    "status": ExportColumn(Cell.TEXT, "status", "COMPLETED or FAILED."),
    "http_status": ExportColumn(Cell.NUMBER, "http_status", "What the caller was answered."),
    "ending": ExportColumn(Cell.TEXT, "ending", "How it ended: complete, caller_left …"),
    "error_class": ExportColumn(Cell.TEXT, "error_class", "What kind of error."),
    "error_message": ExportColumn(Cell.TEXT, "error_message", "The error in words."),
    "actual_provider_name": ExportColumn(
        Cell.TEXT, "actual_provider_name", "Who answered and bills us."
    ),
    "upstream_provider_name": ExportColumn(
        Cell.TEXT, "upstream_provider_name", "Who ran the model, where revealed."
    ),
    "expected_provider": ExportColumn(Cell.TEXT, "expected_provider", "First in the plan."),
    "bucket": ExportColumn(Cell.TEXT, "bucket", "The generic provider name that limits count by."),
    "category": ExportColumn(Cell.TEXT, "category", "text, image, video, audio …"),
    "operation": ExportColumn(Cell.TEXT, "operation", "chat_completion, embedding …"),
    "label": ExportColumn(Cell.TEXT, "label", "The model that the application asked for."),
    "requested_model": ExportColumn(
        Cell.TEXT, "requested_model", "What the provider was asked for."
    ),
    "served_model": ExportColumn(Cell.TEXT, "served_model", "What the provider says it ran."),
    "endpoint": ExportColumn(Cell.TEXT, "endpoint", "The endpoint that served."),
    "user": ExportColumn(Cell.TEXT, "user_name", "Whose key it was."),
    "key_id": ExportColumn(Cell.TEXT, "key_id", "The key."),
    "key_name": ExportColumn(Cell.TEXT, "key_name", "Its name."),
    "project": ExportColumn(Cell.TEXT, "project", "The key's project."),
    "customer": ExportColumn(Cell.TEXT, "customer", "As the application said."),
    "tags": ExportColumn(Cell.LIST, "tags", "JSON list, as the application said."),
    "method": ExportColumn(Cell.TEXT, "method", "HTTP method."),
    "path": ExportColumn(Cell.TEXT, "path", "HTTP path."),
    "stream": ExportColumn(Cell.TRUTH, "stream", "true or false."),
    "usage": ExportColumn(
        Cell.OBJECT, "usage", "JSON object: unit → count; an absent unit is not known."
    ),
    "input_tokens": ExportColumn(Cell.NUMBER, "input_tokens", "With their cached parts."),
    "output_tokens": ExportColumn(Cell.NUMBER, "output_tokens", "With their reasoning parts."),
    "total_tokens": ExportColumn(Cell.NUMBER, "total_tokens", "Both."),
    "usage_source": ExportColumn(
        Cell.TEXT, "usage_source", "reported, drained, estimated or none."
    ),
    "cost_usd": ExportColumn(
        Cell.MONEY, "cost_nanousd", "All attempts, as first recorded; unknown is empty, never zero."
    ),
    "adjustment_usd": ExportColumn(
        Cell.MONEY, "known_cost_nanousd", "Sum of the corrections since; 0 where there is none."
    ),
    "cost_now_usd": ExportColumn(
        Cell.MONEY, "cost_nanousd", "With all corrections; totals count this one."
    ),
    "cost_origin": ExportColumn(
        Cell.TEXT, "cost_origin", "reported, computed, nothing_owed or mixed."
    ),
    "computed_usd": ExportColumn(Cell.MONEY, "computed_nanousd", "What our prices give."),
    "reported_usd": ExportColumn(
        Cell.MONEY, "reported_nanousd", "What the provider says it charged."
    ),
    "unpriced_reason": ExportColumn(Cell.TEXT, "unpriced_reason", "Why the cost is not known."),
    "charge_usd": ExportColumn(
        Cell.MONEY, "charge_nanousd", "What the account pays, as first recorded."
    ),
    "charge_now_usd": ExportColumn(
        Cell.MONEY, "charge_nanousd", "What it pays with all corrections."
    ),
    "latency_ms": ExportColumn(
        Cell.NUMBER, "latency_ms", "From the request to the end of its answer."
    ),
    "first_byte_ms": ExportColumn(Cell.NUMBER, "first_byte_ms", "To the first byte of its answer."),
    "attempts": ExportColumn(Cell.NUMBER, "attempt_count", "How many candidates were tried."),
    "fallback": ExportColumn(Cell.SEVERAL, "attempt_count", "Whether that is more than one."),
    "request_count": ExportColumn(
        Cell.NUMBER, "request_count", "How many requests the row stands for."
    ),
    "flags": ExportColumn(Cell.LIST, "flags", "JSON list: unpriced, estimated, overrun …"),
}
"""What is exported, in its order."""
NAMES = tuple(COLUMNS)
BOOKED = (
    "received_at_us",
    "cost_nanousd",
    "known_cost_nanousd",
    "computed_nanousd",
    "reported_nanousd",
    "charge_nanousd",
)
"""What is read to make columns of it, behind export_queries.PLACE …"""
RUNS: Sequence[Mapping[str, ExportColumn]] = tuple(
    dict(run)
    for is_made, run in groupby(COLUMNS.items(), lambda column: column[1].cell in MADE)
    if not is_made
)
"""… and behind these the neighbours that the database writes in one text, a text for each run."""
JSON_CELLS = frozenset({Cell.LIST, Cell.OBJECT})
TEXT_CELLS = frozenset({Cell.CALL, Cell.TEXT})
SOURCES: Mapping[str, Cell] = {column.source: column.cell for column in COLUMNS.values()}
"""The columns of the books, each with a kind of value that is made of it."""
PLAIN = tuple(name for name, cell in SOURCES.items() if cell not in JSON_CELLS)
"""Those that the database writes in one text for tables of columns …"""
JSONS = tuple(name for name, cell in SOURCES.items() if cell in JSON_CELLS)
"""… and those that are read besides."""


def _csv_money(amount_nanousd: int | None) -> str:
    """Return what money.usd_text says, in a fifth of its time."""
    if amount_nanousd is None:
        return ""
    if 0 < amount_nanousd < NANO_WHOLE:
        return f"0.{amount_nanousd:09d}".rstrip("0")
    whole, rest = divmod(abs(amount_nanousd), NANO_WHOLE)
    text = f"{whole}.{rest:09d}".rstrip("0") if rest else str(whole)
    return f"-{text}" if amount_nanousd < 0 else text


def _json_money(amount_nanousd: int | None) -> str:
    return "null" if amount_nanousd is None else f'"{_csv_money(amount_nanousd)}"'


def _templates() -> tuple[str, str]:
    """Return a line of CSV and one of JSON, with places for what `LineMaker` puts there."""
    cells: list[str] = []
    fields: list[str] = []
    was_made = True
    for name, column in COLUMNS.items():
        is_made = column.cell in MADE
        if is_made:
            cells.append("%s")
            # Money has its quotes, since it may be null.
            fields.append(f'"{name}":%s' if column.cell is Cell.MONEY else f'"{name}":"%s"')
        elif was_made:
            cells.append("%s")
            fields.append("%s")
        was_made = is_made
    return ",".join(cells), f"{{{','.join(fields)}}}"


class Style(NamedTuple):
    """What lines look like."""

    head: bytes
    """The first line."""
    template: str
    end: str
    money: Callable[[int | None], str]
    zero: str
    """Money that is none."""
    inner: slice
    """What of a run stands on the line."""


_CSV_LINE, _JSON_LINE = _templates()
CSV = Style(csv_head(NAMES).encode(), _CSV_LINE, LINE_END, _csv_money, "0", slice(None))
"""Unknown is nothing."""
JSON = Style(b"", _JSON_LINE, "\n", _json_money, '"0"', slice(1, -1))
"""An object a line; unknown is null. A run is an object as well, without whose braces it stands."""


class LineMaker:
    """Makes the lines of the rows of one export: export_queries.PLACE, BOOKED, and RUNS."""

    def __init__(self, style: Style, zone: tzinfo) -> None:
        """Take what lines look like, and the billing time zone."""
        self._style = style
        self._instants = _Instants()
        self._months = Months(zone)

    def lines(self, rows: Sequence[Any], corrections: Mapping[str, Correction]) -> bytes:
        """Return the lines of a page."""
        style, instant, month = self._style, self._instants.text, self._months.text
        template, money, inner = style.template, style.money, style.inner
        unknown = money(None)
        lines: list[str] = []
        for (
            at_us,
            call_id,
            received_us,
            cost,
            known,
            computed,
            reported,
            charge,
            first,
            second,
            third,
            last,
        ) in rows:
            cost_text = cost_now_text = money(cost)
            charge_text = charge_now_text = cost_text if charge == cost else money(charge)
            adjustment_text = style.zero
            correction = corrections.get(call_id) if corrections else None
            if correction is not None:
                adjustment_text = money(correction.difference_nanousd)
                if cost is not None or correction.is_priced:
                    cost_now_text = money(known + correction.difference_nanousd)
                charge_now_text = money(charge + correction.charge_difference_nanousd)
            made = (
                call_id,
                instant(received_us),
                instant(at_us),
                month(at_us),
                first[inner],
                cost_text,
                adjustment_text,
                cost_now_text,
                second[inner],
                cost_text if computed == cost else money(computed),
                unknown if reported is None else money(reported),
                third[inner],
                charge_text,
                charge_now_text,
                last[inner],
            )
            lines.append(template % made)
        lines.append("")
        return style.end.join(lines).encode()


class Months:
    """Says in which month of billing an instant is."""

    __slots__ = ("_month", "_quarter", "_zone")

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._quarter = -1
        self._month = ""

    def text(self, at_us: int) -> str:
        """Return it as YYYY-MM."""
        quarter = at_us // QUARTER_US
        if quarter != self._quarter:
            self._quarter, self._month = quarter, period_of(at_us, self._zone)
        return self._month


class _Instants:
    """Says what clock.to_text says, in a tenth of its time where neighbours share a day."""

    __slots__ = ("_day", "_start")

    def __init__(self) -> None:
        self._day = -1
        self._start = ""

    def text(self, at_us: int) -> str:
        seconds = at_us // SECOND_US
        day = seconds // DAY_S
        if day != self._day:
            self._day, self._start = day, to_text(day * DAY_US)[:DATE_LENGTH]
        # Differences cost less than remainders.
        micro, second = at_us - seconds * SECOND_US, seconds - day * DAY_S
        milli, minute = micro // 1000, second // 60
        return (
            f"{self._start}{_MINUTES[minute]}{_SECONDS[second - minute * 60]}"
            f"{_MILLIS[milli]}{_MICROS[micro - milli * 1000]}"
        )
