"""Which models are there, and how does one change them? All SQL of the catalogue of models.

Whoever writes bumps the part's version first: its row makes a second writer wait and look again,
so that edits, defaults and the history stand in one order on both databases.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, insert, select, tuple_, update

from tollbridge.core.errors import ConflictError, NotFoundError
from tollbridge.core.models import ModelPart
from tollbridge.rating import store as price_store
from tollbridge.rating.model_changes import (
    Action,
    ModelChange,
    ModelFilter,
    ModelPlace,
    costs_state,
    state_of,
)
from tollbridge.rating.model_costs import Prices, with_costs
from tollbridge.rating.model_fields import COST_FIELDS, apply_changes, new_model, refused
from tollbridge.rating.model_tables import (
    COLUMNS,
    NUL,
    conditions_of,
    model_changes,
    model_of,
    models,
    row_of,
)
from tollbridge.rating.models import Model, Origin, entry_of, not_found
from tollbridge.storage import audit, versions
from tollbridge.storage.unit import Unit

PART = "models"
SWITCHED_AT_ONCE_MAX = 500
ROWS_AT_ONCE = 500


async def load_part(unit: Unit) -> ModelPart:
    """Return what workers need of the catalogue."""
    found = await unit.connection.execute(_ordered(select(models)))
    return ModelPart([entry_of(model_of(row)) for row in found])


async def list_models(
    unit: Unit, wanted: ModelFilter, after: ModelPlace | None, limit: int
) -> list[Model]:
    """Return models by sort_order and name, without their prices; `after` is the last one seen."""
    query = _ordered(select(models)).where(*conditions_of(wanted)).limit(limit)
    if after is not None:
        query = query.where(tuple_(models.c.sort_order, models.c.model_name) > after)
    return [model_of(row) for row in await unit.connection.execute(query)]


async def find_model(unit: Unit, name: str) -> Model | None:
    """Return a model without its prices, None where the catalogue does not have it."""
    if NUL in name:
        return None
    found = await unit.connection.execute(select(models).where(models.c.model_name == name))
    row = found.first()
    return None if row is None else model_of(row)


async def get_model(unit: Unit, name: str, now_us: int) -> Model:
    """Return a model with its prices now. Raises NotFoundError, which lists what there is."""
    return await _get(unit, name, Prices(unit, now_us))


async def get_models(unit: Unit, names: Sequence[str], now_us: int) -> list[Model]:
    """Return several models with their prices now. Raises NotFoundError for the first."""
    prices = Prices(unit, now_us)
    return [await _get(unit, name, prices) for name in names]


async def list_changes(
    unit: Unit, name: str, before_id: int | None, limit: int
) -> list[ModelChange]:
    """Return a model's changes, the newest first."""
    query = select(model_changes).where(model_changes.c.model_name == name)
    if before_id is not None:
        query = query.where(model_changes.c.change_id < before_id)
    query = query.order_by(model_changes.c.change_id.desc()).limit(limit)
    return [ModelChange(*row) for row in await unit.connection.execute(query)]


async def create_model(
    unit: Unit, fields: Mapping[str, object], *, actor: str, now_us: int
) -> Model:
    """Add a model. Raises InvalidRequestError naming the field, ConflictError for a taken name."""
    model = new_model(fields)
    await versions.bump(unit, *_parts(fields))
    if await find_model(unit, model.model_name) is not None:
        raise ConflictError(f"there is a model named {model.model_name!r} already")
    prices = Prices(unit, now_us)
    if not COST_FIELDS & fields.keys():
        model = await _priced(prices, model)
    return await _write(unit, None, model, Action.CREATED, actor, prices)


async def edit_model(
    unit: Unit,
    name: str,
    version: int,
    changes: Mapping[str, object],
    *,
    actor: str,
    now_us: int,
) -> Model:
    """Set fields of a model; a price is a new price version from `now_us` on.

    `version` is the one that was edited: ConflictError where it is not the newest. Raises
    NotFoundError, and InvalidRequestError naming the field.
    """
    await versions.bump(unit, *_parts(changes))
    prices = Prices(unit, now_us)
    before = await _get(unit, name, prices)
    _require_version(before, version)
    after = await _changed(prices, before, changes)
    if after == before and before.origin != Origin.SYNC:
        return before
    return await _write(unit, before, after, Action.EDITED, actor, prices)


