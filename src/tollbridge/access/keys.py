"""What is a key, and what do we keep of it?

A key is shown once and kept as its HMAC-SHA256 under a pepper: with 128 random bits there is
nothing to guess, so a fast digest is enough, and a stolen table is worthless without the pepper.
"""

import hashlib
import hmac
import secrets
import string
from enum import StrEnum

import msgspec

from tollbridge.core.call import Caller
from tollbridge.core.errors import ConfigurationError, InvalidRequestError

PREFIX = "tb_"
GIVEN_LENGTH_MIN = 32
KEY_LENGTH_MAX = 512
NAME_LENGTH_MAX = 128

_ALPHABET = string.ascii_letters + string.digits
_BLOCK_BYTES = 64  # of SHA-256
_RANDOM_LENGTH = 32  # 62^32 is over 190 bits


class Scope(StrEnum):
    """What a key may do."""

    CALL = "call"  # the data plane
    READ = "read"  # what was used and spent, on the control plane
    INTAKE = "intake"  # report what another gateway carried
    ADMIN = "admin"  # everything


class KeySource(StrEnum):
    """Who may change a key."""

    FILE = "file"  # the configuration file alone
    MINTED = "minted"  # the API and the command line


class KeyEntry(msgspec.Struct, frozen=True):
    """A key as workers know it."""

    key_id: str
    digest: str
    """HMAC-SHA256 under the pepper, 64 hexadecimal digits."""
    caller: Caller
    scopes: tuple[str, ...]
    expires_at_us: int | None = None
    revoked: bool = False
    """Or worth nothing for another reason."""
    keep_content: bool = False
    """Whether what its calls ask and are answered is kept."""
    user_disabled: bool = False
    """Whether it is worth nothing because its user is disabled."""


class AccessPart(msgspec.Struct, frozen=True):
    """All keys: this package's part of a worker's snapshot."""

    keys: list[KeyEntry]


class KeyLimits(msgspec.Struct, frozen=True):
    """What one key's calls are held to; None is unlimited."""

    key_id: str
    name: str
    calls_per_minute: int | None
    concurrent_calls: int | None


class KeyTerms(msgspec.Struct, frozen=True):
    """What a key is for; the same fields whether it is minted or declared."""

    name: str
    user: str
    project: str = "default"
    scopes: tuple[str, ...] = (Scope.CALL,)
    expires_at_us: int | None = None
    calls_per_minute: int | None = None
    concurrent_calls: int | None = None
    keep_content: bool = False
    """Whether what its calls ask and are answered is kept."""


class DeclaredKey(msgspec.Struct, frozen=True):
    """A key of the configuration file. Without a given `key` one is minted at its first apply."""

    terms: KeyTerms
    key: str | None = None

    def __repr__(self) -> str:
        """Show the terms and never the key."""
        return f"DeclaredKey({self.terms!r})"


class KeyRow(msgspec.Struct, frozen=True):
    """A key as the control plane shows it: everything but its digest."""

    key_id: str
    terms: KeyTerms
    last4: str
    source: str
    created_at_us: int
    revoked_at_us: int | None = None


class Minted(msgspec.Struct, frozen=True):
    """A new key: the only time that its text is seen."""

    row: KeyRow
    key: str

    def __repr__(self) -> str:
        """Show the row and never the key."""
        return f"Minted({self.row!r})"


class KeysApplied(msgspec.Struct, frozen=True):
    """What applying the configuration file's keys did, by name."""

    minted: tuple[Minted, ...] = ()
    changed: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()
    """Declared, but of that name there is a key that the file does not own."""


def mint() -> str:
    """Return a new key: `tb_` and 32 letters and digits, over 190 random bits."""
    return PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))


def digest(pepper: bytes, key: str) -> str:
    """Return what is kept of a key: its HMAC-SHA256 under the pepper, in hexadecimal."""
    return hmac.digest(pepper, key.encode(), "sha256").hex()


class Digester:
    """The same digest as `digest()`, as bytes, with the pepper's part done beforehand.

    A third of the time of `hmac.digest`, which every call waits for.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, pepper: bytes) -> None:
        block = pepper if len(pepper) <= _BLOCK_BYTES else hashlib.sha256(pepper).digest()
        padded = block.ljust(_BLOCK_BYTES, b"\x00")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def digest(self, key: bytes) -> bytes:
        """Return the HMAC-SHA256 (RFC 2104) of a key under the pepper, 32 bytes."""
        inner = self._inner.copy()
        inner.update(key)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


def check_name(name: str) -> None:
    """Raise InvalidRequestError where a name is empty, too long, or cannot be printed."""
    if not name or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidRequestError(
            f"a name has 1 to {NAME_LENGTH_MAX} printable characters",
            details={"param": "name"},
        )


def check_given(name: str, key: str) -> None:
    """Raise ConfigurationError where a key given from outside is too short, or too long."""
    if len(key) < GIVEN_LENGTH_MIN:
        raise ConfigurationError(
            f"the key given for {name!r} has {len(key)} characters; at least "
            f"{GIVEN_LENGTH_MIN} are needed",
        )
    if len(key) > KEY_LENGTH_MAX:
        raise ConfigurationError(
            f"the key given for {name!r} has {len(key)} characters; at most {KEY_LENGTH_MAX} fit",
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            f"the key given for {name!r} has characters that a header cannot carry",
        )
