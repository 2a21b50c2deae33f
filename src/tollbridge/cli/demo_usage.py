"""What would an organisation's calls of the last thirty days look like?

A pure function of a seed and of the moment at which they end: the same evidence as a gateway's
own, to be metered, attributed and priced like any other.
"""

import math
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from tollbridge.cli.demo_trial import SHARE, SUBJECTS, asked_by, experiment_of
from tollbridge.cli.demo_world import CLIENTS, DEMO, FOREIGN, WORKS, Client, Door, Foreign, Work
from tollbridge.core.call import (
    CATEGORY_OF,
    AttemptOutcome,
    Bucket,
    Caller,
    Category,
    Ending,
    ErrorClass,
    Operation,
)
from tollbridge.core.clock import SECOND_US, to_datetime, to_us
from tollbridge.core.demand import Demand
from tollbridge.core.evidence import AttemptEvidence, CallEvidence, Closed, Opened
from tollbridge.routing.experiments import Experiment

DAYS: Final = 30
FOREIGN_SHARE: Final = 0.12
GROWTH: Final = 0.9
"""So much more is asked on the last day than on the first."""
WEEKEND: Final = 0.4
NIGHT_LEAST: Final = 0.15
OUTAGE_DAY, OUTAGE_HOURS = 9, range(13, 17)
"""So many days before the end Replicate is down, at these hours (UTC)."""
OUTAGE_OF: Final = "replicate"
SPREAD: Final = 0.55
BYTES_PER_TOKEN: Final = 4
HOUR_US: Final = 3600 * SECOND_US
_FAULTS: Final = (
    (ErrorClass.RATE_LIMITED, 429, "too many requests, please slow down"),
    (ErrorClass.RATE_LIMITED, 429, "quota for this minute is used up"),
    (ErrorClass.OVERLOADED, 503, "the model is overloaded, try again later"),
    (ErrorClass.UPSTREAM_ERROR, 500, "internal error"),
    (ErrorClass.UPSTREAM_ERROR, 502, "bad gateway"),
    (ErrorClass.TIMEOUT, None, None),
)


class ForeignCall(msgspec.Struct, frozen=True):
    """A call that another gateway reports, as it would send it."""

    at_us: int
    record: bytes


class Chance(random.Random):
    """Chance that repeats itself for the same seed: nothing secret comes of it."""


class Plan(msgspec.Struct, frozen=True):
    """What is made: how much, until when, from which seed."""

    calls: int
    seed: int
    end_us: int


def usage_of(plan: Plan) -> Iterator[CallEvidence | ForeignCall]:
    """Yield the calls in the order in which they ended, as many as are asked for."""
    chance = Chance(plan.seed)
    trial = trial_of(plan, DEMO)
    for number, at_us in enumerate(_instants(plan, chance)):
        draw = chance.random()
        if draw < FOREIGN_SHARE:
            yield _foreign(chance, at_us, f"{plan.seed}-{plan.end_us}-{number}")
        elif at_us >= trial.started_at_us and draw > 1 - SHARE:
            work, client, tag = asked_by(trial, chance.randrange(SUBJECTS))
            yield _carried(chance, at_us, plan, (work, client, (tag,)))
        else:
            yield _carried(chance, at_us, plan, _drawn(chance))


def trial_of(plan: Plan, actor: str) -> Experiment:
    """Return the experiment that is among it: the same arm for each user from the same plan."""
    return experiment_of(_id(plan.end_us, Chance(plan.seed)), plan.end_us, actor)


def _instants(plan: Plan, chance: Chance) -> list[int]:
    """Return when calls end: more by day, on working days and towards the end."""
    end = to_datetime(plan.end_us)
    hours = [end - timedelta(hours=hour) for hour in range(DAYS * 24, 0, -1)]
    weights = [
        _busy(hour) * (1 + GROWTH * number / len(hours)) for number, hour in enumerate(hours)
    ]
    chosen = chance.choices(hours, weights, k=plan.calls)
    return sorted(to_us(hour) + chance.randrange(HOUR_US) for hour in chosen)


def _busy(hour: datetime) -> float:
    by_day = NIGHT_LEAST + (1 - NIGHT_LEAST) * max(0.0, math.sin((hour.hour - 5) / 24 * math.tau))
    return by_day * (WEEKEND if hour.weekday() >= 5 else 1.0)


def _drawn(chance: Chance) -> tuple[Work, Client, tuple[str, ...]]:
    """Return what is asked for, by whom, and with which tags."""
    [work] = chance.choices(WORKS, [one.weight for one in WORKS])
    client = _client(chance, CATEGORY_OF[work.operation])
    return work, client, tuple(tag for tag in client.tags if chance.random() < 0.7)


