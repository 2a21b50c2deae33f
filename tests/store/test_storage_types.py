from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, insert, select, text
from sqlalchemy.exc import StatementError

from tollbridge.storage.types import (
    CallId,
    DecimalText,
    Instant,
    Json,
    NanoUsd,
    RowId,
    decimal_text,
    json_text,
)
from tollbridge.storage.unit import Database

CALL_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
BIG = 2**62

samples = Table(
    "samples",
    MetaData(),
    Column("id", RowId, primary_key=True),
    Column("call_id", CallId, index=True),
    Column("at_us", Instant),
    Column("cost_nanousd", NanoUsd),
    Column("rate", DecimalText),
    Column("details", Json),
)


@pytest.fixture
async def store(database: Database) -> Database:
    """Add one table with all types to the test's database."""
    async with database.write() as unit:
        await unit.connection.run_sync(samples.create)
    return database


async def kept(store: Database, column: str, value: object) -> Any:
    async with store.write() as unit:
        await unit.connection.execute(insert(samples).values({column: value}))
    async with store.read() as unit:
        result = await unit.connection.execute(select(samples.c[column]))
        return result.scalar_one()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("call_id", CALL_ID),
        ("at_us", BIG),
        ("at_us", -1),
        ("cost_nanousd", BIG),
        ("rate", Decimal("0.150")),
        ("rate", Decimal("0.0000000000000000001")),
        ("details", {"a": [1, "x", None, 1.5, True]}),
        ("details", []),
        ("details", "5"),
        ("details", 5),
        ("details", False),
        ("call_id", None),
        ("at_us", None),
        ("cost_nanousd", None),
        ("rate", None),
        ("details", None),
    ],
)
async def test_a_value_comes_back_as_it_was(store: Database, column: str, value: object) -> None:
    got = await kept(store, column, value)
    assert got == value
    assert type(got) is type(value)
    assert str(got) == str(value)


async def test_a_call_id_is_found_in_whatever_case(store: Database) -> None:
    assert await kept(store, "call_id", CALL_ID.upper()) == CALL_ID
    async with store.read() as unit:
        found = select(samples.c.id).where(samples.c.call_id == CALL_ID.upper())
        assert (await unit.connection.execute(found)).scalar_one() == 1


async def test_a_decimal_inside_json_becomes_a_string(store: Database) -> None:
    assert await kept(store, "details", {"rate": Decimal("0.10")}) == {"rate": "0.10"}


async def test_no_json_value_is_the_null_of_sql(store: Database) -> None:
    await kept(store, "details", None)
    async with store.read() as unit:
        found = text("SELECT count(*) FROM samples WHERE details IS NULL")
        assert (await unit.connection.execute(found)).scalar_one() == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at_us", 1.0),
        ("at_us", True),
        ("cost_nanousd", 1.5),
        ("cost_nanousd", Decimal(1)),
        ("rate", 0.15),
        ("rate", "0.15"),
        ("rate", Decimal("NaN")),
        ("rate", Decimal("Infinity")),
    ],
)
async def test_a_value_that_is_not_exact_is_refused(
    store: Database,
    column: str,
    value: object,
) -> None:
    with pytest.raises(StatementError):
        await kept(store, column, value)


async def test_rows_are_numbered_by_the_database(store: Database) -> None:
    async with store.write() as unit:
        for _ in range(3):
            await unit.connection.execute(insert(samples).values(at_us=1))
    async with store.read() as unit:
        result = await unit.connection.execute(select(samples.c.id).order_by(samples.c.id))
        assert list(result.scalars()) == [1, 2, 3]


async def test_rows_written_by_the_driver_read_back_like_all_others(store: Database) -> None:
    columns = ["call_id", "at_us", "cost_nanousd", "rate", "details"]
    row = (CALL_ID, BIG, 450_000, decimal_text(Decimal("0.150")), json_text({"a": 1}))
    places = ", ".join(
        "?" if store.dialect == "sqlite" else f"${number}" for number in range(1, len(columns) + 1)
    )
    sql = f"INSERT INTO samples ({', '.join(columns)}) VALUES ({places})"  # noqa: S608  # fixed words
    async with store.write() as unit:
        await unit.run_many(sql, [row, row])
        if unit.dialect == "postgresql":
            driver = await unit.postgres_driver()
            await driver.copy_records_to_table(
                "samples",
                records=[row],
                columns=columns,
            )
    async with store.read() as unit:
        found = select(*(samples.c[name] for name in columns))
        rows = set(map(str, (await unit.connection.execute(found)).all()))
    assert rows == {str((CALL_ID, BIG, 450_000, Decimal("0.150"), {"a": 1}))}


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimals_text_has_all_its_digits_and_no_exponent(value: Decimal) -> None:
    written = decimal_text(value)
    assert Decimal(written) == value
    assert "E" not in written
