"""Which ended calls does a batch of reports stand for?

A pure function of the record in the spool: read again, it gives the same calls with the same ids.
"""

from typing import Final

import msgspec

from tollbridge.core.call import AttemptOutcome, Ending
from tollbridge.core.evidence import AttemptEvidence, CallEvidence, Closed, Opened
from tollbridge.core.report import REPORTED_BY, REPORTS_PATH, Report, ReportBatch
from tollbridge.recording.calls import EndedCall
from tollbridge.recording.details import Source

NOT_YET_KNOWN: Final = "unknown"
FAILED_FROM: Final = 400
_encode = msgspec.json.Encoder().encode


def calls_of(batch: ReportBatch, place: Source) -> list[EndedCall]:
    """Return the calls of a batch that stands in the spool at `place`."""
    return [_call(one, batch, place) for one in batch.reports]


def _call(report: Report, batch: ReportBatch, place: Source) -> EndedCall:
    # Of several requests in one report, the times say nothing of how long one of them took.
    timed = report.request_count == 1 and report.completed_at_us is not None
    started_at_us = report.started_at_us
    begun_at_us = report.accounted_at_us if started_at_us is None else started_at_us
    failed = report.http_status >= FAILED_FROM
    opened = Opened(
        call_id=report.call_id,
        opened_at_us=begun_at_us if timed else report.accounted_at_us,
        received_at_us=begun_at_us if timed else report.accounted_at_us,
        caller=report.caller,
        method="POST",
        path=report.path or REPORTS_PATH,
        operation=report.operation,
        category=report.category,
        bucket=report.bucket,
        label=report.label,
        stream=report.chunks > 0,
        request_bytes=report.request_bytes,
        expected_provider=None,
        report=report,
    )
    attempt = AttemptEvidence(
        number=1,
        endpoint=batch.source,
        provider=NOT_YET_KNOWN,
        dialect=batch.via,
        model=report.model,
        reason=f"{REPORTED_BY}{batch.source}",
        started_at_us=begun_at_us,
        outcome=AttemptOutcome.FAILED if failed else AttemptOutcome.SUCCEEDED,
        written=True,
        ended_at_us=report.completed_at_us if timed and started_at_us is not None else None,
        http_status=report.http_status,
        message=report.error,
        chunks=report.chunks,
    )
    closed = Closed(
        call_id=report.call_id,
        closed_at_us=report.accounted_at_us,
        ending=Ending.ALL_REFUSED if failed else Ending.COMPLETE,
        http_status=report.http_status,
        attempts=(attempt,),
        error=report.error,
        opened=opened,
    )
    raw = b'{"closed":%b}' % _encode(closed)
    source = Source(place.node, place.worker, place.segment, place.offset_bytes, raw)
    return EndedCall(CallEvidence(opened, closed), source)
