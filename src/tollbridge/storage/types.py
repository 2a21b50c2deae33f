"""How is each kind of value kept, the same on SQLite and PostgreSQL?

| type        | Python  | SQLite      | PostgreSQL | meaning                                    |
|-------------|---------|-------------|------------|--------------------------------------------|
| Instant     | int     | BIGINT      | BIGINT     | microseconds since 1970 in UTC (`*_at_us`) |
| NanoUsd     | int     | BIGINT      | BIGINT     | 10^-9 US dollars (`*_nanousd`)             |
| Amount      | int     | BIGINT      | BIGINT     | in the unit of a limit's kind              |
| RowId       | int     | INTEGER     | BIGINT     | a number given by the database             |
| CallId      | str     | VARCHAR(36) | UUID       | a UUID in lower case                       |
| DecimalText | Decimal | VARCHAR     | VARCHAR    | an exact decimal, without exponent         |
| Json        | object  | TEXT        | JSONB      | any JSON value; None is SQL's NULL         |

Statements run by the driver pass these types by: they take and give the column's own values
(`str(decimal)`, JSON as text; asyncpg gives UUID objects, whose `str()` is the call id).
"""
# ruff: noqa: ARG002 - the signatures of a TypeDecorator are SQLAlchemy's

from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Dialect, Integer, MetaData, String, Text
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.types import TypeDecorator, TypeEngine

from tollbridge.storage.engine import POSTGRESQL

# One schema: every package's `tables.py` defines its tables on this. The names are fixed, so
# that a migration can drop a constraint on both databases.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    },
)

# SQLite numbers rows by itself only in a column declared INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")


def _whole(value: int | None, what: str) -> int | None:
    # SQLite would keep a float in an integer column; so it is stopped here.
    if value is not None and type(value) is not int:
        raise TypeError(f"{what} is an int, not {type(value).__name__}")
    return value


class Instant(TypeDecorator[int]):
    """An instant: microseconds since the Unix epoch, as `core.clock` counts them."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """Refuse anything but an int."""
        return _whole(value, "an instant in microseconds")


class NanoUsd(TypeDecorator[int]):
    """Money: whole nano-USD, 10^-9 US dollars."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """Refuse anything but an int: no float touches money."""
        return _whole(value, "money in nano-USD")


class Amount(TypeDecorator[int]):
    """How much of a limit, in the unit of the limit's kind: nano-USD, micro-credits, a count."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """Refuse anything but an int."""
        return _whole(value, "an amount")


class CallId(TypeDecorator[str]):
    """A call's id: a UUIDv7 in its 36 characters."""

    impl = String(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Use PostgreSQL's own UUID, which needs 16 bytes instead of 37."""
        if dialect.name == POSTGRESQL:
            return dialect.type_descriptor(UUID(as_uuid=False))
        return dialect.type_descriptor(String(36))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Write lower case, so that both databases find the same rows."""
        return None if value is None else value.lower()


class DecimalText(TypeDecorator[Decimal]):
    """An exact decimal, kept as text: rates and cost components."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Write all digits and no exponent; refuse floats, NaN and infinity."""
        return None if value is None else decimal_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        """Read back the very same digits."""
        return None if value is None else Decimal(value)


class Json(TypeDecorator[Any]):
    """A JSON value; Decimals in it become strings, and None is SQL's NULL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Use PostgreSQL's JSONB; SQLite keeps text (its JSON affinity would turn "5" into 5)."""
        if dialect.name == POSTGRESQL:
            return dialect.type_descriptor(JSONB(none_as_null=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> Any | None:
        """Encode for SQLite; PostgreSQL's own type encodes by the engine's encoder."""
        if value is None or dialect.name == POSTGRESQL:
            return value
        return json_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any | None:
        """Decode for SQLite; PostgreSQL's own type has decoded already."""
        if value is None or dialect.name == POSTGRESQL:
            return value
        return msgspec.json.decode(value)


def decimal_text(value: Decimal) -> str:
    """Return a DecimalText column's own value, for statements run by the driver."""
    if type(value) is not Decimal:
        raise TypeError(f"an exact decimal is a Decimal, not {type(value).__name__}")
    if not value.is_finite():
        raise ValueError(f"{value} is not an amount")
    return format(value, "f")


def json_text(value: object) -> str:
    """Return a Json column's own value, for statements run by the driver."""
    return msgspec.json.encode(value).decode()
