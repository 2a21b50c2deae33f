"""What is an experiment, and which ones make no sense? Pure."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from tollbridge.core.errors import InvalidRequestError
from tollbridge.routing.part import Arm, Order, RouteEntry, SubjectKind, Trial

ARMS_MAX = 8
WEIGHT_MAX = 1_000_000
NAME_LENGTH_MAX = 64
"""Of an experiment and of an arm: both stand in the label of a call."""
CALLS_MIN = 50


class Objective(StrEnum):
    """What a decision goes by."""

    COST = "cost"
    LATENCY = "latency"
    SUCCESS = "success"


class EndedBy(StrEnum):
    """How an experiment came to its end."""

    STOPPED = "stopped"  # by somebody
    GUARDED = "guarded"  # by its guardrail
    APPLIED = "applied"  # by a decision


class ExperimentTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What an experiment says."""

    name: str
    model: str
    category: str
    arms: tuple[Arm, ...]
    """The first is what the others are compared with."""
    subject: str = SubjectKind.USER
    objective: str = Objective.COST
    failed_share_max: Decimal | None = None
    """Share of an arm's calls that may fail; None: however many."""
    calls_min: int = CALLS_MIN
    """Of an arm, below which it is not judged."""


class Experiment(msgspec.Struct, frozen=True):
    """An experiment as it is kept."""

    experiment_id: str
    terms: ExperimentTerms
    started_at_us: int
    actor: str
    ended_at_us: int | None = None
    ended_by: str | None = None
    end_reason: str | None = None
    applied_arm: str | None = None

    @property
    def trial(self) -> Trial:
        """Return what workers need of it."""
        terms = self.terms
        return Trial(
            self.experiment_id, terms.name, terms.model, terms.category, terms.subject, terms.arms
        )


def check_terms(terms: ExperimentTerms, entry: RouteEntry) -> None:
    """Raise InvalidRequestError, naming the field, for what is no experiment on that route."""
    arms = terms.arms
    if not 2 <= len(arms) <= ARMS_MAX:
        _refuse("arms", f"an experiment has 2 to {ARMS_MAX} arms")
    if len({arm.name for arm in arms}) < len(arms):
        _refuse("arms", "each arm has a name of its own")
    if len({(arm.endpoint, arm.model) for arm in arms}) < len(arms):
        _refuse("arms", "two arms ask the same: there would be nothing to compare")
    for name in (terms.name, *(arm.name for arm in arms)):
        if not 0 < len(name) <= NAME_LENGTH_MAX or not name.isprintable() or set(name) & set(",= "):
            _refuse(
                "name",
                f"a name has 1 to {NAME_LENGTH_MAX} characters, none of them a comma, blank or =",
            )
    if any(not 1 <= arm.weight <= WEIGHT_MAX for arm in arms):
        _refuse("arms", f"a weight is 1 to {WEIGHT_MAX}")
    candidates = {(one.endpoint, one.model) for one in entry.candidates}
    for arm in arms:
        if (arm.endpoint, arm.model) not in candidates:
            there = ", ".join(f"{endpoint}/{model}" for endpoint, model in sorted(candidates))
            _refuse(
                "arms",
                f"{arm.endpoint}/{arm.model} is no candidate of the route {entry.model!r}"
                f"; there are: {there or 'none, as it stands for its category'}",
            )
    share = terms.failed_share_max
    if share is not None and not 0 < share < 1:
        _refuse("failed_share_max", "a share of calls is between 0 and 1")


def decided(entry: RouteEntry, arm: Arm) -> RouteEntry:
    """Return the route with the arm's candidate first, the others behind it in their order."""
    chosen = [one for one in entry.candidates if (one.endpoint, one.model) == _offer(arm)]
    if not chosen:
        _refuse("arm", f"the route no longer has {arm.endpoint}/{arm.model}")
    others = sorted(
        (one for one in entry.candidates if one not in chosen), key=lambda one: one.priority
    )
    return msgspec.structs.replace(
        entry,
        order=Order.PRIORITY,
        candidates=tuple(
            msgspec.structs.replace(one, priority=place)
            for place, one in enumerate([*chosen, *others], start=1)
        ),
    )


def _offer(arm: Arm) -> tuple[str, str]:
    return arm.endpoint, arm.model


def _refuse(field: str, message: str) -> None:
    raise InvalidRequestError(message, details={"param": field})
