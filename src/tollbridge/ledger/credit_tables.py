"""Which rows are kept of what operations take in credits?"""

from sqlalchemy import BigInteger, Column, String, Table

from tollbridge.core.limits import MODEL_LENGTH_MAX
from tollbridge.ledger.credits import OPERATION_LENGTH_MAX
from tollbridge.storage.audit import ACTOR_LENGTH_MAX
from tollbridge.storage.types import Amount, Instant, NanoUsd, metadata

credit_rates = Table(
    "credit_rates",
    metadata,
    Column("operation", String(OPERATION_LENGTH_MAX), primary_key=True),
    # Empty: every model without a rate of its own.
    Column("model", String(MODEL_LENGTH_MAX), primary_key=True),
    # One of these three, or per call, is set.
    Column("tokens_per_credit", BigInteger),
    Column("min_microcredits", Amount, nullable=False),
    Column("microcredits_per_image", Amount),
    Column("microcredits_per_call", Amount),
    Column("price_per_credit_nanousd", NanoUsd),
    # file: the configuration file alone changes it. seed or api: the API and the command line do.
    Column("source", String(16), nullable=False),
    Column("updated_at_us", Instant, nullable=False),
    Column("updated_by", String(ACTOR_LENGTH_MAX), nullable=False),
    sqlite_with_rowid=False,
)
