"""How do people come in, and how are they told that limits are used up?"""

import asyncio
from datetime import tzinfo
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import structlog

from tollbridge.access.oidc import OidcTerms
from tollbridge.access.own_keys import MemberKeys
from tollbridge.access.sessions import SessionTerms
from tollbridge.api.oidc import Oidc
from tollbridge.core.clock import Clock
from tollbridge.core.errors import ConfigurationError, InvalidRequestError, OverloadedError
from tollbridge.jobs.alerts import AlertNotifier, AlertNotifyLimits
from tollbridge.jobs.outside import Outside
from tollbridge.ledger.alert_watch import AlertSettings, AlertWatch
from tollbridge.ledger.alerts import check_thresholds
from tollbridge.processes.logs import cause_of
from tollbridge.providers.failures import TransportError
from tollbridge.providers.head import compose_head
from tollbridge.providers.origin import Origin
from tollbridge.providers.refusals import retry_after_s
from tollbridge.providers.transport import Transport
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database

OIDC_TIMEOUT_S = 10.0
OIDC_ANSWER_BYTES_MAX = 1024 * 1024

log: Any = structlog.get_logger()


class WebAnswer(NamedTuple):
    """What somebody whom the operator has named answers."""

    status: int
    body: bytes
    wait_s: float | None
    """How long it asks to be left alone; None where it says nothing."""


class OidcWeb:
    """The way to a provider that the operator has named: no address is too private for that."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock

    async def ask(
        self, method: str, url: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes
    ) -> tuple[int, bytes]:
        """Return status and body. Raises OverloadedError where there is no answer."""
        answer = await self.exchange(method, url, headers, body, OIDC_TIMEOUT_S)
        return answer.status, answer.body

    async def exchange(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[bytes, bytes], ...],
        body: bytes,
        timeout_s: float,
    ) -> WebAnswer:
        """Return the answer whole. Raises OverloadedError where there is none within the time."""
        deadline_s = self._clock.monotonic_s() + timeout_s
        try:
            origin = Origin.parse(url)
            parts = urlsplit(url)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            length = len(body) if method == "POST" else None
            every = ((b"accept-encoding", b"identity"), *headers)
            name = origin.authority.encode("ascii")
            head = compose_head(method.encode(), target.encode("ascii"), name, every, length)
            response = await self._transport.send(origin, head, body, deadline_s=deadline_s)
            wait_s = retry_after_s(response, self._clock.now_us())
            found = await response.read_all(OIDC_ANSWER_BYTES_MAX)
            return WebAnswer(response.status, found, wait_s)
        except (TransportError, ValueError) as error:
            raise OverloadedError(f"{urlsplit(url).hostname} does not answer") from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


def make_oidc(settings: Settings, clock: Clock, secret: bytes, web: OidcWeb) -> Oidc | None:
    """Return how people sign in with a provider; None where the settings name none.

    Raises ConfigurationError where they name half of one.
    """
    if not settings.oidc_issuer:
        return None
    if not settings.oidc_client_id:
        raise ConfigurationError("TOLLBRIDGE_OIDC_CLIENT_ID is missing")
    terms = OidcTerms(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        name=settings.oidc_name,
        scopes=settings.oidc_scopes,
        user_claim=settings.oidc_user_claim,
        role_claim=settings.oidc_role_claim,
        admin_values=tuple(settings.oidc_admin_values.split()),
        manager_values=tuple(settings.oidc_manager_values.split()),
        create_users=settings.oidc_create_users,
    )
    return Oidc(terms, web.ask, clock, secret)


class AlertDesk:
    """The alerts of one office: what is posted, and what is sent."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        zone: tzinfo,
        outside: Outside,
        signing_key: bytes,
    ) -> None:
        self.notifier = AlertNotifier(
            database,
            clock,
            outside,
            signing_key,
            AlertNotifyLimits(
                timeout_s=settings.alert_webhook_timeout_s,
                tries_max=settings.alert_webhook_tries_max,
                wait_s=settings.alert_webhook_wait_s,
            ),
            on_away=_away,
        )
        self.watch = AlertWatch(
            database,
            zone,
            AlertSettings(
                thresholds=alert_thresholds(settings),
                interval_ms=settings.alert_interval_ms,
                sweep_s=settings.alert_sweep_s,
                grant_expiry_days=settings.alert_grant_expiry_days,
            ),
            on_alert=self.notifier.posted,
            on_away=_away,
        )

    async def run(self) -> None:
        """Post and send, for ever."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self.watch.run())
            both.create_task(self.notifier.run())


def session_terms(settings: Settings) -> SessionTerms:
    """Return for how long somebody stays signed in."""
    return SessionTerms(
        idle_s=settings.session_idle_s,
        lifetime_s=settings.session_lifetime_s,
        link_lifetime_s=settings.sign_in_link_lifetime_s,
    )


def member_keys(settings: Settings) -> MemberKeys:
    """Return which keys members may make for themselves."""
    return MemberKeys(may_mint=settings.members_may_mint_keys, keys_max=settings.member_keys_max)


def alert_thresholds(settings: Settings) -> tuple[int, ...]:
    """Return at which per cents is told. Raises ConfigurationError for what are none."""
    try:
        return check_thresholds([int(one) for one in settings.alert_thresholds.split()])
    except (ValueError, InvalidRequestError) as error:
        raise ConfigurationError(f"TOLLBRIDGE_ALERT_THRESHOLDS: {error}") from error


def _away(error: OverloadedError) -> None:
    log.warning("database_away", action="alerts", kind=cause_of(error))
