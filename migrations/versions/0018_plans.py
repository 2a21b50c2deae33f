"""Plans with their versions, subscriptions with their history, and the four plans to begin with.

Revision 0018_plans, after 0017_route_policies. Source of the plans' figures: the seed of the
original provider tracking. A zero there means "unlimited" for Enterprise and "none" for Free;
here a limit that is unlimited is absent, and 0 allows nothing.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from tollbridge.core.clock import SystemClock
from tollbridge.storage.kept import forget_rows, keep_rows
from tollbridge.storage.types import CallId, Instant, Json, NanoUsd, RowId

revision = "0018_plans"
down_revision = "0017_route_policies"
branch_labels = None
depends_on = None

NANO = 10**9
KEPT = ("plan_versions", "subscription_events")
TIERS = ("free", "basic", "pro", "enterprise")
PRICES = ((0, 0), (29, 290), (79, 790), (199, 1990))
DESCRIPTIONS = (
    "To try it out.",
    "For one person.",
    "For a team.",
    "Without limits on calls and tokens.",
)
# Free, Basic, Pro, Enterprise.
TABLE = {
    "text_calls": (50, 500, 3000, 0),
    "gemini_calls": (50, 1000, 5000, 0),
    "openai_calls": (0, 500, 2500, 0),
    "anthropic_calls": (0, 200, 1000, 0),
    "mistral_calls": (0, 500, 2500, 0),
    "tavily_calls": (10, 200, 1000, 0),
    "serper_calls": (10, 200, 1000, 0),
    "metaphor_calls": (0, 100, 500, 0),
    "firecrawl_calls": (0, 100, 500, 0),
    "exa_calls": (10, 100, 500, 0),
    "stability_calls": (10, 25, 100, 0),
    "video_calls": (2, 10, 30, 0),
    "image_edit_calls": (5, 25, 100, 0),
    "audio_calls": (10, 100, 100, 0),
    "wavespeed_calls": (0, 200, 500, 0),
    "gemini_tokens": (50_000, 100_000, 5_000_000, 0),
    "openai_tokens": (0, 100_000, 2_500_000, 0),
    "anthropic_tokens": (0, 100_000, 1_000_000, 0),
    "mistral_tokens": (0, 100_000, 2_500_000, 0),
    "monthly_cost_nanousd": (2 * NANO, 25 * NANO, 100 * NANO, 500 * NANO),
}


def upgrade() -> None:
    """Make the tables, and the four plans with their first versions."""
    plans = op.create_table(
        "plans",
        sa.Column("plan_id", RowId, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("tier", sa.String(16), nullable=False),
        sa.Column("price_monthly_nanousd", NanoUsd(), nullable=False),
        sa.Column("price_yearly_nanousd", NanoUsd(), nullable=False),
        sa.Column("limits", Json(), nullable=False),
        sa.Column("features", Json(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", name="pk_plans"),
        sa.UniqueConstraint("name", name="uq_plans_name"),
    )
    op.create_index(
        "uq_plans_is_default",
        "plans",
        ["is_default"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )
    versions = op.create_table(
        "plan_versions",
        sa.Column("plan_id", RowId, autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("terms", Json(), nullable=False),
        sa.Column("changed_at_us", Instant(), nullable=False),
        sa.Column("changed_by", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "version", name="pk_plan_versions"),
        sqlite_with_rowid=False,
    )
    _make_subscriptions()
    for table in KEPT:
        keep_rows(op.get_bind(), table)
    _seed(plans, versions)


def downgrade() -> None:
    """Drop them; plans and subscriptions are lost."""
    for table in ("subscription_events", "subscriptions", "plan_versions", "plans"):
        op.drop_table(table)
    for table in KEPT:
        forget_rows(op.get_bind(), table)


def _make_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("user_name", sa.String(128), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("cycle", sa.String(16), nullable=False),
        sa.Column("anchor_us", Instant(), nullable=False),
        sa.Column("ends_at_us", Instant(), nullable=True),
        sa.Column("next_plan_id", sa.BigInteger(), nullable=True),
        sa.Column("next_cycle", sa.String(16), nullable=True),
        sa.Column("changes_at_us", Instant(), nullable=True),
        sa.Column("recorded_until_us", Instant(), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("user_name", name="pk_subscriptions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "subscription_events",
        sa.Column("event_id", CallId(), nullable=False),
        sa.Column("user_name", sa.String(128), nullable=False),
        sa.Column("at_us", Instant(), nullable=False),
        sa.Column("recorded_at_us", Instant(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_name", sa.String(50), nullable=False),
        sa.Column("previous_plan_name", sa.String(50), nullable=True),
        sa.Column("cycle", sa.String(16), nullable=False),
        sa.Column("period_start_us", Instant(), nullable=False),
        sa.Column("period_end_us", Instant(), nullable=False),
        sa.Column("amount_nanousd", NanoUsd(), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_subscription_events"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_subscription_events_user_name",
        "subscription_events",
        ["user_name", "at_us", "event_id"],
    )


def _seed(plans: sa.Table, versions: sa.Table) -> None:
    now_us = SystemClock().now_us()
    for place, tier in enumerate(TIERS):
        monthly, yearly = PRICES[place]
        limits = {name: values[place] for name, values in TABLE.items()}
        if tier != "free":
            # Nought was "unlimited" there: here that is a limit which is not there.
            limits = {name: value for name, value in limits.items() if value != 0}
        terms: dict[str, Any] = {
            "name": tier.capitalize(),
            "tier": tier,
            "price_monthly_nanousd": monthly * NANO,
            "price_yearly_nanousd": yearly * NANO,
            "limits": limits,
            "features": [],
            "description": DESCRIPTIONS[place],
        }
        made = op.get_bind().execute(
            plans.insert()
            .values(
                **terms,
                version=1,
                is_active=True,
                is_default=False,
                created_at_us=now_us,
                updated_at_us=now_us,
            )
            .returning(plans.c.plan_id)
        )
        op.get_bind().execute(
            versions.insert().values(
                plan_id=made.scalar_one(),
                version=1,
                terms=terms,
                changed_at_us=now_us,
                changed_by="seed",
            )
        )
