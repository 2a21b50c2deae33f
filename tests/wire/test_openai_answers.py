"""Recorded answers of the openai dialect → usage → attribution → cost."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.evidence import NOW_US, a_book, a_closed, an_attempt, an_opened
from tollbridge.attribution.attribute import attribute_attempt
from tollbridge.attribution.ruling import builtin_rules
from tollbridge.core.account import Confidence
from tollbridge.core.call import AttemptOutcome, Operation
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.money import to_usd
from tollbridge.metering.estimate import EstimateRules
from tollbridge.metering.extract import merge_usage, usage_of_answer
from tollbridge.metering.meter import meter
from tollbridge.rating.rate import rate

FOLDER = Path(__file__).parent / "openai"


def cases() -> list[Any]:
    stated = tomllib.loads((FOLDER / "cases.toml").read_text())
    return [
        pytest.param(name, {**stated["defaults"], **case}, id=f"{number}-{name}")
        for number, case in enumerate(stated["case"])
        for name in case["files"]
    ]


def frames(path: Path) -> list[Any]:
    """Return the JSON objects of an answer: the body, or the frames of its stream."""
    if path.suffix == ".json":
        return [msgspec.json.decode(path.read_bytes())]
    events = path.read_text().replace("\r\n", "\n").split("\n\n")
    lines = [line for event in events for line in event.split("\n") if line.startswith("data: ")]
    return [msgspec.json.decode(line[6:]) for line in lines if line != "data: [DONE]"]


def has_content(frame: Any) -> bool:
    choices: list[Any] = frame.get("choices") or []
    return any(choice.get("delta", {}).get("content") for choice in choices)


def attempt_of(name: str, case: dict[str, Any]) -> AttemptEvidence:
    """Return what the relay would have seen of that answer."""
    usage: dict[str, Any] | None = None
    seen = frames(FOLDER / name)
    for frame in seen:
        found = usage_of_answer("openai", frame)
        if found is not None:
            usage = merge_usage(usage, found)
    return an_attempt(
        provider=case["provider"],
        model=case["model"],
        served_model=seen[-1].get("model"),
        outcome=AttemptOutcome(case["outcome"]),
        usage=usage,
        chunks=sum(has_content(frame) for frame in seen),
        output_bytes=case.get("output_bytes", 0),
    )


@pytest.mark.parametrize(("name", "case"), cases())
def test_an_answer_comes_to_these_counts_and_this_cost(name: str, case: dict[str, Any]) -> None:
    attempt = attempt_of(name, case)
    opened = an_opened(
        operation=Operation(case["operation"]), stream=name.endswith(".sse"), request_bytes=4096
    )
    usage = meter(attempt, opened, a_closed(), EstimateRules())
    book = a_book(case["provider"], case["model"], case["rates"])
    models = tuple(model for model in (attempt.served_model, attempt.model) if model)
    rated = rate(usage, attempt.provider, models, NOW_US, book)
    attribution = attribute_attempt(attempt, builtin_rules())

    assert usage.counts == case["counts"]
    assert usage.source.value == case["source"]
    assert list(usage.flags) == case["flags"]
    assert rated.cost_nanousd == case["cost_nanousd"]
    assert rated.origin is not None
    assert rated.origin.value == case["origin"]
    assert rated.computed_nanousd == case.get("computed_nanousd", case["cost_nanousd"])
    assert (attribution.provider, attribution.confidence) == (
        case["provider"],
        Confidence.OBSERVED,
    )
    lines = sum(Decimal(component.amount_usd) for component in rated.components)
    assert lines + Decimal(rated.rounding_usd) == to_usd(case["cost_nanousd"])


def test_every_recorded_answer_has_a_case() -> None:
    stated = {param.values[0] for param in cases()}
    assert stated == {path.name for path in FOLDER.iterdir()} - {"cases.toml"}
