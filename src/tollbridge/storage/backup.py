"""How is a database copied while it is in use?"""

import sqlite3
from contextlib import closing
from pathlib import Path

from tollbridge.storage.unit import Unit

PAGES_PER_STEP = 4096


async def copy_sqlite(unit: Unit, target: Path) -> None:
    """Copy the SQLite database, as this reading unit sees it, to a new file.

    Writers go on meanwhile. Raises BugError on PostgreSQL, and OSError where the file cannot be
    written.
    """

    def copy(source: sqlite3.Connection) -> None:
        try:
            with closing(sqlite3.connect(target)) as copied:
                source.backup(copied, pages=PAGES_PER_STEP)
        except sqlite3.Error as error:
            # Not as sqlite3's own: it would pass for a fault of the database that is copied.
            raise OSError(f"the copy cannot be written: {error}") from error

    await unit.run_script_sync(copy)
