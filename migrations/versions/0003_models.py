"""The catalogue of models, with the nine that it begins with.

Revision 0003_models, after 0002_catalogue.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from tollbridge.core.call import new_id
from tollbridge.core.clock import SystemClock
from tollbridge.storage.types import CallId, Instant, Json, RowId

revision = "0003_models"
down_revision = "0002_catalogue"
branch_labels = None
depends_on = None

ACTOR = "migration 0003_models"
PROVIDER = "openai"
REFERENCE = "model catalogue of 2025-12-24"
AS_OF = "2025-12-24"
PER_OF = {"input": 1_000_000, "output": 1_000_000, "image": 1}
COST_FIELD_OF = {
    "input": "input_cost_per_1m",
    "output": "output_cost_per_1m",
    "image": "cost_per_image",
}

Row = dict[str, Any]
# Name, display name, input and output USD per 1M, context window, most output tokens.
TEXT_MODELS = (
    ("gpt-4o-mini", "GPT-4o mini - Fast & Affordable", "0.15", "0.6", 128_000, 16_000),
    ("gpt-4o", "GPT-4o", "2.5", "10", 128_000, None),
    ("gpt-4.1", "GPT-4.1", "2", "8", 8_000, None),
    ("gpt-5.1", "GPT-5.1", "1.25", "10", 16_000, None),
    ("gpt-5.2", "GPT-5.2", "1.75", "14", 16_000, None),
)
# Name, display name, USD for an image, sizes, active.
IMAGE_MODELS = (
    ("dall-e-3", "DALL-E 3", "0.04", ["1024x1024", "1792x1024", "1024x1792"], True),
    ("dall-e-2", "DALL-E 2", "0.02", ["256x256", "512x512", "1024x1024"], True),
    ("gpt-image-1", "GPT Image 1", "0.042", None, False),
    ("gpt-image-1-mini", "GPT Image 1 mini", "0.011", None, False),
)
DEFAULTS = frozenset({"gpt-4o-mini", "dall-e-3"})


def _seed() -> Iterator[tuple[Row, dict[str, str]]]:
    """Yield each model's row without its times, and its prices by unit."""
    place = 0
    for name, shown, input_usd, output_usd, window, output_max in TEXT_MODELS:
        place += 1
        row: Row = {
            "model_name": name,
            "display_name": shown,
            "model_type": "text",
            "provider": PROVIDER,
            "description": "",
            "context_window": window,
            "max_output_tokens": output_max,
            "valid_sizes": None,
            "supports_json_mode": True,
            "supports_vision": name == "gpt-4o",
            "supports_function_calling": True,
            "is_active": True,
            "is_default": name in DEFAULTS,
            "sort_order": place,
            "origin": "seed",
            "version": 1,
        }
        yield row, {"input": input_usd, "output": output_usd}
    for name, shown, image_usd, sizes, is_active in IMAGE_MODELS:
        place += 1
        row = {
            "model_name": name,
            "display_name": shown,
            "model_type": "image",
            "provider": PROVIDER,
            "description": "",
            "context_window": None,
            "max_output_tokens": None,
            "valid_sizes": sizes,
            "supports_json_mode": False,
            "supports_vision": False,
            "supports_function_calling": False,
            "is_active": is_active,
            "is_default": name in DEFAULTS,
            "sort_order": place,
            "origin": "seed",
            "version": 1,
        }
        yield row, {"image": image_usd}


def _create_models() -> sa.Table:
    models = op.create_table(
        "models",
        sa.Column("model_name", sa.String(length=200), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("model_type", sa.String(length=16), nullable=False),
        sa.Column("provider", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("context_window", sa.Integer(), nullable=True),
        sa.Column("max_output_tokens", sa.Integer(), nullable=True),
        sa.Column("valid_sizes", Json(), nullable=True),
        sa.Column("supports_json_mode", sa.Boolean(), nullable=False),
        sa.Column("supports_vision", sa.Boolean(), nullable=False),
        sa.Column("supports_function_calling", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("sort_order", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.Column("updated_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "model_type IN ('text', 'image', 'video', 'audio', 'embedding', 'rerank')",
            name=op.f("ck_models_type"),
        ),
        sa.CheckConstraint("is_active OR NOT is_default", name=op.f("ck_models_default_is_active")),
        sa.PrimaryKeyConstraint("model_name", name=op.f("pk_models")),
    )
    op.create_index("ix_models_place", "models", ["sort_order", "model_name"], unique=False)
    op.create_index(
        "uq_models_default",
        "models",
        ["model_type"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )
    return models


def _create_model_changes() -> sa.Table:
    changes = op.create_table(
        "model_changes",
        sa.Column("change_id", RowId, nullable=False),
        sa.Column("model_name", sa.String(length=200), nullable=False),
        sa.Column("at_us", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("before", Json(), nullable=True),
        sa.Column("after", Json(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_model_changes")),
    )
    op.create_index(
        "ix_model_changes_model_name", "model_changes", ["model_name", "change_id"], unique=False
    )
    return changes


def _key_id(model: str, unit: str) -> int:
    """Return the number of a price's key, as rating/intervals.py made it for this revision."""
    parts = (PROVIDER, model, unit, "", "seed")
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:8]) >> 2


def _add_price(model: str, unit: str, rate_usd: str, now_us: int) -> None:
    """Add one price of the seed, for all time."""
    version_id = new_id(now_us)
    named = {"price_version_id": version_id, "provider": PROVIDER, "model": model, "unit": unit}
    window = {"valid_from_us": 0, "conditions": "", "source": "seed"}
    _insert(
        "price_versions",
        {
            **named,
            **window,
            "rate_usd": rate_usd,
            "per": PER_OF[unit],
            "recorded_at_us": now_us,
            "reference": REFERENCE,
            "as_of": AS_OF,
            "recorded_by": ACTOR,
        },
    )
    _insert(
        "price_events",
        {
            "event_id": new_id(now_us),
            "price_version_id": version_id,
            "status": "active",
            "at_us": now_us,
            "actor": ACTOR,
        },
    )
    _insert("price_intervals", {**named, **window, "key_id": _key_id(model, unit)})


def _insert(table: str, row: Row) -> None:
    types = {"price_version_id": CallId(), "event_id": CallId()}
    stated = sa.table(table, *(sa.column(name, types.get(name)) for name in row))
    op.get_bind().execute(sa.insert(stated).values(row))


def upgrade() -> None:
    models, changes = _create_models(), _create_model_changes()
    connection, now_us = op.get_bind(), SystemClock().now_us()
    priced = {
        (str(row[0]), str(row[1]))
        for row in connection.exec_driver_sql(
            "SELECT model, unit FROM price_versions WHERE provider = 'openai' AND source = 'seed'"
        )
    }
    for row, rates in _seed():
        for unit, rate_usd in rates.items():
            if (row["model_name"], unit) not in priced:
                _add_price(row["model_name"], unit, rate_usd, now_us)
        costs = {field: rates.get(unit) for unit, field in COST_FIELD_OF.items()}
        times = {"created_at_us": now_us, "updated_at_us": now_us, "updated_by": ACTOR}
        connection.execute(sa.insert(models).values({**row, **times}))
        connection.execute(
            sa.insert(changes).values(
                model_name=row["model_name"],
                at_us=now_us,
                actor=ACTOR,
                action="created",
                before=None,
                after={**row, **costs},
            )
        )


def downgrade() -> None:
    # The prices stay: they are those that the program brings along anyway.
    op.drop_table("model_changes")
    op.drop_table("models")
