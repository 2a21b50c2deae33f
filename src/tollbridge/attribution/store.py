"""Which rules has an operator added, and how are they changed? All SQL of attribution's rules.

Whoever writes bumps the part's version first: its row makes a second writer wait and look again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select, update

from tollbridge.attribution.rules import Rule, builtin, check
from tollbridge.attribution.ruling import Resolve, Rules
from tollbridge.attribution.stored import StoredRule, in_force
from tollbridge.attribution.tables import ACTOR_LENGTH_MAX, attribution_rules
from tollbridge.core.errors import ConflictError, InvalidRequestError, NotFoundError
from tollbridge.storage import audit, versions
from tollbridge.storage.unit import Unit
from tollbridge.storage.versions import read_versions

PART = "attribution"
RULES_MAX = 1000

_COLUMNS = attribution_rules.c
_KEPT = tuple(name for name in StoredRule.__struct_fields__ if name != "rule")


class RuleBook:
    """The rules in force, made anew when the database says that one has changed."""

    def __init__(self, resolve: Resolve) -> None:
        """Take what knows providers by the names that others give them."""
        self._resolve = resolve
        self._version = -1
        self._rules: Rules | None = None

    async def current(self, unit: Unit, seen: Mapping[str, int] | None = None) -> Rules:
        """Return the rules as they stand in this unit, `seen`: whose versions were read already."""
        version = (seen or await read_versions(unit)).get(PART, 0)
        rules = self._rules
        if rules is None or version != self._version:
            rules = Rules(in_force(builtin(), await load_stored(unit)), self._resolve)
            self._rules, self._version = rules, version
        return rules


async def load_stored(unit: Unit) -> list[StoredRule]:
    """Return what operators have added and switched, in its order."""
    query = select(attribution_rules).order_by(_COLUMNS.position, _COLUMNS.rule_id)
    return [_stored(row) for row in await unit.connection.execute(query)]


async def add_rule(unit: Unit, rule: Rule, *, actor: str, now_us: int) -> StoredRule:
    """Add a rule behind the operator's others, switched on.

    Raises InvalidRequestError naming the field, ConflictError for an id that is taken.
    """
    check(rule)
    await versions.bump(unit, PART)
    stored = await load_stored(unit)
    taken = {one.rule_id for one in stored} | {one.id for one in builtin().rules}
    if rule.id in taken:
        raise ConflictError(f"there is a rule {rule.id!r} already", details={"param": "id"})
    if len(stored) >= RULES_MAX:
        raise InvalidRequestError(f"there are {RULES_MAX} rules already, the most there can be")
    position = max((one.position for one in stored if one.rule is not None), default=0) + 1
    made = _new(rule.id, position, rule, actor=actor, now_us=now_us)
    await unit.connection.execute(insert(attribution_rules).values(_row(made)))
    await _audit(unit, actor, "add_rule", rule.id, rule)
    return made


async def edit_rule(unit: Unit, rule: Rule, version: int, *, actor: str, now_us: int) -> StoredRule:
    """Replace what an operator's rule says; `version` is the one that was edited.

    Raises NotFoundError, ConflictError where it was changed meanwhile or is built in, and
    InvalidRequestError naming the field.
    """
    check(rule)
    await versions.bump(unit, PART)
    before = await _own(unit, rule.id)
    if before.version != version:
        raise ConflictError(
            f"the rule {rule.id!r} was changed meanwhile by {before.updated_by}: it has version "
            f"{before.version}, and the edit was made from {version}",
            details={"param": "version", "version": before.version},
        )
    made = await _write(unit, before, actor, now_us, rule=rule)
    await _audit(unit, actor, "edit_rule", rule.id, rule)
    return made


async def switch_rule(
    unit: Unit, rule_id: str, *, enabled: bool, actor: str, now_us: int
) -> StoredRule:
    """Switch a rule on or off, an operator's or a built-in one. Raises NotFoundError."""
    await versions.bump(unit, PART)
    before = await _find(unit, rule_id)
    if before is not None:
        made = await _write(unit, before, actor, now_us, enabled=enabled)
    elif any(one.id == rule_id for one in builtin().rules):
        made = _new(rule_id, 0, None, actor=actor, now_us=now_us)
        made = msgspec.structs.replace(made, enabled=enabled)
        await unit.connection.execute(insert(attribution_rules).values(_row(made)))
    else:
        raise NotFoundError(f"there is no rule {rule_id!r}")
    await _audit(unit, actor, "enable_rule" if enabled else "disable_rule", rule_id)
    return made


