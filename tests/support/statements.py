"""What is asked of a database while something runs: each statement with its parameters."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from tollbridge.storage.unit import Database

Statement = tuple[str, str]


@contextmanager
def statements(database: Database) -> Generator[list[Statement]]:
    """Collect the statements that a database is asked within the block."""
    asked: list[Statement] = []

    def note(_connection: Any, _cursor: Any, text: str, parameters: Any, *_: Any) -> None:
        asked.append((text, repr(parameters)))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)


def repeated(asked: list[Statement], about: str) -> list[Statement]:
    """Return what was asked more than once, of the statements that name a table."""
    counts = Counter(one for one in asked if about in one[0])
    return [one for one, count in counts.items() if count > 1]
