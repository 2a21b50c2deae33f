"""How does somebody's server hear of an alert?

By a webhook in the manner of Standard Webhooks, as of finished jobs. What is due lies in the
database: it is sent after a restart as well. It may be told twice; the id is the delivery's.
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import msgspec

from tollbridge.core.amounts import amount_text
from tollbridge.core.clock import SECOND_US, Clock, to_text
from tollbridge.core.errors import OverloadedError
from tollbridge.jobs.notify import PREFIX, signature
from tollbridge.jobs.outside import Outside
from tollbridge.ledger.alert_store import DUE
from tollbridge.ledger.alert_webhook_store import (
    DELIVERED,
    FAILED,
    Parcel,
    claim_due,
    next_due_us,
    note_try,
)
from tollbridge.ledger.alerts import Alert
from tollbridge.providers.fetch import FetchFailedError
from tollbridge.storage.unit import Database

ERROR_CHARACTERS_MAX = 200


class AlertNotifyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How patiently somebody is told."""

    timeout_s: float = 15.0
    tries_max: int = 8
    wait_s: float = 5.0
    """Before the second try; four times as long before each further one: a day in all."""
    at_once_max: int = 10
    poll_s: float = 5.0
    """Time between two looks for what is due, where nothing was posted meanwhile."""


class AlertNotifier:
    """Sends the alerts of one database; in the office's event loop."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        outside: Outside,
        signing_key: bytes,
        limits: AlertNotifyLimits | None = None,
        on_away: Callable[[OverloadedError], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._outside = outside
        self._signing_key = signing_key
        self._limits = limits or AlertNotifyLimits()
        self._on_away = on_away
        self._posted = asyncio.Event()

    async def check(self, url: str) -> None:
        """Raise InvalidRequestError for an address that must not be reached."""
        await self._outside.check(url, "url")

    def secret_text(self, webhook_id: str) -> str:
        """Return a webhook's secret, as its owner is shown it once."""
        return PREFIX + base64.b64encode(self._secret(webhook_id)).decode()

    def posted(self) -> None:
        """Note that something may be due."""
        self._posted.set()

    async def run(self) -> None:
        """Send what is due, for ever."""
        while True:
            self._posted.clear()
            try:
                while await self.send_due():
                    pass
            except OverloadedError as error:
                self._on_away(error)
            try:
                async with asyncio.timeout(self._limits.poll_s):
                    await self._posted.wait()
            except TimeoutError:
                continue

    async def send_due(self) -> int:
        """Send what is due now; return how many were tried."""
        claim_s = self._limits.timeout_s * 2
        async with self._database.read() as unit:
            now_us = await unit.now_us()
            due_us = await next_due_us(unit)
        if due_us is None or due_us > now_us:
            return 0
        async with self._database.write() as unit:
            parcels = await claim_due(unit, now_us, claim_s, self._limits.at_once_max)
        await asyncio.gather(*(self._send(one) for one in parcels))
        return len(parcels)

    async def _send(self, parcel: Parcel) -> None:
        delivery = parcel.delivery
        body = msgspec.json.encode({"type": "alert.posted", "data": alert_data(parcel.alert)})
        tried: dict[str, Any] = {"at_us": self._clock.now_us()}
        deadline_s = self._clock.monotonic_s() + self._limits.timeout_s
        arrived = False
        try:
            headers = self._headers(delivery.webhook_id, delivery.delivery_id, body)
            tried["status"] = await self._outside.post(parcel.url, headers, body, deadline_s)
            arrived = 200 <= tried["status"] < 300
        except FetchFailedError as error:
            tried["error"] = str(error)[:ERROR_CHARACTERS_MAX]
        count = len(delivery.tries) + 1
        state, wait_s = DELIVERED if arrived else FAILED, None
        if not arrived and count < self._limits.tries_max:
            state, wait_s = DUE, self._limits.wait_s * 4 ** (count - 1)
        async with self._database.write() as unit:
            next_at_us = None if wait_s is None else await unit.now_us() + round(wait_s * SECOND_US)
            await note_try(unit, delivery, tried, state, next_at_us)

    def _headers(
        self, webhook_id: str, message_id: str, body: bytes
    ) -> tuple[tuple[bytes, bytes], ...]:
        stamp = str(self._clock.now_us() // SECOND_US)
        return (
            (b"content-type", b"application/json"),
            (b"webhook-id", message_id.encode()),
            (b"webhook-timestamp", stamp.encode()),
            (b"webhook-signature", signature(self._secret(webhook_id), message_id, stamp, body)),
        )

    def _secret(self, webhook_id: str) -> bytes:
        made = b"alert webhook\0" + webhook_id.encode()
        return hmac.digest(self._signing_key, made, hashlib.sha256)


def alert_data(alert: Alert) -> dict[str, Any]:
    """Return an alert as a webhook tells it."""
    standing = alert.standing
    end_us = standing.period_end_us
    return {
        "alert_id": alert.alert_id,
        "created_at": to_text(alert.created_at_us),
        "severity": alert.severity.value,
        "title": alert.title,
        "message": alert.message,
        "source": standing.source.value,
        "limit": standing.name,
        "subject": standing.subject,
        "kind": standing.kind.value,
        "threshold_percent": alert.threshold or None,
        "used": amount_text(standing.kind, standing.used),
        "limit_amount": amount_text(standing.kind, standing.limit),
        "period_start": to_text(standing.period_start_us),
        "period_end": None if end_us is None else to_text(end_us),
    }
