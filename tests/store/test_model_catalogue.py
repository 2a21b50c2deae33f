"""The catalogue as a Python program asks it, on both databases."""

import asyncio
import subprocess
import sys
from decimal import Decimal
from operator import attrgetter
from pathlib import Path

import pytest

import tollbridge
from tollbridge import Catalogue
from tollbridge.core.errors import (
    ConfigurationError,
    InvalidRequestError,
    ModelInactiveError,
    NotFoundError,
    UnpricedModelError,
)
from tollbridge.rating import model_store
from tollbridge.storage.unit import Database


@pytest.fixture
async def catalogue(database_url: str) -> Catalogue:
    return await asyncio.to_thread(Catalogue.open, database_url)


async def test_the_numbers_of_the_documents_come_out(catalogue: Catalogue) -> None:
    mini, dalle = catalogue.get("gpt-4o-mini"), catalogue.get("dall-e-3")
    assert str(mini.get_cost_for_tokens(1000, 500)) == "0.000450"
    assert mini.get_cost_for_tokens(2518, 242) == Decimal("0.0005229")
    assert mini.show_cost(mini.get_cost_for_tokens(2518, 242)) == "$0.000523"
    assert str(dalle.get_cost_for_images(1)) == "0.0400"
    assert dalle.validate_size("1024x1024")
    assert not dalle.validate_size("512x512")
    assert mini.get_display_with_pricing() == "$0.1500/$0.6000 per 1M"


async def test_a_cost_is_calculated_by_name(catalogue: Catalogue) -> None:
    cost = catalogue.calculate_cost("gpt-4o", input_tokens=1000, output_tokens=500, images=0)
    assert cost == Decimal("0.0075")
    assert catalogue.calculate_cost("dall-e-2", images=3) == Decimal("0.06")
    with pytest.raises(InvalidRequestError, match="gpt-4o is of the type text"):
        catalogue.calculate_cost("gpt-4o", images=1)
    with pytest.raises(NotFoundError, match="available models: gpt-4o-mini, gpt-4o"):
        catalogue.calculate_cost("gpt-9", 1, 1)


async def test_models_are_found_by_type_provider_and_state(catalogue: Catalogue) -> None:
    assert len(catalogue.models()) == 9
    assert len(catalogue.models(active=True)) == 7
    assert [one.model_name for one in catalogue.models("image", active=False)] == [
        "gpt-image-1",
        "gpt-image-1-mini",
    ]
    assert catalogue.models(provider="anthropic") == []
    assert catalogue.default("text").model_name == "gpt-4o-mini"
    assert catalogue.default("image").model_name == "dall-e-3"
    with pytest.raises(NotFoundError, match="no model is the default for video"):
        catalogue.default("video")


async def test_validators_ask_the_database(catalogue: Catalogue) -> None:
    assert catalogue.validate_model("gpt-5.1", "text").provider == "openai"
    assert catalogue.validate_image_size("1792x1024", "dall-e-3").model_name == "dall-e-3"
    with pytest.raises(ModelInactiveError, match="available image models: dall-e-3, dall-e-2"):
        catalogue.validate_model("gpt-image-1", "image")
    with pytest.raises(InvalidRequestError, match="available sizes: 256x256, 512x512, 1024x1024"):
        catalogue.validate_image_size("1792x1024", "dall-e-2")


async def test_a_change_is_seen_by_the_next_question(
    catalogue: Catalogue, database: Database
) -> None:
    before = catalogue.get("gpt-4o")
    async with database.write() as unit:
        changes = {"input_cost_per_1m": "5", "output_cost_per_1m": None, "description": "new"}
        now_us = await unit.now_us()
        await model_store.edit_model(unit, "gpt-4o", 1, changes, actor="ada", now_us=now_us)
    after = catalogue.get("gpt-4o")
    assert (after.description, after.updated_by, after.version) == ("new", "ada", 2)
    assert after.get_cost_for_tokens(1_000_000, 0) == 5
    with pytest.raises(UnpricedModelError):
        after.get_cost_for_tokens(0, 1)
    assert before.get_cost_for_tokens(0, 1_000_000) == 10
    assert after.updated_at > after.created_at


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
def test_it_is_asked_the_same_where_no_event_loop_runs(tmp_path: Path, database_url: str) -> None:
    assert str(Catalogue.open(database_url).calculate_cost("gpt-4o-mini", 1000, 500)) == "0.000450"


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "missing.db"
    with pytest.raises(ConfigurationError, match="there is no database at"):
        Catalogue.open(f"sqlite:///{path}")
    assert not path.exists()


def test_what_the_package_offers_is_there_and_nothing_else() -> None:
    for name in ("Catalogue", "Model", "validate_image_size", "validate_model"):
        assert getattr(tollbridge, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        attrgetter("no_such_name")(tollbridge)


def test_importing_the_package_alone_loads_no_database() -> None:
    script = "import sys, tollbridge; print('sqlalchemy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"
