"""Which rules has an operator added, and which of the built-in ones are switched off?"""

from sqlalchemy import Boolean, Column, Integer, String, Table

from tollbridge.attribution.rules import RULE_ID_LENGTH_MAX
from tollbridge.storage.types import Instant, Json, metadata

ACTOR_LENGTH_MAX = 128

attribution_rules = Table(
    "attribution_rules",
    metadata,
    # An operator's own, or the id of a built-in rule that is switched off.
    Column("rule_id", String(RULE_ID_LENGTH_MAX), primary_key=True),
    # Of the operator's rules among themselves: lower is tried first.
    Column("position", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    # The rule as rules.toml would say it; NULL: a built-in one's switch.
    Column("content", Json),
    Column("version", Integer, nullable=False),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
    Column("updated_by", String(ACTOR_LENGTH_MAX), nullable=False),
)
