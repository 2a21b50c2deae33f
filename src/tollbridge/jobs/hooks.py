"""How does a provider call back when a task is over, and when is it heard?

Its call-back lets us look at the task at once instead of a little later: nothing that it says is
believed. It is heard where it proves that it comes from the provider, its time is not past, and it
was not heard before.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import quote

import msgspec

from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.errors import AuthenticationError, NotFoundError, OverloadedError
from tollbridge.core.plan import Endpoint
from tollbridge.jobs.job import Job
from tollbridge.providers.dialects.tasks.hooks import (
    Heard,
    Hook,
    Proof,
    manner_of,
    prove,
    read_secret,
    secret_request,
    with_hook,
)
from tollbridge.providers.failures import TransportError
from tollbridge.providers.request import MalformedAnswerError
from tollbridge.providers.tasks import Ask
from tollbridge.providers.wire import Outgoing

SECRET_TIMEOUT_S = 10.0
SECRET_KEPT_S = 3600.0
SECRET_RENEWED_S = 60.0
"""A signature that does not fit is checked against the provider's secret as it is now, so often."""
JOBS_MAX = 4096
HEARD_MAX = 32
"""Call-backs of one job; more would only let somebody make us look, and look."""


class HookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where we are called back, and what is shared with whom."""

    public_url: str = ""
    """The address of this installation as the outside sees it; "" lets nobody call back."""
    signing_key: bytes
    openrouter_secret: str = ""


class _Secret(msgspec.Struct, frozen=True):
    value: bytes
    read_at_s: float


class Hooks:
    """The call-backs of one office's jobs."""

    def __init__(
        self,
        settings: HookSettings,
        ask: Ask,
        endpoint_of: Callable[[str], Endpoint | None],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._ask = ask
        self._endpoint_of = endpoint_of
        self._clock = clock
        self._secrets: dict[tuple[str, str | None], _Secret] = {}
        self._heard: OrderedDict[str, set[str]] = OrderedDict()

    def on(self, outgoing: Outgoing, endpoint: Endpoint, token: str) -> Outgoing:
        """Return a submit that says where to call back, where the provider takes an address."""
        manner = manner_of(endpoint)
        if manner is None or not self._settings.public_url:
            return outgoing
        base_url = self._settings.public_url.rstrip("/")
        url = f"{base_url}/hooks/{quote(endpoint.name, safe='')}/{token}"
        return with_hook(outgoing, manner, Hook(url, self._shared(token)))

    async def hear(self, job: Job, name: str, heard: Heard) -> bool:
        """Return whether a call-back of an endpoint about a job is to be acted on: not twice.

        Raises NotFoundError for an endpoint that did not work on it, AuthenticationError for what
        is not the provider's or too old, OverloadedError where that cannot be said now.
        """
        attempt = next((one for one in reversed(job.attempts) if one.endpoint == name), None)
        endpoint = self._endpoint_of(name)
        manner = None if endpoint is None else manner_of(endpoint)
        if attempt is None or endpoint is None or manner is None:
            raise NotFoundError("there is no such job")
        proof = await self._prove(manner, endpoint, attempt.key, job, heard)
        if proof in {Proof.FALSE, Proof.STALE}:
            said = (
                "it is too old" if proof is Proof.STALE else "its signature is not the provider's"
            )
            raise AuthenticationError(f"this call-back is not heard: {said}")
        return self._is_new(job.token, heard.identity(manner))

    async def _prove(
        self, manner: str, endpoint: Endpoint, key: str | None, job: Job, heard: Heard
    ) -> Proof:
        now_s = self._clock.now_us() / SECOND_US
        if manner == "piapi":
            return prove(manner, heard, self._shared(job.token).encode(), now_s)
        if secret_request(manner) is None:
            chosen = self._settings.openrouter_secret.encode()
            return prove(manner, heard, chosen or None, now_s)
        secret = await self._secret(manner, endpoint, key, job, SECRET_KEPT_S)
        proof = prove(manner, heard, secret, now_s)
        if proof is Proof.FALSE:  # it may have been changed
            secret = await self._secret(manner, endpoint, key, job, SECRET_RENEWED_S)
            proof = prove(manner, heard, secret, now_s)
        if proof is Proof.FALSE and secret is None:
            raise OverloadedError("the provider's secret is not known now", retry_after_s=60)
        return proof

    async def _secret(
        self, manner: str, endpoint: Endpoint, key: str | None, job: Job, age_max_s: float
    ) -> bytes | None:
        """Return the secret of the account that a key is of, asked for where it is too old."""
        now_s = self._clock.monotonic_s()
        known = self._secrets.get((endpoint.name, key))
        if known is not None and now_s - known.read_at_s < age_max_s:
            return known.value or None
        outgoing = secret_request(manner)
        value = b""
        if outgoing is not None:
            try:
                reaction = await self._ask(
                    endpoint, outgoing, job.job_id, now_s + SECRET_TIMEOUT_S, key
                )
                value = (read_secret(reaction.body) or b"") if reaction.status < 300 else b""
            except (TransportError, MalformedAnswerError, ValueError):
                value = b""
        read_at_s = now_s if value else now_s - SECRET_KEPT_S + SECRET_RENEWED_S
        self._secrets[endpoint.name, key] = _Secret(value, read_at_s)
        return value or None

    def _is_new(self, token: str, identity: str) -> bool:
        heard = self._heard.setdefault(token, set())
        self._heard.move_to_end(token)
        if len(self._heard) > JOBS_MAX:
            self._heard.popitem(last=False)
        if identity in heard or len(heard) >= HEARD_MAX:
            return False
        heard.add(identity)
        return True

    def _shared(self, token: str) -> str:
        """Return what only we and the provider that was told it know."""
        return hmac.digest(
            self._settings.signing_key, b"hook\0" + token.encode(), hashlib.sha256
        ).hex()
