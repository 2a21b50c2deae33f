"""Who was signed in, and until when?

A token is a JWT signed with HS256. No other algorithm is accepted, whatever its header says.
"""

import msgspec
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import OctKey

from tollbridge.access.users import Role
from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import AuthenticationError, ConfigurationError

SECRET_BYTES_MIN = 32
TOKEN_LENGTH_MAX = 4096

_ALGORITHM = "HS256"
_ISSUER = "tollbridge"


class Session(msgspec.Struct, frozen=True):
    """Whom a token speaks for."""

    user: str
    role: Role
    issued_at_s: int
    expires_at_s: int


class Tokens:
    """Issues and verifies tokens with one secret."""

    __slots__ = ("_key", "expires_in_s")

    def __init__(self, secret: bytes, expires_in_s: int) -> None:
        if len(secret) < SECRET_BYTES_MIN:
            raise ConfigurationError(f"a token secret has at least {SECRET_BYTES_MIN} bytes")
        self._key = OctKey.import_key(secret)
        self.expires_in_s = expires_in_s

    def issue(self, user: str, role: Role, now_us: int) -> str:
        """Return a token for a user by name, good for `expires_in_s`."""
        now_s = now_us // SECOND_US
        claims = {
            "iss": _ISSUER,
            "sub": user,
            "role": role.value,
            "iat": now_s,
            "exp": now_s + self.expires_in_s,
        }
        return jwt.encode({"alg": _ALGORITHM}, claims, self._key, algorithms=[_ALGORITHM])

    def verify(self, token: str, now_us: int) -> Session:
        """Return whom the token speaks for.

        Raises AuthenticationError for one that is not ours, was changed, or has expired.
        """
        if len(token) > TOKEN_LENGTH_MAX:
            raise AuthenticationError("this token is not valid")
        claims_registry = jwt.JWTClaimsRegistry(
            now=now_us // SECOND_US,
            iss={"essential": True, "value": _ISSUER},
            sub={"essential": True},
            iat={"essential": True},
            exp={"essential": True},
            role={"essential": True, "values": [role.value for role in Role]},
        )
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
            claims_registry.validate(claims)
            # A list of roles passes the registry's check; it is no Role.
            role = Role(claims["role"])
        except ExpiredTokenError as error:
            raise AuthenticationError("this token has expired; sign in again") from error
        except (JoseError, ValueError) as error:
            raise AuthenticationError("this token is not valid") from error
        return Session(
            user=claims["sub"],
            role=role,
            issued_at_s=claims["iat"],
            expires_at_s=claims["exp"],
        )
