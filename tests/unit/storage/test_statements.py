import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, insert, text, update
from sqlalchemy.dialects import postgresql, sqlite

from tollbridge.core.errors import BugError
from tollbridge.storage.statements import DriverStatement, compile_statement

things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("number", Integer, server_default=text("0")),
)


def test_an_insert_takes_its_columns_in_the_order_of_its_parameters() -> None:
    columns = ["name", "id"]
    assert compile_statement(insert(things), "sqlite", columns) == DriverStatement(
        "INSERT INTO things (id, name) VALUES (?, ?)",
        ("id", "name"),
    )
    assert compile_statement(insert(things), "postgresql", columns) == DriverStatement(
        "INSERT INTO things (id, name) VALUES ($1::INTEGER, $2::VARCHAR)",
        ("id", "name"),
    )


def test_an_upsert_compiles_for_both_drivers() -> None:
    one = sqlite.insert(things)
    upsert = one.on_conflict_do_update(
        index_elements=["id"],
        set_={"number": things.c.number + one.excluded.number},
    )
    other = postgresql.insert(things).on_conflict_do_nothing()
    columns = ["id", "number"]
    for compiled in (
        compile_statement(upsert, "sqlite", columns),
        compile_statement(other, "postgresql", columns),
    ):
        assert compiled.parameters == ("id", "number")
        assert "ON CONFLICT" in compiled.sql


def test_an_update_names_the_parameters_of_its_condition_too() -> None:
    statement = update(things).where(things.c.id == bindparam("wanted_id"))
    compiled = compile_statement(statement, "sqlite", ["name"])
    assert compiled.parameters == ("name", "wanted_id")


def test_a_value_fixed_in_a_statement_is_our_bug() -> None:
    with pytest.raises(BugError, match="id_1"):
        compile_statement(update(things).where(things.c.id == 5), "sqlite", ["name"])
