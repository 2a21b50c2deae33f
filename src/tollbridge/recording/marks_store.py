"""Which calls were priced as another provider's than the one who served?

They are marked where a call is given another provider, and rated again by `prices rerate-marked`.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, func, or_, select

from tollbridge.recording.reattribution_tables import rerating_marks
from tollbridge.recording.reconsider import Place
from tollbridge.storage.unit import Unit

_COLUMNS = rerating_marks.c


async def load_marked(
    unit: Unit, span: tuple[int, int], after: Place | None, limit: int
) -> list[Place]:
    """Return marked calls accounted in [from, to) behind a place, the oldest first."""
    of = _COLUMNS.accounted_at_us, _COLUMNS.call_id
    query = select(*of).where(*_in(span, after)).order_by(*of).limit(limit)
    return [(at_us, str(call_id)) for at_us, call_id in await unit.connection.execute(query)]


async def count_marked(unit: Unit, span: tuple[int, int], after: Place | None = None) -> int:
    """Return how many marked calls there are in [from, to) behind a place."""
    query = select(func.count()).select_from(rerating_marks).where(*_in(span, after))
    return (await unit.connection.execute(query)).scalar_one()


async def unmark(unit: Unit, call_ids: Sequence[str]) -> None:
    """Note that calls have the price of who served them."""
    if call_ids:
        await unit.connection.execute(delete(rerating_marks).where(_COLUMNS.call_id.in_(call_ids)))


def _in(span: tuple[int, int], after: Place | None) -> list[ColumnElement[bool]]:
    at_us = _COLUMNS.accounted_at_us
    conditions = [at_us >= span[0], at_us < span[1]]
    if after is not None:
        conditions += [
            at_us >= after[0],
            or_(at_us > after[0], _COLUMNS.call_id > after[1]),
        ]
    return conditions
