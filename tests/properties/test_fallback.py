"""A call succeeds if an allowed candidate is up, within its deadline, before the first byte.

Whatever was up and down before, whatever the breakers have come to think of it, hedged or not.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tollbridge.core.call import AttemptOutcome, Category, Ending, ErrorClass, Operation, new_id
from tollbridge.core.clock import ManualClock
from tollbridge.core.errors import TollbridgeError
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Candidate, Endpoint, Plan
from tollbridge.providers.failed import AttemptFailedError
from tollbridge.providers.passage import HeaderLines, Passage, Reply
from tollbridge.providers.relay import Relay, RelayLimits, new_attempt
from tollbridge.providers.request import Request
from tollbridge.routing.health import Health
from tollbridge.routing.part import CandidateEntry, Order, RouteEntry, RoutingPart
from tollbridge.routing.plan import RouteTable

LABEL = "m"
DEADLINE_S = 10.0
NAMES = ("a", "b", "c", "d")
REQUEST = Request(Operation.CHAT_COMPLETION, b"{}", LABEL)
# What is nobody's fault but the provider's or our account's: another one is asked.
DOWN = (
    ErrorClass.RATE_LIMITED,
    ErrorClass.OVERLOADED,
    ErrorClass.UPSTREAM_ERROR,
    ErrorClass.CONNECT,
    ErrorClass.TIMEOUT,
    ErrorClass.BROKEN_CONNECTION,
    ErrorClass.MALFORMED_ANSWER,
    ErrorClass.AUTHENTICATION,
    ErrorClass.PERMISSION,
    ErrorClass.INSUFFICIENT_FUNDS,
    ErrorClass.NOT_FOUND,
    ErrorClass.CONTEXT_LENGTH,
    ErrorClass.UNSUPPORTED_PARAMETER,
)


class State(NamedTuple):
    """What one endpoint does with one call."""

    fault: ErrorClass | None
    """None: it is up."""
    took_s: float
    """On the clock, until it has failed or answered."""
    turns: int
    """Of the event loop, so that hedged ones end in any order."""


class Heard:
    """A caller who counts what it gets."""

    def __init__(self) -> None:
        self.call_id: str | None = None
        self.gone = self.stalled = self.cut_off = self.is_full = self.started = False
        self.answers: list[bytes] = []

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        pass

    def watch_room(self, on_room: Callable[[], None] | None) -> None:
        pass

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        del status, headers
        self.started = True
        self.answers.append(body)

    async def start(self, status: int, headers: HeaderLines) -> None:
        raise AssertionError("nothing here is a stream")

    async def send(self, data: bytes) -> None:
        raise AssertionError("nothing here is a stream")

    def push(self, data: bytes) -> None:
        raise AssertionError("nothing here is a stream")

    async def drain(self) -> None:
        pass

    async def finish(self) -> None:
        pass

    async def break_off(self, last: bytes) -> None:
        raise AssertionError("nothing here is broken off")


class Scripted:
    """Makes attempts as it is told."""

    def __init__(self, clock: ManualClock) -> None:
        self.states: dict[str, State] = {}
        self._clock = clock

    async def run(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        candidate: Candidate,
        request: Request,
        reply: Reply,
    ) -> None:
        del request
        state = self.states[candidate.endpoint.name]
        attempt.written = True
        for _ in range(state.turns):
            await asyncio.sleep(0)
        self._clock.advance(state.took_s)
        if state.fault is not None:
            raise AttemptFailedError(state.fault, AttemptOutcome.FAILED, "no")
        attempt.first_byte_at_us = self._clock.now_us()
        attempt.outcome = AttemptOutcome.SUCCEEDED
        await reply.whole(200, b"", candidate.endpoint.name.encode())
        passage.ending = Ending.COMPLETE

    def last_words(self, face: str) -> bytes:
        return face.encode()


def table(order: str, hedge_after_ms: int | None) -> RouteTable:
    endpoints = [Endpoint(name, name, "openai", "http://h") for name in NAMES]
    entries = tuple(CandidateEntry(name, name, place) for place, name in enumerate(NAMES, 1))
    entry = RouteEntry(LABEL, Category.TEXT.value, order, entries, hedge_after_ms=hedge_after_ms)
    return RouteTable(RoutingPart(endpoints, [entry]))


class World:
    """One worker's relay over providers that do as they are told."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.health = Health(self.clock)
        self.scripted = Scripted(self.clock)
        limits = RelayLimits(retry_rounds_max=0)
        self.relay = Relay(self.scripted, self.health, limits, self.clock)
        self.journaled: list[tuple[AttemptEvidence, ...]] = []

    async def call(self, plan: Plan) -> tuple[Heard, Passage]:
        first = new_attempt(1, plan.candidates[0], self.clock.now_us())
        deadline_s = self.clock.monotonic_s() + DEADLINE_S
        passage = Passage(new_id(self.clock.now_us()), first, deadline_s, None)
        heard = Heard()
        try:
            await self.relay.run(passage, REQUEST, plan, heard, self.journaled.append)
        except TollbridgeError:
            assert not heard.answers
        return heard, passage


