"""How does a call of the usage log leave as a line of CSV or JSON? Pure.

The columns are fields of the usage log, under their names there.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, NamedTuple

import msgspec

from tollbridge.core.clock import SECOND_US, to_text
from tollbridge.core.money import NANO
from tollbridge.core.sheets import FORMULA_STARTS, csv_head, csv_lines
from tollbridge.insight.log_filter import period_of

QUARTER_US = 900 * SECOND_US
"""Months begin at whole quarter hours, in any time zone."""
DAY_S = 86_400
DATE_LENGTH = len("2026-01-01T")
_MINUTES = tuple(f"{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))
NANO_WHOLE = int(NANO)


class Correction(msgspec.Struct, frozen=True):
    """What corrections of a call come to."""

    difference_nanousd: int
    charge_difference_nanousd: int
    is_priced: bool
    """Whether all of its attempts have a price only since then."""


class ExportColumn(NamedTuple):
    """One column of the export."""

    source: str
    """The column of the books that it is made of."""
    description: str
    is_text: bool = False
    """Whether somebody else may choose how it begins."""


def _text(source: str, description: str) -> ExportColumn:
    return ExportColumn(source, description, is_text=True)


COLUMNS: Mapping[str, ExportColumn] = {
    "call_id": ExportColumn("call_id", "The call."),
    "received_at": ExportColumn("received_at_us", "ISO 8601 in UTC."),
    "accounted_at": ExportColumn(
        "accounted_at_us", "Its end; it decides the day. The newest come first."
    ),
    "billing_period": ExportColumn("accounted_at_us", "YYYY-MM, in the billing time zone."),
    "status": ExportColumn("status", "COMPLETED or FAILED."),
    "http_status": ExportColumn("http_status", "What the caller was answered."),
    "ending": ExportColumn("ending", "How it ended: complete, caller_left …"),
    "error_class": ExportColumn("error_class", "What kind of error."),
    "error_message": _text("error_message", "The error in words."),
    "actual_provider_name": _text("actual_provider_name", "Who answered and bills us."),
    "upstream_provider_name": _text("upstream_provider_name", "Who ran the model, where revealed."),
    "expected_provider": _text("expected_provider", "First in the plan."),
    "bucket": ExportColumn("bucket", "The generic provider name that limits count by."),
    "category": ExportColumn("category", "text, image, video, audio …"),
    "operation": ExportColumn("operation", "chat_completion, embedding …"),
    "label": _text("label", "The model that the application asked for."),
    "requested_model": _text("requested_model", "What the provider was asked for."),
    "served_model": _text("served_model", "What the provider says it ran."),
    "endpoint": _text("endpoint", "The endpoint that served."),
    "user": _text("user_name", "Whose key it was."),
    "key_id": _text("key_id", "The key."),
    "key_name": _text("key_name", "Its name."),
    "project": _text("project", "The key's project."),
    "customer": _text("customer", "As the application said."),
    "tags": ExportColumn("tags", "JSON list, as the application said."),
    "method": _text("method", "HTTP method."),
    "path": _text("path", "HTTP path."),
    "stream": ExportColumn("stream", "true or false."),
    "usage": ExportColumn("usage", "JSON object: unit → count; an absent unit is not known."),
    "input_tokens": ExportColumn("input_tokens", "With their cached parts."),
    "output_tokens": ExportColumn("output_tokens", "With their reasoning parts."),
    "total_tokens": ExportColumn("total_tokens", "Both."),
    "usage_source": ExportColumn("usage_source", "reported, drained, estimated or none."),
    "cost_usd": ExportColumn(
        "cost_nanousd", "All attempts, as first recorded; unknown is empty, never zero."
    ),
    "adjustment_usd": ExportColumn(
        "known_cost_nanousd", "Sum of the corrections since; 0 where there is none."
    ),
    "cost_now_usd": ExportColumn("cost_nanousd", "With all corrections; totals count this one."),
    "cost_origin": ExportColumn("cost_origin", "reported, computed, nothing_owed or mixed."),
    "computed_usd": ExportColumn("computed_nanousd", "What our prices give."),
    "reported_usd": ExportColumn("reported_nanousd", "What the provider says it charged."),
    "unpriced_reason": _text("unpriced_reason", "Why the cost is not known."),
    "charge_usd": ExportColumn("charge_nanousd", "What the account pays, as first recorded."),
    "charge_now_usd": ExportColumn("charge_nanousd", "What it pays with all corrections."),
    "latency_ms": ExportColumn("latency_ms", "From the request to the end of its answer."),
    "first_byte_ms": ExportColumn("first_byte_ms", "To the first byte of its answer."),
    "attempts": ExportColumn("attempt_count", "How many candidates were tried."),
    "fallback": ExportColumn("attempt_count", "Whether that is more than one."),
    "request_count": ExportColumn("request_count", "How many requests the row stands for."),
    "flags": ExportColumn("flags", "JSON list: unpriced, estimated, overrun …"),
}
"""What is exported, in its order."""
NAMES = tuple(COLUMNS)
SOURCES = tuple(column.source for column in COLUMNS.values())
PLACE_COLUMNS = 2
"""So many stand before them in a row: where it stands in the log."""

_AT: Mapping[str, int] = {name: place for place, name in enumerate(NAMES)}
_RECEIVED, _ACCOUNTED, _PERIOD = (
    _AT["received_at"],
    _AT["accounted_at"],
    _AT["billing_period"],
)
_COST, _ADJUSTMENT, _COST_NOW = _AT["cost_usd"], _AT["adjustment_usd"], _AT["cost_now_usd"]
_COMPUTED, _REPORTED = _AT["computed_usd"], _AT["reported_usd"]
_CHARGE, _CHARGE_NOW, _FALLBACK = _AT["charge_usd"], _AT["charge_now_usd"], _AT["fallback"]
_STREAM = _AT["stream"]
_TEXTS = tuple(_AT[name] for name, column in COLUMNS.items() if column.is_text)
_JSONS = tuple(
    (_AT[name], empty) for name, empty in (("tags", b"[]"), ("usage", b"{}"), ("flags", b"[]"))
)
_JSON_PLACES = tuple(place for place, _ in _JSONS)
_STARTS = frozenset(FORMULA_STARTS)
_NOTHING = Correction(0, 0, is_priced=False)
_Line = msgspec.defstruct("_Line", [(name, Any) for name in NAMES], frozen=True, gc=False)
"""A line of JSON: its names are encoded once."""
_encoder = msgspec.json.Encoder()


class LineMaker:
    """Makes the lines of the rows of one export, whose columns are SOURCES."""

    def __init__(self, zone: tzinfo) -> None:
        """Take the billing time zone."""
        self._zone = zone
        self._instants = _Instants()
        self._quarter = -1
        self._period = ""

    def csv(self, rows: Sequence[Any], corrections: Mapping[str, Correction]) -> bytes:
        """Return lines of CSV: unknown as nothing, no text a formula."""
        lines = [self.values(row, corrections) for row in rows]
        for line in lines:
            line[_STREAM] = "true" if line[_STREAM] else "false"
            line[_FALLBACK] = "true" if line[_FALLBACK] else "false"
            for place in _TEXTS:
                text = line[place]
                if text and text[0] in _STARTS:
                    line[place] = f"'{text}"
        return csv_lines(lines, _JSON_PLACES).encode()

    def json_lines(self, rows: Sequence[Any], corrections: Mapping[str, Correction]) -> bytes:
        """Return JSON, an object a line: unknown is null."""
        lines: list[msgspec.Struct] = []
        for row in rows:
            line = self.values(row, corrections)
            for place, empty in _JSONS:
                # JSON stands there as text, and is taken over as it is.
                line[place] = msgspec.Raw(line[place] or empty)
            line[_STREAM] = bool(line[_STREAM])
            lines.append(_Line(*line))
        return _encoder.encode_lines(lines)

    def values(self, row: Any, corrections: Mapping[str, Correction]) -> list[Any]:
        """Return the values of a line, JSON still as text."""
        line: list[Any] = list(row[PLACE_COLUMNS:])
        correction = corrections.get(row[1], _NOTHING) if corrections else _NOTHING
        accounted_at_us = line[_ACCOUNTED]
        line[_RECEIVED] = self._instants.text(line[_RECEIVED])
        line[_ACCOUNTED] = self._instants.text(accounted_at_us)
        line[_PERIOD] = self._period_of(accounted_at_us)
        cost, known, charge = line[_COST], line[_ADJUSTMENT], line[_CHARGE]
        cost_text = _money(cost)
        line[_COST] = line[_COST_NOW] = cost_text
        line[_ADJUSTMENT] = "0"
        line[_COMPUTED] = cost_text if line[_COMPUTED] == cost else _money(line[_COMPUTED])
        line[_REPORTED] = cost_text if line[_REPORTED] == cost else _money(line[_REPORTED])
        charge_text = cost_text if charge == cost else _money(charge)
        line[_CHARGE] = line[_CHARGE_NOW] = charge_text
        line[_FALLBACK] = line[_FALLBACK] > 1
        if correction is not _NOTHING:
            line[_ADJUSTMENT] = _money(correction.difference_nanousd)
            if cost is not None or correction.is_priced:
                line[_COST_NOW] = _money(known + correction.difference_nanousd)
            line[_CHARGE_NOW] = _money(charge + correction.charge_difference_nanousd)
        return line

    def _period_of(self, at_us: int) -> str:
        quarter = at_us // QUARTER_US
        if quarter != self._quarter:
            self._quarter, self._period = quarter, period_of(at_us, self._zone)
        return self._period


def log_head() -> bytes:
    """Return how an export as CSV begins."""
    return csv_head(NAMES).encode()


def _money(amount_nanousd: int | None) -> str | None:
    """Return what money.usd_text says, in a third of its time."""
    if amount_nanousd is None:
        return None
    whole, rest = divmod(abs(amount_nanousd), NANO_WHOLE)
    text = f"{whole}.{rest:09d}".rstrip("0") if rest else str(whole)
    return f"-{text}" if amount_nanousd < 0 else text


class _Instants:
    """Says what clock.to_text says, in a fifth of its time where neighbours share a day."""

    __slots__ = ("_day", "_start")

    def __init__(self) -> None:
        self._day = -1
        self._start = ""

    def text(self, at_us: int) -> str:
        seconds, micro = divmod(at_us, SECOND_US)
        day, second = divmod(seconds, DAY_S)
        if day != self._day:
            self._day, self._start = day, to_text(day * DAY_S * SECOND_US)[:DATE_LENGTH]
        return f"{self._start}{_MINUTES[second // 60]}{second % 60:02d}.{micro:06d}Z"
