"""Users with projects who can be disabled, sessions of the dashboard, and sign-in links.

Revision 0021_people.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import CallId, Instant, Json

revision = "0021_people"
down_revision = "0019_limits"
branch_labels = None
depends_on = None

ADDED = ("signed_out_at_us", "disabled_at_us", "oidc_identity", "projects")


def upgrade() -> None:
    """Make the tables; users manage nothing and are not disabled."""
    op.add_column(
        "users", sa.Column("projects", Json(), nullable=False, server_default=sa.text("'[]'"))
    )
    op.add_column("users", sa.Column("oidc_identity", sa.String(512), nullable=True))
    op.add_column("users", sa.Column("disabled_at_us", Instant(), nullable=True))
    op.add_column("users", sa.Column("signed_out_at_us", Instant(), nullable=True))
    op.create_index("uq_users_oidc_identity", "users", ["oidc_identity"], unique=True)
    op.create_table(
        "sessions",
        sa.Column("session_id", CallId(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("user_name", sa.String(128), nullable=False),
        sa.Column("way", sa.String(16), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("renewed_at_us", Instant(), nullable=False),
        sa.Column("expires_at_us", Instant(), nullable=False),
        sa.Column("ends_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_sessions"),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
    )
    op.create_index("ix_sessions_user_name", "sessions", ["user_name"])
    op.create_index("ix_sessions_expires_at_us", "sessions", ["expires_at_us"])
    op.create_table(
        "sign_in_links",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("user_name", sa.String(128), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("expires_at_us", Instant(), nullable=False),
        sa.Column("used_at_us", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_sign_in_links"),
    )


def downgrade() -> None:
    """Sign everybody out. Managers become members; who was disabled has no password."""
    op.drop_table("sign_in_links")
    op.drop_table("sessions")
    op.execute(sa.text("UPDATE users SET role = 'member' WHERE role = 'manager'"))
    # Nobody who was kept out may come in because the schema went back.
    op.execute(sa.text("UPDATE users SET password_hash = NULL WHERE disabled_at_us IS NOT NULL"))
    op.drop_index("uq_users_oidc_identity", "users")
    for column in ADDED:
        op.drop_column("users", column)
