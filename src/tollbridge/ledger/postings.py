"""How is a batch of charges and costs written down so that it always sums to zero?

Double entry, one row per (batch, account), in nano-USD:

    budget:<id>:<period start>   + what was charged to that limit's period
    usage:charges                - the sum of those
    provider:<name>              + what that provider bills us
    usage:costs                  - the sum of those

What is not money has accounts of its own, which begin with its unit (`tokens:budget:<id>:<start>`,
`tokens:usage:charges`), so that each unit sums to zero by itself.
"""

from collections.abc import Mapping
from types import MappingProxyType

from tollbridge.core.errors import BugError
from tollbridge.core.limits import DURABLE, LimitKind

CHARGES = "usage:charges"
COSTS = "usage:costs"
UNITS = tuple(sorted(f"{kind.value}:" for kind in DURABLE if kind is not LimitKind.MONEY))
"""With what the accounts begin that are not of money."""
ALL_MONEY: Mapping[str, LimitKind] = MappingProxyType({})


def unit_of(kind: LimitKind) -> str:
    """Return with what the accounts of a kind begin; money's with nothing more."""
    return "" if kind is LimitKind.MONEY else f"{kind.value}:"


def budget_account(budget_id: str, period_start_us: int, kind: LimitKind = LimitKind.MONEY) -> str:
    """Return the account of one limit's period."""
    return f"{unit_of(kind)}budget:{budget_id}:{period_start_us}"


def provider_account(provider: str) -> str:
    """Return the account of one provider."""
    return f"provider:{provider}"


def entries(
    charges: Mapping[tuple[str, int], int],
    provider_costs: Mapping[str, int],
    kinds: Mapping[str, LimitKind] = ALL_MONEY,
) -> list[tuple[str, int]]:
    """Return (account, amount) rows of one batch, without zeros, summing to zero in each unit.

    `charges` is by (limit id, period start in microseconds), in the unit of the limit's kind;
    `kinds` says it of those that are not money. `provider_costs` is by provider, in nano-USD.
    """
    rows: list[tuple[str, int]] = []
    totals: dict[str, int] = {}
    for (limit_id, start_us), amount in charges.items():
        unit = unit_of(kinds.get(limit_id, LimitKind.MONEY))
        if amount:
            rows.append((f"{unit}budget:{limit_id}:{start_us}", amount))
            totals[unit] = totals.get(unit, 0) + amount
    charged = [(unit + CHARGES, -total) for unit, total in totals.items() if total]
    costs = [(provider_account(name), amount) for name, amount in provider_costs.items() if amount]
    if total := sum(provider_costs.values()):
        costs.append((COSTS, -total))
    if sum(amount for _, amount in rows + charged) or sum(amount for _, amount in costs):
        raise BugError("a batch of postings does not sum to zero")
    return rows + charged + costs
