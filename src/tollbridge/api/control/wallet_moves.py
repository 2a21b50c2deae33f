"""How does one put something into a wallet, and take something out, once?

Each of these takes an idempotency key: what moves money is safe to repeat.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from tollbridge.api.control import wallet_views as views
from tollbridge.api.control.page import instant_us
from tollbridge.api.control.plan_views import read_usd
from tollbridge.api.deps import AdminOf, ControlOf, actor_of
from tollbridge.ledger.wallet_moves import (
    Adjust,
    AnyMove,
    By,
    Deduct,
    Grant,
    Post,
    Purchase,
    Refund,
    SetAside,
    Void,
    check_key,
)
from tollbridge.ledger.wallet_moves_store import move_in_time
from tollbridge.ledger.wallet_store import get_wallet
from tollbridge.ledger.wallets import KEY_LENGTH_MAX

router = APIRouter(prefix="/wallets", tags=["wallets"])

REPLAYED = "idempotent-replayed"

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_LENGTH_MAX,
        description="The same key with the same request does nothing, and answers the same; with "
        "another request it is a 409.",
    ),
]


class Mover:
    """What every address here is given: it moves something, once."""

    def __init__(
        self, key: IdempotencyKey, viewer: AdminOf, control: ControlOf, answer: Response
    ) -> None:
        check_key(key)
        self._by = By(actor_of(viewer), key)
        self._database = control.services.database
        self._recalling = control.services.recalling
        self._answer = answer

    async def amount(self, name: str, text: str) -> int:
        """Return decimal text in the wallet's unit as it is kept. Raises NotFoundError."""
        async with self._database.read() as unit:
            counted = (await get_wallet(unit, name)).terms.unit
        return views.read_amount("amount", text, counted)

    async def maybe(self, name: str, text: str | None) -> int | None:
        """Return the same; None stays None."""
        return None if text is None else await self.amount(name, text)

    async def do(self, name: str, wanted: AnyMove) -> views.TransactionShown:
        """Do it, or answer as when it was done."""
        done = await move_in_time(self._database, name, wanted, self._by, self._recalling)
        if done.replayed:
            self._answer.headers[REPLAYED] = "true"
        return views.shown_transaction(done.transaction, done.wallet.terms.unit)


MoverOf = Annotated[Mover, Depends()]


@router.post("/{name}/purchases", status_code=201)
async def purchase(name: str, order: views.PurchaseOrder, mover: MoverOf) -> views.TransactionShown:
    """Put into a wallet what somebody has paid for."""
    price = None if order.price_usd is None else read_usd("price_usd", order.price_usd)
    return await mover.do(
        name,
        Purchase(
            amount=await mover.amount(name, order.amount),
            price_nanousd=price,
            priority=order.priority,
            expires_at_us=instant_us(order.expires_at),
            note=order.note,
        ),
    )


@router.post("/{name}/grants", status_code=201)
async def grant(name: str, order: views.GrantOrder, mover: MoverOf) -> views.TransactionShown:
    """Give a wallet something. What has not been spent when it expires is gone, to the moment."""
    return await mover.do(
        name,
        Grant(
            amount=await mover.amount(name, order.amount),
            kind=order.kind,
            priority=order.priority,
            expires_at_us=instant_us(order.expires_at),
            note=order.note,
        ),
    )


@router.post("/{name}/deductions", status_code=201)
async def deduct(name: str, order: views.DeductionOrder, mover: MoverOf) -> views.TransactionShown:
    """Take an amount, or what an operation takes by the credit rates. 402 where it is not there.

    Calls that pass the gateway are charged by themselves: this is for what does not.
    """
    return await mover.do(
        name,
        Deduct(
            amount=await mover.maybe(name, order.amount),
            operation=order.operation,
            model=order.model,
            tokens=order.tokens,
            images=order.images,
            note=order.note,
        ),
    )


@router.post("/{name}/refunds", status_code=201)
async def refund(name: str, order: views.RefundOrder, mover: MoverOf) -> views.TransactionShown:
    """Give a deduction back, whole or in part, to the grants that it came from.

    What goes back to a grant that has expired since is gone with it.
    """
    return await mover.do(
        name,
        Refund(
            number=order.transaction,
            amount=await mover.maybe(name, order.amount),
            images=order.images,
            note=order.note,
        ),
    )


@router.post("/{name}/adjustments", status_code=201)
async def adjust(name: str, order: views.AdjustmentOrder, mover: MoverOf) -> views.TransactionShown:
    """Correct a balance, up or down; down to what is there. 402 where it is not."""
    return await mover.do(
        name, Adjust(amount=await mover.amount(name, order.amount), note=order.note)
    )


@router.post("/{name}/holds", status_code=201)
async def hold(name: str, order: views.HoldOrder, mover: MoverOf) -> views.TransactionShown:
    """Set an amount aside, to be posted or voided; else it is free again when it expires."""
    return await mover.do(
        name,
        SetAside(
            amount=await mover.amount(name, order.amount),
            lasts_s=order.expires_in_s,
            note=order.note,
        ),
    )


@router.post("/{name}/holds/{number}/post", status_code=201)
async def post(
    name: str, number: int, order: views.PostOrder, mover: MoverOf
) -> views.TransactionShown:
    """Deduct what was set aside, or a part of it. 409 where it was posted, voided or expired."""
    amount = await mover.maybe(name, order.amount)
    return await mover.do(name, Post(number=number, amount=amount, note=order.note))


@router.post("/{name}/holds/{number}/void", status_code=201)
async def void(
    name: str, number: int, order: views.VoidOrder, mover: MoverOf
) -> views.TransactionShown:
    """Let go of what was set aside. 409 where it was posted, voided or expired."""
    return await mover.do(name, Void(number=number, note=order.note))
