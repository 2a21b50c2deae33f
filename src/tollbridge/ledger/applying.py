"""Which limits apply to a call? Pure.

A limit belongs to a subject (organisation, project, user, key, customer) and may count only some
of its calls. What applies to a call is worked out once for its key, operation, bucket, model and
limited customer, and kept: the same object answers every call of that sort, and of every sort that
the same limits apply to.
"""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from types import MappingProxyType

import msgspec

from tollbridge.core.call import CATEGORY_OF, Bucket, Caller, CreditTerms, Hold, Operation
from tollbridge.core.limits import CATEGORY_COUNTED, DURABLE, Limit, LimitKind
from tollbridge.ledger.credits import CreditRates
from tollbridge.ledger.periods import period_bounds

ORGANISATION = "default"
KEY_ID = "key_id:"
"""With what the subject begins of limits on calls per minute and at once."""
PLAN = "plan:"
NO_LEASE = ""
"""Where nothing is set aside: no lease's part changes by it."""
SORTS_KEPT_MAX = 20_000

# The place of each kind's amount in `Amounts`.
_PLACE_OF: Mapping[LimitKind, int] = MappingProxyType(
    {LimitKind.MONEY: 0, LimitKind.CREDITS: 1, LimitKind.TOKENS: 2, LimitKind.IMAGES: 3}
)
_ONE = 4

Amounts = tuple[int, int, int, int, int]
"""What a call may take at most: nano-USD, micro-credits, tokens, images, and 1 call."""
Placed = tuple[Limit, int]
"""A limit, and the place in `Amounts` of what it counts."""


class LimitsPart(msgspec.Struct, frozen=True):
    """What holds calls back: this package's part of a worker's snapshot."""

    by_subject: dict[str, tuple[Limit, ...]] = {}
    plan_of: dict[str, tuple[int, int]] = {}
    """User → plan and where its first period began in microseconds, of those who subscribe."""
    plans: dict[int, tuple[Limit, ...]] = {}
    """Plan → its limits; the id of each is its rule's name."""
    default_plan: int | None = None
    """Whose limits hold for users without a plan; None: no plan's."""
    credit_rates: CreditRates = CreditRates()
    changes_at_us: int | None = None
    """When it becomes something else although nobody changes anything; None: never."""


def subjects_of(caller: Caller) -> tuple[str, ...]:
    """Return the subjects whose budgets a caller's calls count in; there is one organisation."""
    return (
        f"organisation:{ORGANISATION}",
        f"project:{caller.project}",
        f"user:{caller.user}",
        f"key:{caller.key_name}",
    )


def plan_limit_id(user: str, rule: str) -> str:
    """Return the id of one of a user's plan's limits."""
    return f"{PLAN}{user}:{rule}"


def user_and_rule(limit_id: str) -> tuple[str, str]:
    """Return whose and which rule a plan's limit is."""
    user, _, rule = limit_id.removeprefix(PLAN).rpartition(":")
    return user, rule


def counts_for(limit: Limit, operation: Operation, bucket: str, label: str) -> bool:
    """Return whether a limit counts a call; its provider is asked at the attempt."""
    selector, category = limit.selector, CATEGORY_OF[operation]
    return (
        (not selector.buckets or bucket in selector.buckets)
        and (not selector.category or selector.category == category)
        and (not selector.model or selector.model == label)
        and CATEGORY_COUNTED.get(limit.kind, category) == category
    )


class Applying:
    """The limits that one sort of calls must pass, or is counted in."""

    __slots__ = (
        "_soft",
        "_soft_holds",
        "_soft_until_us",
        "_zone",
        "binds",
        "by_provider",
        "caps_output",
        "credit_terms",
        "hard",
        "needs",
    )

    def __init__(
        self, limits: Iterable[Limit], zone: tzinfo, credit_terms: CreditTerms | None
    ) -> None:
        every = sorted({limit.limit_id: limit for limit in limits}.items())
        placed = [(one, _PLACE_OF.get(one.kind, _ONE)) for _, one in every if one.hard]
        self.hard: tuple[Placed, ...] = tuple(p for p in placed if not p[0].selector.provider)
        self.by_provider: tuple[Placed, ...] = tuple(p for p in placed if p[0].selector.provider)
        self.binds = bool(placed)
        self.needs = frozenset(limit.kind for limit, _ in self.hard)
        """The kinds of which a call's amount has to be known."""
        self.caps_output = bool(
            {limit.kind for limit, _ in placed}
            & {LimitKind.MONEY, LimitKind.CREDITS, LimitKind.TOKENS}
        )
        """Whether the provider is told how much it may say at most."""
        self.credit_terms = credit_terms
        self._soft = tuple(one for _, one in every if not one.hard)
        self._zone = zone
        self._soft_holds: tuple[Hold, ...] = ()
        self._soft_until_us = 0 if self._soft else 1 << 62

    def soft_holds(self, now_us: int) -> tuple[Hold, ...]:
        """Return what is counted and never refused, by the periods that run at an instant."""
        if now_us >= self._soft_until_us:
            bounds = [period_bounds(one.period, now_us, self._zone) for one in self._soft]
            self._soft_until_us = min(end_us for _, end_us in bounds)
            self._soft_holds = tuple(
                hold_of(limit, start_us, self.credit_terms)
                for limit, (start_us, _) in zip(self._soft, bounds, strict=True)
            )
        return self._soft_holds


