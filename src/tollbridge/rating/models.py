"""What is a model of the catalogue, what does it cost, and which ones are there?"""

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow
from enum import StrEnum

import msgspec

from tollbridge.core.clock import to_datetime
from tollbridge.core.errors import (
    InvalidRequestError,
    ModelInactiveError,
    ModelNotFoundError,
    NotFoundError,
    UnpricedModelError,
)
from tollbridge.core.models import ModelEntry, ModelType

RATE_PLACES = 4
TOKEN_COST_PLACES = 6
IMAGE_COST_PLACES = 4
LISTED_NAMES_MAX = 50
MILLION_PLACES = -6
UNPRICED = "price unknown"

# It raises rather than round: a cost is exact until it is shown.
EXACT = Context(prec=80, traps=[Inexact, InvalidOperation, Overflow])


class Origin(StrEnum):
    """How a model came into the catalogue."""

    SEED = "seed"  # with the program
    SYNC = "sync"  # found in a source of prices; nobody has chosen it so far
    OPERATOR = "operator"  # somebody has created or edited it


class Costs(msgspec.Struct, frozen=True):
    """The plain prices of a model in force at one instant, in US dollars; None is not known."""

    input_cost_per_1m: Decimal | None = None
    output_cost_per_1m: Decimal | None = None
    cost_per_image: Decimal | None = None


NO_COSTS = Costs()


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the catalogue, with its prices as they were when it was read."""

    model_name: str
    display_name: str
    model_type: str
    provider: str
    description: str = ""
    input_cost_per_1m: Decimal | None = None
    """US dollars for a million tokens; None is not known, never zero."""
    output_cost_per_1m: Decimal | None = None
    cost_per_image: Decimal | None = None
    context_window: int | None = None
    """Tokens."""
    max_output_tokens: int | None = None
    valid_sizes: tuple[str, ...] | None = None
    """What an image may measure; None: any, as far as is known."""
    supports_json_mode: bool = False
    supports_vision: bool = False
    supports_function_calling: bool = False
    is_active: bool = True
    is_default: bool = False
    sort_order: int = 0
    origin: str = Origin.OPERATOR
    version: int = 1
    """Counts the changes; an edit names the one that it was made from."""
    created_at_us: int = 0
    updated_at_us: int = 0
    updated_by: str = ""

    @property
    def created_at(self) -> datetime:
        """When it came into the catalogue, in UTC."""
        return to_datetime(self.created_at_us)

    @property
    def updated_at(self) -> datetime:
        """When it was last changed, in UTC."""
        return to_datetime(self.updated_at_us)

    @property
    def costs(self) -> Costs:
        """Its prices alone."""
        return Costs(self.input_cost_per_1m, self.output_cost_per_1m, self.cost_per_image)

    def get_cost_for_tokens(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Return the exact cost of so many tokens in US dollars, to at least 6 places.

        Raises InvalidRequestError for an image or video model and for what is no count,
        UnpricedModelError where a price that is needed is not known.
        """
        if self.model_type in {ModelType.IMAGE, ModelType.VIDEO}:
            raise self._of_another_type("it has no cost by tokens")
        total = Decimal(0)
        for field, count, rate in (
            ("input_tokens", input_tokens, self.input_cost_per_1m),
            ("output_tokens", output_tokens, self.output_cost_per_1m),
        ):
            total = EXACT.add(total, self._amount(field, count, rate))
        return at_least(total.scaleb(MILLION_PLACES, EXACT), TOKEN_COST_PLACES)

    def get_cost_for_images(self, num_images: int) -> Decimal:
        """Return the exact cost of so many images in US dollars, to at least 4 places.

        Raises InvalidRequestError for a model that makes no images and for what is no count,
        UnpricedModelError where the price is not known.
        """
        if self.model_type != ModelType.IMAGE:
            raise self._of_another_type("it makes no images")
        return at_least(
            self._amount("num_images", num_images, self.cost_per_image), IMAGE_COST_PLACES
        )

    def validate_size(self, size: str) -> bool:
        """Return whether it makes images of this size; True where its sizes are not known.

        Raises InvalidRequestError for a model that makes no images.
        """
        if self.model_type != ModelType.IMAGE:
            raise self._of_another_type("it makes no images")
        return self.valid_sizes is None or size in self.valid_sizes

    def get_display_with_pricing(self) -> str:
        """Return the prices for a drop-down: "$0.1500/$0.6000 per 1M" or "$0.0400 per image"."""
        if self.cost_per_image is not None and self.model_type == ModelType.IMAGE:
            return f"${rate_text(self.cost_per_image)} per image"
        rates = [self.input_cost_per_1m, self.output_cost_per_1m]
        known = [f"${rate_text(rate)}" for rate in rates if rate is not None]
        return f"{'/'.join(known)} per 1M" if known else UNPRICED

    def show_cost(self, cost_usd: Decimal) -> str:
        """Return a cost of this model for people: $0.000523 for tokens, $0.0400 for images."""
        is_image = self.model_type == ModelType.IMAGE
        places = IMAGE_COST_PLACES if is_image else TOKEN_COST_PLACES
        shown = cost_usd.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
        # What is too small for these places is still not nothing.
        return f"${shown if shown or not cost_usd else cost_usd:f}"

    def _of_another_type(self, why: str) -> InvalidRequestError:
        return InvalidRequestError(
            f"{self.model_name} is of the type {self.model_type}: {why}",
            details={"param": "model"},
        )

    def _amount(self, field: str, count: object, rate: Decimal | None) -> Decimal:
        if type(count) is not int or count < 0:
            raise InvalidRequestError(
                f"{field} is a whole number that is not negative, not {count!r}",
                details={"param": field},
            )
        if count == 0:
            return Decimal(0)
        if rate is None:
            raise UnpricedModelError(
                f"nothing is known of what {field} of {self.model_name} cost",
                details={"param": "model"},
            )
        return EXACT.multiply(rate, Decimal(count))


