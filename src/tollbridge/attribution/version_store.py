"""Which rules does a version mean: those of today, the built-in ones, or some that were used?"""

import msgspec
from sqlalchemy import insert, select

from tollbridge.attribution.rules import RuleSet, builtin
from tollbridge.attribution.ruling import version_of
from tollbridge.attribution.store import load_stored
from tollbridge.attribution.stored import in_force
from tollbridge.attribution.version_tables import VERSION_LENGTH_MAX, attribution_rule_sets
from tollbridge.core.errors import NotFoundError
from tollbridge.storage.unit import Unit

BUILTIN = "builtin"
_COLUMNS = attribution_rule_sets.c


async def find_rules(unit: Unit, version: str | None) -> RuleSet:
    """Return a set of rules: None is the one in force, `builtin` that which comes with Tollbridge.

    Raises NotFoundError for a version that was never used to attribute calls again.
    """
    today = in_force(builtin(), await load_stored(unit))
    if version is None or version == version_of(today):
        return today
    if version in {BUILTIN, version_of(builtin())}:
        return builtin()
    found = await unit.connection.execute(
        select(_COLUMNS.content).where(_COLUMNS.rules_version == version[:VERSION_LENGTH_MAX])
    )
    content = found.scalar()
    if content is None:
        raise NotFoundError(
            f"no rules have the version {version[:VERSION_LENGTH_MAX]!r}: those in force have "
            f"{version_of(today)}, the built-in ones {version_of(builtin())}"
        )
    return msgspec.convert(content, RuleSet)


async def keep_rules(unit: Unit, rules: RuleSet) -> str:
    """Keep a set of rules that is about to be used; return its version."""
    version = version_of(rules)
    known = await unit.connection.execute(
        select(_COLUMNS.rules_version).where(_COLUMNS.rules_version == version).with_for_update()
    )
    if known.first() is None:
        await unit.connection.execute(
            insert(attribution_rule_sets).values(
                rules_version=version,
                content=msgspec.to_builtins(rules),
                first_used_at_us=await unit.now_us(),
            )
        )
    return version
