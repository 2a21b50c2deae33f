"""Where is what was asked and answered, of the calls whose key or route wants it kept?

Here and nowhere else: not in usage rows, evidence, logs or errors. Purged by its own age.
"""

from sqlalchemy import BigInteger, Boolean, Column, String, Table, Text

from tollbridge.storage.types import CallId, Instant, metadata

call_contents = Table(
    "call_contents",
    metadata,
    Column("call_id", CallId, primary_key=True),
    # prompt: the request's body; answer: as the caller got it, of a stream its text.
    Column("kind", String(16), primary_key=True),
    Column("body", Text, nullable=False),
    # What there was; more than `body` has where it was cut.
    Column("body_bytes", BigInteger, nullable=False),
    Column("truncated", Boolean, nullable=False),
    Column("at_us", Instant, nullable=False),
    sqlite_with_rowid=False,
)
