"""The usage log leaves whole, in each form, with the same calls and the same sums."""

import asyncio
import csv
import importlib
import io
import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from tests.support.insight import a_spec
from tests.support.recorded import NOON_US, CallSpec, record
from tests.support.rerated import a_run, dearer, put, tools
from tollbridge.core.clock import SECOND_US, to_text, to_us
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import to_usd, usd_text
from tollbridge.core.sheets import guarded
from tollbridge.core.sight import Sight
from tollbridge.insight.export import Export, ExportForm, bounded, check_size, export
from tollbridge.insight.export_focus_rules import COLUMNS, CORRECTION, faults
from tollbridge.insight.export_line_queries import table_columns
from tollbridge.insight.export_lines import COLUMNS as COLUMNS_OF_LINES
from tollbridge.insight.export_parquet import ParquetMaker, require_library
from tollbridge.insight.export_queries import read_page
from tollbridge.insight.log_queries import read_log
from tollbridge.insight.usage import CallFilter, CallRow
from tollbridge.providers.names import load_names
from tollbridge.recording.adjust import begin, rerate
from tollbridge.recording.archive_tables import call_details_archive
from tollbridge.recording.tables import call_details
from tollbridge.storage.unit import Database

# The library has no types.
arrow: Any = importlib.import_module("pyarrow")
parquet: Any = importlib.import_module("pyarrow.parquet")
NAMES = load_names()
LATER_US = NOON_US + 400 * 86_400 * SECOND_US


async def exported(
    database: Database,
    form: ExportForm,
    wanted: CallFilter | None = None,
    page_rows: int = 3,
    rows_max: int = 1000,
) -> str:
    """Return an export in a form that is text, whole."""
    whole = await export_bytes(database, form, wanted, page_rows, rows_max)
    return whole.decode("utf-8-sig")


async def export_bytes(
    database: Database,
    form: ExportForm,
    wanted: CallFilter | None = None,
    page_rows: int = 3,
    rows_max: int = 1000,
) -> bytes:
    """Return an export, whole."""
    order = Export(
        form=form,
        wanted=bounded(wanted or CallFilter(), LATER_US),
        zone=UTC,
        names=NAMES,
        rows_max=rows_max,
        page_rows=page_rows,
    )
    return b"".join([part async for part in export(database, order)])


async def csv_rows(
    database: Database, form: ExportForm, wanted: CallFilter | None = None
) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(await exported(database, form, wanted), newline="")))


async def log(database: Database, wanted: CallFilter | None = None) -> tuple[CallRow, ...]:
    async with database.read() as unit:
        return (await read_log(unit, wanted or CallFilter(), UTC, 5000)).rows


def billed(rows: Sequence[Mapping[str, str]]) -> Decimal:
    return sum((Decimal(row["BilledCost"]) for row in rows), Decimal(0))


def known(rows: Sequence[CallRow]) -> Decimal:
    """Return what calls cost now, of unpriced ones what is known."""
    return to_usd(sum((row.known_cost_nanousd or 0) + row.adjustment_nanousd for row in rows))


@pytest.mark.parametrize("page_rows", [1, 3, 1000])
async def test_each_call_of_the_log_leaves_once_in_its_order(
    database: Database, page_rows: int
) -> None:
    draw = random.Random(7)
    made = await record(database, [a_spec(draw) for _ in range(23)])
    half = call_details.c.call_id.in_(made[::2])
    async with database.write() as unit:
        names = [column.name for column in call_details.c]
        await unit.connection.execute(
            insert(call_details_archive).from_select(names, select(call_details).where(half))
        )
        await unit.connection.execute(delete(call_details).where(half))
    for wanted in (
        CallFilter(),
        CallFilter(user="ada"),
        CallFilter(key="a"),
        CallFilter(status="FAILED"),
        CallFilter(fallback=True),
        CallFilter(model="alias", project="night"),
        CallFilter(sight=Sight("bob", ("night",))),
        CallFilter(from_us=NOON_US, to_us=NOON_US + 900 * SECOND_US),
    ):
        expected = [row.call_id for row in await log(database, wanted)]
        lines = (await exported(database, ExportForm.JSONL, wanted, page_rows)).splitlines()
        assert [json.loads(line)["call_id"] for line in lines] == expected, wanted


