"""How is a change of the catalogue described, and how does one ask for models?"""

from decimal import Decimal
from enum import StrEnum
from typing import Any, cast

import msgspec

from tollbridge.rating.models import Costs, Model

ModelPlace = tuple[int, str]
"""Where a model stands in a list: its sort_order and name."""
# They say who changed it and when; the history says that itself.
NOT_IN_STATE = ("version", "created_at_us", "updated_at_us", "updated_by")
COSTS = ("input_cost_per_1m", "output_cost_per_1m", "cost_per_image")


class Action(StrEnum):
    """What was done to a model."""

    CREATED = "created"
    EDITED = "edited"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    MADE_DEFAULT = "made_default"
    UNSET_DEFAULT = "unset_default"  # another one became it
    RESTORED = "restored"
    SYNCED = "synced"


class ModelFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which models are asked for; all that is given must hold."""

    model_type: str | None = None
    provider: str | None = None
    is_active: bool | None = None
    is_default: bool | None = None
    capabilities: tuple[str, ...] = ()
    """Of json_mode, vision and function_calling: those that a model must have."""
    search: str | None = None
    """Somewhere in its name, display name or description, in any case of letters."""


class ModelChange(msgspec.Struct, frozen=True):
    """One change: who, when, what, before and after."""

    change_id: int
    model_name: str
    at_us: int
    actor: str
    action: str
    before: dict[str, Any] | None
    """None where it was not there before. Prices are decimal text."""
    after: dict[str, Any]

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """The fields that differ, with their values before and after."""
        before = self.before or {}
        return {
            field: (before.get(field), value)
            for field, value in self.after.items()
            if field not in before or before[field] != value
        }


def state_of(model: Model, *, with_costs: bool = True) -> dict[str, Any]:
    """Return a model as the history keeps it: JSON values, prices as decimal text."""
    state: dict[str, Any] = {}
    for field in model.__struct_fields__:
        if field in NOT_IN_STATE or (field in COSTS and not with_costs):
            continue
        value = getattr(model, field)
        if isinstance(value, Decimal):
            value = f"{value:f}"
        elif isinstance(value, tuple):
            value = list(cast("tuple[Any, ...]", value))
        state[field] = value
    return state


def costs_state(costs: Costs) -> dict[str, str | None]:
    """Return prices as the history keeps them."""
    values = msgspec.structs.asdict(costs)
    return {field: None if value is None else f"{value:f}" for field, value in values.items()}
