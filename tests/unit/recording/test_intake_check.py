"""Which records of other gateways are refused, and why; nothing of them is lost."""

from typing import Any

import msgspec
import pytest

from tests.support.reported import NOW_MS
from tollbridge.core.report import Refusal, Report
from tollbridge.recording.intake_check import Arrival, check, claim_of
from tollbridge.recording.intake_registry import (
    Kind,
    RegisteredName,
    SourceNames,
    SourceTerms,
    names_of,
)
from tollbridge.routing.vendor import vendor_of

REGISTRY = names_of(
    "gw",
    SourceTerms(),
    (
        RegisteredName(kind=Kind.MODEL, id="1", name="qwen3-0.6b"),
        RegisteredName(kind=Kind.MODEL, id="2", name="llama"),
        RegisteredName(
            kind=Kind.PROVIDER,
            id="7",
            name="Our OpenAI",
            provider_type="openai",
            models=("gpt-4o",),
        ),
        RegisteredName(kind=Kind.PROVIDER, id="8", name="Anybody"),
        RegisteredName(kind=Kind.USER, id="2", name="ana"),
        RegisteredName(kind=Kind.KEY, id="abc", name="ana's key"),
        RegisteredName(kind=Kind.ROUTE, id="9", name="qwen-lora", model_id="1"),
        RegisteredName(kind=Kind.CLUSTER, id="3", name="rack"),
    ),
)


def checked(raw: bytes | dict[str, Any], names: SourceNames | None = None) -> Report | Refusal:
    arrival = Arrival(
        batch_id="b",
        names=names or names_of("gw"),
        project="default",
        received_at_us=NOW_MS * 1000,
        future_max_s=300,
        vendor_of=vendor_of,
    )
    return check(raw if isinstance(raw, bytes) else msgspec.json.encode(raw), 3, arrival)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"null", "malformed"),
        (b"7", "malformed"),
        ({}, "malformed"),
        ({"model": None}, "malformed"),
        ({"model": 5}, "malformed"),
        (b'{"model": "\\ud800"}', "malformed"),
        ({"model": "m", "input_token": "many"}, "malformed"),
        ({"model": "m", "input_token": 1.5}, "malformed"),
        ({"model": ""}, "bad_model"),
        ({"model": "m" * 10_000}, "bad_model"),
        ({"model": "a\x00b"}, "bad_model"),
        ({"model": "a\x1b[31mb"}, "bad_model"),
        ({"model": "m", "bucket": "everything"}, "unknown_bucket"),
        ({"model": "m", "operation": "search"}, "unknown_bucket"),
        ({"model": "m", "operation": "dance"}, "unknown_operation"),
        ({"model": "m", "completed_at": 946_684_799_999}, "before_2000"),
        ({"model": "m", "completed_at": 1_767_225}, "before_2000"),
        ({"model": "m", "started_at": NOW_MS + 300_001}, "in_future"),
        ({"model": "m", "input_token": -1}, "negative_count"),
        ({"model": "m", "output_token": -1, "completed": True}, "negative_count"),
        ({"model": "m", "total_token": -1, "completed": False}, "negative_count"),
        ({"model": "m", "input_cached_token": -5}, "negative_count"),
        ({"model": "m", "request_content_bytes": -1}, "negative_count"),
        ({"model": "m", "request_count": 0}, "negative_count"),
        ({"model": "m", "request_count": -3}, "negative_count"),
        ({"model": "m", "input_token": 10**14}, "count_too_large"),
        ({"model": "m", "units": {"bananas": 1}}, "unknown_unit"),
        ({"model": "m", "units": {"image": -1}}, "negative_count"),
        ({"model": "m", "user_id": "u" * 200}, "bad_id"),
        ({"model": "m", "access_key": "a\nb"}, "bad_id"),
        ({"model": "m", "status_code": 42}, "bad_status"),
        ({"model": "m", "cost_usd": "much"}, "bad_cost"),
        ({"model": "m", "cost_usd": "NaN"}, "bad_cost"),
        ({"model": "m", "cost_usd": "1e-999999"}, "bad_cost"),
        ({"model": "m", "provider_name": "a\tb"}, "bad_text"),
    ],
)
def test_a_record_that_cannot_count_is_refused_with_its_reason_and_kept_as_it_came(
    record: bytes | dict[str, Any], reason: str
) -> None:
    found = checked(record)
    assert isinstance(found, Refusal)
    assert (found.index, found.reason) == (3, reason)
    assert found.message
    raw = record if isinstance(record, bytes) else msgspec.json.encode(record)
    assert found.raw == raw.decode()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"model": "qwen3-0.6b", "model_id": 1}, None),
        ({"model": "qwen3-0.6b", "model_id": "1"}, None),
        ({"model": "qwen3-0.6b"}, None),
        ({"model": "qwen-lora", "model_id": 1, "model_route_id": 9}, None),
        ({"model": "qwen-lora"}, None),
        ({"model": "gpt-4o", "provider_id": 7}, None),
        ({"model": "anything", "provider_id": 8}, None),
        ({"model": "qwen3-0.6b", "user_id": 2}, None),
        ({"model": "qwen3-0.6b", "cluster_id": 4, "access_key": "new"}, None),
        ({"model": "nobody-knows"}, "unknown_model"),
        ({"model": "qwen3-0.6b", "model_id": 99}, "unknown_model"),
        ({"model": "llama", "model_id": 1}, "model_mismatch"),
        ({"model": "qwen-lora", "model_id": 1}, "model_mismatch"),
        ({"model": "qwen-lora", "model_id": 2, "model_route_id": 9}, "model_mismatch"),
        ({"model": "other", "model_id": 1, "model_route_id": 9}, "model_mismatch"),
        ({"model": "gpt-4o", "provider_id": 70}, "unknown_provider"),
        ({"model": "gpt-5", "provider_id": 7}, "model_not_of_provider"),
        ({"model": "qwen3-0.6b", "user_id": 77}, "unknown_user"),
    ],
)
def test_a_record_is_checked_by_what_its_source_has_registered(
    record: dict[str, Any], reason: str | None
) -> None:
    found = checked(record, REGISTRY)
    assert (found.reason if isinstance(found, Refusal) else None) == reason


