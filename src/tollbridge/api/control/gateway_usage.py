"""How much did everybody use, in the shape that gpustack's usage pages ask for?

The groupings of its first version, and the provider besides.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.page import Query
from tollbridge.api.deps import ControlOf, Viewer, ViewerOf
from tollbridge.core.clock import to_text
from tollbridge.core.errors import InvalidRequestError, PermissionDeniedError
from tollbridge.core.sight import Sight
from tollbridge.insight.breakdown_queries import (
    By,
    Granularity,
    Group,
    Used,
    Wanted,
    breakdown,
    day_start,
    names,
    ordered,
)

router = APIRouter(prefix="/v2/usage", tags=["intake"])

METRICS = ("input_tokens", "output_tokens", "input_cached_tokens", "total_tokens", "api_requests")
SORTABLE = (
    *METRICS,
    "avg_tokens_per_request",
    "models_called",
    "api_keys_used",
    "last_active",
    "date",
)
DAYS_MAX = 3660
UNLABELLED: Mapping[By, str] = {By.USER: "Unknown User", By.API_KEY: "-"}
Scope = Literal["all", "self"]


class Identity(BaseModel):
    """What a name is filtered by."""

    value: str


class Named(BaseModel):
    """A user, key, model or provider."""

    identity: Identity | None = Field(description="Null: there is none.")
    label: str
    deleted: bool = Field(description="Always false: names are kept as they were when written.")


class UsageMeta(BaseModel):
    """What a breakdown can be asked for."""

    metrics: list[str]
    granularities: list[str]
    group_bys: list[str]
    filters: dict[str, list[Named]]


class BreakdownFilters(BaseModel):
    """Names; each is text, or the identity that the meta address gives."""

    model_config = ConfigDict(extra="forbid")

    users: list[str | Identity] = Field(default=[], max_length=1000)
    api_keys: list[str | Identity] = Field(default=[], max_length=1000)
    models: list[str | Identity] = Field(default=[], max_length=1000)
    providers: list[str | Identity] = Field(default=[], max_length=1000)


class BreakdownOrder(BaseModel):
    """Which usage, told apart by what."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    start_date: date = Field(description="A day of the billing time zone.")
    end_date: date = Field(description="Included.")
    filters: BreakdownFilters = BreakdownFilters()
    scope: Scope = Field(default="all", description="Whoever is no admin gets `self`.")
    group_by: list[By] = Field(min_length=1, max_length=5)
    granularity: Granularity | None = Field(default=None, description="Of the date; else day.")
    sort_by: str | None = Field(default=None, max_length=200, description='"-total_tokens,date".')
    page: int = Field(default=1, ge=1)
    per_page: int = Field(default=20, ge=1, le=10_000, alias="perPage")


class BreakdownSummary(BaseModel):
    """The sums of everything that the filters let by."""

    input_tokens: int
    output_tokens: int
    input_cached_tokens: int
    total_tokens: int
    api_requests: int
    models_called: int


class Pagination(BaseModel):
    """Which part of the groups this is."""

    page: int
    per_page: int = Field(serialization_alias="perPage")
    total: int
    total_page: int = Field(serialization_alias="totalPage")


class Breakdown(BaseModel):
    """Usage by group."""

    summary: BreakdownSummary
    group_by: list[By]
    granularity: Granularity | None
    pagination: Pagination
    items: list[dict[str, Any]] = Field(
        description="The grouped names, the metrics, avg_tokens_per_request and last_active."
    )


class MetaQuery(Query):
    """Whose names."""

    scope: Scope = Field(default="all", description="Whoever is no admin gets `self`.")


