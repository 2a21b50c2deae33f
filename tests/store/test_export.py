"""The usage log leaves whole, in each form, with the same calls and the same sums."""

import csv
import io
import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC
from decimal import Decimal

import pytest
from sqlalchemy import delete, insert, select, update

from tests.support.insight import a_spec
from tests.support.recorded import NOON_US, CallSpec, record
from tests.support.rerated import a_run, dearer, put, tools
from tollbridge.core.clock import SECOND_US, to_text
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import to_usd, usd_text
from tollbridge.core.sight import Sight
from tollbridge.insight.export import Export, ExportForm, bounded, check_size, export
from tollbridge.insight.export_focus_rules import COLUMNS, CORRECTION, faults
from tollbridge.insight.log_queries import read_log
from tollbridge.insight.usage import CallFilter, CallRow
from tollbridge.providers.names import load_names
from tollbridge.recording.adjust import begin, rerate
from tollbridge.recording.archive_tables import call_details_archive
from tollbridge.recording.tables import call_details
from tollbridge.storage.unit import Database

NAMES = load_names()
LATER_US = NOON_US + 400 * 86_400 * SECOND_US


async def exported(
    database: Database,
    form: ExportForm,
    wanted: CallFilter | None = None,
    page_rows: int = 3,
    rows_max: int = 1000,
) -> str:
    """Return an export, whole."""
    order = Export(
        form=form,
        wanted=bounded(wanted or CallFilter(), LATER_US),
        zone=UTC,
        names=NAMES,
        rows_max=rows_max,
        page_rows=page_rows,
    )
    return b"".join([part async for part in export(database, order)]).decode("utf-8-sig")


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


async def test_what_ends_after_the_export_began_is_not_in_it(database: Database) -> None:
    await record(database, [CallSpec(at_us=NOON_US + 5)])
    wanted = bounded(CallFilter(), NOON_US + 5)
    assert await exported(database, ExportForm.JSONL, wanted) == ""
    assert bounded(CallFilter(to_us=3), 5).to_us == 3


@pytest.mark.parametrize("form", list(ExportForm))
async def test_too_many_calls_are_refused_and_never_cut_short_in_silence(
    database: Database, form: ExportForm
) -> None:
    await record(database, [CallSpec(at_us=NOON_US + place) for place in range(5)])
    order = Export(form=form, wanted=CallFilter(), zone=UTC, names=NAMES, rows_max=4, page_rows=2)
    async with database.read() as unit:
        with pytest.raises(InvalidRequestError, match="EXPORT_CALLS_MAX"):
            await check_size(unit, order)
    with pytest.raises(InvalidRequestError, match="more than 4 calls"):
        await exported(database, form, page_rows=2, rows_max=4)
    await exported(database, form, page_rows=2, rows_max=5)


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