def test_a_report_carries_the_names_of_its_moment() -> None:
    found = checked(
        {
            "model": "gpt-4o",
            "provider_id": 7,
            "user_id": 2,
            "access_key": "abc",
            "model_route_id": 9,
            "cluster_id": 3,
            "organization_id": "org",
        },
        REGISTRY,
    )
    assert isinstance(found, Report)
    assert (found.caller.user, found.caller.key_name, found.caller.key_id) == (
        "ana",
        "ana's key",
        "gw:abc",
    )
    assert (found.label, found.provider) == ("qwen-lora", "openai")
    assert found.names["cluster_name"] == "rack"
    assert found.names["organization_id"] == "org"


def test_what_nobody_registered_is_not_checked_and_keeps_its_reported_ids() -> None:
    found = checked({"model": "m", "model_id": 5, "user_id": 6, "provider_id": 7})
    assert isinstance(found, Report)
    assert found.caller.user == "6"


def test_a_claim_is_of_the_source_and_its_record_or_of_the_batch_key_and_the_place() -> None:
    assert claim_of("gw", None, None, 0) is None
    claims = {
        claim_of("gw", "1", None, 0),
        claim_of("gw2", "1", None, 0),
        claim_of("gw", None, "1", 0),
        claim_of("gw", None, "1", 1),
    }
    assert len(claims) == 4
    assert claim_of("gw", "1", "key", 0) == claim_of("gw", "1", None, 9)


def test_every_bucket_and_operation_of_the_design_is_taken() -> None:
    for bucket in ("tavily", "serper", "exa", "metaphor", "firecrawl"):
        found = checked({"model": bucket, "bucket": bucket})
        assert isinstance(found, Report)
        assert found.category == "search"