async def reorder_rules(
    unit: Unit, rule_ids: Sequence[str], *, actor: str, now_us: int
) -> list[StoredRule]:
    """Put the operator's rules into this order; each is named once.

    Raises InvalidRequestError where one is missing, or is not an operator's.
    """
    await versions.bump(unit, PART)
    own = {one.rule_id: one for one in await load_stored(unit) if one.rule is not None}
    if len(rule_ids) != len(own) or set(rule_ids) != own.keys():
        raise InvalidRequestError(
            f"name each of your own rules once: {', '.join(own) or 'there is none'}",
            details={"param": "rule_ids"},
        )
    made: list[StoredRule] = []
    for position, rule_id in enumerate(rule_ids, 1):
        before = own[rule_id]
        moved = before.position != position
        made.append(
            await _write(unit, before, actor, now_us, position=position) if moved else before
        )
    await _audit(unit, actor, "reorder_rules", "all", {"rule_ids": list(rule_ids)})
    return made


async def remove_rule(unit: Unit, rule_id: str, *, actor: str) -> None:
    """Remove an operator's rule. Raises NotFoundError, ConflictError for a built-in one."""
    await versions.bump(unit, PART)
    removed = await _own(unit, rule_id)
    await unit.connection.execute(
        delete(attribution_rules).where(_COLUMNS.rule_id == removed.rule_id)
    )
    await _audit(unit, actor, "remove_rule", rule_id, removed.rule)


async def _find(unit: Unit, rule_id: str) -> StoredRule | None:
    query = select(attribution_rules).where(_COLUMNS.rule_id == rule_id)
    row = (await unit.connection.execute(query)).first()
    return None if row is None else _stored(row)


async def _own(unit: Unit, rule_id: str) -> StoredRule:
    found = await _find(unit, rule_id)
    if found is not None and found.rule is not None:
        return found
    if any(one.id == rule_id for one in builtin().rules):
        raise ConflictError(f"the rule {rule_id!r} is built in: it can only be switched off")
    raise NotFoundError(f"there is no rule {rule_id!r}")


async def _write(
    unit: Unit, before: StoredRule, actor: str, now_us: int, **changes: Any
) -> StoredRule:
    made = msgspec.structs.replace(
        before,
        version=before.version + 1,
        updated_at_us=now_us,
        updated_by=actor[:ACTOR_LENGTH_MAX],
        **changes,
    )
    await unit.connection.execute(
        update(attribution_rules).where(_COLUMNS.rule_id == made.rule_id).values(_row(made))
    )
    return made


async def _audit(unit: Unit, actor: str, deed: str, rule_id: str, what: object = None) -> None:
    details = None if what is None else msgspec.to_builtins(what)
    await audit.record(unit, actor, f"attribution.{deed}", f"rule:{rule_id}", details)


def _row(one: StoredRule) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in _KEPT}
    return {**values, "content": None if one.rule is None else msgspec.to_builtins(one.rule)}


def _stored(row: Row[Any]) -> StoredRule:
    values = {name: getattr(row, name) for name in _KEPT}
    content = row.content
    return StoredRule(rule=None if content is None else msgspec.convert(content, Rule), **values)


def _new(rule_id: str, position: int, rule: Rule | None, *, actor: str, now_us: int) -> StoredRule:
    return StoredRule(
        rule_id=rule_id,
        position=position,
        enabled=True,
        rule=rule,
        version=1,
        created_at_us=now_us,
        updated_at_us=now_us,
        updated_by=actor[:ACTOR_LENGTH_MAX],
    )
