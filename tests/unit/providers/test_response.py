"""How does a streamed body get into a sink, and what ends it?"""

import asyncio

import pytest

from tollbridge.providers.failures import TruncatedError
from tollbridge.providers.response import Response


class Link:
    """A connection of which nothing is asked but to be told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")

    def abandon(self) -> None:
        self.told.append("abandon")


class Streamed:
    """A streamed response that is being poured into `taken`."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.link = Link()
        self.taken: list[bytes] = []
        self.response = Response(self.link, loop.create_future(), None)
        self.response.status = 200

    async def begin(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self.response.pour(self.take))
        await asyncio.sleep(0)
        return task

    def take(self, data: bytes) -> None:
        if data == b"bug":
            raise RuntimeError("a bug of ours")
        self.taken.append(data)


async def test_what_came_before_and_each_read_after_it_go_to_the_sink_at_once() -> None:
    streamed = Streamed()
    streamed.response.deliver(b"one")
    pouring = await streamed.begin()
    assert streamed.taken == [b"one"]
    streamed.response.deliver(b"two")
    streamed.response.arrived()
    assert streamed.taken == [b"one", b"two"], "without a turn of the loop"
    await asyncio.sleep(0)
    assert not pouring.done()
    streamed.response.finish()
    await pouring


async def test_a_body_that_had_ended_already_is_poured_without_waiting() -> None:
    streamed = Streamed()
    streamed.response.deliver(b"all")
    streamed.response.finish()
    await streamed.response.pour(streamed.take)
    assert streamed.taken == [b"all"]


async def test_a_break_is_raised_after_what_came_before_it() -> None:
    streamed = Streamed()
    pouring = await streamed.begin()
    streamed.response.deliver(b"one")
    streamed.response.fail(TruncatedError("reset", written=True))
    with pytest.raises(TruncatedError):
        await pouring
    assert streamed.taken == [b"one"]


async def test_a_sink_that_stops_the_body_has_its_reason_raised() -> None:
    streamed = Streamed()
    pouring = await streamed.begin()
    streamed.response.stop(ValueError("no frames"))
    streamed.response.deliver(b"more of the same read")
    streamed.response.fail(TruncatedError("reset", written=True))
    with pytest.raises(ValueError, match="no frames"):
        await pouring
    assert streamed.taken == []


async def test_a_bug_of_the_sink_reaches_both_the_loop_and_who_waits() -> None:
    streamed = Streamed()
    pouring = await streamed.begin()
    with pytest.raises(RuntimeError):
        streamed.response.deliver(b"bug")
    with pytest.raises(RuntimeError, match="a bug of ours"):
        await pouring


async def test_a_sink_that_is_full_leaves_the_socket_unread_until_it_goes_on() -> None:
    streamed = Streamed()
    pouring = await streamed.begin()
    response = streamed.response
    response.hold()
    response.hold()
    assert streamed.link.told == ["pause"]
    response.go_on()
    response.go_on()
    assert streamed.link.told == ["pause", "resume"]
    response.finish()
    await pouring
    response.hold()
    assert streamed.link.told == ["pause", "resume"], "there is nothing left to hold"


async def test_a_pour_that_is_cancelled_closes_the_connection() -> None:
    streamed = Streamed()
    pouring = await streamed.begin()
    pouring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pouring
    assert streamed.link.told == ["abandon"]
