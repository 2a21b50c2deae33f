"""Which addresses answer exactly as the documents show that Tollbridge was made from?

Names, order and envelope here are theirs, `success` and trailing slashes included; the same
things, told in full, are at the addresses of `control/`.
"""

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from tollbridge.api.control.call_views import plain_usd
from tollbridge.api.control.log_filter import LogFilterQuery, filter_of
from tollbridge.api.control.log_views import Shown, shown_of
from tollbridge.api.control.page import instant_text
from tollbridge.api.deps import SIGNED_IN, ControlOf, ViewerOf
from tollbridge.api.numbers import answer_with_numbers
from tollbridge.core.errors import InvalidRequestError, NotFoundError, TollbridgeError
from tollbridge.core.models import ModelType
from tollbridge.core.money import to_usd
from tollbridge.core.usage import Unit
from tollbridge.insight.log_queries import ROWS_MAX, count_log, read_log
from tollbridge.insight.usage import CallRow, LogStart
from tollbridge.rating import model_store
from tollbridge.rating.model_changes import ModelFilter
from tollbridge.rating.model_costs import priced
from tollbridge.rating.models import Model, not_found, rate_text
from tollbridge.rating.prices import NAME_MAX

MODELS_MAX = 5000
Word = Annotated[str | None, Query(max_length=NAME_MAX)]


class Failure(BaseModel):
    """What these addresses answer where something is wrong."""

    success: bool = Field(description="Always false.")
    message: str
    data: None = None


class ModelsEnvelope(BaseModel):
    """The active models that were asked for."""

    success: bool
    message: str
    data: list[dict[str, Any]] = Field(description="In their sort order; prices are text.")


class ModelEnvelope(BaseModel):
    """One active model."""

    success: bool
    message: str
    data: dict[str, Any]


class EnvelopeRoute(APIRoute):
    """Lets what goes wrong leave in the envelope of these addresses."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the address; a fault of ours, or of the database, goes on to the common handlers."""
        serve = super().get_route_handler()

        async def serve_in_envelope(request: Request) -> Response:
            try:
                return await serve(request)
            except RequestValidationError as error:
                fields = [f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()]
                return _failed(InvalidRequestError("; ".join(fields)))
            except TollbridgeError as error:
                if error.status >= 500:
                    raise
                return _failed(error)

        return serve_in_envelope


router = APIRouter(
    prefix="/billing/ai/models",
    tags=["as in the documents"],
    route_class=EnvelopeRoute,
    responses={status: {"model": Failure} for status in (400, 401, 403, 404)},
)


@router.get("", dependencies=[SIGNED_IN], include_in_schema=False)
@router.get("/", dependencies=[SIGNED_IN])
async def list_models(
    control: ControlOf,
    model_type: Annotated[ModelType | None, Query(alias="type")] = None,
    provider: Word = None,
    default: Annotated[bool | None, Query()] = None,
) -> ModelsEnvelope:
    """List the active models with their prices, in their sort order."""
    wanted = ModelFilter(
        model_type=model_type, provider=provider, is_active=True, is_default=default
    )
    async with control.services.database.read() as unit:
        rows = await model_store.list_models(unit, wanted, None, MODELS_MAX)
        book = await control.price_books.current(unit)
    now_us = control.services.clock.now_us()
    return ModelsEnvelope(
        success=True,
        message="AI models retrieved successfully",
        data=[_shown(priced(row, book, now_us)) for row in rows],
    )


@router.get("/{model_name:path}", dependencies=[SIGNED_IN], include_in_schema=False)
@router.get("/{model_name:path}/", dependencies=[SIGNED_IN])
async def show_model(model_name: str, control: ControlOf) -> ModelEnvelope:
    """Show one active model; its name may have slashes."""
    async with control.services.database.read() as unit:
        try:
            model = await model_store.get_model(unit, model_name, control.services.clock.now_us())
        except NotFoundError:
            model = None
        if model is None or not model.is_active:
            active = ModelFilter(is_active=True)
            rows = await model_store.list_models(unit, active, None, MODELS_MAX)
            raise not_found(model_name, [row.model_name for row in rows])
    return ModelEnvelope(
        success=True, message="AI model retrieved successfully", data=_shown(model)
    )


class LogPageQuery(LogFilterQuery):
    """Which calls, and which page of them."""

    limit: int = Field(default=50, ge=1, le=ROWS_MAX, description="Rows of a page.")


