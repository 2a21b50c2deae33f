"""How does a node take what other gateways report, and which of our budgets pay for it?"""

from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo

from tollbridge.core.call import Hold
from tollbridge.core.clock import Clock
from tollbridge.core.evidence import Opened
from tollbridge.ledger.applying import (
    LimitsPart,
    LimitTable,
    counts_for,
    hold_of,
    subjects_of,
)
from tollbridge.ledger.reported_store import rooms_of
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


def _no_limits() -> LimitTable:
    return LimitTable(LimitsPart(), UTC)


def holds_of_reports(zone: tzinfo, limits: Callable[[], LimitTable] = _no_limits) -> HoldsOf:
    """Return how the budgets are found that pay for reports; `zone` is the billing time zone.

    `limits` tell how a call counts in credits.
    """

    async def holds_of(unit: Unit, reported: Sequence[Opened]) -> Sequence[tuple[Hold, ...]]:
        subjects = [_subjects_of(one) for one in reported]
        rooms = await rooms_of(unit, {each for every in subjects for each in every}, zone)
        return [
            tuple(
                hold_of(
                    room.limit,
                    room.start_us,
                    limits().credit_terms(one.operation, one.label),
                    room.left,
                )
                for subject in every
                for room in rooms.get(subject, ())
                if counts_for(room.limit, one.operation, one.bucket.value, one.label)
            )
            for one, every in zip(reported, subjects, strict=True)
        ]

    return holds_of


def _subjects_of(opened: Opened) -> tuple[str, ...]:
    subjects = subjects_of(opened.caller)
    return subjects if opened.customer is None else (*subjects, f"customer:{opened.customer}")
