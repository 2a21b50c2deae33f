"""Which moment does somebody mean who writes a day or a time?"""

from datetime import UTC, date, datetime, tzinfo

from tollbridge.core.clock import to_us
from tollbridge.core.errors import InvalidRequestError


def read_instant(option: str, text: str, zone: tzinfo = UTC) -> int:
    """Return an instant in microseconds: a day (its start in `zone`), or ISO 8601 with a zone.

    Raises InvalidRequestError naming the option.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is not None:
        return to_us(datetime(day.year, day.month, day.day, tzinfo=zone))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequestError(
            f"{option}: {text[:50]!r} is neither a day nor an instant in ISO 8601"
        ) from error
    if moment.tzinfo is None:
        raise InvalidRequestError(f"{option}: say the zone, such as {text[:50]}Z")
    return to_us(moment)
