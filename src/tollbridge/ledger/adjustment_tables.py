"""Which budget periods were changed by a correction, and did one leave its bounds by it?"""

from sqlalchemy import Column, Index, String, Table

from tollbridge.ledger.tables import ID_LENGTH_MAX
from tollbridge.storage import kept
from tollbridge.storage.types import CallId, Instant, NanoUsd, metadata

# Beside the postings of the same batch: these are no charges of calls.
budget_adjustments = Table(
    "budget_adjustments",
    metadata,
    Column("batch_id", CallId, primary_key=True),
    Column("budget_id", String(ID_LENGTH_MAX), primary_key=True),
    # The period that was open when it was posted, not that of the calls.
    Column("period_start_us", Instant, nullable=False),
    Column("difference_nanousd", NanoUsd, nullable=False),
    Column("spent_after_nanousd", NanoUsd, nullable=False),
    # over_limit, negative, or NULL: spent is within its bounds.
    Column("flag", String(16)),
    Column("posted_at_us", Instant, nullable=False),
    Index("ix_budget_adjustments_budget_id_period_start_us", "budget_id", "period_start_us"),
)
kept.listen(budget_adjustments)
