"""How is a provider told where to call back, and is a call-back really the provider's?

Sources: standardwebhooks.com (Replicate signs so), wavespeed.ai/docs, the API pages of PiAPI, and
openrouter.ai/docs. What a call-back says is believed of none of them: it lets us look, no more. So
what nobody can prove by what is documented (WaveSpeed's signature) may wake us all the same.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import msgspec

from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.tasks.reading import decoded, inner, text
from tollbridge.providers.wire import Outgoing

TOLERANCE_S = 300
"""Of a signed time, before and after ours: what Standard Webhooks recommends."""
_MARK = "whsec_"
"""Before the secret itself."""
OPENROUTER = "openrouter"


class Hook(msgspec.Struct, frozen=True):
    """Where a provider calls back, and what it repeats where it signs nothing."""

    url: str
    secret: str


class Heard(msgspec.Struct, frozen=True):
    """A call-back as it came."""

    headers: Mapping[str, str]
    """Names in lowercase."""
    body: bytes

    def identity(self, manner: str) -> str:
        """Return what is the same each time that it is sent again."""
        name = "x-openrouter-idempotency-key" if manner == OPENROUTER else "webhook-id"
        return self.headers.get(name) or hashlib.sha256(self.body).hexdigest()


class Proof(StrEnum):
    """What is known of who called."""

    PROVEN = "proven"
    UNPROVEN = "unproven"  # nothing says that it is not the provider
    FALSE = "false"
    STALE = "stale"


def manner_of(endpoint: Endpoint) -> str | None:
    """Return in whose manner an endpoint calls back, None where it takes no address to call."""
    if endpoint.provider == OPENROUTER:
        return OPENROUTER
    return endpoint.dialect if endpoint.dialect in _TOLD else None


def with_hook(outgoing: Outgoing, manner: str, hook: Hook) -> Outgoing:
    """Return a submit that says where to call back."""
    return _TOLD[manner](outgoing, hook)


def secret_request(manner: str) -> Outgoing | None:
    """Return how the secret of the signatures is asked for, None where it cannot be."""
    target = _SECRETS.get(manner)
    return None if target is None else Outgoing(target, method=b"GET")


def read_secret(body: bytes) -> bytes | None:
    """Return the secret in the answer to that, as it stands there; None where there is none."""
    answer = decoded(body)
    found = text(answer, "key", "secret") or text(inner(answer, "data"), "secret", "key")
    return None if found is None else found.encode()


def prove(manner: str, heard: Heard, secret: bytes | None, now_s: float) -> Proof:
    """Say whether a call-back is the provider's; `secret` is the one that it signs by."""
    if manner == "piapi":
        sent = heard.headers.get("x-webhook-secret", "").encode()
        is_same = secret is not None and hmac.compare_digest(sent, secret)
        return Proof.PROVEN if is_same else Proof.FALSE
    if manner == OPENROUTER:
        return _openrouter(heard, secret, now_s)
    stamp = heard.headers.get("webhook-timestamp", "")
    if _is_stale(stamp, now_s):
        return Proof.STALE
    signed = b"%b.%b.%b" % (
        heard.headers.get("webhook-id", "").encode(),
        stamp.encode(),
        heard.body,
    )
    sent = heard.headers.get("webhook-signature", "").split()
    if manner == "wavespeed":
        # How it is signed is not documented to the last byte: what is not as supposed may wake us.
        plain = b"" if secret is None else secret.removeprefix(_MARK.encode())
        is_proven = bool(plain) and _matches(sent, hmac.digest(plain, signed, hashlib.sha256))
        return Proof.PROVEN if is_proven else Proof.UNPROVEN
    try:
        key = base64.b64decode((secret or b"").removeprefix(_MARK.encode()))
    except binascii.Error:
        return Proof.FALSE
    is_proven = bool(key) and _matches(sent, hmac.digest(key, signed, hashlib.sha256))
    return Proof.PROVEN if is_proven else Proof.FALSE


def _openrouter(heard: Heard, secret: bytes | None, now_s: float) -> Proof:
    # Its secret is chosen in its workspace: where it is not known here, nothing can be proven.
    parts = heard.headers.get("x-openrouter-signature", "").split(",")
    sent = {name.strip(): value for name, _, value in (part.partition("=") for part in parts)}
    stamp = sent.get("t", "")
    if _is_stale(stamp, now_s):
        return Proof.STALE
    if secret is None:
        return Proof.UNPROVEN
    proof = hmac.digest(secret, b"%b,%b" % (stamp.encode(), heard.body), hashlib.sha256)
    is_proven = hmac.compare_digest(sent.get("v1", "").encode(), proof.hex().encode())
    return Proof.PROVEN if is_proven else Proof.FALSE


def _is_stale(stamp: str, now_s: float) -> bool:
    is_number = stamp.isascii() and stamp.isdigit() and len(stamp) <= 12
    return not is_number or abs(now_s - int(stamp)) > TOLERANCE_S


def _matches(sent: list[str], proof: bytes) -> bool:
    """Compare all, whatever their version says, in base64 and in hex."""
    texts = (base64.b64encode(proof), proof.hex().encode())
    found = False
    for one in sent:
        value = one.partition(",")[2].encode()
        for known in texts:
            found |= hmac.compare_digest(value, known)
    return found


def _in_body(outgoing: Outgoing, more: Callable[[dict[str, Any]], dict[str, Any]]) -> Outgoing:
    body = decoded(outgoing.body)
    return msgspec.structs.replace(outgoing, body=msgspec.json.encode(body | more(body)))


def _replicate(outgoing: Outgoing, hook: Hook) -> Outgoing:
    told: dict[str, Any] = {"webhook": hook.url, "webhook_events_filter": ["completed"]}
    return _in_body(outgoing, lambda _: told)


def _piapi(outgoing: Outgoing, hook: Hook) -> Outgoing:
    told = {"endpoint": hook.url, "secret": hook.secret}
    return _in_body(
        outgoing, lambda body: {"config": {**inner(body, "config"), "webhook_config": told}}
    )


def _openrouter_told(outgoing: Outgoing, hook: Hook) -> Outgoing:
    return _in_body(outgoing, lambda _: {"callback_url": hook.url})


def _wavespeed(outgoing: Outgoing, hook: Hook) -> Outgoing:
    mark = "&" if "?" in outgoing.target else "?"
    target = f"{outgoing.target}{mark}webhook={quote(hook.url, safe='')}"
    return msgspec.structs.replace(outgoing, target=target)


_TOLD: Mapping[str, Callable[[Outgoing, Hook], Outgoing]] = MappingProxyType(
    {
        "replicate": _replicate,
        "wavespeed": _wavespeed,
        "piapi": _piapi,
        OPENROUTER: _openrouter_told,
    }
)
_SECRETS: Mapping[str, str] = MappingProxyType(
    {"replicate": "/webhooks/default/secret", "wavespeed": "/webhook/secret"}
)
