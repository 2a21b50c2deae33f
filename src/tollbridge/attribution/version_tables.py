"""Which sets of rules have calls been attributed by again?"""

from sqlalchemy import Column, String, Table

from tollbridge.storage.types import Instant, Json, metadata

VERSION_LENGTH_MAX = 32

# A set of rules as it was when somebody used it for calls of the past; never changed.
attribution_rule_sets = Table(
    "attribution_rule_sets",
    metadata,
    Column("rules_version", String(VERSION_LENGTH_MAX), primary_key=True),
    # All rules that were on, in their order, as rules.toml would say them.
    Column("content", Json, nullable=False),
    Column("first_used_at_us", Instant, nullable=False),
)