async def test_a_line_says_what_the_log_says(database: Database) -> None:
    specs = [
        CallSpec(at_us=NOON_US + 2, tags=("red",), customer="acme"),
        CallSpec(at_us=NOON_US + 1, provider="nowhere", fails_first=True, first_bills=True),
        CallSpec(refused=True),
    ]
    await put(database, specs)
    await rerate(database, await begin(database, a_run()), tools(dearer(900)))
    lines = (await exported(database, ExportForm.JSONL)).splitlines()
    cells = await csv_rows(database, ExportForm.CSV)
    for line, cell, row in zip(lines, cells, await log(database), strict=True):
        said = json.loads(line)
        assert said["accounted_at"] == to_text(row.accounted_at_us or 0)
        assert said["received_at"] == to_text(row.received_at_us)
        assert said["billing_period"] == "2026-01"
        assert (said["tags"], said["usage"]) == (list(row.tags), row.usage)
        assert said["flags"] == list(row.flags)
        assert said["user"] == row.user
        assert said["fallback"] is (row.attempt_count > 1)
        for name in ("cost", "cost_now", "computed", "reported", "charge", "charge_now"):
            amount = getattr(row, f"{name}_nanousd")
            assert said[f"{name}_usd"] == (None if amount is None else usd_text(amount)), name
        assert said["adjustment_usd"] == usd_text(row.adjustment_nanousd)
        assert any(one.adjustment_nanousd for one in await log(database))
        for name, value in said.items():
            if isinstance(value, bool):
                assert cell[name] == str(value).lower()
            elif isinstance(value, list | dict):
                assert (
                    json.loads(cell[name] or ("[]" if isinstance(value, list) else "{}")) == value
                )
            else:
                assert cell[name] == ("" if value is None else str(value)), name


async def test_no_cell_is_a_formula(database: Database) -> None:
    evil = '=HYPERLINK("http://evil")'
    await record(
        database,
        [
            CallSpec(
                user=evil, label="+1", project="-1", customer="@x", tags=(evil,), key_name="\tx"
            )
        ],
    )
    for form in (ExportForm.CSV, ExportForm.FOCUS):
        for row in await csv_rows(database, form):
            for name, cell in row.items():
                is_number = name.endswith(("Cost", "Price", "Quantity"))
                assert is_number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), name
    [row] = await csv_rows(database, ExportForm.CSV)
    assert row["user"] == f"'{evil}"


@pytest.mark.parametrize(
    "text",
    [
        "=1",
        "a,b",
        'a "b"',
        "a\nb\rc",
        "@x",
        "-1,2",
        "\tx",
        "%s %w %%",
        "'",
        "é €",
        '"',
        "a\x1fb\\n",
        "NULL",
        "",
    ],
)
async def test_any_text_comes_back_as_it_was_but_for_the_guard(
    database: Database, text: str
) -> None:
    """The database writes the cells: whatever has a meaning there has none in them."""
    [call_id] = await record(database, [CallSpec()])
    names = ("label", "served_model", "error_message", "customer", "unpriced_reason", "path")
    async with database.write() as unit:
        await unit.connection.execute(
            update(call_details).values({**dict.fromkeys(names, text), "tags": [text]})
        )
    [row] = await csv_rows(database, ExportForm.CSV)
    said = json.loads(await exported(database, ExportForm.JSONL))
    for name in names:
        assert (row[name], said[name]) == (guarded(text), text), name
    assert json.loads(row["tags"]) == said["tags"] == [text]
    table = parquet.read_table(io.BytesIO(await export_bytes(database, ExportForm.PARQUET)))
    [told] = table.to_pylist()
    assert {told[name] for name in names} == {text}
    assert told["tags"] == [text]
    assert (row["call_id"], row["status"], row["flags"] or "[]") == (call_id, "COMPLETED", "[]")


