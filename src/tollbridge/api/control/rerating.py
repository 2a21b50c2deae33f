"""What do calls of the past cost by the prices that are known now, and who pays the difference?"""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tollbridge.api.deps import ControlOf, Viewer, actor_of, admin_of
from tollbridge.core.clock import to_us
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import usd_text
from tollbridge.recording.adjust import begin, preview, rerate
from tollbridge.recording.adjustment_store import Run, Window, count_calls
from tollbridge.recording.adjustment_tables import REASON_LENGTH_MAX
from tollbridge.recording.reconsider import Findings, Only
from tollbridge.rerating import make_tools, prices_now

router = APIRouter(prefix="/prices", tags=["prices"])
CALLS_MAX = 100_000
"""Of one request; more are for the command line, which shows how far it is."""
DEFAULT_REASON = "prices were corrected"


class RerateOrder(BaseModel):
    """Which calls are rated again."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: AwareDatetime | None = Field(
        default=None, alias="from", description="By the end of a call. Required but for `marked`."
    )
    to: AwareDatetime | None = Field(default=None, description="Not included; null: now.")
    provider: str = Field(default="", max_length=50, description="Its attempts only.")
    model: str = Field(
        default="", max_length=256, description="Attempts that asked for it, or that it served."
    )
    marked: bool = Field(
        default=False,
        description="Only calls that a backfill gave a provider with another price.",
    )
    dry_run: bool = Field(default=True, description="Write nothing.")
    calls_max: int = Field(
        default=CALLS_MAX, ge=1, le=CALLS_MAX, description="Refuse to look at more."
    )
    reason: str = Field(default=DEFAULT_REASON, min_length=1, max_length=REASON_LENGTH_MAX)


class Rerated(BaseModel):
    """What rating again came to, or would come to."""

    dry_run: bool
    calls: int = Field(description="Seen.")
    adjustments: int = Field(description="Attempts that cost something else now.")
    difference_usd: str
    charge_difference_usd: str = Field(description="Of it, what accounts pay more or less.")
    by_provider: dict[str, str] = Field(description="Provider → difference in USD.")
    calls_priced: int = Field(description="Calls that had no price, and have one now.")
    unpriced: int = Field(description="Attempts that have no price now either.")
    price_gone: int = Field(description="Attempts that find no price now; they keep their cost.")
    budgets_unknown: int = Field(description="Calls whose budgets nobody knows any more.")


@router.post("/rerate")
async def rate_again(
    order: RerateOrder, viewer: Annotated[Viewer, Depends(admin_of)], control: ControlOf
) -> Rerated:
    """Rate calls again by the prices known now, and write down what differs; a dry run unless told.

    What was recorded first stays; adjustments sum to the difference. Repeating it finds nothing.
    At most 100,000 calls; 409 while another run corrects the same calls. Admins only.
    """
    services = control.services
    now_us = services.clock.now_us()
    if order.from_ is None and not order.marked:
        raise InvalidRequestError("`from` is missing", details={"param": "from"})
    window = Window(
        0 if order.from_ is None else to_us(order.from_),
        now_us if order.to is None else to_us(order.to),
    )
    if window.from_us >= window.to_us:
        raise InvalidRequestError("`from` is not before `to`", details={"param": "from"})
    database = services.database
    async with database.read() as unit:
        calls = await count_calls(unit, window, marked=order.marked)
    if calls > order.calls_max:
        raise InvalidRequestError(
            f"these are {calls} calls: narrow the time to at most {order.calls_max}, or use "
            "`tollbridge prices rerate`",
            details={"param": "from", "calls": calls},
        )
    prices = await prices_now(database)
    wanted = Run(
        run_id="",
        window=window,
        only=Only(order.provider, order.model, order.marked),
        prices_version=prices.version,
        actor=actor_of(viewer),
        reason=order.reason,
    )
    tools = make_tools(prices, services.billing_zone)
    if order.dry_run:
        return _view(await preview(database, wanted, tools.rate_again), dry_run=True)
    return _view(await rerate(database, await begin(database, wanted), tools), dry_run=False)


def _view(found: Findings, *, dry_run: bool) -> Rerated:
    counts = {
        name: getattr(found, name)
        for name in (
            "calls", "adjustments", "calls_priced", "unpriced", "price_gone", "budgets_unknown",
        )
    }  # fmt: skip
    return Rerated(
        dry_run=dry_run,
        difference_usd=usd_text(found.difference_nanousd),
        charge_difference_usd=usd_text(found.charge_difference_nanousd),
        by_provider={name: usd_text(sum_) for name, sum_ in sorted(found.by_provider.items())},
        **counts,
    )
