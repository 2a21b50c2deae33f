"""How long is a second on this machine, with all that it has to do besides?

"Within a second" is promised of a machine that has the time. A test that shares its machine, or
has a slow one, gives the node as much longer as the same work takes longer here: on a quiet
machine that is the second itself.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")
ADDITIONS = 800_000
QUIET_S = 0.04
"""What the additions take at most on a machine that has nothing else to do."""
FACTOR_MAX = 20.0
LOOK_EVERY_S = 0.02


def slowness() -> float:
    """Return how many times longer work takes here and now; 1 where it is as it should be."""
    began_s = time.perf_counter()
    total = 0
    for number in range(ADDITIONS):
        total += number
    took_s = time.perf_counter() - began_s
    return min(max(1.0, took_s / QUIET_S), FACTOR_MAX)


async def becomes(
    look: Callable[[], Awaitable[Found]], wanted: Found, within_s: float = 1.0
) -> None:
    """Look again and again; the first look that begins after `within_s` must see `wanted`."""
    loop = asyncio.get_running_loop()
    began_s, factor = loop.time(), slowness()
    while True:
        is_due = loop.time() - began_s >= within_s * factor
        found = await look()
        if found == wanted:
            return
        if is_due:
            factor = max(factor, slowness())
            assert loop.time() - began_s < within_s * factor, (found, factor)
        await asyncio.sleep(LOOK_EVERY_S)
