"""How many detections does a second of CPU give, where no two inputs are alike?

Run `python -m bench.micro.attribution`: some seconds, no arguments. Bound: 200,000 a second, for
each way of asking. Models and paths are drawn from words of real names and numbers; nothing is
remembered between inputs, so that there is no cache to flatter the figure.
"""

import random
import time
from collections.abc import Callable

from tollbridge.attribution.attribute import attribute, attribute_attempt
from tollbridge.attribution.detect import detect_actual_provider
from tollbridge.attribution.explain import explain
from tollbridge.attribution.rules import builtin
from tollbridge.attribution.ruling import Rules
from tollbridge.core.attribution import Evidence
from tollbridge.core.call import AttemptOutcome, Bucket
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.providers.names import load_names

INPUTS = 100_000
ROUNDS = 5
BOUND = 200_000
AUTHORS = ("alibaba", "tencent", "black-forest-labs", "google", "openai", "acme", "wavespeed-ai")
FAMILIES = ("wan", "HunyuanVideo", "FLUX", "veo", "gpt-oss", "kling", "tts", "qwen-image", "sd")
ENDS = ("pro", "turbo", "hd", "text-to-video", "Krea-dev", "edit", "voice-clone")
PLACES = ("video-generation", "image-generation", "audio-generation", "api/v1/generate")
SERVERS = ("wavespeed", "huggingface", "stability", "nobody", "openai", "run")


def names() -> list[tuple[Bucket, str, str]]:
    """Return INPUTS buckets, models and paths; models are all different, and so are paths."""
    draw = random.Random(1)
    buckets = (Bucket.VIDEO, Bucket.AUDIO, Bucket.STABILITY, Bucket.IMAGE_EDIT)
    return [
        (
            draw.choice(buckets),
            f"{author}/{draw.choice(FAMILIES)}-{number}.{number % 7}/{draw.choice(ENDS)}",
            f"/{draw.choice(PLACES)}/{draw.choice(SERVERS)}/{number}",
        )
        for number, author in enumerate(draw.choices(AUTHORS, k=INPUTS))
    ]


def attempts() -> list[AttemptEvidence]:
    """Return INPUTS attempts at OpenRouter, each with what its answers say."""
    return [
        AttemptEvidence(
            number=1,
            endpoint="openrouter",
            provider="openrouter",
            dialect="openai",
            model=f"openai/gpt-{number}",
            reason="priority 1",
            started_at_us=0,
            outcome=AttemptOutcome.SUCCEEDED,
            http_status=200,
            response_id=f"gen-1700000000-{number}",
            aggregator_provider=("Groq", "Together", "DeepInfra", "Azure")[number % 4],
            headers={"server": "cloudflare", "cf-ray": f"{number:x}-FRA"},
        )
        for number in range(INPUTS)
    ]


def measure(name: str, run: Callable[[int], object], inputs: int = INPUTS) -> None:
    """Print the median over ROUNDS of how often `run` goes into a second of CPU."""
    rates: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for number in range(inputs):
            run(number)
        rates.append(inputs / (time.process_time() - began))
    rate = sorted(rates)[ROUNDS // 2]
    print(f"{name:<42}{rate:>10,.0f} a second of CPU")


def main() -> None:
    began = time.process_time()
    rules = Rules(builtin(), load_names().resolve)
    print(f"{len(rules.rules)} rules compiled in {(time.process_time() - began) * 1000:.0f} ms")
    print(f"{INPUTS:,} distinct inputs; bound {BOUND:,}")
    asked = names()
    stated = [Evidence(bucket=one[0].value, model=one[1], path=one[2]) for one in asked]
    tried = attempts()
    measure(
        "detect_actual_provider(bucket, model)", lambda n: detect_actual_provider(*asked[n][:2])
    )
    measure("detect_actual_provider(…, endpoint)", lambda n: detect_actual_provider(*asked[n]))
    measure("attribute(bucket, model, path)", lambda n: attribute(stated[n], rules))
    measure("attribute_attempt, an aggregator's", lambda n: attribute_attempt(tried[n], rules))
    measure("explain (no bound)", lambda n: explain(stated[n], rules), 200)


if __name__ == "__main__":
    main()
