"""Answers of every provider of pictures, sounds, scores and vectors → usage → cost → the caller.

The bodies are written after what the providers document or were recorded to say. Prices are those
that come with the program, of November 2026.
"""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.evidence import a_closed, an_attempt, an_opened
from tests.support.media import (
    JSON,
    NOVEMBER_US,
    asked,
    asked_by_form,
    endpoint,
    png,
    seed_book,
    wav,
)
from tollbridge.core.call import ErrorClass, Operation
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.money import to_usd
from tollbridge.metering.estimate import EstimateRules
from tollbridge.metering.extract import merge_usage
from tollbridge.metering.meter import meter
from tollbridge.providers.dialects.media.forms import Part
from tollbridge.providers.dialects.registry import FACES, wires
from tollbridge.providers.refusals import understand
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.wire import Given, RefusedError
from tollbridge.rating.rate import rate

FOLDER = Path(__file__).parent


def cases(kind: str) -> list[Any]:
    found: list[Any] = []
    for path in sorted(FOLDER.glob("*/media.toml")):
        stated = tomllib.loads(path.read_text())
        found += [
            pytest.param({**stated["defaults"], **case}, id=f"{path.parent.name}-{case['name']}")
            for case in stated.get(kind, ())
        ]
    return found


def request_of(case: dict[str, Any]) -> Request:
    operation = Operation(case["operation"])
    files: list[Part] = []
    if "sound_ms" in case:
        files.append(Part("file", wav(case["sound_ms"]), "a.wav", "audio/wav"))
    if "picture" in case:
        files.append(Part("image", png(*case["picture"]), "a.png", "image/png"))
    if files:
        return asked_by_form(operation, case["request"], files)
    if operation is Operation.EMBEDDING:
        return FACES["openai"].parse(operation, msgspec.json.encode(case["request"]), "", JSON)
    return asked(operation, **case["request"])


def body_of(case: dict[str, Any]) -> bytes:
    if "made" in case:
        return png(*case["made"])
    said: str = case["answer"] if "answer" in case else case["sound"]
    return said.encode()


def answered(case: dict[str, Any]) -> tuple[Request, Given, AttemptEvidence]:
    """Return what one attempt comes to, by either way in which a wire format is read."""
    request = request_of(case)
    wire = wires()[case["dialect"]]
    door = endpoint(case["provider"], *case.get("quirks", ()), dialect=case["dialect"])
    outgoing = wire.compose(request, door, case["model"], None)
    assert outgoing.target == case["target"]
    headers = {
        name.encode(): value.encode()
        for name, value in {"content-type": "application/json", **case.get("headers", {})}.items()
    }
    attempt = an_attempt(
        provider=case["provider"],
        dialect=case["dialect"],
        model=case["model"],
        headers=case.get("headers", {}),
        started_at_us=NOVEMBER_US,
    )
    if outgoing.passes_bytes:
        reader = wire.stream(request, attempt, merge_usage)
        passed = reader.first(body_of(case)) + reader.last(b"")
        assert reader.finished
        return request, Given(NO_ANSWER, passed), attempt
    given = wire.read(request, headers, body_of(case))
    attempt.usage, attempt.served_model = given.answer.usage, given.answer.served_model
    attempt.counts, attempt.facts = given.counts, given.facts
    return request, given, attempt


NO_ANSWER = msgspec.convert({"usage": None, "served_model": None, "response_id": None}, Any)


@pytest.mark.parametrize("case", cases("case"))
def test_an_answer_comes_to_these_counts_this_cost_and_this_body(case: dict[str, Any]) -> None:
    request, given, attempt = answered(case)
    opened = an_opened(
        operation=request.operation, request_bytes=len(request.body), demand=request.demand
    )
    usage = meter(attempt, opened, a_closed(), EstimateRules())
    models = tuple(model for model in (attempt.served_model, attempt.model) if model)
    rated = rate(usage, attempt.provider, models, NOVEMBER_US, seed_book())

    assert usage.counts == case["counts"]
    assert usage.source.value == case.get("source", "reported")
    assert list(usage.flags) == case.get("flags", [])
    assert {**usage.facts, **case.get("facts", {})} == usage.facts
    assert usage.reported_charge_usd == case.get("charge_usd")
    if "unpriced" in case:
        assert rated.cost_nanousd is None
        assert case["unpriced"] in (rated.unpriced_reason or "")
    else:
        assert rated.cost_nanousd is not None, rated.unpriced_reason
        assert to_usd(rated.cost_nanousd) == Decimal(case["cost_usd"])
        lines = sum(Decimal(component.amount_usd) for component in rated.components)
        assert lines + Decimal(rated.rounding_usd) == to_usd(rated.cost_nanousd)
    check_rendered(case, request, given)


def check_rendered(case: dict[str, Any], request: Request, given: Given) -> None:
    """Check what the caller gets: these fields, or just these bytes."""
    body, _ = given.body, given.content_type
    if given.outputs and not body:
        body, _ = FACES["openai"].render_outputs(request, given, 1)
    if "text" in case:
        assert body.decode() == case["text"]
        return
    if case.get("binary"):
        assert body == body_of(case)
        return
    found = msgspec.json.decode(body)
    for name, value in case.get("renders", {}).items():
        assert found[name] == value
    if request.operation in {Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT}:
        assert len(found["data"]) == case["counts"]["image"]
        assert all(one.get("url") or one.get("b64_json") for one in found["data"])


@pytest.mark.parametrize("case", cases("refused"))
def test_an_answer_that_says_no_is_a_failure(case: dict[str, Any]) -> None:
    if case["is"] == "malformed":
        with pytest.raises(MalformedAnswerError):
            answered(case)
        return
    with pytest.raises(RefusedError) as caught:
        answered(case)
    assert caught.value.refusal.error_class is ErrorClass(case["is"])


@pytest.mark.parametrize("case", cases("error"))
def test_an_error_is_of_this_class(case: dict[str, Any]) -> None:
    refusal = understand(case["answer"].encode(), status=case["status"], dialect=case["dialect"])
    assert refusal.error_class is ErrorClass(case["is"])
    assert case.get("says", "") in refusal.message
