"""What does a call wait for, where a purse is short?"""

import asyncio
from collections.abc import Sequence

from tollbridge.core.limits import Limit
from tollbridge.ledger.purse import Holds

Needs = Sequence[tuple[Limit, int]]
"""Each limit at most once, with how much of it is needed."""


class Waiter:
    """One call that waits for the office."""

    __slots__ = ("deadline_us", "future", "needs", "request_id")

    def __init__(self, request_id: int, needs: Needs, deadline_us: int) -> None:
        self.request_id = request_id
        self.needs = needs
        self.deadline_us = deadline_us
        self.future: asyncio.Future[Holds] = asyncio.get_running_loop().create_future()