async def switch_models(
    unit: Unit, names: Sequence[str], *, is_active: bool, actor: str, now_us: int
) -> list[Model]:
    """Activate or deactivate models, all of them or none; return them in the order given.

    Raises NotFoundError, and ConflictError for a default that is to be deactivated.
    """
    wanted = list(dict.fromkeys(names))
    if not 0 < len(wanted) <= SWITCHED_AT_ONCE_MAX:
        raise refused("names", f"needs 1 to {SWITCHED_AT_ONCE_MAX} names")
    await versions.bump(unit, PART)
    action = Action.ACTIVATED if is_active else Action.DEACTIVATED
    found = await unit.connection.execute(select(models).where(models.c.model_name.in_(wanted)))
    known = {row.model_name: model_of(row) for row in found}
    prices = Prices(unit, now_us)
    switched: list[Model] = []
    changed: list[tuple[Model, Model]] = []
    for name in wanted:
        if name not in known:
            raise await _not_found(unit, name)
        before = await _priced(prices, known[name])
        after = msgspec.structs.replace(before, is_active=is_active)
        _check(before, after)
        if after != before or before.origin == Origin.SYNC:
            after = _touched(before, after, actor, now_us)
            changed.append((before, after))
        switched.append(after)
    await _keep(unit, changed, action, actor)
    return switched


async def set_default(unit: Unit, name: str, *, actor: str, now_us: int) -> Model:
    """Make an active model the default of its type, and no other one.

    Raises NotFoundError, and ConflictError for an inactive model.
    """
    await versions.bump(unit, PART)
    prices = Prices(unit, now_us)
    before = await _get(unit, name, prices)
    if before.is_default:
        return before
    after = msgspec.structs.replace(before, is_default=True)
    return await _write(unit, before, after, Action.MADE_DEFAULT, actor, prices)


async def restore_model(
    unit: Unit, name: str, change_id: int, version: int, *, actor: str, now_us: int
) -> Model:
    """Bring a model back to what it was after an earlier change, its prices too.

    That is a change of its own: nothing is taken out of the history. Raises NotFoundError for a
    change that is not this model's, and as `edit_model` does.
    """
    await versions.bump(unit, PART, price_store.PART)
    prices = Prices(unit, now_us)
    before = await _get(unit, name, prices)
    _require_version(before, version)
    found = await unit.connection.execute(
        select(model_changes.c.after, model_changes.c.at_us).where(
            model_changes.c.change_id == change_id, model_changes.c.model_name == name
        )
    )
    then = found.first()
    if then is None:
        raise NotFoundError(f"the model {name!r} has no change {change_id}")
    state = then.after
    if not state.keys() >= COST_FIELDS:
        # A sync keeps its models without prices: those count that were in force at its instant.
        state = state | costs_state(await Prices(unit, then.at_us).of(state["provider"], name))
    fields = {field: value for field, value in state.items() if field in _RESTORED}
    after = await _changed(prices, before, fields)
    if after == before:
        return before
    return await _write(unit, before, after, Action.RESTORED, actor, prices)


async def add_synced(unit: Unit, found: Sequence[Model], *, actor: str, now_us: int) -> int:
    """Add the models that the catalogue does not have yet, inactive; return how many.

    One that is there is left as it is, whoever brought it. Prices are not written here.
    """
    known = set((await unit.connection.execute(select(models.c.model_name))).scalars())
    if known.issuperset(one.model_name for one in found):
        return 0
    await versions.bump(unit, PART)
    known = set((await unit.connection.execute(select(models.c.model_name))).scalars())
    fresh = {
        one.model_name: msgspec.structs.replace(
            one,
            is_active=False,
            is_default=False,
            origin=Origin.SYNC.value,
            version=1,
            created_at_us=now_us,
            updated_at_us=now_us,
            updated_by=actor,
        )
        for one in found
        if one.model_name not in known
    }
    added = list(fresh.values())
    for start in range(0, len(added), ROWS_AT_ONCE):
        part = added[start : start + ROWS_AT_ONCE]
        await unit.connection.execute(insert(models), [row_of(one) for one in part])
        await unit.connection.execute(
            insert(model_changes),
            [
                _change(None, state_of(one, with_costs=False), one, Action.SYNCED, actor)
                for one in part
            ],
        )
    return len(added)


async def _get(unit: Unit, name: str, prices: Prices) -> Model:
    model = await find_model(unit, name)
    if model is None:
        raise await _not_found(unit, name)
    return await _priced(prices, model)


async def _not_found(unit: Unit, name: str) -> NotFoundError:
    every = await unit.connection.execute(_ordered(select(models.c.model_name)))
    return not_found(name, every.scalars())


