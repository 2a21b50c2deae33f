"""What holds calls back, as it stands: budgets, wallets, plans, and how calls count in credits?"""

from tollbridge.core.limits import Limit, Selector
from tollbridge.ledger.applying import LimitsPart
from tollbridge.ledger.credit_store import load_rates
from tollbridge.ledger.plans import KIND_OF, RULES, Measure, PlanTerms
from tollbridge.ledger.plans_store import list_plans
from tollbridge.ledger.store import load_part
from tollbridge.ledger.subscription_store import list_running
from tollbridge.ledger.wallet_store import wallet_entries
from tollbridge.storage.unit import Unit


async def load_limits(unit: Unit) -> LimitsPart:
    """Return what holds calls back at this moment, but for the limits of keys.

    `LimitsPart.changes_at_us` says when it is something else although nobody changes anything.
    """
    part = await load_part(unit)
    by_subject = dict(part.by_subject)
    for one in await wallet_entries(unit):
        # How much there is of it is said where it is granted.
        limit = Limit(one.limit_id, one.kind, one.name, 0, "total")
        by_subject[one.subject] = (*by_subject.get(one.subject, ()), limit)
    now_us = await unit.now_us()
    plan_of: dict[str, tuple[int, int]] = {}
    changes_us: list[int] = []
    for row in await list_running(unit, now_us):
        now = row.at(now_us)
        plan_of[row.user] = (now.plan_id, now.anchor_us)
        changes_us += [
            at_us for at_us in (row.ends_at_us, row.changes_at_us) if at_us and at_us > now_us
        ]
    plans = await list_plans(unit)
    return LimitsPart(
        by_subject=by_subject,
        plan_of=plan_of,
        plans={one.plan_id: limits_of(one.terms) for one in plans},
        default_plan=next((one.plan_id for one in plans if one.is_default), None),
        credit_rates=await load_rates(unit),
        changes_at_us=min(changes_us, default=None),
    )


def limits_of(terms: PlanTerms) -> tuple[Limit, ...]:
    """Return a plan's limits; the id of each is its rule's name."""
    return tuple(
        Limit(
            limit_id=name,
            kind=KIND_OF[RULES[name].measure],
            name=f"{terms.name}: {name.removesuffix('_nanousd')}",
            amount=amount,
            period="month",
            selector=_selector(name),
        )
        for name, amount in terms.limits.items()
        if name in RULES
    )


def _selector(name: str) -> Selector:
    rule = RULES[name]
    return Selector() if rule.measure is Measure.COST else Selector(buckets=rule.buckets)
