"""Which arm of an experiment does a caller get, and what does that change of their plan?

Sticky without being kept anywhere: the arm follows from the experiment and from who asks, by a
hash. So each worker, and whoever reads the books later, comes to the same one.
"""

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from tollbridge.core.call import Caller
from tollbridge.core.plan import Candidate, Plan
from tollbridge.routing.health import Breaker
from tollbridge.routing.ordering import HealthView, Route, deal
from tollbridge.routing.part import Arm, SubjectKind, Trial

TAG = "experiment:"
"""How the label begins that a call of an experiment bears."""
_WHOLE = 2**64


class TrialPlans(msgspec.Struct, frozen=True):
    """What an experiment makes of one route; all that can be is made beforehand."""

    trial: Trial
    key: bytes
    bounds: tuple[int, ...]
    """Where each arm's part of the hashes ends."""
    firsts: tuple[Candidate | None, ...]
    """For each arm what is asked first; None where the route does not have it now."""
    tags: tuple[str, ...]
    plans: tuple[Plan, ...]
    """What a call gets where chance, speed and breakers have no say."""


def arm_of(trial: Trial, subject: str) -> int:
    """Return the place of the arm that a user or key gets: always the same."""
    return _place(_key(trial), _bounds(trial.arms), subject)


def make_trial(trial: Trial, route: Route) -> TrialPlans:
    """Return what an experiment makes of a route."""
    firsts = tuple(_first(trial, arm, route.plan) for arm in trial.arms)
    tags = tuple(f"{TAG}{trial.name}={arm.name}" for arm in trial.arms)
    return TrialPlans(
        trial=trial,
        key=_key(trial),
        bounds=_bounds(trial.arms),
        firsts=firsts,
        tags=tags,
        plans=tuple(
            arranged(route.plan, first, tag) for first, tag in zip(firsts, tags, strict=True)
        ),
    )


def plan_in_trial(
    plans: TrialPlans,
    route: Route,
    caller: Caller,
    health: HealthView,
    draw: Callable[[], float],
) -> Plan:
    """Return the plan of one call: its arm's candidate first, then as the route says.

    One whose breaker is not closed keeps the place that the route gives it; the call counts for
    its arm all the same, or a provider's trouble would make it look better.
    """
    subject = caller.user if plans.trial.subject == SubjectKind.USER else caller.key_name
    place = _place(plans.key, plans.bounds, subject)
    troubled = health.troubled
    is_well = not troubled or troubled.isdisjoint(route.endpoints)
    if is_well and not route.is_dealt:
        return plans.plans[place]
    plan = deal(route, health, draw)
    first = plans.firsts[place]
    if first is not None and first.endpoint.name in troubled:
        first = first if health.state(first.endpoint.name) is Breaker.CLOSED else None
    return arranged(plan, first, plans.tags[place])


def arranged(plan: Plan, first: Candidate | None, tag: str) -> Plan:
    """Return a plan with a candidate before all others, and with the label of its arm."""
    if first is None:
        return msgspec.structs.replace(plan, tag=tag)
    name, model = first.endpoint.name, first.model
    others = (one for one in plan.candidates if one.endpoint.name != name or one.model != model)
    return msgspec.structs.replace(plan, candidates=(first, *others), tag=tag)


def _first(trial: Trial, arm: Arm, plan: Plan) -> Candidate | None:
    for one in plan.candidates:
        if one.endpoint.name == arm.endpoint and one.model == arm.model:
            reason = f"arm {arm.name} of the experiment {trial.name}; {one.reason}"
            return Candidate(one.endpoint, one.model, reason)
    return None


def _key(trial: Trial) -> bytes:
    return trial.experiment_id.encode()[:64]


def _bounds(arms: Sequence[Arm]) -> tuple[int, ...]:
    total = sum(arm.weight for arm in arms)
    ends: list[int] = []
    weight = 0
    for arm in arms:
        weight += arm.weight
        ends.append(weight * _WHOLE // total)
    return tuple(ends)


def _place(key: bytes, bounds: Sequence[int], subject: str) -> int:
    digest = hashlib.blake2b(subject.encode(), digest_size=8, key=key).digest()
    number = int.from_bytes(digest, "big")
    return next(place for place, end in enumerate(bounds) if number < end)