async def _changed(prices: Prices, before: Model, changes: Mapping[str, object]) -> Model:
    """Return the model with its changes; with another provider it has that one's prices."""
    base = before
    provider = changes.get("provider", before.provider)
    if provider != before.provider:
        other = apply_changes(before, {"provider": provider})
        base = with_costs(before, await prices.of(other.provider, before.model_name))
    return apply_changes(base, changes)


async def _write(
    unit: Unit, before: Model | None, after: Model, action: Action, actor: str, prices: Prices
) -> Model:
    """Write one model with its prices and its history; return it as it is then."""
    _check(before, after)
    if after.is_default and (before is None or not before.is_default):
        await _unset_default(unit, after.model_type, actor, prices)
    current = await prices.of(after.provider, after.model_name)
    if after.costs != current:
        await prices.record(after, current, actor)
    after = _touched(before, after, actor, prices.at_us)
    await _keep(unit, [(before, after)], action, actor)
    return await _priced(prices, after)


def _check(before: Model | None, after: Model) -> None:
    """Raise ConflictError where a type would be left with a default that is not to be used."""
    was_default = before is not None and before.is_default
    if after.is_default and not after.is_active:
        said = (
            "it is the default: make another one the default first"
            if was_default
            else "only an active model can be the default"
        )
        raise ConflictError(f"{after.model_name}: {said}", details={"param": "is_active"})
    if before is not None and was_default and after.is_default:
        if before.model_type == after.model_type:
            return
        raise ConflictError(
            f"{after.model_name} is the default for {before.model_type}: "
            "make another one the default first",
            details={"param": "model_type"},
        )


def _touched(before: Model | None, after: Model, actor: str, now_us: int) -> Model:
    """Return the model with the marks of a change: its version, when, and by whom."""
    return msgspec.structs.replace(
        after,
        origin=Origin.OPERATOR.value if after.origin == Origin.SYNC else after.origin,
        version=1 if before is None else before.version + 1,
        created_at_us=now_us if before is None else before.created_at_us,
        updated_at_us=now_us,
        updated_by=actor,
    )


async def _keep(
    unit: Unit, changed: Sequence[tuple[Model | None, Model]], action: Action, actor: str
) -> None:
    """Write models and their history."""
    added = [row_of(after) for before, after in changed if before is None]
    if added:
        await unit.connection.execute(insert(models), added)
    edited = [
        {**row_of(after), "edited_name": after.model_name}
        for before, after in changed
        if before is not None
    ]
    if edited:
        is_it = models.c.model_name == bindparam("edited_name")
        await unit.connection.execute(update(models).where(is_it), edited)
    rows = [
        _change(None if before is None else state_of(before), state_of(after), after, action, actor)
        for before, after in changed
    ]
    if rows:
        await unit.connection.execute(insert(model_changes), rows)
    for _, after in changed:
        # From what to what, the model's own history says.
        subject = f"model:{after.model_name}"
        await audit.record(
            unit, actor, f"models.{action.value}", subject, {"version": after.version}
        )


async def _unset_default(unit: Unit, model_type: str, actor: str, prices: Prices) -> None:
    query = select(models).where(models.c.model_type == model_type, models.c.is_default)
    for row in (await unit.connection.execute(query)).all():
        before = await _priced(prices, model_of(row))
        after = msgspec.structs.replace(before, is_default=False)
        await _write(unit, before, after, Action.UNSET_DEFAULT, actor, prices)


async def _priced(prices: Prices, model: Model) -> Model:
    return with_costs(model, await prices.of(model.provider, model.model_name))


def _require_version(model: Model, version: int) -> None:
    if model.version != version:
        raise ConflictError(
            f"{model.model_name} was changed meanwhile by {model.updated_by}: it has version "
            f"{model.version}, and the edit was made from {version}",
            details={"param": "version", "version": model.version},
        )


def _parts(changes: Mapping[str, object]) -> tuple[str, ...]:
    """Return the parts that an edit writes, to be locked in one order everywhere."""
    return (PART, price_store.PART) if COST_FIELDS & changes.keys() else (PART,)


def _ordered(query: Select[Any]) -> Select[Any]:
    return query.order_by(models.c.sort_order, models.c.model_name)


def _change(
    before: Mapping[str, object] | None,
    after: Mapping[str, object],
    model: Model,
    action: Action,
    actor: str,
) -> dict[str, Any]:
    return {
        "model_name": model.model_name,
        "at_us": model.updated_at_us,
        "actor": actor,
        "action": action.value,
        "before": before,
        "after": after,
    }


_RESTORED = (
    frozenset(COLUMNS)
    - {
        "model_name",
        "origin",
        "version",
        "created_at_us",
        "updated_at_us",
        "updated_by",
    }
    | COST_FIELDS
)
