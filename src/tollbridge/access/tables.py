"""Which rows does access keep?"""

from sqlalchemy import Boolean, Column, Integer, String, Table, false

from tollbridge.access.keys import NAME_LENGTH_MAX
from tollbridge.storage.types import CallId, Instant, Json, metadata

users = Table(
    "users",
    metadata,
    Column("user_id", CallId, primary_key=True),
    Column("name", String(NAME_LENGTH_MAX), nullable=False, unique=True),
    # None: may not sign in with a password.
    Column("password_hash", String(255)),
    Column("role", String(16), nullable=False),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
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
