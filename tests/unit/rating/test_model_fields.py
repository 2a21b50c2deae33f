from decimal import Decimal
from typing import Any

import pytest

from tollbridge.core.errors import InvalidRequestError
from tollbridge.rating.model_fields import apply_changes, new_model
from tollbridge.rating.models import Model

TEXT = Model(model_name="m", display_name="M", model_type="text", provider="p")
IMAGE = Model(model_name="i", display_name="I", model_type="image", provider="p")


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("input_cost_per_1m", "-0.15", "negative"),
        ("output_cost_per_1m", "NaN", "no finite amount"),
        ("output_cost_per_1m", "Infinity", "no finite amount"),
        ("output_cost_per_1m", "a lot", "no amount"),
        ("input_cost_per_1m", 0.15, "write the rate as text"),
        ("input_cost_per_1m", "1e99", "above"),
        ("input_cost_per_1m", True, "decimal text"),
        ("cost_per_image", "0.04", "is of image models"),
        ("valid_sizes", ["1024x1024"], "is of image models"),
        ("context_window", 0, "whole number"),
        ("context_window", "128000", "whole number"),
        ("context_window", 2**40, "whole number"),
        ("sort_order", None, "whole number"),
        ("is_active", 1, "true or false"),
        ("model_type", "letters", "is one of text, image"),
        ("display_name", "x" * 10_000, "1 to 200 characters"),
        ("display_name", "", "1 to 200 characters"),
        ("display_name", "two\nlines", "one line"),
        ("description", "x" * 10_000, "at most 2000"),
        ("description", "a\0b", "cannot be printed"),
        ("provider", 5, "is text"),
        ("model_name", "other", "cannot be set"),
        ("version", 9, "cannot be set"),
        ("no_such_field", 9, "cannot be set"),
    ],
)
def test_a_bad_value_is_refused_by_its_field(field: str, value: Any, why: str) -> None:
    with pytest.raises(InvalidRequestError, match=why) as caught:
        apply_changes(TEXT, {field: value})
    assert caught.value.message.startswith(field)
    assert caught.value.details["param"] == field


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ("1024x1024", "is a list of sizes"),
        ({"1024x1024": 1}, "is a list of sizes"),
        ([], "has 1 to 64 sizes"),
        (["1024x1024"] * 2, "twice"),
        ([1024], "has sizes of 1 to 32 characters"),
        ([f"{size}x{size}" for size in range(65)], "has 1 to 64 sizes"),
        (["1024 x 1024"], "no spaces"),
    ],
)
def test_what_is_no_list_of_sizes_is_refused(sizes: Any, why: str) -> None:
    with pytest.raises(InvalidRequestError, match=why):
        apply_changes(IMAGE, {"valid_sizes": sizes})


@pytest.mark.parametrize(
    "name",
    ["x" * 10_000, "", " x", "a//b", "/a", "a/", "a/../b", ".", "actions/x", "gpt-*", "a\nb"],
)
def test_a_name_that_no_address_can_hold_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError, match="model_name"):
        new_model({"model_name": name, "model_type": "text", "provider": "p"})


def test_a_name_may_have_slashes_and_its_parts_any_script() -> None:
    made = new_model({"model_name": "org/modèl:2.5", "model_type": "text", "provider": "p"})
    assert (made.model_name, made.display_name) == ("org/modèl:2.5", "org/modèl:2.5")


@pytest.mark.parametrize("missing", ["model_name", "model_type", "provider"])
def test_a_new_model_needs_name_type_and_provider(missing: str) -> None:
    fields = {"model_name": "m", "model_type": "text", "provider": "p"}
    del fields[missing]
    with pytest.raises(InvalidRequestError, match=f"{missing} is missing"):
        new_model(fields)


def test_good_values_are_set_and_the_rest_stays() -> None:
    changed = apply_changes(
        IMAGE, {"cost_per_image": "0.042", "valid_sizes": ["1x1", "auto"], "description": "a\nb"}
    )
    assert changed.cost_per_image == Decimal("0.042")
    assert changed.valid_sizes == ("1x1", "auto")
    assert (changed.display_name, changed.description) == ("I", "a\nb")
    assert apply_changes(changed, {"cost_per_image": None}).cost_per_image is None
