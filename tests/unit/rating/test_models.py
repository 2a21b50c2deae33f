from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.errors import (
    InvalidRequestError,
    ModelInactiveError,
    ModelNotFoundError,
    UnpricedModelError,
)
from tollbridge.rating.models import (
    Model,
    at_least,
    calculate_cost,
    rate_text,
    validate_image_size,
    validate_model,
)


def model(name: str = "gpt-4o-mini", **fields: Any) -> Model:
    given: dict[str, Any] = {
        "display_name": name,
        "model_type": "text",
        "provider": "openai",
        "input_cost_per_1m": Decimal("0.15"),
        "output_cost_per_1m": Decimal("0.60"),
        **fields,
    }
    return Model(model_name=name, **given)


def image_model(name: str = "dall-e-3", **fields: Any) -> Model:
    given: dict[str, Any] = {
        "display_name": name,
        "model_type": "image",
        "provider": "openai",
        "cost_per_image": Decimal("0.040"),
        "valid_sizes": ("1024x1024", "1792x1024", "1024x1792"),
        **fields,
    }
    return Model(model_name=name, **given)


@pytest.mark.parametrize(
    ("tokens", "cost", "shown"),
    [
        ((1000, 500), "0.000450", "$0.000450"),
        ((2518, 242), "0.0005229", "$0.000523"),
        ((0, 0), "0.000000", "$0.000000"),
        ((1, 0), "0.00000015", "$0.00000015"),
    ],
)
def test_tokens_cost_what_the_catalogue_says(
    tokens: tuple[int, int], cost: str, shown: str
) -> None:
    """Exact, with at least six places; rounded only where it is shown."""
    found = model().get_cost_for_tokens(*tokens)
    assert f"{found:f}" == cost
    assert model().show_cost(found) == shown


def test_an_image_costs_what_the_catalogue_says() -> None:
    dalle = image_model()
    assert str(dalle.get_cost_for_images(1)) == "0.0400"
    assert dalle.show_cost(dalle.get_cost_for_images(1)) == "$0.0400"
    assert str(dalle.get_cost_for_images(3)) == "0.1200"


def test_a_size_is_valid_where_the_model_lists_it() -> None:
    dalle = image_model()
    assert dalle.validate_size("1024x1024")
    assert not dalle.validate_size("512x512")
    assert image_model(valid_sizes=None).validate_size("512x512")


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (model(), "$0.1500/$0.6000 per 1M"),
        (image_model(), "$0.0400 per image"),
        (model(input_cost_per_1m=Decimal("0.00125")), "$0.00125/$0.6000 per 1M"),
        (model(model_type="embedding", output_cost_per_1m=None), "$0.1500 per 1M"),
        (model(input_cost_per_1m=None, output_cost_per_1m=None), "price unknown"),
        (image_model(cost_per_image=None), "price unknown"),
    ],
)
def test_the_price_is_displayed_for_a_drop_down(shown: Model, text: str) -> None:
    assert shown.get_display_with_pricing() == text


def test_the_wrong_type_of_model_is_an_error_that_names_it() -> None:
    with pytest.raises(InvalidRequestError, match="dall-e-3 is of the type image"):
        image_model().get_cost_for_tokens(1, 1)
    with pytest.raises(InvalidRequestError, match="gpt-4o-mini is of the type text"):
        model().get_cost_for_images(1)
    with pytest.raises(InvalidRequestError, match="gpt-4o-mini is of the type text"):
        model().validate_size("1024x1024")
    with pytest.raises(InvalidRequestError, match="gpt-4o-mini is of the type text"):
        calculate_cost(model(), 1, 1, images=1)


@pytest.mark.parametrize("count", [-1, 1.5, True, "1"])
def test_what_is_no_count_is_refused_by_name(count: Any) -> None:
    with pytest.raises(InvalidRequestError, match="output_tokens is a whole number"):
        model().get_cost_for_tokens(0, count)
    with pytest.raises(InvalidRequestError, match="num_images is a whole number"):
        image_model().get_cost_for_images(count)