def entry_of(model: Model) -> ModelEntry:
    """Return what workers know of a model."""
    return ModelEntry(
        model.model_name,
        model.model_type,
        model.provider,
        model.is_active,
        model.is_default,
        model.origin != Origin.SYNC,
        model.valid_sizes,
        model.context_window,
        model.max_output_tokens,
    )


def at_least(amount: Decimal, places: int) -> Decimal:
    """Return the same amount with at least so many decimal places, and never fewer than it has."""
    plain = amount.normalize(EXACT)
    exponent = plain.as_tuple().exponent
    least = max(places, -exponent if isinstance(exponent, int) else places)
    return plain.quantize(Decimal(1).scaleb(-least), context=EXACT)


def rate_text(rate: Decimal) -> str:
    """Return a rate as text with four decimal places, or more where it has more: "0.1500"."""
    return f"{at_least(rate, RATE_PLACES):f}"


def calculate_cost(
    model: Model, input_tokens: int = 0, output_tokens: int = 0, images: int = 0
) -> Decimal:
    """Return what a call of a model costs, in US dollars; what does not fit its type is an error.

    Raises as `Model.get_cost_for_tokens` and `Model.get_cost_for_images` do.
    """
    if model.model_type != ModelType.IMAGE and images == 0:
        return model.get_cost_for_tokens(input_tokens, output_tokens)
    cost = model.get_cost_for_images(images)
    if input_tokens or output_tokens:
        cost = EXACT.add(cost, model.get_cost_for_tokens(input_tokens, output_tokens))
    return cost


def validate_model(model: str, model_type: str, models: Iterable[Model]) -> Model:
    """Return the active model of that name and type.

    Raises InvalidRequestError for an unknown type or a model of another one, ModelInactiveError
    and ModelNotFoundError; each lists what is available.
    """
    if model_type not in {one.value for one in ModelType}:
        raise InvalidRequestError(
            f"{model_type!r} is no type of models; there are {', '.join(ModelType)}",
            details={"param": "model_type", "available": [one.value for one in ModelType]},
        )
    every = list(models)
    found = next((one for one in every if one.model_name == model), None)
    if found is not None and found.is_active and found.model_type == model_type:
        return found
    names = [one.model_name for one in every if one.is_active and one.model_type == model_type]
    end = _available(names, f"{model_type} models")
    details = {"param": "model", "available": names[:LISTED_NAMES_MAX]}
    if found is None:
        raise ModelNotFoundError(f"there is no model {_cut(model)}; {end}", details=details)
    if found.model_type != model_type:
        raise InvalidRequestError(
            f"the model {model!r} is of the type {found.model_type}, not {model_type}; {end}",
            details=details,
        )
    raise ModelInactiveError(f"the model {model!r} is inactive; {end}", details=details)


def validate_image_size(size: str, model: str, models: Iterable[Model]) -> Model:
    """Return the active image model of that name, which makes images of that size.

    Raises as `validate_model` does, and InvalidRequestError for a size, listing the valid ones.
    """
    found = validate_model(model, ModelType.IMAGE.value, models)
    if found.validate_size(size):
        return found
    sizes = list(found.valid_sizes or ())
    raise InvalidRequestError(
        f"the model {model!r} does not make images of the size {_cut(size)}; "
        f"{_available(sizes, 'sizes')}",
        details={"param": "size", "available": sizes},
    )


def not_found(name: str, names: Iterable[str]) -> NotFoundError:
    """Return the error for a name that the catalogue does not have; it lists those that it has."""
    known = list(names)
    return NotFoundError(
        f"the catalogue has no model {_cut(name)}; {_available(known, 'models')}",
        details={"param": "model", "available": known[:LISTED_NAMES_MAX]},
    )


def _available(names: list[str], what: str) -> str:
    if not names:
        return f"there are no {what}"
    more = len(names) - LISTED_NAMES_MAX
    end = f" and {more} more" if more > 0 else ""
    return f"available {what}: {', '.join(names[:LISTED_NAMES_MAX])}{end}"


def _cut(name: str) -> str:
    return repr(name if len(name) <= 128 else f"{name[:128]}…")
