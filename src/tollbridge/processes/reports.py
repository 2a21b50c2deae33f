"""How does a node take what other gateways report, and which of our budgets pay for it?"""

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo

from tollbridge.core.call import Caller, Hold
from tollbridge.core.clock import Clock
from tollbridge.ledger.reported_store import soft_holds
from tollbridge.processes.broadcast import subjects_of
from tollbridge.processes.places import Places
from tollbridge.recording.closing import HoldsOf
from tollbridge.recording.intake import Intake, IntakeHooks, IntakeLimits
from tollbridge.recording.spool import Reach, SpoolLimits
from tollbridge.routing.vendor import vendor_of
from tollbridge.settings import MIB, Settings
from tollbridge.storage.unit import Database, Unit


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


def holds_of_reports(zone: tzinfo) -> HoldsOf:
    """Return how the budgets are found that pay for reports; `zone` is the billing time zone."""

    async def holds_of(unit: Unit, callers: Sequence[Caller]) -> Mapping[Caller, tuple[Hold, ...]]:
        subjects = {one: subjects_of(one) for one in callers}
        every = {subject for each in subjects.values() for subject in each}
        holds = await soft_holds(unit, every, zone)
        return {
            caller: tuple(hold for subject in each for hold in holds.get(subject, ()))
            for caller, each in subjects.items()
        }

    return holds_of
