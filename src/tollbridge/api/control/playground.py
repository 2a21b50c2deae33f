"""How does somebody who is signed in make calls from the dashboard, without a key at hand?"""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.access.keys import NAME_LENGTH_MAX
from tollbridge.api.deps import ControlOf, SignedInOf, actor_of
from tollbridge.core.clock import SECOND_US, to_text
from tollbridge.core.errors import NotFoundError, PermissionDeniedError
from tollbridge.storage import audit

router = APIRouter(prefix="/playground", tags=["keys"])
PASS_LIFETIME_S = 900


class PassOrder(BaseModel):
    """As which key."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(min_length=1, max_length=NAME_LENGTH_MAX, description="A key's name.")


class Pass(BaseModel):
    """What makes calls as a key for a quarter of an hour."""

    credential: str = Field(description="For the header Authorization: Bearer of the data plane.")
    key: str
    user: str
    project: str
    expires_at: str


@router.post("/pass")
async def give_pass(order: PassOrder, viewer: SignedInOf, control: ControlOf) -> Pass:
    """Let whoever is signed in make calls as a key of theirs; an admin as any.

    What a pass does is the key's: its limits and budgets hold, and the books name it. It makes
    calls and nothing else, ends by itself, and with the key.
    """
    if viewer.key_name is not None:
        raise PermissionDeniedError("a key makes calls itself, and is given no pass")
    now_us = control.services.clock.now_us()
    async with control.services.database.write() as unit:
        ring = await control.key_rings.current(unit)
        entry = ring.callable_as(order.key, now_us, None if viewer.is_admin else viewer.user)
        if entry is None:
            raise NotFoundError(f"you have no key {order.key!r} that may make calls")
        await audit.record_change(
            unit,
            actor_of(viewer),
            "playground.pass",
            f"key:{order.key}",
            before=None,
            after={"user": entry.caller.user, "lifetime_s": PASS_LIFETIME_S},
        )
    expires_at_s = now_us // SECOND_US + PASS_LIFETIME_S
    return Pass(
        credential=ring.pass_for(entry, expires_at_s),
        key=entry.caller.key_name,
        user=entry.caller.user,
        project=entry.caller.project,
        expires_at=to_text(expires_at_s * SECOND_US),
    )
