"""How is what was asked and answered kept, and how does it go again?"""

from collections.abc import Sequence

from sqlalchemy import delete, select

from tollbridge.core.call import new_id
from tollbridge.core.content import Content
from tollbridge.recording.content_tables import call_contents
from tollbridge.recording.statements import numbered
from tollbridge.storage.unit import Unit

# What is there stays: a segment may be read again.
_ADD = """
INSERT INTO call_contents (call_id, kind, body, body_bytes, truncated, at_us)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""


async def add_contents(unit: Unit, contents: Sequence[Content]) -> None:
    """Keep contents that are not there yet; all of them, or where one does not fit, none."""
    rows = [
        (
            one.call_id,
            str(part.kind),
            part.body.replace("\0", "\ufffd"),  # PostgreSQL keeps no NUL in a text
            part.body_bytes,
            part.truncated,
            one.at_us,
        )
        for one in contents
        for part in one.parts
    ]
    async with unit.connection.begin_nested():
        await unit.run_many(_ADD if unit.dialect == "sqlite" else numbered(_ADD), rows)


async def purge_contents(unit: Unit, before_us: int, rows_max: int = 2000) -> int:
    """Delete contents of calls that ended before an instant; return how many.

    Where it is `rows_max` or more (a call goes with both of its sides), there may be more left. A
    call's id begins with its time, so that only old rows are looked at.
    """
    columns = call_contents.c
    old = (
        select(columns.call_id)
        .where(columns.call_id < new_id(before_us), columns.at_us < before_us)
        .order_by(columns.call_id)
        .limit(rows_max)
    )
    gone = await unit.connection.execute(
        delete(call_contents).where(columns.call_id.in_(old.scalar_subquery()))
    )
    return gone.rowcount
