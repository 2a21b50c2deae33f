"""Where do details go when they have been kept long enough?

The columns of an archive table are those of its table, and its rows are the rows that stood there,
unchanged. Whoever adds a column to one adds it to the other, in the same migration.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Column, Index, MetaData, Table, text

from tollbridge.recording.tables import (
    FELL_BACK,
    call_attempt_rows,
    call_attempts,
    call_details,
)
from tollbridge.storage.types import metadata

INDEXED = (
    ("accounted_at_us",),
    ("key_id", "accounted_at_us"),
    ("actual_provider_name", "accounted_at_us"),
)


def _archive_of(
    table: Table, name: str, indexed: Sequence[Sequence[str]] = (), *more: Index
) -> Table:
    columns = [
        Column(
            column.name,
            column.type,
            primary_key=column.primary_key,
            nullable=column.nullable,
            autoincrement=False,
        )
        for column in table.c
    ]
    return Table(
        name,
        metadata,
        *columns,
        *(Index(f"ix_{name}_{'_'.join(of)}", *of) for of in indexed),
        *more,
        sqlite_with_rowid=table.dialect_options["sqlite"]["with_rowid"],
    )


call_details_archive = _archive_of(
    call_details,
    "call_details_archive",
    INDEXED,
    Index(
        "ix_call_details_archive_fallbacks",
        "accounted_at_us",
        sqlite_where=text(FELL_BACK),
        postgresql_where=text(FELL_BACK),
    ),
)
call_attempts_archive = _archive_of(call_attempt_rows, "call_attempts_archive")

# A view like `call_attempts`, of what is archived.
archived_call_attempts = Table(
    "archived_call_attempts",
    MetaData(),
    *(Column(column.name, column.type) for column in call_attempts.c),
)


class Tier(NamedTuple):
    """One place where the details of calls stand. A call stands in one place with all of it."""

    details: Table
    rows: Table
    """The attempts that their detail row does not say all of."""
    attempts: Table
    """A view of all attempts."""


HOT = Tier(call_details, call_attempt_rows, call_attempts)
ARCHIVE = Tier(call_details_archive, call_attempts_archive, archived_call_attempts)
TIERS = (HOT, ARCHIVE)
"""All places; whoever reads calls of any age reads both."""
