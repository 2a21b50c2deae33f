"""Records for tests of the pure stages, with what a test does not care about filled in."""

from collections.abc import Mapping
from typing import Any

from tollbridge.core.call import AttemptOutcome, Bucket, Caller, Category, Ending, Operation
from tollbridge.core.evidence import AttemptEvidence, Closed, Opened
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import PricePart, PriceRow
from tollbridge.rating.unit_names import PER_OF

NOW_US = 1_767_225_600_000_000
CALL_ID = "019b7595-6c00-7000-8000-000000000001"


def begun(**changes: Any) -> AttemptEvidence:
    """Return an attempt at gpt-4o-mini of openai, of which nothing is known but that it began."""
    known: dict[str, Any] = {
        "number": 1,
        "endpoint": "main",
        "provider": "openai",
        "dialect": "openai",
        "model": "gpt-4o-mini",
        "reason": "priority 1",
        "started_at_us": NOW_US,
    }
    return AttemptEvidence(**{**known, **changes})


def an_attempt(**changes: Any) -> AttemptEvidence:
    """Return a successful attempt at gpt-4o-mini of openai, without usage."""
    known: dict[str, Any] = {
        "outcome": AttemptOutcome.SUCCEEDED,
        "written": True,
        "http_status": 200,
    }
    return begun(**{**known, **changes})


def an_opened(**changes: Any) -> Opened:
    """Return the opening of an unstreamed chat call of 4,096 bytes."""
    known: dict[str, Any] = {
        "call_id": CALL_ID,
        "opened_at_us": NOW_US,
        "received_at_us": NOW_US,
        "caller": Caller("k1", "ci", "ci", "main"),
        "method": "POST",
        "path": "/v1/chat/completions",
        "operation": Operation.CHAT_COMPLETION,
        "category": Category.TEXT,
        "bucket": Bucket.OPENAI,
        "label": "gpt-4o-mini",
        "stream": False,
        "request_bytes": 4096,
        "expected_provider": "openai",
    }
    return Opened(**{**known, **changes})


def a_closed(**changes: Any) -> Closed:
    """Return the end of a complete call."""
    known: dict[str, Any] = {
        "call_id": CALL_ID,
        "closed_at_us": NOW_US,
        "ending": Ending.COMPLETE,
        "http_status": 200,
    }
    return Closed(**{**known, **changes})


def price_rows(
    provider: str, model: str, rates: Mapping[str, str], **changes: Any
) -> list[PriceRow]:
    """Return price rows that have always held, with ids "provider/model/unit" and conditions."""
    known: dict[str, Any] = {
        "valid_from_us": 0,
        "valid_to_us": None,
        "source": "seed",
        **changes,
    }
    rows: list[PriceRow] = []
    for unit, rate in rates.items():
        stated: dict[str, Any] = {"per": PER_OF[unit], **known}
        identity = f"{provider}/{model}/{unit}{known.get('conditions', '')}"
        row = PriceRow(
            id=identity, provider=provider, model=model, unit=unit, rate_usd=rate, **stated
        )
        rows.append(row)
    return rows


def a_book(provider: str, model: str, rates: Mapping[str, str]) -> PriceBook:
    """Return a book with one model."""
    return PriceBook(PricePart(rows=price_rows(provider, model, rates)))
