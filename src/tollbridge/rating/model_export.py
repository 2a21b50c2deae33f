"""How do the models leave for a spreadsheet or another program, and side by side?"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, cast

import msgspec

from tollbridge.core import sheets
from tollbridge.core.clock import to_text
from tollbridge.rating.models import Model, rate_text

EXPORTED = (
    "model_name",
    "display_name",
    "model_type",
    "provider",
    "description",
    "input_cost_per_1m",
    "output_cost_per_1m",
    "cost_per_image",
    "context_window",
    "max_output_tokens",
    "valid_sizes",
    "supports_json_mode",
    "supports_vision",
    "supports_function_calling",
    "is_active",
    "is_default",
    "sort_order",
    "updated_at",
    "updated_by",
)
COMPARED = tuple(name for name in EXPORTED if name not in {"updated_at", "updated_by"})


class Compared(msgspec.Struct, frozen=True):
    """One field of several models side by side."""

    field: str
    values: tuple[Any, ...]
    differs: bool


def csv_of(models: Iterable[Model]) -> str:
    """Return models as CSV: UTF-8 with its mark, prices as plain decimals, unknown as nothing."""
    return sheets.csv_of(
        EXPORTED, ([value_of(model, field) for field in EXPORTED] for model in models)
    )


def json_of(models: Iterable[Model]) -> bytes:
    """Return models as JSON, prices as decimal text, unknown as null."""
    rows = [{field: value_of(model, field) for field in EXPORTED} for model in models]
    return msgspec.json.format(msgspec.json.encode({"models": rows}), indent=2)


def compare(models: Sequence[Model]) -> list[Compared]:
    """Return all fields of the models side by side, in the order given."""
    rows: list[Compared] = []
    for field in COMPARED:
        values = tuple(value_of(model, field) for model in models)
        rows.append(Compared(field, values, any(value != values[0] for value in values)))
    return rows


def value_of(model: Model, field: str) -> Any:
    """Return a field as JSON has it: a price as text, an instant as ISO 8601, sizes as a list."""
    if field == "updated_at":
        return to_text(model.updated_at_us)
    value = getattr(model, field)
    if isinstance(value, Decimal):
        return rate_text(value)
    return list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