class UsageLog(BaseModel):
    """One call. Money is a number of US dollars; what is not known is null."""

    id: str
    timestamp: str
    provider: str = Field(description="The actual provider; where it is unknown, as found now.")
    actual_provider_name: str | None
    model_used: str | None
    endpoint: str
    method: str
    tokens_input: int | None
    tokens_output: int | None
    tokens_total: int | None
    cost_input: float | None
    cost_output: float | None
    cost_total: float | None
    response_time: float | None = Field(description="Seconds.")
    status_code: int | None
    status: str = Field(description="success for 2xx, else failed.")
    error_message: str | None
    billing_period: str | None
    retry_count: int
    is_aggregated: bool


class UsageLogs(BaseModel):
    """A page of calls, the newest first."""

    logs: list[UsageLog]
    total_count: int = Field(description="The header x-total-count-is-exact says how sure.")
    limit: int
    offset: int
    has_more: bool


subscription = APIRouter(prefix="/subscription", tags=["as in the documents"])


@subscription.get("/usage-logs", response_model=UsageLogs)
async def list_usage_logs(
    query: Annotated[LogPageQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> Response:
    """List ended calls, the newest first; whoever is no admin sees those of their user.

    `total_count` is exact where the header `x-total-count-is-exact` is true, else at least so many.
    """
    zone = control.services.billing_zone
    async with control.services.database.read() as unit:
        wanted = await filter_of(unit, query, viewer, control)
        page = await read_log(unit, wanted, zone, query.limit, LogStart(offset=query.offset))
        if page.next is not None and len(page.rows) < query.limit:
            raise InvalidRequestError(
                "such calls are too rare to be looked for among all: narrow the time by "
                "billing_period, or by from and to",
                details={"param": "billing_period"},
            )
        total = await count_log(unit, wanted, zone)
        shown = await shown_of(unit, page.rows, control)
    body = {
        "logs": [_logged(row, one) for row, one in zip(page.rows, shown, strict=True)],
        "total_count": total.calls,
        "limit": query.limit,
        "offset": query.offset,
        "has_more": page.next is not None,
    }
    return answer_with_numbers(
        body, {"x-total-count-is-exact": "true" if total.is_exact else "false"}
    )


def _logged(row: CallRow, shown: Shown) -> dict[str, Any]:
    """Return the keys that the document shows for a call, in its order."""
    status, cost, latency_ms = row.http_status, shown.cost, row.latency_ms
    return {
        "id": row.call_id,
        "timestamp": instant_text(row.accounted_at_us),
        "provider": shown.provider,
        "actual_provider_name": row.actual_provider_name,
        "model_used": row.requested_model or row.label,
        "endpoint": row.path,
        "method": row.method,
        "tokens_input": row.usage.get(Unit.INPUT),
        "tokens_output": row.usage.get(Unit.OUTPUT),
        "tokens_total": row.total_tokens,
        "cost_input": None if cost is None else _number(cost.input_usd),
        "cost_output": None if cost is None else _number(cost.output_usd),
        "cost_total": None
        if row.cost_now_nanousd is None
        else _number(to_usd(row.cost_now_nanousd)),
        "response_time": None if latency_ms is None else _number(Decimal(latency_ms) / 1000),
        "status_code": status,
        "status": "success" if status is not None and 200 <= status < 300 else "failed",
        "error_message": row.error_message,
        "billing_period": shown.billing_period,
        "retry_count": max(0, row.attempt_count - 1),
        "is_aggregated": row.request_count > 1,
    }


def _number(exact: Decimal) -> Decimal:
    """Return an exact number that JSON writes without exponent and without needless zeros."""
    return Decimal(plain_usd(exact))


def _shown(model: Model) -> dict[str, Any]:
    """Return the keys that the document shows for a model of this type, in its order."""
    shown: dict[str, Any] = {
        "model_name": model.model_name,
        "display_name": model.display_name,
        "model_type": model.model_type,
        "provider": model.provider,
    }
    if model.model_type == ModelType.IMAGE:
        sizes = model.valid_sizes
        shown["cost_per_image"] = _rate(model.cost_per_image)
        shown["valid_sizes"] = None if sizes is None else list(sizes)
    else:
        shown["input_cost_per_1m"] = _rate(model.input_cost_per_1m)
        shown["output_cost_per_1m"] = _rate(model.output_cost_per_1m)
        shown["context_window"] = model.context_window
        shown["max_output_tokens"] = model.max_output_tokens
    shown["supports_json_mode"] = model.supports_json_mode
    shown["supports_vision"] = model.supports_vision
    shown["is_default"] = model.is_default
    shown["sort_order"] = model.sort_order
    shown["pricing_display"] = model.get_display_with_pricing()
    return shown


def _rate(rate: Any) -> str | None:
    return None if rate is None else rate_text(rate)


def _failed(error: TollbridgeError) -> Response:
    body = {"success": False, "message": error.message, "data": None}
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
    return Response(msgspec.json.encode(body), error.status, headers, media_type="application/json")
