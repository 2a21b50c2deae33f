"""What did the subjects of an experiment come to?

From the roll-ups, by user or key: the arm of each follows from their name. So the figures are those
of the books, and no call carries anything for them.
"""

from datetime import tzinfo

from tollbridge.insight.axes import Axis, Slice, Sums
from tollbridge.insight.cube_queries import sums
from tollbridge.insight.experiment import Subject, by_arm
from tollbridge.recording.rollups import QUARTER_US
from tollbridge.routing.experiments import Experiment
from tollbridge.routing.part import SubjectKind
from tollbridge.storage.unit import Unit


def counted_span(found: Experiment, now_us: int) -> tuple[int, int]:
    """Return the time whose calls count: the whole quarter hours in which it ran; [from, to).

    Of the one in which it began only a part had it; empty while that one runs.
    """
    from_us = -(-found.started_at_us // QUARTER_US) * QUARTER_US
    if found.ended_at_us is not None:
        return from_us, max(from_us, found.ended_at_us // QUARTER_US * QUARTER_US)
    return from_us, max(from_us, -(-now_us // QUARTER_US) * QUARTER_US)


def guarded_span(found: Experiment, now_us: int) -> tuple[int, int]:
    """Return the time that a guardrail looks at: from the quarter hour on in which it began.

    What was before in that one only dilutes what an arm does; waiting would let it go on.
    """
    start_us = found.started_at_us // QUARTER_US * QUARTER_US
    return start_us, -(-(now_us + 1) // QUARTER_US) * QUARTER_US


async def subjects_of(
    unit: Unit, found: Experiment, span: tuple[int, int], zone: tzinfo
) -> list[list[Subject]]:
    """Return the subjects of each arm, with what they came to on the route in a time."""
    from_us, to_us = span
    if from_us >= to_us:
        return [[] for _ in found.terms.arms]
    axis = Axis.USER if found.terms.subject == SubjectKind.USER else Axis.KEY
    only = {Axis.ROUTE: (found.terms.model,), Axis.CATEGORY: (found.terms.category,)}
    read = await sums(
        unit, Slice(from_us=from_us, to_us=to_us, only=only), (axis,), zone, attempts=True
    )
    named: dict[str, Sums] = {name: of for (name,), of in read.groups.items()}
    return by_arm(found.trial, named)
