"""What happens to one call, from its first byte to the books?

`serve` is what the caller waits for, in a worker: authenticate, plan, reserve, relay, spool.
`close` is what is repeatable, in the office: meter, attribute, rate, settle, record. Between them
lies the spool alone.
"""

from collections.abc import Sequence
from typing import Protocol

from tollbridge.conclude import Conclusions, conclude
from tollbridge.core.account import CallAccount
from tollbridge.core.call import Ending
from tollbridge.core.errors import (
    BudgetExceededError,
    QuotaExceededError,
    TollbridgeError,
    UnpricedModelError,
)
from tollbridge.core.evidence import CallEvidence
from tollbridge.gateway import Gateway
from tollbridge.journey import Inbound
from tollbridge.providers.passage import Reply


async def serve(inbound: Inbound, reply: Reply, gateway: Gateway) -> None:
    """Carry one call: the reply gets its answer.

    Raises TollbridgeError where the caller is to be answered with an error and has got nothing.
    """
    key = gateway.authenticate(inbound)
    request = gateway.check(inbound, key, await inbound.body())
    if request.addresses:
        await gateway.check_addresses(request)
    plan = gateway.plan(request, key.caller)
    call = gateway.begin(inbound, key, request, plan)
    reply.call_id = call.call_id
    try:
        call, held = await gateway.reserve(call)
    except (BudgetExceededError, QuotaExceededError, UnpricedModelError) as error:
        gateway.refuse(call, error)
        raise
    journey = gateway.open(call, held)
    try:
        await gateway.dispatch(call, journey, reply)
    except TollbridgeError as error:
        journey.passage.http_status = error.status
        journey.passage.error = error.message
        raise
    except Exception as error:
        journey.passage.ending = Ending.INTERNAL_ERROR
        journey.passage.http_status = 200 if reply.started else 500
        journey.passage.error = f"our own fault: {type(error).__name__}"
        raise
    finally:
        gateway.close(call, journey)


class Books(Protocol):
    """The stages 9 and 10, bound to one transaction."""

    async def record(self, accounts: Sequence[CallAccount]) -> Sequence[CallAccount]:
        """Insert what is not there yet and return just that."""
        ...

    async def settle(self, accounts: Sequence[CallAccount]) -> None:
        """Post the charges of accounts that were really inserted."""
        ...


async def close(
    batch: Sequence[CallEvidence], books: Books, conclusions: Conclusions
) -> Sequence[CallAccount]:
    """Bring ended calls into the books; return those that were not there before.

    Stages 6 to 8 are pure and may raise for evidence that cannot be understood: the drain then
    closes the calls one by one and puts aside the one at fault. 9 and 10 happen in one
    transaction, keyed on the call's id: doing it twice is doing it once.
    """
    accounts = [conclude(evidence, conclusions) for evidence in batch]
    added = await books.record(accounts)
    await books.settle(added)
    return added
