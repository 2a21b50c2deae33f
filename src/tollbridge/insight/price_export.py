"""How do prices leave for a spreadsheet or another program?"""

import csv
import io
from collections.abc import Iterable
from typing import Any

import msgspec

from tollbridge.core.clock import to_text
from tollbridge.insight.prices import PriceVersion
from tollbridge.rating.conditions import as_mapping
from tollbridge.rating.model_export import BYTE_ORDER_MARK, guarded

EXPORTED = (
    "price_version_id",
    "provider",
    "model",
    "unit",
    "conditions",
    "rate_usd",
    "per",
    "quantity_min",
    "quantity_step",
    "valid_from",
    "valid_to",
    "recorded_at",
    "source",
    "source_detail",
    "status",
    "reference",
    "as_of",
    "recorded_by",
    "comment",
)


def price_fields(row: PriceVersion) -> dict[str, Any]:
    """Return a price as JSON has it: the rate is text, instants are ISO 8601."""
    fields = msgspec.structs.asdict(row)
    fields["conditions"] = as_mapping(row.conditions)
    for name in ("valid_from", "valid_to", "recorded_at"):
        at_us = fields.pop(f"{name}_us")
        fields[name] = None if at_us is None else to_text(at_us)
    return {name: fields[name] for name in EXPORTED}


def prices_as_csv(rows: Iterable[PriceVersion]) -> str:
    """Return prices as CSV: UTF-8 with its mark, unknown as nothing, no text a formula."""
    file = io.StringIO()
    file.write(BYTE_ORDER_MARK)
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(EXPORTED)
    for row in rows:
        fields = price_fields(row)
        fields["conditions"] = row.conditions
        writer.writerow([_cell(fields[name]) for name in EXPORTED])
    return file.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return guarded(value) if isinstance(value, str) else str(value)
