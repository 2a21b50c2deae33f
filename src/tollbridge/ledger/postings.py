"""How is a batch of charges and costs written down so that it always sums to zero?

Double entry, one row per (batch, account):

    budget:<id>:<period start>   + what was charged to that budget period
    usage:charges                - the sum of those
    provider:<name>              + what that provider bills us
    usage:costs                  - the sum of those
"""

from collections.abc import Mapping

from tollbridge.core.errors import BugError

CHARGES = "usage:charges"
COSTS = "usage:costs"


def budget_account(budget_id: str, period_start_us: int) -> str:
    """Return the account of one budget period."""
    return f"budget:{budget_id}:{period_start_us}"


def provider_account(provider: str) -> str:
    """Return the account of one provider."""
    return f"provider:{provider}"


def entries(
    charges: Mapping[tuple[str, int], int],
    provider_costs: Mapping[str, int],
) -> list[tuple[str, int]]:
    """Return (account, nano-USD) rows of one batch, without zeros, summing to zero.

    `charges` is by (budget id, period start in microseconds), `provider_costs` by provider.
    """
    rows = [(f"budget:{key[0]}:{key[1]}", amount) for key, amount in charges.items() if amount]
    rows += [(provider_account(name), amount) for name, amount in provider_costs.items() if amount]
    for account, total in (
        (CHARGES, sum(charges.values())),
        (COSTS, sum(provider_costs.values())),
    ):
        if total:
            rows.append((account, -total))
    if sum(amount for _, amount in rows):
        raise BugError("a batch of postings does not sum to zero")
    return rows