@pytest.mark.parametrize("page_rows", [2, 1000])
async def test_parquet_says_what_the_other_forms_say_in_types_of_its_own(
    database: Database, page_rows: int
) -> None:
    draw = random.Random(3)
    specs = [a_spec(draw) for _ in range(9)]
    await put(database, [*specs, CallSpec(tags=("red", "a:b")), CallSpec(provider="nowhere")])
    await rerate(database, await begin(database, a_run()), tools(dearer(900)))
    file = io.BytesIO(await export_bytes(database, ExportForm.PARQUET, page_rows=page_rows))
    table = parquet.read_table(file)
    assert table.column_names == list(COLUMNS_OF_LINES)
    assert table.schema.field("accounted_at").type == arrow.timestamp("us", tz="UTC")
    assert arrow.types.is_decimal128(table.schema.field("cost_usd").type)
    lines = [json.loads(line) for line in (await exported(database, ExportForm.JSONL)).splitlines()]
    assert {line["cost_usd"] is None for line in lines} == {True, False}
    assert any(line["adjustment_usd"] != "0" for line in lines)
    for got, line, booked in zip(table.to_pylist(), lines, await log(database), strict=True):
        for name, value in line.items():
            shown = got[name]
            if name.endswith("_usd"):
                assert shown == (None if value is None else Decimal(value)), name
            elif name.endswith("_at"):
                assert to_text(to_us(shown)) == value
            elif name == "usage":
                assert dict(shown) == value
            else:
                assert shown == value, name
        assert got["cost_usd"] == (
            None if booked.cost_nanousd is None else to_usd(booked.cost_nanousd)
        )
    empty = await export_bytes(database, ExportForm.PARQUET, CallFilter(user="nobody"))
    assert parquet.read_table(io.BytesIO(empty)).num_rows == 0


async def test_a_parquet_file_is_given_out_group_by_group(database: Database) -> None:
    """Memory is that of one group: what is complete has left before the next one begins."""
    await record(database, [CallSpec(at_us=NOON_US + place) for place in range(6)])
    columns = table_columns(database.dialect)
    async with database.read() as unit:
        page = await read_page(unit, CallFilter(), UTC, None, 100, columns)
    maker = ParquetMaker(UTC, group_rows=2)
    parts = [maker.add(page.rows[start : start + 2], {}) for start in (0, 2, 4)]
    assert all(parts)
    file = parquet.ParquetFile(io.BytesIO(b"".join([*parts, maker.close()])))
    assert file.num_row_groups == 3


def test_without_its_library_parquet_says_how_to_get_it() -> None:
    with pytest.raises(InvalidRequestError, match=r"tollbridge\[parquet\]"):
        require_library("tollbridge_has_no_such_library")


async def test_what_ends_after_the_export_began_is_not_in_it(database: Database) -> None:
    await record(database, [CallSpec(at_us=NOON_US + 5)])
    wanted = bounded(CallFilter(), NOON_US + 5)
    assert await exported(database, ExportForm.JSONL, wanted) == ""
    assert bounded(CallFilter(to_us=3), 5).to_us == 3


async def test_who_goes_away_early_leaves_nothing_that_still_reads(database: Database) -> None:
    await record(database, [CallSpec(at_us=NOON_US + place) for place in range(9)])
    order = Export(
        form=ExportForm.CSV,
        wanted=bounded(CallFilter(), LATER_US),
        zone=UTC,
        names=NAMES,
        rows_max=1000,
        page_rows=3,
    )
    before = asyncio.all_tasks()
    given = export(database, order)
    assert [await anext(given) for _ in range(2)]
    assert asyncio.all_tasks() > before, "the next page is read meanwhile"
    await given.aclose()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("form", [one for one in ExportForm if one != ExportForm.FOCUS_CREDITS])
