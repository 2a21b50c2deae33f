"""What went wrong at the endpoints of late? SQL over the stored attempts, read-only."""

import msgspec
from sqlalchemy import select

from tollbridge.recording.tables import call_attempt_rows
from tollbridge.storage.unit import Unit

ERRORS_MAX = 5
"""Of one endpoint."""
ATTEMPTS_LOOKED_AT_MAX = 2000
"""So many of the latest stored attempts are looked at, whatever they were."""


class EndpointError(msgspec.Struct, frozen=True):
    """One attempt that did not serve."""

    call_id: str
    at_us: int
    model: str
    outcome: str
    error_class: str | None
    http_status: int | None
    message: str | None


async def recent_errors(unit: Unit) -> dict[str, list[EndpointError]]:
    """Return by endpoint the latest attempts that failed, the latest first, a few of each.

    Ids of calls are sorted by time, so that the latest are the last of the primary key.
    """
    rows = call_attempt_rows.c
    query = (
        select(
            rows.call_id,
            rows.started_at_us,
            rows.endpoint,
            rows.model,
            rows.outcome,
            rows.error_class,
            rows.http_status,
            rows.message,
        )
        .order_by(rows.call_id.desc(), rows.number.desc())
        .limit(ATTEMPTS_LOOKED_AT_MAX)
    )
    found: dict[str, list[EndpointError]] = {}
    for row in await unit.connection.execute(query):
        if row.error_class is None:
            continue
        errors = found.setdefault(row.endpoint, [])
        if len(errors) < ERRORS_MAX:
            errors.append(
                EndpointError(
                    call_id=str(row.call_id),
                    at_us=row.started_at_us,
                    model=row.model,
                    outcome=row.outcome,
                    error_class=row.error_class,
                    http_status=row.http_status,
                    message=row.message,
                )
            )
    return found
