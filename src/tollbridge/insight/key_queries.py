"""Which keys are there, whose, and when did each make its last call? SQL, read-only."""

from collections.abc import Collection

from sqlalchemy import String, select

from tollbridge.access.keys import KeyRow
from tollbridge.access.own_keys import OWN_KEYS_MAX, OwnKey
from tollbridge.access.store import key_row
from tollbridge.access.tables import keys
from tollbridge.core.sight import Sight
from tollbridge.insight.pages import ROWS_MAX
from tollbridge.insight.sight_queries import KEY, in_sight
from tollbridge.ledger.tables import budgets
from tollbridge.recording.archive_tables import TIERS
from tollbridge.storage.unit import Unit


async def list_keys(
    unit: Unit, sight: Sight | None, after_name: str, limit: int, user: str | None = None
) -> list[KeyRow]:
    """Return a page of keys by name that may be seen, of one user or all, behind `after_name`."""
    query = select(keys).where(keys.c.name > after_name).order_by(keys.c.name)
    query = query.where(*in_sight(sight, keys.c.user, keys.c.project))
    if user is not None:
        query = query.where(keys.c.user == user)
    rows = await unit.connection.execute(query.limit(min(limit, ROWS_MAX)))
    return [key_row(row) for row in rows]


async def key_name_of(unit: Unit, key_id: str) -> str | None:
    """Return the name of the key with that id, or None."""
    # As text: PostgreSQL would refuse what is no UUID instead of not finding it.
    found = await unit.connection.execute(
        select(keys.c.name).where(keys.c.key_id.cast(String) == key_id.lower()),
    )
    return found.scalar()


async def last_calls(unit: Unit, key_ids: Collection[str]) -> dict[str, int]:
    """Return by key id when its last call ended that is in the books; without those of none.

    One look-up in an index for each key and tier: the time does not grow with the log.
    """
    found: dict[str, int] = {}
    wanted = [one for one in dict.fromkeys(key_ids) if one]
    for tier in TIERS:
        columns = tier.details.c
        last = (
            select(columns.accounted_at_us)
            .where(columns.key_id == keys.c.key_id.cast(String))
            .order_by(columns.accounted_at_us.desc())
            .limit(1)
            .scalar_subquery()
        )
        asked = [one for one in wanted if one not in found]
        rows = await unit.connection.execute(
            select(keys.c.key_id, last.label("at_us")).where(keys.c.key_id.in_(asked))
        )
        found |= {row.key_id: row.at_us for row in rows if row.at_us is not None}
    return found


async def own_keys(unit: Unit, user: str, now_us: int) -> list[OwnKey]:
    """Return keys that a user ever had, at most `OWN_KEYS_MAX`, and whether each has a budget."""
    budget = select(budgets.c.budget_id).where(budgets.c.subject == KEY + keys.c.name).exists()
    rows = await unit.connection.execute(
        select(keys, budget.label("has_budget")).where(keys.c.user == user).limit(OWN_KEYS_MAX)
    )
    return [
        OwnKey(
            key_row(row).terms,
            in_force=row.revoked_at_us is None
            and (row.expires_at_us is None or row.expires_at_us > now_us),
            has_budget=row.has_budget,
        )
        for row in rows
    ]
