"""All SQL of prompts and answers: what of them is kept of one call, and for whose eyes?"""

from collections.abc import Mapping

import msgspec
from sqlalchemy import select

from tollbridge.core.content import ContentKind, ContentPart
from tollbridge.core.sight import Sight, covers
from tollbridge.insight.queries import is_call_id
from tollbridge.recording.archive_tables import TIERS
from tollbridge.recording.content_tables import call_contents
from tollbridge.storage.unit import Unit


class CallContent(msgspec.Struct, frozen=True):
    """Both sides of one call, as far as they are kept."""

    call_id: str
    at_us: int
    """When the call ended: its age."""
    parts: Mapping[ContentKind, ContentPart]


async def find_content(unit: Unit, call_id: str, sight: Sight | None = None) -> CallContent | None:
    """Return what is kept of a call; None where nothing is that may be seen.

    Of whom a call is, the books say: before it is in them, nobody is shown anything.
    """
    if not is_call_id(call_id) or not await _is_shown(unit, call_id, sight):
        return None
    columns = call_contents.c
    found = await unit.connection.execute(
        select(columns.kind, columns.body, columns.body_bytes, columns.truncated, columns.at_us)
        .where(columns.call_id == call_id)
        .order_by(columns.kind)
    )
    rows = found.all()
    if not rows:
        return None
    parts = [ContentPart(ContentKind(row[0]), row[1], row[2], row[3]) for row in rows]
    return CallContent(call_id, rows[0].at_us, {one.kind: one for one in parts})


async def _is_shown(unit: Unit, call_id: str, sight: Sight | None) -> bool:
    for tier in TIERS:
        columns = tier.details.c
        query = select(columns.user_name, columns.project).where(columns.call_id == call_id)
        found = (await unit.connection.execute(query)).first()
        if found is not None:
            return covers(sight, found.user_name, found.project)
    return False
