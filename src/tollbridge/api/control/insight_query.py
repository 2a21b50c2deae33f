"""Which usage does somebody ask insight about, and of which time?"""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Annotated

import msgspec
from pydantic import AwareDatetime, Field

from tollbridge.api.control.log_filter import PERIOD
from tollbridge.api.control.page import Query
from tollbridge.api.deps import Control, Viewer
from tollbridge.core.call import Bucket, Category, Operation
from tollbridge.core.clock import to_us
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.sight import Sight
from tollbridge.core.usage import UsageSource
from tollbridge.insight.axes import VALUES_MAX, Axis, Slice, check_span, days_later
from tollbridge.insight.log_filter import WORD_LENGTH_MAX, period_span
from tollbridge.insight.total_queries import QUARTER_US, floor_quarter

DAYS_DEFAULT = 30
Word = Annotated[str, Field(max_length=WORD_LENGTH_MAX)]
Words = Annotated[list[Word], Field(max_length=VALUES_MAX)]


class PeriodQuery(Query):
    """Of which time."""

    from_: AwareDatetime | None = Field(
        default=None, alias="from", description="ISO 8601; moved down to a quarter hour."
    )
    to: AwareDatetime | None = Field(
        default=None, description="Not included; moved up to a quarter hour."
    )
    billing_period: str | None = Field(
        default=None, pattern=PERIOD, description="A month, YYYY-MM, instead of `from` and `to`."
    )


class SliceQuery(PeriodQuery):
    """Of which usage: of several values of one name any, of several names all must hold."""

    provider: Words = Field(default=[], description="Actual provider; of attempts, the asked one.")
    upstream: Words = Field(default=[], description="Who ran the model behind the provider.")
    bucket: list[Bucket] = Field(default=[], max_length=VALUES_MAX)
    category: list[Category] = Field(default=[], max_length=VALUES_MAX)
    operation: list[Operation] = Field(default=[], max_length=VALUES_MAX)
    model: Words = Field(default=[], description="What the provider was asked for.")
    route: Words = Field(default=[], description="What the application asked for.")
    project: Words = Field(default=[])
    user: Words = Field(default=[])
    key: Words = Field(default=[], description="A key's name or id.")
    usage_source: list[UsageSource] = Field(default=[], max_length=VALUES_MAX)


class Scene(msgspec.Struct, frozen=True):
    """Where and when a question is asked, and by whom."""

    zone: tzinfo
    now_us: int
    sight: Sight | None = None
    """Whose rows are told of; None: everybody's."""
    here: Mapping[str, tuple[str, ...]] = {}
    """The built-in endpoints that this node's environment has the keys of."""


def scene_of(viewer: Viewer, control: Control) -> Scene:
    """Return the scene of a question to the API."""
    services = control.services
    return Scene(
        services.billing_zone, services.clock.now_us(), viewer.sight, services.builtin_here
    )


def slice_of(query: SliceQuery, scene: Scene, *, all_time: bool = False) -> Slice:
    """Return which usage is meant, as far as it may be seen.

    Raises InvalidRequestError that names the parameter.
    """
    from_us, to_us_ = span_of(query, scene, all_time=all_time)
    only: dict[Axis, tuple[str, ...]] = {}
    for axis in Axis:
        values: list[str] = getattr(query, axis.value, [])
        if values:
            only[axis] = tuple(str(value) for value in values)
    return Slice(from_us=from_us, to_us=to_us_, only=only, sight=scene.sight)


def span_of(query: PeriodQuery, scene: Scene, *, all_time: bool = False) -> tuple[int, int]:
    """Return the time that is meant, [from, to) in microseconds: else the last 30 days.

    The running day counts as a whole one: what is still to come of it is nothing yet.
    """
    zone, now_us = scene.zone, scene.now_us
    tomorrow_us = days_later(now_us, 1, zone)
    if query.billing_period is not None:
        if query.from_ is not None or query.to is not None:
            raise InvalidRequestError(
                "a time is a billing_period, or from and to", details={"param": "billing_period"}
            )
        return period_span(query.billing_period, zone)
    end_us = tomorrow_us if query.to is None else floor_quarter(to_us(query.to) + QUARTER_US - 1)
    if now_us <= end_us < tomorrow_us:
        end_us = tomorrow_us
    if query.from_ is not None:
        from_us = floor_quarter(to_us(query.from_))
        check_span(from_us, end_us)
    else:
        from_us = 0 if all_time else days_later(end_us, -DAYS_DEFAULT, zone)
    if from_us >= end_us:
        check_span(from_us, end_us)
    return from_us, end_us
