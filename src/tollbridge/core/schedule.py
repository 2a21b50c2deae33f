"""When is it time again, and which instant lies so many months back?

All in UTC, so that neither question has two answers in the nights when clocks are changed.
"""

import calendar

from cronsim import CronSim, CronSimError

from tollbridge.core.clock import to_datetime, to_us
from tollbridge.core.errors import ConfigurationError

FIELDS = 5


class Schedule:
    """The instants that a cron text names: minute, hour, day of month, month, day of week."""

    def __init__(self, cron: str, setting: str) -> None:
        """Understand `cron`; raises ConfigurationError, which names the setting, where it is none.

        A text that no instant fits is none either.
        """
        self.cron = cron
        self._setting = setting
        if len(cron.split()) != FIELDS:
            raise self._refusal(f"it has {FIELDS} fields")
        self.next_us(0)

    def next_us(self, after_us: int) -> int:
        """Return the first such instant behind `after_us`."""
        try:
            return to_us(next(CronSim(self.cron, to_datetime(after_us))))
        except (CronSimError, StopIteration) as error:
            raise self._refusal(str(error) or "it never comes") from error

    def _refusal(self, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self._setting}: {self.cron!r} is no cron text such as '0 3 * * *': {why}"
        )


def months_before(at_us: int, months: int) -> int:
    """Return the same day and time so many calendar months earlier.

    Where that month has no such day, its last one. Raises ValueError before the year 1.
    """
    moment = to_datetime(at_us)
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    day = min(moment.day, last_day)
    return to_us(moment.replace(year=year, month=month + 1, day=day))
