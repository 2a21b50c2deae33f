"""Whose key is this, and is it still good?"""

from tollbridge.access.keys import KEY_LENGTH_MAX, AccessPart, Digester, KeyEntry, Scope
from tollbridge.core.clock import to_text
from tollbridge.core.errors import AuthenticationError, PermissionDeniedError


class KeyRing:
    """All keys, by digest; immutable, made once per snapshot."""

    __slots__ = ("_digest", "_entries")

    def __init__(self, part: AccessPart, pepper: bytes) -> None:
        self._digest = Digester(pepper).digest
        # By the digest's bytes, so that a call needs no hexadecimal.
        self._entries = {bytes.fromhex(entry.digest): entry for entry in part.keys}

    def __len__(self) -> int:
        return len(self._entries)

    def authenticate(self, credential: str | None, now_us: int) -> KeyEntry:
        """Return the entry of the key that `credential` is.

        Raises AuthenticationError for one that is missing, unknown, revoked or expired; its
        message says which, and never repeats the credential.
        """
        if not credential:
            raise AuthenticationError("no API key was sent; send Authorization: Bearer and the key")
        entry = self._find(credential)
        if entry is None:
            raise AuthenticationError("this API key is not known")
        if entry.revoked:
            if entry.user_disabled:
                raise AuthenticationError("this API key's user is disabled")
            raise AuthenticationError("this API key was revoked")
        if entry.expires_at_us is not None and entry.expires_at_us <= now_us:
            raise AuthenticationError(
                f"this API key expired at {to_text(entry.expires_at_us)}",
            )
        return entry

    def sign(self, message: bytes) -> bytes:
        """Return what only this gateway can say of a message: the same on all of its nodes."""
        return self._digest(b"signed\0" + message)

    def _find(self, credential: str) -> KeyEntry | None:
        if len(credential) > KEY_LENGTH_MAX:
            return None
        try:
            encoded = credential.encode()
        except UnicodeEncodeError:
            return None
        # The pepper makes the digest unforeseeable, so its look-up time gives nothing away.
        return self._entries.get(self._digest(encoded))


def require(entry: KeyEntry, scope: Scope) -> None:
    """Raise PermissionDeniedError unless the key has `scope`; admin has them all."""
    if scope not in entry.scopes and Scope.ADMIN not in entry.scopes:
        raise PermissionDeniedError(f"this API key does not have the scope {scope.value!r}")
