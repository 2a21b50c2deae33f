"""How much was used and spent, in sum, and by what?"""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import AwareDatetime, BaseModel, Field

from tollbridge.api.control.page import Query, instant_text, only_seen
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.core.clock import to_us
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import usd_text
from tollbridge.insight.total_queries import GROUPS_MAX, QUARTER_US, floor_quarter, totals
from tollbridge.insight.usage import Grouping, Total, TotalsFilter

router = APIRouter(prefix="/usage", tags=["usage"])

Word = Annotated[str | None, Field(max_length=256)]


class UsageQuery(Query):
    """What is summed up, and by what it is told apart."""

    group_by: Grouping = Grouping.PROVIDER
    provider: Word = Field(default=None, description="Actual provider.")
    bucket: Word = None
    category: Word = None
    project: Word = None
    user: Word = None
    key: Word = Field(default=None, description="A key's name or id.")
    from_: AwareDatetime | None = Field(
        default=None, alias="from", description="ISO 8601; moved down to a quarter hour."
    )
    to: AwareDatetime | None = Field(
        default=None, description="Not included; moved up to a quarter hour."
    )
    limit: int = Field(default=100, ge=1, le=GROUPS_MAX, description="Most groups.")


class UsageSums(BaseModel):
    """Sums over calls; the cost by provider and model is that of the attempts."""

    calls: int
    completed: int
    failed: int
    attempts: int | None = Field(description="Where grouped by provider or model.")
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: str = Field(description="Sum of what is known; `unpriced` are not whole in it.")
    charge_usd: str
    unpriced: int = Field(description="How many have a cost that is not known.")
    estimated: int = Field(description="How many have usage that was estimated.")


class UsageGroup(UsageSums):
    """The sums of one group."""

    group: str | None = Field(description="Name, or the day's start; null: there is none.")


class UsageTotals(BaseModel):
    """Totals by group and of all. Exact: they are sums of roll-ups, to the last nano-dollar."""

    group_by: Grouping
    from_: str | None = Field(serialization_alias="from", description="As moved.")
    to: str | None
    total: UsageSums
    groups: list[UsageGroup] = Field(description="Dearest first; days newest first.")
    more: bool = Field(description="Whether groups were left out.")


@router.get("")
async def show(
    query: Annotated[UsageQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> UsageTotals:
    """Sum up calls, tokens and cost; whoever is no admin sees those of their user."""
    from_us = None if query.from_ is None else floor_quarter(to_us(query.from_))
    end_us = None if query.to is None else floor_quarter(to_us(query.to) + QUARTER_US - 1)
    if from_us is not None and end_us is not None and from_us >= end_us:
        raise InvalidRequestError("`from` is not before `to`", details={"param": "from"})
    seen = only_seen(viewer, query.user)
    wanted = TotalsFilter(
        provider=query.provider,
        bucket=query.bucket,
        category=query.category,
        project=query.project,
        user=seen.user,
        sight=seen.sight,
        key=query.key,
        from_us=from_us,
        to_us=end_us,
    )
    zone = control.services.billing_zone
    async with control.services.database.read() as unit:
        found = await totals(unit, query.group_by, wanted, zone, query.limit)
    return UsageTotals(
        group_by=query.group_by,
        from_=instant_text(from_us),
        to=instant_text(end_us),
        total=UsageSums.model_validate(_sums(found.total)),
        groups=[
            UsageGroup.model_validate({"group": name or None, **_sums(total)})
            for name, total in found.groups
        ],
        more=found.more,
    )


def _sums(total: Total) -> dict[str, object]:
    return {
        "calls": total.calls,
        "completed": total.completed,
        "failed": total.failed,
        "attempts": total.attempts,
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "cache_read_tokens": total.cache_read_tokens,
        "cache_write_tokens": total.cache_write_tokens,
        "reasoning_tokens": total.reasoning_tokens,
        "cost_usd": usd_text(total.cost_nanousd),
        "charge_usd": usd_text(total.charge_nanousd),
        "unpriced": total.unpriced,
        "estimated": total.estimated,
    }
