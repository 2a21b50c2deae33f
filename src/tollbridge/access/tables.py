"""Which rows does access keep?"""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, false, text

from tollbridge.access.keys import NAME_LENGTH_MAX
from tollbridge.access.sessions import ADDRESS_LENGTH_MAX, AGENT_LENGTH_MAX
from tollbridge.storage.types import CallId, Instant, Json, metadata

IDENTITY_LENGTH_MAX = 512

users = Table(
    "users",
    metadata,
    Column("user_id", CallId, primary_key=True),
    Column("name", String(NAME_LENGTH_MAX), nullable=False, unique=True),
    # None: may not sign in with a password.
    Column("password_hash", String(255)),
    Column("role", String(16), nullable=False),
    # Which projects a manager manages, by name.
    Column("projects", Json, nullable=False, server_default=text("'[]'")),
    # Whom the OIDC provider knows them as: issuer, blank, subject.
    Column("oidc_identity", String(IDENTITY_LENGTH_MAX)),
    Column("disabled_at_us", Instant),
    # Tokens and sessions from before are worth nothing.
    Column("signed_out_at_us", Instant),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
    Index("uq_users_oidc_identity", "oidc_identity", unique=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", CallId, primary_key=True),
    # HMAC-SHA256 under the pepper of what the cookie holds, in hexadecimal.
    Column("digest", String(64), nullable=False, unique=True),
    Column("user_name", String(NAME_LENGTH_MAX), nullable=False),
    # password, link, oidc.
    Column("way", String(16), nullable=False),
    # From where, and with what: by that somebody knows a session of theirs again.
    Column("address", String(ADDRESS_LENGTH_MAX)),
    Column("agent", String(AGENT_LENGTH_MAX)),
    Column("created_at_us", Instant, nullable=False),
    Column("renewed_at_us", Instant, nullable=False),
    # Moves on while it is used, until it ends at the latest.
    Column("expires_at_us", Instant, nullable=False),
    Column("ends_at_us", Instant, nullable=False),
    Index("ix_sessions_user_name", "user_name"),
    Index("ix_sessions_expires_at_us", "expires_at_us"),
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    # HMAC-SHA256 under the pepper, in hexadecimal.
    Column("digest", String(64), primary_key=True),
    Column("user_name", String(NAME_LENGTH_MAX), nullable=False),
    Column("created_at_us", Instant, nullable=False),
    Column("expires_at_us", Instant, nullable=False),
    Column("used_at_us", Instant),
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", CallId, primary_key=True),
    Column("name", String(NAME_LENGTH_MAX), nullable=False, unique=True),
    # HMAC-SHA256 under the pepper, in hexadecimal.
    Column("digest", String(64), nullable=False, unique=True),
    Column("last4", String(4), nullable=False),
    # Names, not ids: what they were called when calls were made stays in the usage rows.
    Column("user", String(NAME_LENGTH_MAX), nullable=False),
    Column("project", String(NAME_LENGTH_MAX), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("expires_at_us", Instant),
    Column("revoked_at_us", Instant),
    Column("calls_per_minute", Integer),
    Column("concurrent_calls", Integer),
    # Whether what its calls ask and are answered is kept, in call_contents.
    Column("keep_content", Boolean, nullable=False, server_default=false()),
    # file: the configuration file alone changes it. minted: the API and the command line do.
    Column("source", String(16), nullable=False),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
)
