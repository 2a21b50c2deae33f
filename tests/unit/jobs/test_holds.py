"""What a job may cost is asked for within the time that settings give."""

import asyncio
from collections.abc import Iterable

import pytest

from tollbridge.core.clock import ManualClock
from tollbridge.core.errors import OverloadedError
from tollbridge.core.limits import LeaseRefusal, LeaseRequest, LeaseReturn, Limit, PurseState
from tollbridge.jobs.holds import JobHolds


class Mute:
    """Takes everything in and says nothing."""

    def hello(self, worker: str, states: Iterable[PurseState]) -> None:
        """Nothing."""

    def receive(self, worker: str, message: LeaseRequest | LeaseReturn) -> None:
        """Nothing."""

    async def worker_gone(self, worker: str) -> None:
        """Nothing."""


def refused(_limit: Limit, _refusal: LeaseRefusal, _now_us: int) -> Exception:
    return AssertionError("nobody refused anything")


async def test_a_granter_that_says_nothing_is_waited_for_as_long_as_settings_say() -> None:
    """And no longer, for a call's and a job's caller alike."""
    holds = JobHolds(Mute(), ManualClock(0), refused, 0.0, 0.01)
    async with asyncio.timeout(60):
        with pytest.raises(OverloadedError):
            await holds.reserve("job:1", ())
