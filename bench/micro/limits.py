"""What CPU do limits take of a call: finding, reserving and settling three that apply to it?

Run `python -m bench.micro.limits`: some seconds, no arguments. Bound: 15 µs a call more than
without limits, with a hard limit each of money, tokens and calls; bodies, models and usage differ.
The money limit needs the call's ceiling and its cost: what those take by themselves, which
`bench.micro.rating` bounds, is shown beside it.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC
from typing import Any, cast

import msgspec

from bench.micro.rating import MODELS, NOW_US, ROUNDS, attempts, catalogue, opened
from tollbridge.access.keys import KeyEntry
from tollbridge.conclude import Conclusions, charge_of, taken_of
from tollbridge.core.call import Bucket, Caller, Ending, Operation
from tollbridge.core.clock import SystemClock
from tollbridge.core.evidence import CallEvidence, Closed
from tollbridge.core.limits import Granted, LeaseGrant, LeaseRequest, LeaseReturn, Limit, LimitKind
from tollbridge.core.plan import Candidate, Endpoint, Plan
from tollbridge.journey import Call, GatewayLimits, Inbound
from tollbridge.ledger.applying import LimitsPart, LimitTable
from tollbridge.ledger.periods import END_OF_TIME_US
from tollbridge.ledger.reserve import FromOffice, Purses
from tollbridge.metering.estimate import EstimateRules
from tollbridge.providers.request import Request
from tollbridge.rating.book import PriceBook
from tollbridge.rating.ceiling import ceiling
from tollbridge.rating.prices import PricePart
from tollbridge.reserving import Reserver

BOUND_US = 15.0
PLENTY = 1 << 60
CALLER = Caller("key-1", "ci", "ana", "web")
BY_SUBJECT = {
    "organisation:default": (Limit("budget-1", LimitKind.MONEY, "all", PLENTY),),
    "user:ana": (Limit("budget-2", LimitKind.TOKENS, "tokens", PLENTY),),
    "key:ci": (Limit("budget-3", LimitKind.CALLS, "calls", PLENTY),),
}


class _Arrived:
    """As much of a caller's request as limits look at."""

    received_at_us = NOW_US
    customer = None


class _Office:
    """Grants whatever is asked for, at once."""

    def __init__(self) -> None:
        self.tell: Callable[[FromOffice], None] = lambda _: None

    def hear(self, message: LeaseRequest | LeaseReturn) -> None:
        """Answer a worker."""
        if isinstance(message, LeaseRequest):
            granted = tuple(
                Granted(need.limit_id, f"lease-{need.limit_id}", 0, END_OF_TIME_US, 1 << 50)
                for need in message.needs
            )
            self.tell(LeaseGrant(message.request_id, granted))


def calls(conclusions: Conclusions) -> list[Call]:
    """Return CALLS calls for different models with different bodies, without their limits."""
    found: list[Call] = []
    key = KeyEntry("key-1", "", CALLER, ("call",))
    nothing = LimitTable(LimitsPart(), UTC)
    for number, attempt in enumerate(attempts()):
        endpoint = Endpoint(attempt.provider, attempt.provider, "openai", "")
        label = f"model-{number % MODELS}"
        plan = Plan(label, (Candidate(endpoint, attempt.model, "priority 1"),))
        request = Request(Operation.CHAT_COMPLETION, b"x" * (1000 + number % 3000), label)
        found.append(
            Call(
                call_id=f"call-{number}",
                inbound=cast("Inbound", _Arrived()),
                key=key,
                request=request,
                plan=plan,
                bucket=Bucket.OPENAI,
                applying=nothing.applying(
                    CALLER, Operation.CHAT_COMPLETION, Bucket.OPENAI, label, None
                ),
                conclusions=conclusions,
            )
        )
    return found


async def one_round(part: LimitsPart, every: list[Call]) -> float:
    """Return the CPU of a call in microseconds: all that `Gateway` does for its limits."""
    table, office = LimitTable(part, UTC), _Office()
    purses = Purses(office.hear, SystemClock())
    office.tell = purses.on_message
    reserver = Reserver(purses, GatewayLimits())
    said, tried = opened(), attempts()
    closed = Closed(said.call_id, NOW_US, Ending.COMPLETE, 200)
    replace: Any = msgspec.structs.force_setattr
    began = time.process_time()
    for call, attempt in zip(every, tried, strict=True):
        applying = table.applying(
            CALLER, Operation.CHAT_COMPLETION, call.bucket, call.plan.label, None
        )
        replace(call, "applying", applying)
        reserved, held = await reserver.reserve(call)
        holds = applying.soft_holds(NOW_US)
        if held is None:
            continue
        replace(said, "holds", held.durable + holds)
        closed.attempts = (attempt,)
        taken = taken_of(CallEvidence(said, closed), held.durable, reserved.conclusions)
        purses.settle(held, taken.amounts)
    return (time.process_time() - began) / len(every) * 1e6


def pricing(every: list[Call]) -> float:
    """Return the CPU of a call in microseconds that its ceiling and its cost take alone."""
    said, tried = opened(), attempts()
    closed = Closed(said.call_id, NOW_US, Ending.COMPLETE, 200)
    began = time.process_time()
    for call, attempt in zip(every, tried, strict=True):
        size, book = len(call.request.body), call.conclusions.book
        ceiling(call.plan.candidates, size, 4096, 1, NOW_US, book)
        closed.attempts = (attempt,)
        charge_of(CallEvidence(said, closed), call.conclusions)
    return (time.process_time() - began) / len(every) * 1e6


async def measure() -> None:
    """Print the median of interleaved rounds: with three limits, without, and their prices."""
    part = msgspec.json.decode(msgspec.json.encode(catalogue()), type=PricePart)
    conclusions = Conclusions(PriceBook(part), EstimateRules())
    every = calls(conclusions)
    limited = LimitsPart(by_subject=BY_SUBJECT)
    whole: list[float] = []
    own: list[float] = []
    for _ in range(ROUNDS):
        bare = await one_round(LimitsPart(), every)
        whole.append(await one_round(limited, every) - bare)
        own.append(whole[-1] - pricing(every))
    figures = [sorted(each)[ROUNDS // 2] for each in (whole, own)]
    print(f"limits      {figures[1]:8.2f} µs a call with three   (bound {BOUND_US:g})")
    print(f"with prices {figures[0]:8.2f} µs a call")


if __name__ == "__main__":
    asyncio.run(measure())
