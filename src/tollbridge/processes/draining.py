"""By which settings does the drain work?"""

from datetime import tzinfo

from tollbridge.recording.drain import DrainSettings
from tollbridge.settings import Settings


def drain_settings(settings: Settings, zone: tzinfo) -> DrainSettings:
    """Return the knobs of the drain; `zone`: where days begin."""
    return DrainSettings(
        batch_records_max=settings.drain_batch_records_max,
        interval_ms=settings.drain_interval_ms,
        gather_ms=settings.drain_gather_ms,
        keep_h=settings.spool_keep_h,
        tidy_interval_s=settings.spool_tidy_s,
        evidence_keep_days=settings.evidence_keep_days,
        content_keep_days=settings.content_keep_days,
        metrics_series_max=settings.metrics_series_max,
        zone=zone,
    )
