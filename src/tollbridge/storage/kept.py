"""How does the database itself refuse to change what was written?

A table whose rows are only ever added gets triggers that let every UPDATE and DELETE of a row
fail (not DROP or TRUNCATE).
"""

from sqlalchemy import DDL, Connection, Table, event

from tollbridge.storage.engine import POSTGRESQL, SQLITE


def keep_rows(connection: Connection, table: str) -> None:
    """Let the database refuse to change a table's rows; for a migration, after it made the table.

    `table` is a name that our own code has written.
    """
    for statement in _keep(connection.dialect.name, table):
        connection.exec_driver_sql(statement)


def forget_rows(connection: Connection, table: str) -> None:
    """Remove what `keep_rows` made beside a table, after the table was dropped."""
    for statement in _forget(connection.dialect.name, table):
        connection.exec_driver_sql(statement)


def listen(table: Table) -> None:
    """Do both wherever SQLAlchemy itself makes or drops the table (`metadata.create_all`)."""
    for dialect in (SQLITE, POSTGRESQL):
        for moment, statements in (
            ("after_create", _keep(dialect, table.name)),
            ("after_drop", _forget(dialect, table.name)),
        ):
            for sql in statements:
                # DDL() formats its text with %.
                ddl = DDL(sql.replace("%", "%%")).execute_if(dialect=dialect)
                event.listen(table, moment, ddl)


def _keep(dialect: str, table: str) -> tuple[str, ...]:
    message = f"{table} are never changed"
    if dialect == SQLITE:
        return tuple(
            f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            for deed in ("UPDATE", "DELETE")
        )
    function = (
        f"CREATE OR REPLACE FUNCTION {table}_are_kept() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    trigger = (
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_are_kept()"
    )
    return function, trigger


def _forget(dialect: str, table: str) -> tuple[str, ...]:
    # Dropping a table drops its triggers; the function on PostgreSQL stays.
    return () if dialect == SQLITE else (f"DROP FUNCTION IF EXISTS {table}_are_kept()",)
