"""How are provider keys kept, so that the database alone gives none away?

AES-256-GCM with a fresh 96-bit nonce each, under a master key that is not in the database. The
endpoint's name is authenticated with it: a key moved to another row cannot be opened there.
"""

import base64
import hashlib
import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tollbridge.core.errors import ConfigurationError

MASTER_BYTES = 32
_NONCE_BYTES = 12
_ID_CONTEXT = b"tollbridge provider keys, master key id\x00"


class Sealed(msgspec.Struct, frozen=True):
    """An encrypted key: which master it needs, and nonce and ciphertext in base64."""

    master_id: str
    text: str


def master_id(master: bytes) -> str:
    """Return a name of a master key that does not give it away. Raises ConfigurationError."""
    if len(master) != MASTER_BYTES:
        raise ConfigurationError(f"a master key has {MASTER_BYTES} bytes, not {len(master)}")
    return hashlib.sha256(_ID_CONTEXT + master).hexdigest()[:16]


def seal(master: bytes, endpoint: str, api_key: str) -> Sealed:
    """Encrypt an endpoint's key."""
    name = master_id(master)
    nonce = os.urandom(_NONCE_BYTES)
    ciphertext = AESGCM(master).encrypt(nonce, api_key.encode(), endpoint.encode())
    return Sealed(name, base64.b64encode(nonce + ciphertext).decode())


def unseal(master: bytes, endpoint: str, sealed: Sealed) -> str:
    """Decrypt an endpoint's key.

    Raises ConfigurationError where it was sealed with another master key, for another endpoint,
    or was changed since.
    """
    if sealed.master_id != master_id(master):
        raise ConfigurationError(
            f"the key of endpoint {endpoint!r} was encrypted with the master key "
            f"{sealed.master_id}, and this one is {master_id(master)}",
        )
    raw = base64.b64decode(sealed.text)
    try:
        plain = AESGCM(master).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], endpoint.encode())
    except InvalidTag as error:
        raise ConfigurationError(
            f"the key of endpoint {endpoint!r} cannot be decrypted: it was changed",
        ) from error
    return plain.decode()


def try_unseal(master: bytes, endpoint: str, sealed: Sealed | None) -> str | None:
    """Return an endpoint's key, "" where it has none, None where this master does not open it."""
    if sealed is None:
        return ""
    try:
        return unseal(master, endpoint, sealed)
    except ConfigurationError:
        return None
