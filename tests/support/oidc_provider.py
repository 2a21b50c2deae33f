"""An OpenID Connect provider on loopback, which says of people what a test lets it say."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tollbridge.core.clock import SECOND_US, Clock

CLIENT_ID = "tollbridge"
CLIENT_SECRET = "s3cret/with:signs"
CODE = "the-code"


class OidcProvider:
    """One provider. `claims` are those of the next ID token; None leaves one out."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.key = RSAKey.generate_key(2048, parameters={"kid": "first"})
        self.claims: dict[str, Any] = {}
        self.asked: dict[str, str] = {}
        """What the browser was sent with, last."""
        self.redeemed: list[dict[str, str]] = []
        self.forger: RSAKey | None = None
        """Who signs in the provider's place."""
        self.port = 0

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def authorize(self, url: str) -> dict[str, str]:
        """Let a person in who comes with the address that a browser was sent to.

        Return what the browser brings back: code and state.
        """
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/authorize"
        self.asked = dict(parse_qsl(parts.query))
        assert self.asked["response_type"] == "code"
        assert self.asked["code_challenge_method"] == "S256"
        assert "openid" in self.asked["scope"].split()
        return {"code": CODE, "state": self.asked["state"], "iss": self.issuer}

    def id_token(self) -> str:
        """Return the ID token of whom was let in last."""
        now_s = self.clock.now_us() // SECOND_US
        claims = {
            "iss": self.issuer,
            "sub": "subject-1",
            "aud": CLIENT_ID,
            "iat": now_s,
            "exp": now_s + 300,
            "nonce": self.asked["nonce"],
            "preferred_username": "ana",
            **self.claims,
        }
        said = {name: value for name, value in claims.items() if value is not None}
        used = self.forger or self.key
        return jwt.encode({"alg": "RS256", "kid": used.kid or ""}, said, used, ["RS256"])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        pairs = [line.partition(": ") for line in head.split("\r\n")[1:]]
        headers = {name.lower(): value for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        status, answer = self._answer(method, target, headers, body.decode())
        content = json.dumps(answer).encode()
        writer.write(
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b" % (status, len(content), content)
        )
        writer.close()

    def _answer(
        self, method: str, target: str, headers: dict[str, str], body: str
    ) -> tuple[int, Any]:
        if target == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "scopes_supported": ["openid"],
            }
        if target == "/keys":
            return 200, {"keys": [self.key.as_dict(private=False) | {"use": "sig"}]}
        if (method, target) == ("POST", "/token"):
            return self._redeem(headers, {name: one[0] for name, one in parse_qs(body).items()})
        return 404, {}

    def _redeem(self, headers: dict[str, str], sent: dict[str, str]) -> tuple[int, Any]:
        self.redeemed.append(sent)
        verifier = hashlib.sha256(sent["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        proof = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
        fits = (
            sent["code"] == CODE
            and challenge == self.asked["code_challenge"]
            and sent["redirect_uri"] == self.asked["redirect_uri"]
            and proof == f"{CLIENT_ID}:s3cret%2Fwith%3Asigns"
        )
        if not fits:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.id_token()}


@asynccontextmanager
async def running_oidc_provider(clock: Clock) -> AsyncGenerator[OidcProvider]:
    """Serve a provider on a free port of loopback."""
    provider = OidcProvider(clock)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    async with server:
        yield provider
