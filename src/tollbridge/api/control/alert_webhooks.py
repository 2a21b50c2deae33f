"""Where are alerts sent, and what became of each?"""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.access.keys import NAME_LENGTH_MAX
from tollbridge.api.control.page import (
    NextCursor,
    PageQuery,
    cut,
    decode_cursor,
    instant_text,
)
from tollbridge.api.deps import ADMIN, AdminOf, Control, ControlOf, actor_of
from tollbridge.core.clock import to_text
from tollbridge.core.errors import OverloadedError
from tollbridge.jobs.alerts import AlertNotifier
from tollbridge.ledger import alert_webhook_store as store
from tollbridge.ledger.alert_tables import URL_LENGTH_MAX
from tollbridge.ledger.alerts import Severity
from tollbridge.storage import audit

router = APIRouter(prefix="/alert-webhooks", tags=["alerts"])


class Webhook(BaseModel):
    """Where alerts are sent."""

    webhook_id: str
    name: str
    url: str
    severity_min: Severity = Field(description="Less urgent ones are not sent.")
    enabled: bool
    created_at: str


class NewWebhook(Webhook):
    """A new webhook with its secret."""

    secret: str = Field(description="whsec_…, as Standard Webhooks have it. Shown this once.")


class WebhookList(BaseModel):
    """All webhooks, by name."""

    webhooks: list[Webhook]


class WebhookOrder(BaseModel):
    """Where alerts are to be sent."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=NAME_LENGTH_MAX)
    url: str = Field(
        min_length=1,
        max_length=URL_LENGTH_MAX,
        pattern=r"^https?://",
        description="No private address, but for the hosts of the setting fetch_private_hosts.",
    )
    severity_min: Severity = Severity.INFO


class WebhookSwitch(BaseModel):
    """Whether it is used."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool


class Try(BaseModel):
    """One try to deliver an alert."""

    at: str
    status: int | None = Field(description="HTTP status; null where there was no answer.")
    error: str | None


class DeliveryShown(BaseModel):
    """One alert on its way to a webhook."""

    delivery_id: str = Field(description="The header webhook-id, the same at each try.")
    alert_id: str
    state: str = Field(description="due, delivered, or failed: given up.")
    tries: list[Try]
    next_try_at: str | None
    created_at: str


class DeliveryPage(BaseModel):
    """A page of deliveries, the newest first."""

    deliveries: list[DeliveryShown]
    next_cursor: NextCursor


@router.get("", dependencies=[ADMIN])
async def list_all(control: ControlOf) -> WebhookList:
    """List all webhooks by name. Admins only."""
    async with control.services.database.read() as unit:
        rows = await store.list_webhooks(unit)
    return WebhookList(webhooks=[Webhook(**_fields(row)) for row in rows])


@router.post("", status_code=201)
async def create(order: WebhookOrder, admin: AdminOf, control: ControlOf) -> NewWebhook:
    """Send alerts to an address from now on, all of them; signed as Standard Webhooks says.

    What is not taken with a 2xx is tried again, later and later. The secret is shown this once.
    """
    notifier = _notifier(control)
    await notifier.check(order.url)
    async with control.services.database.write() as unit:
        row = await store.create_webhook(unit, order.name, order.url, order.severity_min)
        await audit.record_change(
            unit,
            actor_of(admin),
            "alert_webhooks.create",
            f"webhook:{row.name}",
            before=None,
            after=_state(row),
        )
    return NewWebhook(**_fields(row), secret=notifier.secret_text(row.webhook_id))


@router.patch("/{name}")
async def switch(name: str, wanted: WebhookSwitch, admin: AdminOf, control: ControlOf) -> Webhook:
    """Switch a webhook on or off; what is on its way is still tried."""
    async with control.services.database.write() as unit:
        before = await store.get_webhook(unit, name)
        after = await store.enable_webhook(unit, name, enabled=wanted.enabled)
        await audit.record_change(
            unit,
            actor_of(admin),
            "alert_webhooks.change",
            f"webhook:{name}",
            before=_state(before),
            after=_state(after),
        )
    return Webhook(**_fields(after))


@router.delete("/{name}", status_code=204)
async def remove(name: str, admin: AdminOf, control: ControlOf) -> None:
    """Remove a webhook with the log of its deliveries."""
    async with control.services.database.write() as unit:
        row = await store.remove_webhook(unit, name)
        await audit.record_change(
            unit,
            actor_of(admin),
            "alert_webhooks.remove",
            f"webhook:{name}",
            before=_state(row),
            after=None,
        )


@router.get("/{name}/deliveries", dependencies=[ADMIN])
async def list_deliveries(
    name: str, query: Annotated[PageQuery, QueryParameters()], control: ControlOf
) -> DeliveryPage:
    """List what was sent to a webhook, the newest first, with each try. Admins only."""
    before = None if query.cursor is None else decode_cursor(query.cursor, tuple[int, str])
    async with control.services.database.read() as unit:
        webhook = await store.get_webhook(unit, name)
        rows = await store.list_deliveries(unit, webhook.webhook_id, before, query.limit + 1)
    page, following = cut(rows, query.limit, lambda row: (row.created_at_us, row.delivery_id))
    return DeliveryPage(deliveries=[_delivery(row) for row in page], next_cursor=following)


def _notifier(control: Control) -> AlertNotifier:
    notifier = control.services.alerts
    if notifier is None:
        raise OverloadedError("nobody is called back from here")
    return notifier


def _fields(row: store.Webhook) -> dict[str, Any]:
    return {
        "webhook_id": row.webhook_id,
        "name": row.name,
        "url": row.url,
        "severity_min": row.severity_min.value,
        "enabled": row.enabled,
        "created_at": to_text(row.created_at_us),
    }


def _state(row: store.Webhook) -> dict[str, Any]:
    """Return what the audit log says; many services keep a secret in the rest of the address."""
    return {
        "host": urlsplit(row.url).hostname,
        "severity_min": row.severity_min.value,
        "enabled": row.enabled,
    }


def _delivery(row: store.Delivery) -> DeliveryShown:
    return DeliveryShown(
        delivery_id=row.delivery_id,
        alert_id=row.alert_id,
        state=row.state,
        tries=[
            Try(at=to_text(one["at_us"]), status=one.get("status"), error=one.get("error"))
            for one in row.tries
        ],
        next_try_at=instant_text(row.next_at_us),
        created_at=to_text(row.created_at_us),
    )
