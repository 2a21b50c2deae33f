"""Which rows does the catalogue of models keep, and how do they become models?"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    and_,
    false,
    or_,
    text,
)

from tollbridge.rating.model_changes import ModelFilter
from tollbridge.rating.models import Model
from tollbridge.rating.prices import NAME_MAX
from tollbridge.storage.types import Instant, Json, RowId, metadata

# What models cost is not here: the price book says it, for every moment.
models = Table(
    "models",
    metadata,
    Column("model_name", String(NAME_MAX), primary_key=True),
    Column("display_name", String(NAME_MAX), nullable=False),
    Column("model_type", String(16), nullable=False),
    Column("provider", String(NAME_MAX), nullable=False),
    Column("description", Text, nullable=False),
    # Tokens; NULL is not known.
    Column("context_window", Integer),
    Column("max_output_tokens", Integer),
    # A list of texts; NULL: any, as far as is known.
    Column("valid_sizes", Json),
    Column("supports_json_mode", Boolean, nullable=False),
    Column("supports_vision", Boolean, nullable=False),
    Column("supports_function_calling", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("sort_order", Integer, nullable=False),
    # seed, sync or operator.
    Column("origin", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
    Column("updated_by", String(NAME_MAX), nullable=False),
    CheckConstraint(
        "model_type IN ('text', 'image', 'video', 'audio', 'embedding', 'rerank')", name="type"
    ),
    CheckConstraint("is_active OR NOT is_default", name="default_is_active"),
    Index("ix_models_place", "sort_order", "model_name"),
    # Two defaults of one type cannot both be there, whoever writes at the same moment.
    Index(
        "uq_models_default",
        "model_type",
        unique=True,
        sqlite_where=text("is_default"),
        postgresql_where=text("is_default"),
    ),
)

# Rows are added and never changed: who changed which model, when, from what to what.
model_changes = Table(
    "model_changes",
    metadata,
    Column("change_id", RowId, primary_key=True),
    Column("model_name", String(NAME_MAX), nullable=False),
    Column("at_us", Instant, nullable=False),
    Column("actor", String(NAME_MAX), nullable=False),
    Column("action", String(16), nullable=False),
    # The model's fields and its prices of that moment; NULL before it was created.
    Column("before", Json),
    Column("after", Json, nullable=False),
    Index("ix_model_changes_model_name", "model_name", "change_id"),
)

# The columns that are fields of Model; the prices are not among them.
COLUMNS = tuple(column.name for column in models.columns)
SEARCHED = (models.c.model_name, models.c.display_name, models.c.description)
CAPABILITIES: Mapping[str, Any] = {
    "json_mode": models.c.supports_json_mode,
    "vision": models.c.supports_vision,
    "function_calling": models.c.supports_function_calling,
}
NUL = "\0"
"""No text of PostgreSQL's has it, and asking for it is an error there."""


def conditions_of(wanted: ModelFilter) -> list[Any]:
    """Return the SQL of a filter: all of these must hold."""
    conditions: list[Any] = [
        column == value
        for column, value in (
            (models.c.model_type, wanted.model_type),
            (models.c.provider, wanted.provider),
            (models.c.is_active, wanted.is_active),
            (models.c.is_default, wanted.is_default),
        )
        if value is not None
    ]
    conditions += [CAPABILITIES[one] for one in wanted.capabilities]
    if NUL in f"{wanted.provider}{wanted.search}":
        return [false()]
    if wanted.search:
        conditions.append(
            or_(*(column.icontains(wanted.search, autoescape=True) for column in SEARCHED))
        )
    return [and_(*conditions)] if conditions else []


def model_of(row: Row[Any]) -> Model:
    """Return the model of a row, without its prices."""
    values = {name: getattr(row, name) for name in COLUMNS}
    sizes = values["valid_sizes"]
    values["valid_sizes"] = None if sizes is None else tuple(sizes)
    return Model(**values)


def row_of(model: Model) -> dict[str, Any]:
    """Return the row of a model."""
    values = {name: getattr(model, name) for name in COLUMNS}
    sizes = model.valid_sizes
    values["valid_sizes"] = None if sizes is None else list(sizes)
    return values