async def test_too_many_calls_are_refused_and_never_cut_short_in_silence(
    database: Database, form: ExportForm
) -> None:
    await record(database, [CallSpec(at_us=NOON_US + place) for place in range(5)])
    order = Export(form=form, wanted=CallFilter(), zone=UTC, names=NAMES, rows_max=4, page_rows=2)
    async with database.read() as unit:
        with pytest.raises(InvalidRequestError, match="EXPORT_CALLS_MAX"):
            await check_size(unit, order)
    with pytest.raises(InvalidRequestError, match="more than 4 calls"):
        await export_bytes(database, form, page_rows=2, rows_max=4)
    await export_bytes(database, form, page_rows=2, rows_max=5)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_focus_rows_keep_the_rules_and_come_to_the_cost_of_the_log(
    database: Database, seed: int
) -> None:
    draw = random.Random(seed)
    await put(database, [a_spec(draw) for _ in range(30)])
    assert not faults_of(await csv_rows(database, ExportForm.FOCUS))
    for version, price in enumerate((900, 100)):
        run = await begin(database, a_run(version=version))
        await rerate(database, run, tools(dearer(price)))
    for wanted in (CallFilter(), CallFilter(user="ada"), CallFilter(fallback=True)):
        rows = await csv_rows(database, ExportForm.FOCUS, wanted)
        assert not faults_of(rows)
        assert billed(rows) == known(await log(database, wanted))
    by_call: dict[str, Decimal] = {}
    rows = await csv_rows(database, ExportForm.FOCUS)
    for row in rows:
        before = by_call.get(row["x_CallId"], Decimal(0))
        by_call[row["x_CallId"]] = before + Decimal(row["BilledCost"])
    for call in await log(database):
        assert by_call.get(call.call_id, Decimal(0)) == known([call])
    assert {row["ChargeClass"] for row in rows} == {"", CORRECTION}
    assert {row["ChargeCategory"] for row in rows} == {"Usage", "Adjustment"}


def faults_of(rows: Sequence[dict[str, str]]) -> list[str]:
    assert rows
    assert list(rows[0]) == list(COLUMNS)
    return [fault for row in rows for fault in faults(row)]


async def test_a_line_of_focus_is_quantity_times_price(database: Database) -> None:
    await put(database, [CallSpec(tags=("red", "a:b"), input_tokens=1000, output_tokens=10)])
    rows = {row["SkuMeter"]: row for row in await csv_rows(database, ExportForm.FOCUS)}
    row = rows["input"]
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == ("1000", "Tokens")
    assert (row["PricingQuantity"], row["PricingUnit"]) == ("0.001", "1000000 Tokens")
    assert (row["ListUnitPrice"], row["ListCost"]) == ("0.15", "0.00015")
    assert (row["ProviderName"], row["SkuId"]) == ("OpenAI", "openai/gpt-4o-mini/input")
    assert json.loads(row["Tags"]) == {"red": True, "a:b": True}
    assert row["BillingPeriodStart"] == "2026-01-01T00:00:00Z"
    assert row["BillingPeriodEnd"] == "2026-02-01T00:00:00Z"
    assert row["ChargePeriodStart"] == "2026-01-01T12:00:00Z"
    assert (row["SubAccountId"], row["x_Attempt"]) == ("default", "1")


async def test_a_cost_that_came_without_lines_leaves_as_one(database: Database) -> None:
    """As of imports, whose source says what calls cost and not of what that is made."""
    [call_id] = await put(database, [CallSpec()])
    async with database.write() as unit:
        await unit.connection.execute(
            update(call_details)
            .where(call_details.c.call_id == call_id)
            .values(components=None, cost_nanousd=5, known_cost_nanousd=5)
        )
    [row] = await csv_rows(database, ExportForm.FOCUS)
    assert not faults(row)
    assert (row["BilledCost"], row["ChargeCategory"]) == ("0.000000005", "Usage")
    assert row["SkuPriceId"] == "reported"
