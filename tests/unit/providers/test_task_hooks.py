"""Where a provider is told to call back, and what proves that it was the provider that called."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.tasks.hooks import (
    TOLERANCE_S,
    Heard,
    Hook,
    Proof,
    manner_of,
    prove,
    read_secret,
    with_hook,
)
from tollbridge.providers.wire import Outgoing

KEY = b"a key of thirty-two bytes or so"
SECRET = b"whsec_" + base64.b64encode(KEY)
HOOK = Hook("https://gw.example/hooks/films/t0ken", "s3cret")
NOW_S = 1_800_000_000
BODY = b'{"id": "t1"}'


def endpoint(provider: str, dialect: str) -> Endpoint:
    return Endpoint("films", provider, dialect, "https://provider.example/v1", "k")


def told(manner: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    outgoing = with_hook(Outgoing("/models/m", json.dumps(body).encode()), manner, HOOK)
    return outgoing.target, json.loads(outgoing.body)


def test_replicate_is_told_in_the_body_and_calls_at_the_end_alone() -> None:
    _, body = told("replicate", {"input": {"prompt": "a boat"}})
    assert body == {
        "input": {"prompt": "a boat"},
        "webhook": HOOK.url,
        "webhook_events_filter": ["completed"],
    }


def test_piapi_is_told_in_its_configuration_with_a_secret_to_send_back() -> None:
    _, body = told("piapi", {"model": "m", "config": {"service_mode": "public"}})
    hook = {"endpoint": HOOK.url, "secret": HOOK.secret}
    assert body["config"] == {"service_mode": "public", "webhook_config": hook}


def test_wavespeed_is_told_in_the_address() -> None:
    target, body = told("wavespeed", {"prompt": "a boat"})
    assert target == "/models/m?webhook=https%3A%2F%2Fgw.example%2Fhooks%2Ffilms%2Ft0ken"
    assert body == {"prompt": "a boat"}


def test_openrouter_is_told_by_its_own_name_for_it() -> None:
    assert told("openrouter", {})[1] == {"callback_url": HOOK.url}


@pytest.mark.parametrize(
    ("provider", "dialect", "manner"),
    [
        ("replicate", "replicate", "replicate"),
        ("openrouter", "openai", "openrouter"),
        ("openai", "openai", None),
        ("xai", "xai", None),
    ],
)
def test_only_those_are_told_that_take_an_address(
    provider: str, dialect: str, manner: str | None
) -> None:
    assert manner_of(endpoint(provider, dialect)) == manner


def standard(key: bytes, at_s: int = NOW_S, body: bytes = BODY) -> Heard:
    proof = hmac.digest(key, f"m1.{at_s}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(b'other').decode()} v1,{base64.b64encode(proof).decode()}"
    return Heard(
        {"webhook-id": "m1", "webhook-timestamp": str(at_s), "webhook-signature": signature}, BODY
    )


@pytest.mark.parametrize(
    ("heard", "proof"),
    [
        (standard(KEY), Proof.PROVEN),
        (standard(b"other"), Proof.FALSE),
        (standard(KEY, body=b"something else"), Proof.FALSE),
        (standard(KEY, NOW_S - TOLERANCE_S - 1), Proof.STALE),
        (standard(KEY, NOW_S + TOLERANCE_S + 1), Proof.STALE),
        (Heard({}, BODY), Proof.STALE),
        (Heard({"webhook-timestamp": str(NOW_S)}, BODY), Proof.FALSE),
    ],
)
def test_standard_webhooks_are_proven_by_any_of_their_signatures(
    heard: Heard, proof: Proof
) -> None:
    assert prove("replicate", heard, SECRET, NOW_S) is proof


def test_nothing_is_proven_without_a_secret() -> None:
    empty = standard(b"")
    assert prove("replicate", empty, None, NOW_S) is Proof.FALSE
    assert prove("replicate", empty, b"whsec_", NOW_S) is Proof.FALSE
    assert prove("piapi", Heard({}, BODY), None, NOW_S) is Proof.FALSE


def test_wavespeeds_signature_may_prove_but_not_disprove() -> None:
    proof = hmac.digest(base64.b64encode(KEY), b"m1.%d." % NOW_S + BODY, hashlib.sha256).hex()
    headers = {"webhook-id": "m1", "webhook-timestamp": str(NOW_S)}
    good = Heard(headers | {"webhook-signature": f"v3,{proof}"}, BODY)
    assert prove("wavespeed", good, SECRET, NOW_S) is Proof.PROVEN
    assert prove("wavespeed", Heard(headers, BODY), SECRET, NOW_S) is Proof.UNPROVEN
    assert prove("wavespeed", good, SECRET, NOW_S + 400) is Proof.STALE


def test_piapi_proves_itself_by_what_it_was_told() -> None:
    good = Heard({"x-webhook-secret": "s3cret"}, BODY)
    assert prove("piapi", good, b"s3cret", NOW_S) is Proof.PROVEN
    assert prove("piapi", good, b"another", NOW_S) is Proof.FALSE


def test_openrouter_signs_its_time_and_the_body_with_a_comma_between() -> None:
    proof = hmac.digest(b"chosen", b"%d,%b" % (NOW_S, BODY), hashlib.sha256).hex()
    heard = Heard({"x-openrouter-signature": f"t={NOW_S},v1={proof}"}, BODY)
    assert prove("openrouter", heard, b"chosen", NOW_S) is Proof.PROVEN
    assert prove("openrouter", heard, b"another", NOW_S) is Proof.FALSE
    assert prove("openrouter", heard, None, NOW_S) is Proof.UNPROVEN
    assert prove("openrouter", heard, b"chosen", NOW_S + 400) is Proof.STALE


@pytest.mark.parametrize(
    "answer", [{"key": "whsec_x"}, {"code": 200, "data": {"secret": "whsec_x"}}]
)
def test_the_secret_is_read_from_either_answer(answer: dict[str, Any]) -> None:
    assert read_secret(json.dumps(answer).encode()) == b"whsec_x"


def test_what_is_sent_again_has_the_same_identity() -> None:
    assert standard(KEY).identity("replicate") == "m1"
    assert Heard({}, BODY).identity("piapi") == Heard({"date": "later"}, BODY).identity("piapi")
    assert Heard({}, BODY).identity("piapi") != Heard({}, b"{}").identity("piapi")
