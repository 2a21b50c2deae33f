"""What does a correction of past costs change in what is spent?

The difference is posted in the period that is open now, whenever the calls were: what was
invoiced stays as it was. Beside the postings stands that it was a correction, and whether a
budget left its bounds by it.
"""

from collections.abc import Mapping
from datetime import tzinfo

from tollbridge.core.settlement import Settlement
from tollbridge.ledger.adjustment_store import add_adjustments, open_periods
from tollbridge.ledger.applying import NO_LEASE
from tollbridge.ledger.bounds import plan_bounds
from tollbridge.ledger.settle import settle
from tollbridge.ledger.wallet_store import TOTAL_START_US, correct
from tollbridge.ledger.wallets import wallet_id_of
from tollbridge.storage.unit import Unit


async def adjust(
    unit: Unit,
    batch_id: str,
    charges: Mapping[str, int],
    provider_costs: Mapping[str, int],
    zone: tzinfo,
) -> None:
    """Post the differences of a batch, in nano-USD: by budget id, and by provider.

    `batch_id` is a UUID that was never posted before. `zone` is the billing time zone.
    """
    now_us = await unit.now_us()
    changed = {budget_id: amount for budget_id, amount in charges.items() if amount}
    periods = await open_periods(unit, sorted(changed), now_us, zone)
    plans = await plan_bounds(unit, sorted(changed), now_us, zone)
    periods += [
        (one.budget_id, one.window[0])
        for one in plans.values()
        if one.limit is not None and one.window is not None
    ]
    wallets = {one: wallet_id for one in changed if (wallet_id := wallet_id_of(one)) is not None}
    periods += [(one, TOTAL_START_US) for one in sorted(wallets)]
    settlements = [
        Settlement(NO_LEASE, budget_id, start_us, changed[budget_id])
        for budget_id, start_us in periods
    ]
    await settle(unit, batch_id, settlements, provider_costs, now_us)
    await correct(unit, batch_id, {wallets[one]: changed[one] for one in wallets})
    others = plans.keys() | wallets.keys()
    differences = {period: changed[period[0]] for period in periods if period[0] not in others}
    if differences:
        await add_adjustments(unit, batch_id, differences, now_us)


class ZonedLedger:
    """The ledger for recording's corrections, by the periods of one billing time zone."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    async def adjust(
        self,
        unit: Unit,
        batch_id: str,
        charges: Mapping[str, int],
        provider_costs: Mapping[str, int],
    ) -> None:
        """Post a batch of differences."""
        await adjust(unit, batch_id, charges, provider_costs, self._zone)