def hold_of(limit: Limit, start_us: int, credit_terms: CreditTerms | None, room: int = 0) -> Hold:
    """Return how a call is named that counts in a limit of which nothing is set aside."""
    return Hold(
        NO_LEASE,
        limit.limit_id,
        start_us,
        room,
        limit.kind,
        limit.selector.provider,
        credit_terms if limit.kind is LimitKind.CREDITS else None,
    )


class LimitTable:
    """All limits, as a worker or an office knows them."""

    def __init__(self, part: LimitsPart, zone: tzinfo, kept_max: int = SORTS_KEPT_MAX) -> None:
        self._part = part
        self._zone = zone
        self._kept_max = max(1, kept_max // 2)
        self._young: dict[object, Applying] = {}
        self._old: dict[object, Applying] = {}
        # Most keys have nothing of their own: what applies to them is one object for all.
        self._shared: dict[object, Applying] = {}
        every = [limit for limits in part.by_subject.values() for limit in limits]
        self._ids = frozenset(limit.limit_id for limit in every)
        self._customers = frozenset(
            subject.removeprefix("customer:")
            for subject in part.by_subject
            if subject.startswith("customer:")
        )
        self._model_matters = bool(part.credit_rates.by_operation) or any(
            limit.selector.model for limit in every
        )
        self.counted = tuple(limit for limit in every if limit.kind not in DURABLE)
        """Those on calls per minute and at once."""

    def knows(self, limit_id: str) -> bool:
        """Return whether there is a limit of that id."""
        if limit_id in self._ids:
            return True
        if not limit_id.startswith(PLAN):
            return False
        user, rule = user_and_rule(limit_id)
        return any(limit.limit_id == rule for limit in self._plan(user))

    def keeps(self, limit_id: str, before: "LimitTable | None") -> bool:
        """Return whether a limit is still what it was: there, and a plan's over the same period."""
        if before is None or not limit_id.startswith(PLAN):
            return self.knows(limit_id)
        user, _ = user_and_rule(limit_id)
        return self.subscribed(user) == before.subscribed(user) and self.knows(limit_id)

    def subscribed(self, user: str) -> tuple[int, int] | None:
        """Return a user's plan and where its first period began; None without a subscription."""
        return self._part.plan_of.get(user)

    def applying(
        self,
        caller: Caller,
        operation: Operation,
        bucket: Bucket,
        label: str,
        customer: str | None = None,
    ) -> Applying:
        """Return what applies to a call; one object for all that the same limits apply to."""
        if customer is not None and customer not in self._customers:
            customer = None
        sort = (
            caller.key_id,
            operation,
            bucket,
            label if self._model_matters else None,
            customer,
        )
        found = self._young.get(sort)
        if found is None:
            found = self._old.get(sort)
            if found is None:
                found = self._find(caller, operation, bucket, label, customer)
            # Two generations: what is used stays, and the memory is bounded.
            if len(self._young) >= self._kept_max:
                self._old, self._young = self._young, {}
            self._young[sort] = found
        return found

    def limits_of(self, caller: Caller, customer: str | None = None) -> list[Limit]:
        """Return all durable limits of a caller, whatever they count."""
        subjects = subjects_of(caller)
        if customer is not None:
            subjects = (*subjects, f"customer:{customer}")
        return [limit for subject in subjects for limit in self._part.by_subject.get(subject, ())]

    def plan_limits_of(self, user: str) -> list[Limit]:
        """Return the limits of a user's plan, by their ids for that user."""
        return [
            msgspec.structs.replace(limit, limit_id=plan_limit_id(user, limit.limit_id))
            for limit in self._plan(user)
        ]

    def credit_terms(self, operation: Operation, label: str) -> CreditTerms | None:
        """Return how a call counts in credits, None where nobody has said."""
        rate = self._part.credit_rates.find(operation.value, label)
        return None if rate is None else rate.terms

    def _plan(self, user: str) -> tuple[Limit, ...]:
        part = self._part
        subscribed = self.subscribed(user)
        plan_id = part.default_plan if subscribed is None else subscribed[0]
        return () if plan_id is None else part.plans.get(plan_id, ())

    def _find(
        self,
        caller: Caller,
        operation: Operation,
        bucket: Bucket,
        label: str,
        customer: str | None,
    ) -> Applying:
        by_subject: Mapping[str, tuple[Limit, ...]] = self._part.by_subject
        limits = [
            *by_subject.get(f"{KEY_ID}{caller.key_id}", ()),
            *self.limits_of(caller, customer),
            *self.plan_limits_of(caller.user),
        ]
        applying = [one for one in limits if counts_for(one, operation, bucket.value, label)]
        terms = self.credit_terms(operation, label)
        ids = (*[one.limit_id for one in applying], terms)
        found = self._shared.get(ids)
        if found is None:
            if len(self._shared) >= self._kept_max:
                self._shared.clear()
            found = self._shared[ids] = Applying(applying, self._zone, terms)
        return found
