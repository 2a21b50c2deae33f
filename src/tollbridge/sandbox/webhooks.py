"""How does a provider call back when a task has ended?

The only connections that the sandbox opens, and only where a submit names an address and its
script says `webhook`. Signed as Standard Webhooks has it: base64 of HMAC-SHA256 over
`{id}.{timestamp}.{body}`, with the key behind `whsec_`; or in a way of the provider's own.
"""

import asyncio
import base64
import contextlib
import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from tollbridge.sandbox.frame import encode
from tollbridge.sandbox.tasks import Task

SECRET_KEY: Final = b"sandbox-webhook-signing-key-0001"
SECRET: Final = "whsec_" + base64.b64encode(SECRET_KEY).decode()
TIMEOUT_S: Final = 5.0
OLD_S: Final = 3600


def sign(name: str, timestamp_s: int, body: bytes, key: bytes = SECRET_KEY) -> str:
    """Return the signature of a delivery."""
    signed = f"{name}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()


Proof = Callable[[str, int, bytes, bytes], str]
"""Gives the signature of a delivery: name, timestamp, body, key."""


def sign_plain(name: str, timestamp_s: int, body: bytes, key: bytes = SECRET_KEY) -> str:
    """Return WaveSpeed's: by the secret's text, in hex; the last byte of it is not documented."""
    signed = f"{name}.{timestamp_s}.".encode() + body
    return "v3," + hmac.new(base64.b64encode(key), signed, sha256).hexdigest()


async def deliver(
    task: Task,
    address: str,
    document: object,
    now_us: int,
    *,
    proof: Proof = sign,
    shared: str | None = None,
) -> int:
    """Post what has become of a task, as its script wants; return how often it arrived.

    `shared` is sent back in clear instead of a signature.
    """
    manner = task.script.webhook
    body = encode(document)
    timestamp_s = now_us // 1_000_000 - (OLD_S if manner == "old_timestamp" else 0)
    name = f"msg_{task.id}"
    genuine = manner != "bad_signature"
    key = SECRET_KEY if genuine else b"wrong"
    if shared is None:
        headers = {
            "webhook-id": name,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": proof(name, timestamp_s, body, key),
        }
    else:
        headers = {"x-webhook-secret": shared if genuine else "wrong"}
    arrived = 0
    for _ in range(2 if manner == "twice" else 1):
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(TIMEOUT_S):
                arrived += await _post(address, headers, body)
    return arrived


async def _post(address: str, headers: dict[str, str], body: bytes) -> int:
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname is None:
        return 0
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {target} HTTP/1.1", f"host: {parts.netloc}", "connection: close"]
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)
        await writer.drain()
        status = (await reader.readuntil(b"\r\n")).split(b" ")[1]
        return 1 if status.startswith(b"2") else 0
    finally:
        writer.close()