def _carried(
    chance: Chance, at_us: int, plan: Plan, asked: tuple[Work, Client, tuple[str, ...]]
) -> CallEvidence:
    work, client, tags = asked
    days_ago = (plan.end_us - at_us) // (24 * HOUR_US)
    is_out = days_ago == OUTAGE_DAY and to_datetime(at_us).hour in OUTAGE_HOURS
    attempts, ending, status, began_us = _attempts(chance, work, at_us, is_out=is_out)
    opened = _opened(chance, work, client, began_us, _id(at_us, chance))
    opened = msgspec.structs.replace(opened, tags=tags)
    closed = Closed(
        call_id=opened.call_id,
        closed_at_us=at_us,
        ending=ending,
        http_status=status,
        attempts=attempts,
        error=None if ending is not Ending.ALL_REFUSED else attempts[-1].message,
        response_bytes=attempts[-1].output_bytes,
        opened=opened,
    )
    return CallEvidence(opened, closed)


def _client(chance: Chance, category: Category) -> Client:
    able = [one for one in CLIENTS if category in one.categories]
    return chance.choices(able, [one.weight for one in able])[0]


def _opened(chance: Chance, work: Work, client: Client, began_us: int, call_id: str) -> Opened:
    category = CATEGORY_OF[work.operation]
    first = work.doors[0]
    size = _near(chance, work.input_tokens) * BYTES_PER_TOKEN + 180
    return Opened(
        call_id=call_id,
        opened_at_us=began_us,
        received_at_us=began_us,
        caller=Caller(f"{DEMO}:{client.key}", client.key, client.user, client.project),
        method="POST",
        path=work.path,
        operation=work.operation,
        category=category,
        bucket=work.bucket,
        label=work.label,
        stream=chance.randrange(100) < work.streams_percent,
        request_bytes=size,
        expected_provider=first.provider,
        planned=tuple(
            f"{door.endpoint}/{door.model}: priority {place}"
            for place, door in enumerate(work.doors, 1)
        ),
        customer=chance.choice(client.customers) if client.customers else None,
        demand=Demand(facts=dict(work.facts)),
    )


