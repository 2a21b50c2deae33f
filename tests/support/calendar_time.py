"""Is there enough left of the minute, or of another stretch of the calendar, for a test?"""

import asyncio

from tollbridge.core.clock import SECOND_US, SystemClock

MINUTE_S = 60
QUARTER_S = 15 * MINUTE_S


async def room_in(stretch_s: int, room_s: float) -> None:
    """Wait until so much is left of the stretch: what is counted by it begins anew at its end."""
    stretch_us = stretch_s * SECOND_US
    left_s = (stretch_us - SystemClock().now_us() % stretch_us) / SECOND_US
    if left_s < room_s:
        await asyncio.sleep(left_s + 0.05)
