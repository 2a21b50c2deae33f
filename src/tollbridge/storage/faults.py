"""Is it the database's fault?

A fault of the database says nothing of what was to be read or written: the same may well succeed
later. What a row's own content breaks (integrity, data, a statement that is wrong) is no such
fault. `Database` turns every fault into OverloadedError; nobody else needs a list of them.
"""

import sqlite3

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tollbridge.core.errors import OverloadedError

RETRY_AFTER_S = 1.0

_SQLITE_PRIMARY = 0xFF
_SQLITE_READ_ONLY = sqlite3.SQLITE_READONLY
_SQLITE_FAULTS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PROTOCOL,
        _SQLITE_READ_ONLY,
    }
)
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES_READ_ONLY = "25006"
_POSTGRES_FAULTS = (
    "08",  # connection
    _POSTGRES_READ_ONLY,  # a standby, or a server set to read only
    "25P03",  # idle in transaction for too long
    "25P04",  # in one transaction for too long
    "40",  # serialization, deadlock
    "53",  # disk, memory, connections
    "55P03",  # lock not available
    "57",  # cancelled, shutting down, starting up
    "58",  # its system: I/O, files
)


def away(said: str = "the database does not answer") -> OverloadedError:
    """Return what callers are told of a fault."""
    return OverloadedError(said, retry_after_s=RETRY_AFTER_S)


def is_database_fault(error: BaseException) -> bool:
    """Return whether an error says that the database is away, busy, full or cannot be written.

    True also of the OverloadedError that a unit has made of one. Of the operating system's
    errors only those of a connection count: others may come from anything done in a unit.
    """
    if isinstance(error, OverloadedError | PoolTimeoutError | ConnectionError | TimeoutError):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    origin = _origin(error)
    if isinstance(origin, sqlite3.Error):
        code = _sqlite_code(origin)
        # Without a code it is not SQLite that speaks, but its driver.
        return (
            isinstance(origin, sqlite3.OperationalError)
            if code is None
            else (code in _SQLITE_FAULTS)
        )
    if isinstance(origin, asyncpg.InterfaceError):
        # Those that are also ValueErrors say that an argument is wrong.
        return not isinstance(origin, ValueError)
    return _sqlstate(origin).startswith(_POSTGRES_FAULTS)


def is_read_only(error: BaseException) -> bool:
    """Return whether the database refuses to be written: in a reading unit, our own fault."""
    origin = _origin(error)
    if isinstance(origin, sqlite3.Error):
        return _sqlite_code(origin) == _SQLITE_READ_ONLY
    return _sqlstate(origin) == _POSTGRES_READ_ONLY


def name_of(error: BaseException) -> str:
    """Return the kind of error that the driver had, without its words: they may hold values."""
    cause = error.__cause__ if isinstance(error, OverloadedError) else None
    return type(_origin(error if cause is None else cause)).__name__


def _origin(error: BaseException) -> BaseException:
    """Return the driver's own error inside of SQLAlchemy's and its adapter's."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return error
    adapted = error.orig
    cause = adapted.__cause__
    if isinstance(cause, asyncpg.PostgresError | asyncpg.InterfaceError):
        return cause
    return adapted


def _sqlite_code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return code & _SQLITE_PRIMARY if isinstance(code, int) else None


def _sqlstate(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else ""
