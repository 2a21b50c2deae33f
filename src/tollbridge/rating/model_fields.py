"""Which fields of a model may be edited, and which values are refused?

Values come from an API or a terminal as JSON has them: prices as decimal text, sizes as a list.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast

import msgspec

from tollbridge.core.errors import ConfigurationError, InvalidRequestError
from tollbridge.core.models import ModelType
from tollbridge.rating.models import Costs, Model
from tollbridge.rating.prices import NAME_MAX, read_rate

DESCRIPTION_MAX = 2000
TOKENS_MAX = 1_000_000_000
SORT_ORDER_MAX = 1_000_000
SIZES_MAX = 64
SIZE_LENGTH_MAX = 32
RESERVED_PREFIX = "actions/"
"""Under it the API has its actions; a model of such a name could not be addressed."""
COST_FIELDS = frozenset(Costs.__struct_fields__)


def apply_changes(model: Model, changes: Mapping[str, object]) -> Model:
    """Return the model with these fields set, all of them checked.

    Raises InvalidRequestError naming the field.
    """
    values: dict[str, Any] = {}
    for field, value in changes.items():
        check = CHECKS.get(field)
        if check is None:
            raise refused(field, "cannot be set")
        values[field] = check(field, value)
    changed = msgspec.structs.replace(model, **values)
    is_image = changed.model_type == ModelType.IMAGE
    if changed.cost_per_image is not None and not is_image and "cost_per_image" in changes:
        raise refused("cost_per_image", f"is of image models, not of {changed.model_type}")
    if changed.valid_sizes is not None and changed.model_type not in {
        ModelType.IMAGE,
        ModelType.VIDEO,
    }:
        raise refused("valid_sizes", f"is of image models, not of {changed.model_type}")
    return changed


def new_model(fields: Mapping[str, object]) -> Model:
    """Return a model of these fields, all of them checked.

    Raises InvalidRequestError naming the field, also one that is missing.
    """
    for field in ("model_name", "model_type", "provider"):
        if field not in fields:
            raise refused(field, "is missing")
    name = check_name("model_name", fields["model_name"])
    rest = {field: value for field, value in fields.items() if field != "model_name"}
    blank = Model(model_name=name, display_name=name, model_type="", provider="")
    return apply_changes(blank, rest)


def check_name(field: str, value: object) -> str:
    """Return a model's name. It may have slashes, as long as an address can hold it."""
    name = _line(field, value)
    if name.startswith(RESERVED_PREFIX):
        raise refused(field, f"cannot begin with {RESERVED_PREFIX}")
    if "*" in name:
        raise refused(field, "cannot have a *: in prices it stands for any text")
    if any(part in {"", ".", ".."} for part in name.split("/")):
        raise refused(field, "has slashes where an address cannot have them")
    return name


def refused(field: str, why: str) -> InvalidRequestError:
    """Return the error for a field."""
    return InvalidRequestError(f"{field} {why}", details={"param": field})


def _line(field: str, value: object) -> str:
    """Return one line of text."""
    if not isinstance(value, str):
        raise refused(field, "is text")
    if not 0 < len(value) <= NAME_MAX:
        raise refused(field, f"needs 1 to {NAME_MAX} characters, not {len(value)}")
    if not value.isprintable() or value != value.strip():
        raise refused(field, "is one line of printable characters without spaces around it")
    return value


def _description(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise refused(field, "is text")
    if len(value) > DESCRIPTION_MAX:
        raise refused(field, f"has at most {DESCRIPTION_MAX} characters, not {len(value)}")
    if not all(character.isprintable() or character in "\n\t" for character in value):
        raise refused(field, "has characters that cannot be printed")
    return value


def _model_type(field: str, value: object) -> str:
    if value not in {one.value for one in ModelType}:
        raise refused(field, f"is one of {', '.join(ModelType)}")
    return str(value)


def _cost(field: str, value: object) -> Decimal | None:
    if value is None:
        return None
    try:
        return read_rate(field, value)
    except ConfigurationError as error:
        raise InvalidRequestError(error.message, details={"param": field}) from error


def _tokens(field: str, value: object) -> int | None:
    return None if value is None else _whole(field, value, 1, TOKENS_MAX)


def _sort_order(field: str, value: object) -> int:
    return _whole(field, value, 0, SORT_ORDER_MAX)


def _whole(field: str, value: object, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise refused(field, f"is a whole number from {least} to {most}")
    return value


def _sizes(field: str, value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        raise refused(field, 'is a list of sizes, such as ["1024x1024"], or null')
    sizes = cast("list[object]", value)
    if not 0 < len(sizes) <= SIZES_MAX:
        raise refused(field, f"has 1 to {SIZES_MAX} sizes; null allows any")
    for size in sizes:
        if (
            not isinstance(size, str)
            or not 0 < len(size) <= SIZE_LENGTH_MAX
            or not size.isprintable()
            or " " in size
        ):
            raise refused(field, f"has sizes of 1 to {SIZE_LENGTH_MAX} characters, no spaces")
    texts = tuple(str(size) for size in sizes)
    if len(set(texts)) < len(texts):
        raise refused(field, "names a size twice")
    return texts


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise refused(field, "is true or false")
    return value


CHECKS: Mapping[str, Callable[[str, object], object]] = {
    "display_name": _line,
    "model_type": _model_type,
    "provider": _line,
    "description": _description,
    "input_cost_per_1m": _cost,
    "output_cost_per_1m": _cost,
    "cost_per_image": _cost,
    "context_window": _tokens,
    "max_output_tokens": _tokens,
    "valid_sizes": _sizes,
    "supports_json_mode": _flag,
    "supports_vision": _flag,
    "supports_function_calling": _flag,
    "is_active": _flag,
    "is_default": _flag,
    "sort_order": _sort_order,
}