def test_an_unknown_price_is_an_error_and_never_zero() -> None:
    """It does not matter while nothing of that kind was used."""
    unknown = model(output_cost_per_1m=None)
    assert unknown.get_cost_for_tokens(1000, 0) == Decimal("0.00015")
    with pytest.raises(UnpricedModelError, match="output_tokens of gpt-4o-mini"):
        unknown.get_cost_for_tokens(1000, 1)


def test_a_call_costs_its_tokens_or_its_images() -> None:
    assert calculate_cost(model(), 1000, 500) == Decimal("0.00045")
    assert calculate_cost(image_model(), images=2) == Decimal("0.08")


RATES = st.decimals(min_value=0, max_value=1000, places=6, allow_nan=False)
COUNTS = st.integers(min_value=0, max_value=10**12)


@given(RATES, RATES, COUNTS, COUNTS)
def test_a_cost_is_exact_for_any_rates_and_counts(
    input_rate: Decimal, output_rate: Decimal, tokens_in: int, tokens_out: int
) -> None:
    """As whole numbers of 1e-12 USD, computed another way."""
    priced = model(input_cost_per_1m=input_rate, output_cost_per_1m=output_rate)
    expected = tokens_in * int(input_rate * 10**6) + tokens_out * int(output_rate * 10**6)
    assert int(priced.get_cost_for_tokens(tokens_in, tokens_out).scaleb(12)) == expected


def test_a_rate_is_shown_with_four_places_or_as_many_as_it_has() -> None:
    rates = ["0.15", "10", "1E+1", "0.0375000", "0.000012", "0"]
    shown = ["0.1500", "10.0000", "10.0000", "0.0375", "0.000012", "0.0000"]
    assert [rate_text(Decimal(rate)) for rate in rates] == shown
    assert str(at_least(Decimal("0.0005229"), 6)) == "0.0005229"


EVERY = [
    model(),
    model("gpt-4o"),
    model("gpt-3.5", is_active=False),
    image_model(),
    image_model("gpt-image-1", is_active=False, valid_sizes=None),
]


def test_a_valid_model_is_returned() -> None:
    assert validate_model("gpt-4o", "text", EVERY).model_name == "gpt-4o"
    assert validate_image_size("1024x1024", "dall-e-3", EVERY).model_name == "dall-e-3"


@pytest.mark.parametrize(
    ("name", "model_type", "error", "message"),
    [
        (
            "gpt-9",
            "text",
            ModelNotFoundError,
            "there is no model 'gpt-9'; available text models: gpt-4o-mini, gpt-4o",
        ),
        (
            "gpt-3.5",
            "text",
            ModelInactiveError,
            "the model 'gpt-3.5' is inactive; available text models: gpt-4o-mini, gpt-4o",
        ),
        (
            "dall-e-3",
            "text",
            InvalidRequestError,
            (
                "the model 'dall-e-3' is of the type image, not text; "
                "available text models: gpt-4o-mini, gpt-4o"
            ),
        ),
        (
            "gpt-4o",
            "image",
            InvalidRequestError,
            "the model 'gpt-4o' is of the type text, not image; available image models: dall-e-3",
        ),
        ("x", "video", ModelNotFoundError, "there is no model 'x'; there are no video models"),
        (
            "gpt-4o",
            "letters",
            InvalidRequestError,
            (
                "'letters' is no type of models; there are text, image, video, audio, embedding, "
                "rerank"
            ),
        ),
    ],
)
def test_a_refused_model_lists_what_is_available(
    name: str, model_type: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        validate_model(name, model_type, EVERY)
    assert str(caught.value) == message


def test_a_refused_size_lists_the_sizes() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        validate_image_size("512x512", "dall-e-3", EVERY)
    assert str(caught.value) == (
        "the model 'dall-e-3' does not make images of the size '512x512'; "
        "available sizes: 1024x1024, 1792x1024, 1024x1792"
    )
    with pytest.raises(ModelInactiveError):
        validate_image_size("512x512", "gpt-image-1", EVERY)


def test_an_error_stays_short_however_long_the_name_and_the_list() -> None:
    many = [model(f"model-{number}") for number in range(2000)]
    with pytest.raises(ModelNotFoundError, match="and 1950 more") as caught:
        validate_model("x" * 10_000, "text", many)
    assert len(str(caught.value)) < 2000