def _attempts(
    chance: Chance, work: Work, ended_us: int, *, is_out: bool
) -> tuple[tuple[AttemptEvidence, ...], Ending, int, int]:
    """Return the attempts, how the call ended, with which status, and when it began."""
    fails = [_fails(chance, work, place, is_out=is_out) for place in range(len(work.doors))]
    tried = fails.index(False) + 1 if False in fails else len(fails)
    spans = [
        _near(chance, max(120, work.latency_ms // (4 if fails[place] else 1)))
        for place in range(tried)
    ]
    began_us = start_us = ended_us - sum(spans) * 1000
    found: list[AttemptEvidence] = []
    for place in range(tried):
        end_us = start_us + spans[place] * 1000
        attempt = _attempt(work, work.doors[place], place, start_us, end_us)
        found.append(attempt)
        if fails[place]:
            _fail(chance, attempt)
        else:
            _serve(chance, work, work.doors[place], attempt)
        start_us = end_us
    if fails[tried - 1]:
        status = found[-1].http_status or 504
        return tuple(found), Ending.ALL_REFUSED, status, began_us
    if work.streams_percent and chance.random() < 0.015:
        _leave(chance, work, found[-1])
        return tuple(found), Ending.CALLER_LEFT, 499, began_us
    return tuple(found), Ending.COMPLETE, 200, began_us


def _fails(chance: Chance, work: Work, place: int, *, is_out: bool) -> bool:
    if is_out and work.doors[place].provider == OUTAGE_OF:
        return chance.random() < 0.95
    return chance.random() * 100 < (work.fails_percent if place == 0 else 2.0)


def _attempt(work: Work, door: Door, place: int, start_us: int, end_us: int) -> AttemptEvidence:
    return AttemptEvidence(
        number=place + 1,
        endpoint=door.endpoint,
        provider=door.provider,
        dialect=door.dialect,
        model=door.model,
        reason=f"priority {place + 1}" if place == 0 else "the one before it failed",
        started_at_us=start_us,
        ended_at_us=end_us,
        written=True,
        facts=dict(work.facts),
    )


def _fail(chance: Chance, attempt: AttemptEvidence) -> None:
    error, status, message = chance.choice(_FAULTS)
    attempt.outcome = AttemptOutcome.FAILED
    attempt.error_class, attempt.http_status, attempt.message = error, status, message


def _serve(chance: Chance, work: Work, door: Door, attempt: AttemptEvidence) -> None:
    attempt.outcome = AttemptOutcome.SUCCEEDED
    attempt.http_status = 200
    attempt.served_model = door.served_model
    attempt.response_id = f"{DEMO}-{chance.getrandbits(48):012x}"
    if door.upstreams:
        _name_upstream(door, chance.choice(door.upstreams), attempt)
    if attempt.ended_at_us is not None:
        span_us = attempt.ended_at_us - attempt.started_at_us
        attempt.first_byte_at_us = attempt.started_at_us + int(span_us * chance.uniform(0.1, 0.4))
    if work.counts:
        attempt.counts = {unit: chance.choice(counts) for unit, counts in work.counts.items()}
        attempt.output_bytes = 40_000
        return
    read, written = _near(chance, work.input_tokens), _near(chance, work.output_tokens)
    cached = read // 2 if chance.randrange(100) < work.caches_percent else 0
    attempt.usage = _usage(door.dialect, read, written, cached)
    if door.usd_per_million is not None:
        into, out = (Decimal(rate) / 1_000_000 for rate in door.usd_per_million)
        attempt.usage["cost"] = str(into * read + out * written)
    attempt.output_bytes = written * BYTES_PER_TOKEN + 200
    attempt.chunks = max(1, written // 3) if written else 0


def _name_upstream(door: Door, upstream: str, attempt: AttemptEvidence) -> None:
    if door.dialect == "huggingface":
        attempt.headers = {"x-inference-provider": upstream}
    else:
        attempt.aggregator_provider = upstream


def _leave(chance: Chance, work: Work, attempt: AttemptEvidence) -> None:
    """Let the caller leave in the middle: nobody says what was used, so that it is estimated."""
    attempt.outcome = AttemptOutcome.ABANDONED
    attempt.usage = None
    attempt.chunks = max(1, _near(chance, work.output_tokens) // 6)


def _usage(dialect: str, read: int, written: int, cached: int) -> dict[str, Any]:
    """Return a usage object in a provider's own words."""
    if dialect == "anthropic":
        return {
            "input_tokens": read - cached,
            "output_tokens": written,
            "cache_read_input_tokens": cached,
        }
    if dialect == "gemini":
        return {
            "promptTokenCount": read,
            "candidatesTokenCount": written,
            "totalTokenCount": read + written,
        }
    found: dict[str, Any] = {"prompt_tokens": read, "total_tokens": read + written}
    if written:
        found["completion_tokens"] = written
    if cached:
        found["prompt_tokens_details"] = {"cached_tokens": cached}
    return found


def _foreign(chance: Chance, at_us: int, name: str) -> ForeignCall:
    [one] = chance.choices(FOREIGN, [each.weight for each in FOREIGN])
    category = CATEGORY_OF[_operation(one)]
    client = _client(chance, category)
    record: dict[str, object] = {
        **one.record,
        "id": name,
        "user_id": client.user,
        "access_key": client.key,
        "started_at": at_us // 1000 - _near(chance, one.latency_ms),
        "completed_at": at_us // 1000,
        "completed": chance.randrange(100) < one.completed_percent,
    }
    if one.cost_usd is not None:
        record["cost_usd"] = one.cost_usd
    if chance.random() < 0.03:
        record |= {"status_code": 500, "error": "the other gateway gave up", "cost_usd": None}
    elif one.tokens is not None:
        _count(chance, one.tokens, record)
    return ForeignCall(at_us, msgspec.json.encode(record))


def _count(chance: Chance, tokens: tuple[int, int], record: dict[str, object]) -> None:
    read, written = (_near(chance, count) for count in tokens)
    if record["completed"]:
        record |= {"input_token": read, "output_token": written}
    else:
        # Its end was not seen: bytes and chunks are all that there is to go by.
        record |= {
            "request_content_bytes": read * BYTES_PER_TOKEN,
            "output_chunk_count": written // 2,
        }


_SEARCHES: Final[frozenset[object]] = frozenset({Bucket.TAVILY, Bucket.SERPER, Bucket.EXA})
_MADE: Final[Mapping[object, Operation]] = {
    Bucket.VIDEO: Operation.VIDEO_GENERATION,
    Bucket.AUDIO: Operation.AUDIO_SPEECH,
    Bucket.STABILITY: Operation.IMAGE_GENERATION,
}


def _operation(one: Foreign) -> Operation:
    bucket = one.record.get("bucket")
    if bucket in _SEARCHES:
        return Operation.SEARCH
    return _MADE.get(bucket, Operation.CHAT_COMPLETION)


def _near(chance: Chance, median: int) -> int:
    """Return a size around a median, now and then a much larger one; 0 for 0."""
    return max(1, round(median * math.exp(chance.gauss(0, SPREAD)))) if median else 0


def _id(at_us: int, chance: Chance) -> str:
    """Return a UUIDv7 of that instant, the same for the same seed."""
    value = (at_us // 1000) << 80 | 7 << 76 | chance.getrandbits(12) << 64
    return str(uuid.UUID(int=value | 2 << 62 | chance.getrandbits(62)))


def pieces(plan: Plan, size: int) -> Iterator[Sequence[CallEvidence | ForeignCall]]:
    """Yield the calls in pieces of at most so many."""
    piece: list[CallEvidence | ForeignCall] = []
    for one in usage_of(plan):
        piece.append(one)
        if len(piece) == size:
            yield piece
            piece = []
    if piece:
        yield piece