@router.get("/meta")
async def show_meta(
    query: Annotated[MetaQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> UsageMeta:
    """Say what a breakdown can be asked for, and by which names it can be filtered."""
    own = _own(viewer, query.scope)
    by_user = own is None or bool(own.projects)
    kinds = [By.API_KEY, By.MODEL, By.PROVIDER, *([By.USER] if by_user else [])]
    async with control.services.database.read() as unit:
        found = {f"{by.value}s": await names(unit, by, own) for by in kinds}
    return UsageMeta(
        metrics=list(METRICS),
        granularities=[one.value for one in Granularity],
        group_bys=[one.value for one in By if one is not By.USER or by_user],
        filters={kind: [_named(None, one) for one in of] for kind, of in found.items()},
    )


@router.post("/breakdown")
async def show_breakdown(order: BreakdownOrder, viewer: ViewerOf, control: ControlOf) -> Breakdown:
    """Sum up tokens and requests by date, user, key, model and provider.

    Whoever is no admin sees their own, and cannot group by user. Exact: from the roll-ups.
    """
    wanted = _wanted(order, viewer, control.services.billing_zone)
    sorting = _sorting(order)
    async with control.services.database.read() as unit:
        total, groups = await breakdown(unit, wanted, control.services.billing_zone)
    by = tuple(order.group_by)
    if by == (By.API_KEY,):
        groups.pop(("",), None)
    rows = ordered(groups, sorting, by)
    first = (order.page - 1) * order.per_page
    return Breakdown(
        summary=BreakdownSummary(**_metrics(total), models_called=len(total.models - {""})),
        group_by=order.group_by,
        granularity=wanted.granularity if By.DATE in by else None,
        pagination=Pagination(
            page=order.page,
            per_page=order.per_page,
            total=len(rows),
            total_page=-(-len(rows) // order.per_page),
        ),
        items=[_item(by, group, groups[group]) for group in rows[first : first + order.per_page]],
    )


def _wanted(order: BreakdownOrder, viewer: Viewer, zone: Any) -> Wanted:
    by = tuple(order.group_by)
    if len(set(by)) != len(by):
        raise InvalidRequestError("group_by names each once", details={"param": "group_by"})
    days = (order.end_date - order.start_date).days
    if not 0 <= days < DAYS_MAX:
        raise InvalidRequestError(
            f"end_date is from start_date on, at most {DAYS_MAX} days",
            details={"param": "end_date"},
        )
    users = _values(order.filters.users)
    own = _own(viewer, order.scope)
    if own is not None and not own.projects and (By.USER in by or set(users) - {own.user}):
        raise PermissionDeniedError("you may see the usage of your own user only")
    return Wanted(
        from_us=day_start(order.start_date, zone),
        to_us=day_start(order.end_date + timedelta(days=1), zone),
        group_by=by,
        granularity=order.granularity or Granularity.DAY,
        users=users,
        api_keys=_values(order.filters.api_keys),
        models=_values(order.filters.models),
        providers=_values(order.filters.providers),
        sight=own,
    )


def _own(viewer: Viewer, scope: Scope) -> Sight | None:
    return Sight(viewer.user) if scope == "self" else viewer.sight


def _values(given: list[str | Identity]) -> tuple[str, ...]:
    return tuple(one if isinstance(one, str) else one.value for one in given)


def _sorting(order: BreakdownOrder) -> list[tuple[str, bool]]:
    """Return (field, descending). Raises InvalidRequestError for a field that is none."""
    if not order.sort_by:
        by_date = [("date", True)] if By.DATE in order.group_by else []
        return [*by_date, ("total_tokens", True)]
    found: list[tuple[str, bool]] = []
    for one in order.sort_by.split(","):
        field = one.strip().removeprefix("-")
        if field not in SORTABLE:
            raise InvalidRequestError(
                f"sort_by names {', '.join(SORTABLE)}", details={"param": "sort_by"}
            )
        found.append((field, one.strip().startswith("-")))
    return found


def _item(by: tuple[By, ...], group: Group, used: Used) -> dict[str, Any]:
    item: dict[str, Any] = {}
    for one, value in zip(by, group, strict=True):
        item[one.value] = value if one is By.DATE else _named(one, value).model_dump()
    item |= _metrics(used)
    requests = used.api_requests
    item["avg_tokens_per_request"] = used.total_tokens / requests if requests else 0
    item["last_active"] = to_text(used.last_active_us)
    if len(by) == 1:
        item["models_called"] = len(used.models - {""})
        item["api_keys_used"] = len(used.keys)
    return item


def _named(by: By | None, value: str) -> Named:
    if not value:
        return Named(identity=None, label=UNLABELLED.get(by, "-") if by else "-", deleted=False)
    return Named(identity=Identity(value=value), label=value, deleted=False)


def _metrics(used: Used) -> dict[str, int]:
    return {
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "input_cached_tokens": used.input_cached_tokens,
        "total_tokens": used.total_tokens,
        "api_requests": used.api_requests,
    }
