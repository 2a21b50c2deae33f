"""Has anything changed since we last looked?

One row per part of the configuration (keys, routes, prices …). Whoever changes a part bumps its
row in the same transaction; the office polls the rows and rebuilds the parts that moved.
"""

from sqlalchemy import BigInteger, Column, String, Table, func, select, text

from tollbridge.storage.engine import POSTGRESQL
from tollbridge.storage.types import metadata
from tollbridge.storage.unit import Unit

CHANNEL = "tollbridge_versions"

versions = Table(
    "versions",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("version", BigInteger, nullable=False),
)

_BUMP = text(
    "INSERT INTO versions (name, version) VALUES (:name, 1) "
    "ON CONFLICT (name) DO UPDATE SET version = versions.version + 1",
)


async def bump(unit: Unit, *names: str) -> None:
    """Count each named part up by one, in this unit; an unknown name starts at 1.

    On PostgreSQL listeners of `CHANNEL` are told the names, with commas between, on commit.
    """
    # In one order everywhere, so that two units can never wait for each other.
    ordered = sorted(set(names))
    if not ordered:
        return
    await unit.connection.execute(_BUMP, [{"name": name} for name in ordered])
    if unit.dialect == POSTGRESQL:
        await unit.connection.execute(select(func.pg_notify(CHANNEL, ",".join(ordered))))


async def read_versions(unit: Unit) -> dict[str, int]:
    """Return the version of each part that was ever bumped."""
    rows = await unit.connection.execute(select(versions.c.name, versions.c.version))
    return {row.name: row.version for row in rows}
