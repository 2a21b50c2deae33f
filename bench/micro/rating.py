"""What CPU do metering, attributing and rating a call take, and what does a full book weigh?

Run `python -m bench.micro.rating`: some seconds, no arguments. All inputs are distinct. Bounds: a
rating 10 µs, a metering 5 µs, the book of a full catalogue 300 ms and 10 MB.
"""

import gc
import random
import time
import tracemalloc
from collections.abc import Callable

import msgspec

from tollbridge.attribution.attribute import attribute_attempt
from tollbridge.attribution.ruling import builtin_rules
from tollbridge.core.call import (
    AttemptOutcome,
    Bucket,
    Caller,
    Category,
    Ending,
    Operation,
    new_id,
)
from tollbridge.core.evidence import AttemptEvidence, Closed, Opened
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.core.usage import Usage
from tollbridge.metering.estimate import EstimateRules
from tollbridge.metering.meter import meter
from tollbridge.rating.book import PriceBook
from tollbridge.rating.ceiling import ceiling
from tollbridge.rating.prices import AliasRow, PricePart, PriceRow
from tollbridge.rating.rate import rate

CALLS = 20_000
ROUNDS = 5
MODELS = 2_330
CHANGES = 0
ALIASES = 4_000
ABOVE = '{"input_above":"4000"}'
UNITS = (("input", "0.15"), ("cache_read", "0.075"), ("cache_write", "0.1875"), ("output", "0.6"))
DAY_US = 86_400_000_000
NOW_US = 400 * DAY_US


def catalogue() -> PricePart:
    """Return a catalogue of MODELS models, each with CHANGES price changes in each of its units."""
    draw = random.Random(1)
    rows = [
        PriceRow(
            id=new_id(NOW_US),
            provider=f"provider-{number % 60}",
            model=f"author-{number % 200}/some-model-{number}-instruct",
            unit=unit,
            rate_usd=f"{draw.randrange(1, 4000)}e-3",
            per=1_000_000,
            valid_from_us=change * 200 * DAY_US,
            valid_to_us=None if change == CHANGES else (change + 1) * 200 * DAY_US,
            source="sync",
            conditions=tier,
        )
        for number in range(MODELS)
        for change in range(CHANGES + 1)
        for unit, _ in UNITS
        # Every fourth model is dearer beyond a number of input tokens.
        for tier in (("", ABOVE) if number % 4 == 0 else ("",))
    ]
    aliases = [
        AliasRow(
            f"provider-{number % 60}",
            f"alias-{number}-latest",
            f"author-{number % 200}/some-model-{number}-instruct",
        )
        for number in range(ALIASES)
        if number < MODELS
    ] + [
        AliasRow(f"provider-{number % 60}", f"family-{number}-*", "nobody")
        for number in range(ALIASES - MODELS)
    ]
    return PricePart(rows=rows, aliases=aliases)


def opened() -> Opened:
    return Opened(
        call_id=new_id(NOW_US),
        opened_at_us=NOW_US,
        received_at_us=NOW_US,
        caller=Caller("k", "ci", "ci", "main"),
        method="POST",
        path="/v1/chat/completions",
        operation=Operation.CHAT_COMPLETION,
        category=Category.TEXT,
        bucket=Bucket.OPENAI,
        label="m",
        stream=False,
        request_bytes=2048,
        expected_provider="provider-1",
    )


def attempts() -> list[AttemptEvidence]:
    """Return CALLS attempts with different models and counts, in the shape of OpenAI's chat."""
    draw = random.Random(2)
    found: list[AttemptEvidence] = []
    for _ in range(CALLS):
        number = draw.randrange(MODELS)
        prompt, completion = draw.randrange(10, 9000), draw.randrange(1, 3000)
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {
                "cached_tokens": draw.randrange(prompt // 2),
                "audio_tokens": 0,
            },
            "completion_tokens_details": {
                "reasoning_tokens": draw.randrange(completion),
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }
        found.append(
            AttemptEvidence(
                number=1,
                endpoint="main",
                provider=f"provider-{number % 60}",
                dialect="openai",
                model=f"author-{number % 200}/some-model-{number}-instruct",
                reason="priority 1",
                started_at_us=draw.randrange(NOW_US),
                outcome=AttemptOutcome.SUCCEEDED,
                written=True,
                http_status=200,
                served_model=f"author-{number % 200}/some-model-{number}-instruct-2026-01-01",
                usage=usage,
            )
        )
    return found


def measure(name: str, bound_us: float, run: Callable[[int], object]) -> None:
    """Print the median over ROUNDS of the CPU that `run` takes for one call, given its number."""
    taken: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for number in range(CALLS):
            run(number)  # what it returns is dropped, as it is after a call
        taken.append((time.process_time() - began) / CALLS * 1e6)
    figure = sorted(taken)[ROUNDS // 2]
    print(f"{name:<12}{figure:8.2f} µs a call   (bound {bound_us:g})")


def main() -> None:
    wire = msgspec.json.encode(catalogue())
    part = msgspec.json.decode(wire, type=PricePart)
    row_count = len(part.rows)
    taken: list[float] = []
    for _ in range(ROUNDS):
        gc.collect()
        began = time.process_time()
        PriceBook(part)
        taken.append((time.process_time() - began) * 1000)
    del part
    tracemalloc.start()
    book = PriceBook(msgspec.json.decode(wire, type=PricePart))
    gc.collect()
    weight = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    built = sorted(taken)[ROUNDS // 2]
    print(
        f"book        {built:8.0f} ms, {weight:.1f} MB for {row_count} versions "
        f"of {len(book)} models   (bounds 300 ms, 10 MB)"
    )

    rules, ruling, call = EstimateRules(), builtin_rules(), opened()
    closed = Closed(call.call_id, NOW_US, Ending.COMPLETE, 200)
    tried = attempts()
    usages: list[Usage] = [meter(attempt, call, closed, rules) for attempt in tried]
    plans = [
        (Candidate(Endpoint(attempt.provider, attempt.provider, "openai", ""), attempt.model, ""),)
        for attempt in tried
    ]
    models = [(attempt.served_model or "", attempt.model) for attempt in tried]

    def rate_one(number: int) -> object:
        attempt = tried[number]
        return rate(usages[number], attempt.provider, models[number], attempt.started_at_us, book)

    measure("meter", 5, lambda number: meter(tried[number], call, closed, rules))
    measure("attribute", 1, lambda number: attribute_attempt(tried[number], ruling))
    measure("rate", 10, rate_one)
    measure("ceiling", 3, lambda number: ceiling(plans[number], 2048, 4096, 1, NOW_US, book))


if __name__ == "__main__":
    main()
