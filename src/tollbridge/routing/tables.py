"""Which rows does routing keep?"""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    String,
    Table,
    false,
    text,
)

from tollbridge.core.limits import MODEL_LENGTH_MAX
from tollbridge.storage.types import Instant, Json, metadata

NAME_LENGTH_MAX = 128

endpoints = Table(
    "endpoints",
    metadata,
    Column("name", String(NAME_LENGTH_MAX), primary_key=True),
    Column("provider", String(NAME_LENGTH_MAX), nullable=False),
    Column("dialect", String(32), nullable=False),
    Column("base_url", String(2048), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_categories", Json, nullable=False),
    Column("priority", Integer, nullable=False),
    # Category → priority, → this provider's default model, → models that need no route.
    Column("category_priority", Json, nullable=False),
    Column("default_models", Json, nullable=False),
    Column("models", Json, nullable=False),
    Column("on_caller_left", String(16), nullable=False),
    Column("quirks", Json, nullable=False),
    # One of core.plan.Auth: in which header the key goes.
    Column("auth", String(32), nullable=False, server_default=text("'bearer'")),
    # Category → USD as decimal text; decides an order where no price is known, never a cost.
    Column("planning_price", Json, nullable=False, server_default=text("'{}'")),
    # Of a built-in endpoint: what somebody switched or moved (part.ByHand), over endpoints.toml.
    Column("by_hand", Json),
    # file, api or builtin: who may change it.
    Column("source", String(16), nullable=False),
    # Its source no longer declares it: it is not used, and another source may take it over.
    Column("withdrawn_at_us", Instant),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
)

provider_keys = Table(
    "provider_keys",
    metadata,
    Column(
        "endpoint",
        String(NAME_LENGTH_MAX),
        ForeignKey(endpoints.c.name, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("name", String(NAME_LENGTH_MAX), primary_key=True),
    # They take turns in this order.
    Column("position", Integer, nullable=False),
    # Which master key opens it; see sealed.py.
    Column("master_id", String(16), nullable=False),
    Column("sealed", String, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
)

routes = Table(
    "routes",
    metadata,
    Column("model", String(MODEL_LENGTH_MAX), primary_key=True),
    Column("category", String(16), primary_key=True),
    Column("order", String(16), nullable=False),
    # Whether what its calls ask and are answered is kept, in call_contents.
    Column("keep_content", Boolean, nullable=False, server_default=false()),
    # NULL: the second candidate is asked only when the first has failed.
    Column("hedge_after_ms", Integer),
    # NULL: what the operation and the model's author say.
    Column("bucket", String(16)),
    # One of core.call.OnContentFiltered.
    Column("on_content_filtered", String(16), nullable=False, server_default=text("'final'")),
    Column("enabled", Boolean, nullable=False),
    Column("source", String(16), nullable=False),
    Column("withdrawn_at_us", Instant),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
)

route_candidates = Table(
    "route_candidates",
    metadata,
    Column("route_model", String(MODEL_LENGTH_MAX), primary_key=True),
    Column("route_category", String(16), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    # No foreign key: an endpoint without its key is named here, and comes back with it.
    Column("endpoint", String(NAME_LENGTH_MAX), nullable=False),
    Column("model", String(MODEL_LENGTH_MAX), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    ForeignKeyConstraint(
        ["route_model", "route_category"],
        [routes.c.model, routes.c.category],
        ondelete="CASCADE",
    ),
)
