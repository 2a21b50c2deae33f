"""How do prices leave for a spreadsheet or another program?"""

from collections.abc import Iterable
from typing import Any

import msgspec

from tollbridge.core.clock import to_text
from tollbridge.core.sheets import csv_of
from tollbridge.insight.prices import PriceVersion
from tollbridge.rating.conditions import as_mapping

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
    return csv_of(EXPORTED, (_values(row) for row in rows))


def _values(row: PriceVersion) -> list[object]:
    fields = {**price_fields(row), "conditions": row.conditions}
    return [fields[name] for name in EXPORTED]
