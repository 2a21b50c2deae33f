import base64
import json

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tollbridge.access.tokens import Tokens
from tollbridge.access.users import Role
from tollbridge.core.clock import ManualClock
from tollbridge.core.errors import AuthenticationError, ConfigurationError

SECRET = b"s" * 32
CLOCK = ManualClock()


def test_a_token_speaks_for_its_user_until_it_expires() -> None:
    clock = ManualClock()
    tokens = Tokens(SECRET, expires_in_s=60)
    token = tokens.issue("admin", Role.ADMIN, clock.now_us())
    session = tokens.verify(token, clock.now_us())
    assert (session.user, session.role) == ("admin", Role.ADMIN)
    assert session.expires_at_s - session.issued_at_s == 60
    clock.advance(59)
    tokens.verify(token, clock.now_us())
    clock.advance(1)
    with pytest.raises(AuthenticationError, match="expired"):
        tokens.verify(token, clock.now_us())


def unsigned(claims: dict[str, object]) -> str:
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in parts]
    return (b".".join(encoded) + b".").decode()


def signed(claims: dict[str, object], algorithm: str = "HS256", secret: bytes = SECRET) -> str:
    key = OctKey.import_key(secret)
    return jwt.encode({"alg": algorithm}, claims, key, algorithms=[algorithm])


NOW_S = CLOCK.now_us() // 1_000_000
CLAIMS: dict[str, object] = {
    "iss": "tollbridge",
    "sub": "admin",
    "role": "admin",
    "iat": NOW_S,
    "exp": NOW_S + 60,
}


def test_the_claims_that_the_next_test_bends_are_good_as_they_are() -> None:
    assert Tokens(SECRET, 60).verify(signed(CLAIMS), CLOCK.now_us()).user == "admin"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "not a token",
        "a.b.c",
        "x" * 5000,
        unsigned(CLAIMS),
        signed(CLAIMS, "HS384", b"s" * 48),
        signed(CLAIMS, secret=b"t" * 32),
        signed({**CLAIMS, "iss": "another"}),
        signed({**CLAIMS, "role": "owner"}),
        signed({name: value for name, value in CLAIMS.items() if name != "exp"}),
        signed({name: value for name, value in CLAIMS.items() if name != "sub"}),
        signed({**CLAIMS, "exp": "tomorrow"}),
        signed({**CLAIMS, "sub": 5}),
        signed({**CLAIMS, "role": ["admin"]}),
    ],
)
def test_a_token_that_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(AuthenticationError, match="not valid"):
        Tokens(SECRET, 60).verify(token, CLOCK.now_us())


def test_a_changed_token_is_refused() -> None:
    head, _, signature = signed(CLAIMS).split(".")
    raised = unsigned({**CLAIMS, "sub": "somebody"}).split(".")[1]
    with pytest.raises(AuthenticationError):
        Tokens(SECRET, 60).verify(f"{head}.{raised}.{signature}", CLOCK.now_us())


def test_a_secret_that_is_too_short_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Tokens(b"short", 60)
