"""Whose key is this, and is it still good?"""

import hmac

import msgspec

from tollbridge.access.keys import KEY_LENGTH_MAX, AccessPart, Digester, KeyEntry, Scope
from tollbridge.core.clock import SECOND_US, to_text
from tollbridge.core.errors import AuthenticationError, PermissionDeniedError

PASSES_PREFIX = "tbpass_"


class KeyRing:
    """All keys, by digest; immutable, made once per snapshot."""

    __slots__ = ("_by_id", "_by_name", "_digest", "_entries")

    def __init__(self, part: AccessPart, pepper: bytes) -> None:
        self._digest = Digester(pepper).digest
        # By the digest's bytes, so that a call needs no hexadecimal.
        self._entries = {bytes.fromhex(entry.digest): entry for entry in part.keys}
        # Each is there once: names are never given again.
        self._by_id = {entry.key_id: entry for entry in part.keys}
        self._by_name = {entry.caller.key_name: entry for entry in part.keys}

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
            entry = self._passed(credential, now_us)
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

    def callable_as(self, key_name: str, now_us: int, user: str | None = None) -> KeyEntry | None:
        """Return the key of that name if it may make calls now and is a user's, or anybody's."""
        entry = self._by_name.get(key_name)
        if (
            entry is None
            or entry.revoked
            or (entry.expires_at_us is not None and entry.expires_at_us <= now_us)
            or {Scope.CALL, Scope.ADMIN}.isdisjoint(entry.scopes)
            or user not in {None, entry.caller.user}
        ):
            return None
        return entry

    def pass_for(self, entry: KeyEntry, expires_at_s: int) -> str:
        """Return what may make calls as a key until an instant, and nothing else.

        It is kept nowhere: any node knows it again. What ends the key ends it too.
        """
        said = f"{entry.key_id}.{expires_at_s}"
        return f"{PASSES_PREFIX}{said}.{self._pass_signature(said)}"

    def sign(self, message: bytes) -> bytes:
        """Return what only this gateway can say of a message: the same on all of its nodes."""
        return self._digest(b"signed\0" + message)

    def _passed(self, credential: str, now_us: int) -> KeyEntry | None:
        if not credential.startswith(PASSES_PREFIX) or len(credential) > KEY_LENGTH_MAX:
            return None
        said, _, signature = credential.removeprefix(PASSES_PREFIX).rpartition(".")
        if not hmac.compare_digest(
            self._pass_signature(said).encode(), signature.encode(errors="replace")
        ):
            return None
        key_id, _, expires_at_s = said.partition(".")
        if int(expires_at_s) * SECOND_US <= now_us:
            raise AuthenticationError("this pass has ended; ask for another one")
        entry = self._by_id.get(key_id)
        return None if entry is None else msgspec.structs.replace(entry, scopes=(Scope.CALL,))

    def _pass_signature(self, said: str) -> str:
        return self.sign(f"pass\0{said}".encode(errors="replace")).hex()

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
