"""How is a database copied while it is in use?"""

import sqlite3
from contextlib import closing
from pathlib import Path

from tollbridge.storage.unit import Unit

PAGES_PER_STEP = 4096


async def copy_sqlite(unit: Unit, target: Path) -> None:
    """Copy the SQLite database, as this reading unit sees it, to a new file.

    Writers go on meanwhile. Raises BugError on PostgreSQL, and OSError or sqlite3's errors where
    the file cannot be written.
    """

    def copy(source: sqlite3.Connection) -> None:
        with closing(sqlite3.connect(target)) as copied:
            source.backup(copied, pages=PAGES_PER_STEP)

    await unit.run_script_sync(copy)
