"""How does the archive come together: in the office, and for a command?"""

from tollbridge.core.clock import Clock
from tollbridge.recording.archive import Archiver, ArchiveSettings
from tollbridge.recording.spool import Reach, nothing_happens
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database


def make_archiver(
    settings: Settings, database: Database, clock: Clock, reach: Reach = nothing_happens
) -> Archiver:
    """Return what moves details to the archive, as the settings say."""
    wanted = ArchiveSettings(
        keep_months=settings.details_keep_months, batch_rows=settings.details_archive_batch_rows
    )
    return Archiver(database, wanted, clock, reach=reach)