def patterns(took_s: st.SearchStrategy[float]) -> st.SearchStrategy[list[list[State]]]:
    fault = st.one_of(st.none(), st.sampled_from(DOWN))
    state = st.builds(State, fault, took_s, st.integers(0, 4))
    call = st.lists(state, min_size=len(NAMES), max_size=len(NAMES))
    return st.lists(call, min_size=1, max_size=8)


def expected(plan: Plan, states: dict[str, State]) -> str | None:
    """Return who must serve, None where nobody can in time."""
    past_s = 0.0
    for place, candidate in enumerate(plan.candidates):
        if place and past_s >= DEADLINE_S:
            return None
        state = states[candidate.endpoint.name]
        if state.fault is None:
            return candidate.endpoint.name
        past_s += state.took_s
    return None


@settings(max_examples=150, deadline=None)
@given(
    patterns(st.floats(0, 6)),
    st.sampled_from([Order.PRIORITY, Order.WEIGHTED, Order.FASTEST]),
    st.randoms(use_true_random=False),
)
async def test_a_call_is_served_by_the_first_in_its_plan_that_is_up_in_time(
    calls: Sequence[Sequence[State]], order: Order, chance: random.Random
) -> None:
    draw = chance.random
    world, routes = World(), table(order, None)
    for states in calls:
        world.scripted.states = dict(zip(NAMES, states, strict=True))
        plan = routes.plan(LABEL, Category.TEXT, world.health, draw)
        who = expected(plan, world.scripted.states)
        heard, passage = await world.call(plan)
        assert heard.answers == ([] if who is None else [who.encode()])
        assert (passage.ending is Ending.COMPLETE) == (who is not None)


@settings(max_examples=150, deadline=None)
@given(patterns(st.just(0.0)), st.sampled_from([None, 1, 1000]))
async def test_a_call_gets_exactly_one_answer_if_and_only_if_anybody_is_up(
    calls: Sequence[Sequence[State]], hedge_after_ms: int | None
) -> None:
    world, routes = World(), table(Order.PRIORITY, hedge_after_ms)
    for states in calls:
        world.scripted.states = dict(zip(NAMES, states, strict=True))
        plan = routes.plan(LABEL, Category.TEXT, world.health, lambda: 0.5)
        heard, passage = await world.call(plan)
        up = {name for name, state in world.scripted.states.items() if state.fault is None}
        assert len(heard.answers) == bool(up)
        served = passage.attempts[-1]
        assert (served.outcome is AttemptOutcome.SUCCEEDED) == bool(up)
        assert {answer.decode() for answer in heard.answers} <= up
        if up:
            assert heard.answers == [served.endpoint.encode()]
        numbers = sorted(attempt.number for attempt in passage.attempts)
        assert numbers == list(range(1, len(numbers) + 1))
        assert all(one.outcome is not AttemptOutcome.CUT_SHORT for one in passage.attempts)
