"""How does a node take what other gateways report?"""

from collections.abc import Callable

from tollbridge.core.clock import Clock
from tollbridge.processes.places import Places
from tollbridge.recording.intake import Intake, IntakeHooks, IntakeLimits
from tollbridge.recording.spool import Reach, SpoolLimits
from tollbridge.routing.vendor import vendor_of
from tollbridge.settings import MIB, Settings
from tollbridge.storage.unit import Database


def make_intake(
    settings: Settings,
    database: Database,
    clock: Clock,
    pending_bytes: Callable[[], int],
    reach: Reach,
) -> Intake:
    """Return the intake of this node; it makes its segment with the first report."""
    return Intake(
        Places(settings.data_dir).spool,
        database,
        clock,
        IntakeHooks(vendor_of=vendor_of, pending_bytes=pending_bytes, reach=reach),
        node=settings.node,
        spool=SpoolLimits(
            segment_bytes_max=settings.spool_segment_mb * MIB,
            reserve_bytes=settings.spool_reserve_mb * MIB,
        ),
        limits=IntakeLimits(
            records_max=settings.intake_records_max,
            pending_bytes_max=settings.intake_spool_mb * MIB,
            future_max_s=settings.intake_future_max_s,
        ),
    )
