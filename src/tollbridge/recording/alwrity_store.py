"""What does the usage table of an ALwrity database say?

Its file is opened read-only; nothing is known of it but the columns of `api_usage_logs`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, cast

from tollbridge.core.errors import ConfigurationError

TABLE: Final = "api_usage_logs"
PAGE_ROWS: Final = 1000
COUNT: Final = "SELECT count(*) FROM api_usage_logs"
_PAGE: Final = "WHERE id > ? ORDER BY id LIMIT ?"
NEEDED: Final = frozenset({"id", "user_id", "provider", "endpoint", "model_used", "timestamp"})


def count_rows(path: Path) -> int:
    """Return how many rows there are. Raises ConfigurationError where this is no such database."""
    with closing(_open(path)) as connection:
        _columns(connection, path)
        return int(connection.execute(COUNT).fetchone()[0])


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows in the order of their ids, a page in memory at a time."""
    with closing(_open(path)) as connection:
        columns = _columns(connection, path)
        # The ids are numbers; anything above the last one seen comes next.
        query = " ".join(("SELECT", ", ".join(columns), "FROM", TABLE, _PAGE))
        after: object = -(2**62)
        while True:
            rows = cast(
                "list[tuple[Any, ...]]", connection.execute(query, (after, PAGE_ROWS)).fetchall()
            )
            for row in rows:
                yield dict(zip(columns, row, strict=True))
            if len(rows) < PAGE_ROWS:
                return
            after = rows[-1][columns.index("id")]


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path}")
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _columns(connection: sqlite3.Connection, path: Path) -> list[str]:
    try:
        found = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({TABLE})")]
    except sqlite3.DatabaseError as error:
        raise ConfigurationError(f"{path} is no SQLite database") from error
    missing = sorted(NEEDED - set(found))
    if missing:
        raise ConfigurationError(f"{path} has no {TABLE} with {', '.join(missing)}")
    return [name for name in found if name.isidentifier()]
