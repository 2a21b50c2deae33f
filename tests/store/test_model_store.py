"""The catalogue of models, on both databases."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from tests.support.databases import make_schema
from tollbridge.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
)
from tollbridge.rating import model_store as store
from tollbridge.rating.model_changes import ModelChange, ModelFilter
from tollbridge.rating.model_tables import models, row_of
from tollbridge.rating.models import Model
from tollbridge.rating.prices import FilePrice
from tollbridge.rating.store import apply_file_prices, price_at, seed
from tollbridge.storage import migrate
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions

NOW_US = 1_800_000_000_000_000
BRIEF = {
    "gpt-4o-mini": ("text", "0.15", "0.60", None, 128_000, None, True, True),
    "gpt-4o": ("text", "2.50", "10.00", None, 128_000, None, True, False),
    "gpt-4.1": ("text", "2.00", "8.00", None, 8_000, None, True, False),
    "gpt-5.1": ("text", "1.25", "10.00", None, 16_000, None, True, False),
    "gpt-5.2": ("text", "1.75", "14.00", None, 16_000, None, True, False),
    "dall-e-3": (
        "image",
        None,
        None,
        "0.040",
        None,
        ("1024x1024", "1792x1024", "1024x1792"),
        True,
        True,
    ),
    "dall-e-2": (
        "image",
        None,
        None,
        "0.020",
        None,
        ("256x256", "512x512", "1024x1024"),
        True,
        False,
    ),
    "gpt-image-1": ("image", None, None, "0.042", None, None, False, False),
    "gpt-image-1-mini": ("image", None, None, "0.011", None, None, False, False),
}


async def get(database: Database, name: str, at_us: int = NOW_US) -> Model:
    async with database.read() as unit:
        return await store.get_model(unit, name, at_us)


async def edit(
    database: Database, name: str, version: int, at_us: int = NOW_US, **changes: Any
) -> Model:
    async with database.write() as unit:
        return await store.edit_model(unit, name, version, changes, actor="ada", now_us=at_us)


async def history(database: Database, name: str) -> list[ModelChange]:
    async with database.read() as unit:
        return await store.list_changes(unit, name, None, 100)


async def names(database: Database, **wanted: Any) -> list[str]:
    async with database.read() as unit:
        found = await store.list_models(unit, ModelFilter(**wanted), None, 100)
    return [one.model_name for one in found]


async def part_version(database: Database, part: str) -> int:
    async with database.read() as unit:
        return (await read_versions(unit)).get(part, 0)


def dollars(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


async def test_a_new_database_has_the_nine_models_of_the_brief(database: Database) -> None:
    """With its values and its prices, before the program has ever been started on it."""
    assert await names(database) == list(BRIEF)
    for name, stated in BRIEF.items():
        model = await get(database, name)
        kind, input_usd, output_usd, image_usd, window, sizes, is_active, is_default = stated
        assert (model.model_type, model.provider) == (kind, "openai")
        assert model.input_cost_per_1m == dollars(input_usd)
        assert model.output_cost_per_1m == dollars(output_usd)
        assert model.cost_per_image == dollars(image_usd)
        assert (model.context_window, model.valid_sizes) == (window, sizes)
        assert (model.is_active, model.is_default) == (is_active, is_default)
    mini = await get(database, "gpt-4o-mini")
    assert mini.display_name == "GPT-4o mini - Fast & Affordable"
    assert (mini.max_output_tokens, mini.sort_order, mini.supports_json_mode) == (16_000, 1, True)
    assert not mini.supports_vision
    assert (await get(database, "gpt-4o")).supports_vision
    assert len(await names(database, is_active=True)) == 7


async def test_the_program_s_own_prices_add_nothing_to_those_of_the_nine(
    database: Database,
) -> None:
    before = {name: (await get(database, name)).costs for name in BRIEF}
    async with database.write() as unit:
        await seed(unit, NOW_US)
    async with database.read() as unit:
        rows = await price_at(unit, "openai", "gpt-4o-mini", NOW_US)
    assert sorted(row.unit for row in rows) == ["cache_read", "input", "output"]
    assert {name: (await get(database, name)).costs for name in BRIEF} == before
    async with database.write() as unit:
        assert await seed(unit, NOW_US + 1) == 0


async def test_an_older_database_with_changed_models_and_prices_goes_down_and_up(
    database: Database, database_url: str
) -> None:
    """The tables go and come back as they began; prices set by hand are prices still."""
    await edit(database, "gpt-4o", 1, input_cost_per_1m="3", description="changed")
    await migrate.downgrade(database_url, "0002_catalogue")
    await migrate.upgrade(database_url)
    model = await get(database, "gpt-4o")
    assert (model.description, model.version) == ("", 1)
    assert model.input_cost_per_1m == Decimal(3)
    assert model.output_cost_per_1m == Decimal(10)


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_a_database_that_was_in_use_gets_the_nine_and_keeps_its_prices(
    empty_database_url: str,
) -> None:
    await make_schema(empty_database_url)
    await migrate.downgrade(empty_database_url, "0002_catalogue")
    database = Database.open(empty_database_url)
    file_price = FilePrice("openai", "gpt-4o", {"input": "1", "output": "2"})
    async with database.write() as unit:
        await seed(unit, NOW_US)
        await apply_file_prices(unit, [file_price], NOW_US)
    await migrate.upgrade(empty_database_url)
    assert (await get(database, "gpt-4o", NOW_US + 1)).input_cost_per_1m == Decimal(1)
    assert (await get(database, "gpt-4.1")).input_cost_per_1m == Decimal(2)
    await database.close()


async def test_a_price_is_a_new_version_from_the_moment_of_the_edit(database: Database) -> None:
    """What held before still holds for before; the field shows what holds now."""
    edited = await edit(database, "gpt-4o-mini", 1, input_cost_per_1m="0.20")
    assert edited.input_cost_per_1m == Decimal("0.2")
    assert edited.output_cost_per_1m == Decimal("0.6")
    assert (edited.version, edited.updated_by, edited.updated_at_us) == (2, "ada", NOW_US)
    before = await get(database, "gpt-4o-mini", NOW_US - 1)
    assert before.input_cost_per_1m == Decimal("0.15")
    async with database.read() as unit:
        rows = await price_at(unit, "openai", "gpt-4o-mini", NOW_US)
    (row,) = [row for row in rows if row.unit == "input"]
    assert (row.source, row.rate_usd, row.valid_from_us) == ("operator", "0.2", NOW_US)


async def test_a_price_that_is_taken_back_is_unknown_and_the_catalogue_s_does_not_return(
    database: Database,
) -> None:
    taken = await edit(database, "dall-e-3", 1, cost_per_image=None)
    assert taken.cost_per_image is None
    async with database.write() as unit:
        await seed(unit, NOW_US + 1)
    assert (await get(database, "dall-e-3", NOW_US + 2)).cost_per_image is None
    again = await edit(database, "dall-e-3", 2, NOW_US + 3, cost_per_image="0.05")
    assert again.cost_per_image == Decimal("0.05")


async def test_an_edit_without_a_price_touches_no_prices(database: Database) -> None:
    before = await part_version(database, "prices"), await part_version(database, "models")
    await edit(database, "gpt-4o", 1, display_name="Big", sort_order=40)
    assert await part_version(database, "prices") == before[0]
    assert await part_version(database, "models") == before[1] + 1
    assert (await names(database))[-1] == "gpt-4o"


async def test_an_edit_of_what_was_changed_meanwhile_is_refused(database: Database) -> None:
    await edit(database, "gpt-4o", 1, display_name="First")
    with pytest.raises(ConflictError, match="changed meanwhile by ada: it has version 2"):
        await edit(database, "gpt-4o", 1, display_name="Second", input_cost_per_1m="9")
    model = await get(database, "gpt-4o")
    assert (model.display_name, model.input_cost_per_1m) == ("First", Decimal("2.5"))


async def test_of_two_edits_at_once_one_is_refused(database: Database) -> None:
    done = await asyncio.gather(
        edit(database, "gpt-4o", 1, display_name="A", input_cost_per_1m="1"),
        edit(database, "gpt-4o", 1, display_name="B", input_cost_per_1m="2"),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in done) == ["ConflictError", "Model"]


async def test_an_edit_that_changes_nothing_is_no_change(database: Database) -> None:
    same = await edit(database, "gpt-4o", 1, input_cost_per_1m="2.50", is_active=True)
    assert same.version == 1
    assert len(await history(database, "gpt-4o")) == 1


async def test_a_bad_field_writes_nothing(database: Database) -> None:
    with pytest.raises(InvalidRequestError, match="negative"):
        await edit(database, "gpt-4o", 1, display_name="X", output_cost_per_1m="-1")
    assert (await get(database, "gpt-4o")).display_name == "GPT-4o"


async def test_there_is_one_default_of_a_type_and_a_new_one_replaces_it(
    database: Database,
) -> None:
    async with database.write() as unit:
        await store.set_default(unit, "gpt-5.1", actor="ada", now_us=NOW_US)
    assert await names(database, is_default=True) == ["gpt-5.1", "dall-e-3"]
    assert [one.action for one in await history(database, "gpt-4o-mini")] == [
        "unset_default",
        "created",
    ]
    assert (await history(database, "gpt-5.1"))[0].action == "made_default"


async def test_an_edit_can_make_the_default_too(database: Database) -> None:
    await edit(database, "gpt-5.2", 1, is_default=True)
    assert await names(database, is_default=True, model_type="text") == ["gpt-5.2"]


async def test_the_database_itself_refuses_a_second_default(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as unit:
            await unit.connection.execute(
                update(models).where(models.c.model_name == "gpt-4o").values(is_default=True)
            )
    assert await names(database, is_default=True) == ["gpt-4o-mini", "dall-e-3"]


async def test_the_database_itself_refuses_an_inactive_default(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as unit:
            await unit.connection.execute(
                update(models).where(models.c.model_name == "gpt-4o-mini").values(is_active=False)
            )


async def test_defaults_set_at_once_leave_exactly_one(database: Database) -> None:
    candidates = ["gpt-4o", "gpt-4.1", "gpt-5.1", "gpt-5.2"] * 3

    async def choose(name: str) -> None:
        async with database.write() as unit:
            await store.set_default(unit, name, actor=name, now_us=NOW_US)

    await asyncio.gather(*(choose(name) for name in candidates))
    (chosen,) = await names(database, is_default=True, model_type="text")
    assert chosen in candidates


async def test_only_an_active_model_can_be_the_default(database: Database) -> None:
    with pytest.raises(ConflictError, match="only an active model"):
        async with database.write() as unit:
            await store.set_default(unit, "gpt-image-1", actor="ada", now_us=NOW_US)


async def test_models_are_switched_all_or_none(database: Database) -> None:
    async def switch(*wanted: str, is_active: bool) -> list[Model]:
        async with database.write() as unit:
            return await store.switch_models(
                unit, wanted, is_active=is_active, actor="ada", now_us=NOW_US
            )

    off = await switch("gpt-4.1", "gpt-4o", "gpt-4.1", is_active=False)
    assert [(one.model_name, one.is_active) for one in off] == [
        ("gpt-4.1", False),
        ("gpt-4o", False),
    ]
    with pytest.raises(ConflictError, match="make another one the default first"):
        await switch("gpt-5.1", "gpt-4o-mini", is_active=False)
    with pytest.raises(NotFoundError, match="no model 'gpt-9'; available models: gpt-4o-mini"):
        await switch("gpt-4o", "gpt-9", is_active=True)
    assert await names(database, is_active=True, model_type="text") == [
        "gpt-4o-mini",
        "gpt-5.1",
        "gpt-5.2",
    ]
    await switch("gpt-4o", "gpt-image-1", is_active=True)
    assert (await get(database, "gpt-image-1")).is_active
    # What was on already is no change.
    assert [one.action for one in await history(database, "gpt-5.1")] == ["created"]


async def test_the_history_says_who_when_what_before_and_after(database: Database) -> None:
    await edit(database, "gpt-4o", 1, input_cost_per_1m="3.5", description="new")
    change, first = await history(database, "gpt-4o")
    assert (change.actor, change.at_us, change.action) == ("ada", NOW_US, "edited")
    assert change.changed == {"input_cost_per_1m": ("2.5", "3.5"), "description": ("", "new")}
    assert (first.actor, first.before) == ("migration 0003_models", None)
    assert first.after["output_cost_per_1m"] == "10"


async def test_an_earlier_state_comes_back_with_its_prices_as_a_change_of_its_own(
    database: Database,
) -> None:
    first = (await history(database, "dall-e-2"))[0]
    await edit(database, "dall-e-2", 1, cost_per_image="0.5", valid_sizes=["1x1"])
    await edit(database, "dall-e-2", 2, NOW_US + 1, is_active=False, display_name="Gone")
    async with database.write() as unit:
        restored = await store.restore_model(
            unit, "dall-e-2", first.change_id, 3, actor="eve", now_us=NOW_US + 2
        )
    assert (restored.display_name, restored.is_active, restored.version) == ("DALL-E 2", True, 4)
    assert restored.cost_per_image == Decimal("0.02")
    assert restored.valid_sizes == ("256x256", "512x512", "1024x1024")
    assert (await get(database, "dall-e-2", NOW_US + 1)).cost_per_image == Decimal("0.5")
    actions = [one.action for one in await history(database, "dall-e-2")]
    assert actions == ["restored", "edited", "edited", "created"]


async def test_what_a_sync_brought_comes_back_with_the_prices_of_that_moment(
    database: Database,
) -> None:
    """A sync keeps no prices in its history; they are found by its instant."""
    prices = [FilePrice("anthropic", "claude-x", {"input": "3", "output": "15"})]
    found = [
        Model(model_name="claude-x", display_name="X", model_type="text", provider="anthropic")
    ]
    async with database.write() as unit:
        await apply_file_prices(unit, prices, NOW_US)
        await store.add_synced(unit, found, actor="sync", now_us=NOW_US)
    (first,) = await history(database, "claude-x")
    await edit(database, "claude-x", 1, NOW_US + 1, input_cost_per_1m="9", is_active=True)
    async with database.write() as unit:
        restored = await store.restore_model(
            unit, "claude-x", first.change_id, 2, actor="eve", now_us=NOW_US + 2
        )
    assert (restored.is_active, restored.input_cost_per_1m) == (False, Decimal(3))
    assert restored.output_cost_per_1m == Decimal(15)


async def test_a_restored_default_replaces_the_one_of_now(database: Database) -> None:
    first = (await history(database, "gpt-4o-mini"))[0]
    async with database.write() as unit:
        await store.set_default(unit, "gpt-4o", actor="ada", now_us=NOW_US)
        await store.restore_model(
            unit, "gpt-4o-mini", first.change_id, 2, actor="ada", now_us=NOW_US + 1
        )
    assert await names(database, is_default=True, model_type="text") == ["gpt-4o-mini"]


async def test_only_a_change_of_the_same_model_can_be_restored(database: Database) -> None:
    other = (await history(database, "gpt-4o"))[0]
    async with database.write() as unit:
        with pytest.raises(NotFoundError, match="has no change"):
            await store.restore_model(
                unit, "gpt-4.1", other.change_id, 1, actor="ada", now_us=NOW_US
            )
        with pytest.raises(ConflictError, match="version 1"):
            await store.restore_model(
                unit, "gpt-4.1", other.change_id, 7, actor="ada", now_us=NOW_US
            )


async def test_a_new_model_has_the_prices_that_are_given_or_known(database: Database) -> None:
    fields = {"model_name": "org/big:2", "model_type": "text", "provider": "org"}
    async with database.write() as unit:
        made = await store.create_model(
            unit, {**fields, "input_cost_per_1m": "1.5"}, actor="ada", now_us=NOW_US
        )
        await seed(unit, NOW_US)
        known = await store.create_model(
            unit,
            {
                "model_name": "text-embedding-3-small",
                "model_type": "embedding",
                "provider": "openai",
            },
            actor="ada",
            now_us=NOW_US,
        )
        with pytest.raises(ConflictError, match="a model named 'org/big:2' already"):
            await store.create_model(unit, fields, actor="ada", now_us=NOW_US)
    assert (made.input_cost_per_1m, made.version) == (Decimal("1.5"), 1)
    assert known.input_cost_per_1m == Decimal("0.02")


async def test_another_provider_has_its_own_prices(database: Database) -> None:
    moved = await edit(database, "gpt-4o", 1, provider="azure")
    assert moved.input_cost_per_1m is None
    priced = await edit(database, "gpt-4o", 2, NOW_US + 1, input_cost_per_1m="7")
    assert priced.input_cost_per_1m == Decimal(7)
    back = await edit(database, "gpt-4o", 3, NOW_US + 2, provider="openai")
    assert back.input_cost_per_1m == Decimal("2.5")


async def test_models_are_filtered_and_searched(database: Database) -> None:
    await edit(database, "gpt-4.1", 1, description="Old 100%_sure")
    assert await names(database, model_type="image", is_active=False) == [
        "gpt-image-1",
        "gpt-image-1-mini",
    ]
    assert await names(database, provider="nobody") == []
    assert await names(database, capabilities=("json_mode", "vision")) == ["gpt-4o"]
    assert await names(database, search="dall") == ["dall-e-3", "dall-e-2"]
    assert await names(database, search="AFFORDABLE") == ["gpt-4o-mini"]
    assert await names(database, search="100%_S") == ["gpt-4.1"]
    assert await names(database, search="100_%") == []


async def test_what_no_text_can_hold_is_found_nowhere(database: Database) -> None:
    assert await names(database, search="a\0") == []
    assert await names(database, provider="\0") == []
    with pytest.raises(NotFoundError):
        await get(database, "gpt\0")


async def test_a_list_goes_on_after_the_last_one_seen(database: Database) -> None:
    """Also where many have the same place in the order."""
    for name in ("gpt-4o", "gpt-5.1", "dall-e-3"):
        await edit(database, name, 1, sort_order=1)
    seen: list[str] = []
    place = None
    async with database.read() as unit:
        while page := await store.list_models(unit, ModelFilter(), place, 2):
            seen += [one.model_name for one in page]
            place = (page[-1].sort_order, page[-1].model_name)
    assert seen == await names(database)
    assert sorted(seen) == sorted(BRIEF)


async def test_a_sync_adds_models_inactive_and_leaves_those_that_are_there(
    database: Database,
) -> None:
    found = [
        Model(model_name=name, display_name=name, model_type="text", provider="anthropic")
        for name in ("claude-x", "gpt-4o", "claude-x", "claude-y")
    ]
    async with database.write() as unit:
        assert await store.add_synced(unit, found, actor="sync", now_us=NOW_US) == 2
    version = await part_version(database, "models")
    async with database.write() as unit:
        assert await store.add_synced(unit, found, actor="sync", now_us=NOW_US) == 0
    assert await part_version(database, "models") == version
    added = await get(database, "claude-x")
    assert (added.is_active, added.origin, added.version) == (False, "sync", 1)
    assert (await get(database, "gpt-4o")).provider == "openai"
    async with database.read() as unit:
        entries = {one.name: one for one in (await store.load_part(unit)).models}
    assert not entries["claude-x"].is_decided
    async with database.write() as unit:
        await store.switch_models(unit, ["claude-x"], is_active=False, actor="a", now_us=NOW_US)
        entries = {one.name: one for one in (await store.load_part(unit)).models}
    assert entries["claude-x"].is_decided


async def test_workers_get_what_they_need_to_plan(database: Database) -> None:
    async with database.read() as unit:
        entries = {one.name: one for one in (await store.load_part(unit)).models}
    dalle = entries["dall-e-3"]
    assert (dalle.model_type, dalle.is_active, dalle.is_default) == ("image", True, True)
    assert dalle.valid_sizes == ("1024x1024", "1792x1024", "1024x1792")
    assert (entries["gpt-4.1"].context_window, entries["gpt-4o-mini"].max_output_tokens) == (
        8000,
        16000,
    )
    assert not entries["gpt-image-1"].is_active
    assert entries["gpt-image-1"].is_decided


async def test_a_type_that_there_is_not_is_refused_by_the_database(database: Database) -> None:
    model = await get(database, "gpt-4o")
    row = {**row_of(model), "model_name": "new", "model_type": "letters"}
    with pytest.raises(IntegrityError):
        async with database.write() as unit:
            await unit.connection.execute(insert(models).values(row))
