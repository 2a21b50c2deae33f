"""How is a model of the catalogue shown, and what may be said of a new one?"""

from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.page import NextCursor
from tollbridge.core.clock import to_text
from tollbridge.rating.model_changes import ModelChange
from tollbridge.rating.models import Model as CatalogueModel
from tollbridge.rating.models import rate_text


class Model(BaseModel):
    """A model of the catalogue, with the prices in force."""

    model_name: str
    display_name: str
    model_type: str = Field(description="text, image, video, audio, embedding or rerank.")
    provider: str
    description: str
    input_cost_per_1m: str | None = Field(description="US dollars; null is not known.")
    output_cost_per_1m: str | None
    cost_per_image: str | None
    context_window: int | None = Field(description="Tokens.")
    max_output_tokens: int | None
    valid_sizes: list[str] | None = Field(description="Null: any, as far as is known.")
    supports_json_mode: bool
    supports_vision: bool
    supports_function_calling: bool
    is_active: bool
    is_default: bool = Field(description="Calls of its type that name no model take it.")
    sort_order: int
    pricing_display: str
    origin: str = Field(description="seed, sync or operator.")
    version: int = Field(description="An edit names the version that it was made from.")
    created_at: str
    updated_at: str
    updated_by: str


class ModelPage(BaseModel):
    """A page of models, by sort_order and name."""

    models: list[Model]
    next_cursor: NextCursor


class ModelList(BaseModel):
    """The models that were asked for, in that order."""

    models: list[Model]


class ModelTable(BaseModel):
    """The pricing table as JSON; as CSV it has the same columns."""

    models: list[dict[str, Any]]


class Fields(BaseModel):
    """What can be said of a model."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def given(self) -> dict[str, object]:
        """Return what was said, and nothing else."""
        return self.model_dump(exclude_unset=True, exclude={"version"})


class ModelEdit(Fields):
    """What is changed of a model; what is left out stays."""

    version: int = Field(ge=0, le=2**31 - 1, description="Of the model that was edited.")
    display_name: str = ""
    model_type: str = ""
    provider: str = ""
    description: str = ""
    input_cost_per_1m: str | None = Field(
        default=None, description='Decimal text such as "0.15"; null takes the price back.'
    )
    output_cost_per_1m: str | None = None
    cost_per_image: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    valid_sizes: list[str] | None = Field(
        default=None, description='Such as ["1024x1024"]; null allows any.'
    )
    supports_json_mode: bool = False
    supports_vision: bool = False
    supports_function_calling: bool = False
    is_active: bool = True
    is_default: bool = False
    sort_order: int = 0


class ModelOrder(Fields):
    """A new model."""

    model_name: str = Field(description="May have slashes.")
    model_type: str
    provider: str
    display_name: str = Field(default="", description="The name, where not given.")
    description: str = ""
    input_cost_per_1m: str | None = Field(
        default=None, description="US dollars as text; where no price is given, those known hold."
    )
    output_cost_per_1m: str | None = None
    cost_per_image: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    valid_sizes: list[str] | None = None
    supports_json_mode: bool = False
    supports_vision: bool = False
    supports_function_calling: bool = False
    is_active: bool = True
    is_default: bool = False
    sort_order: int = 0


class Change(BaseModel):
    """One change of a model."""

    change_id: int
    model_name: str
    at: str
    actor: str
    action: str = Field(description="created, edited, activated, made_default, restored …")
    changed: dict[str, list[Any]] = Field(description="Field → before and after.")
    before: dict[str, Any] | None = Field(description="Null where it was not there before.")
    after: dict[str, Any]


class ChangePage(BaseModel):
    """A page of changes, the newest first."""

    changes: list[Change]
    next_cursor: NextCursor


class ComparedField(BaseModel):
    """One field of the compared models."""

    field: str
    values: list[Any] = Field(description="In the order of the models.")
    differs: bool


class Comparison(BaseModel):
    """Models side by side."""

    models: list[str]
    fields: list[ComparedField]


def model_view(model: CatalogueModel) -> Model:
    """Return a model as it is shown."""
    sizes = model.valid_sizes
    return Model(
        model_name=model.model_name,
        display_name=model.display_name,
        model_type=model.model_type,
        provider=model.provider,
        description=model.description,
        input_cost_per_1m=cost_text(model.input_cost_per_1m),
        output_cost_per_1m=cost_text(model.output_cost_per_1m),
        cost_per_image=cost_text(model.cost_per_image),
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        valid_sizes=None if sizes is None else list(sizes),
        supports_json_mode=model.supports_json_mode,
        supports_vision=model.supports_vision,
        supports_function_calling=model.supports_function_calling,
        is_active=model.is_active,
        is_default=model.is_default,
        sort_order=model.sort_order,
        pricing_display=model.get_display_with_pricing(),
        origin=model.origin,
        version=model.version,
        created_at=to_text(model.created_at_us),
        updated_at=to_text(model.updated_at_us),
        updated_by=model.updated_by,
    )


def change_view(change: ModelChange) -> Change:
    """Return a change as it is shown."""
    return Change(
        change_id=change.change_id,
        model_name=change.model_name,
        at=to_text(change.at_us),
        actor=change.actor,
        action=change.action,
        changed={field: list(values) for field, values in change.changed.items()},
        before=change.before,
        after=change.after,
    )


def cost_text(cost: Decimal | None) -> str | None:
    """Return a price as text with at least four places; unknown stays None."""
    return None if cost is None else rate_text(cost)
