"""How does the API show an endpoint, and what may be said of one?"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.page import instant_text
from tollbridge.api.figures import WorkerFigures
from tollbridge.core.call import Category, OnCallerLeft
from tollbridge.core.clock import to_text
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import parse_usd
from tollbridge.core.plan import Auth, Endpoint, ProviderKey
from tollbridge.insight.endpoint_queries import EndpointError
from tollbridge.routing.builtin import KnownEndpoint, fault_of_address, fault_of_key
from tollbridge.routing.kept import FIRST_KEY, with_keys
from tollbridge.routing.part import BUILT_DIALECTS, DeclaredEndpoint, EndpointRow, Source
from tollbridge.routing.plan import APART
from tollbridge.routing.tables import MODEL_LENGTH_MAX, NAME_LENGTH_MAX

PRIORITY_MAX = 1_000_000
PRIORITY_DEFAULT = 100
T = TypeVar("T")
KEY_LENGTH_MAX = 4096
ADDRESS_LENGTH_MAX = 2048
DIALECT_LENGTH_MAX = 32
MODELS_MAX = 1000

CATEGORIES = frozenset(category.value for category in Category)
OPERATIONS = frozenset(APART)

Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX, pattern=r"^[^\s/]+$")]
Priority = Annotated[int, Field(ge=0, le=PRIORITY_MAX)]
ModelName = Annotated[str, Field(min_length=1, max_length=MODEL_LENGTH_MAX)]
Secret = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH_MAX)]


class BreakerState(BaseModel):
    """What one worker thinks of an endpoint that has failed since it last served."""

    worker: str
    state: str = Field(description="closed, open or half_open.")
    failures: int = Field(description="In a row.")
    error_class: str | None = Field(description="Of the failure that opened it.")
    reopens_in_s: float = Field(description="Until a probe is let through.")


class KeyState(BaseModel):
    """One provider key, by its name. The key itself is never shown."""

    name: str
    source: str = Field(description="stored, or environment: of this node.")
    resting: dict[str, str] = Field(
        description="Worker → why it does not use it for the moment, and for how long."
    )


class RecentError(BaseModel):
    """One attempt that did not serve."""

    call_id: str
    at: str
    model: str
    outcome: str
    error_class: str | None
    http_status: int | None
    message: str | None = Field(description="The provider's words, without keys.")


class EndpointView(BaseModel):
    """A door of a provider. Its keys are never shown."""

    name: str
    provider: str
    dialect: str
    base_url: str
    auth: str = Field(description="In which header its key goes.")
    enabled: bool
    disabled_categories: list[str]
    priority: int = Field(description="Lower is tried first.")
    category_priority: dict[str, int]
    default_models: dict[str, str] = Field(
        description="Category, or an operation that other models serve → the provider's own model."
    )
    models: dict[str, list[str]] = Field(description="Category → models that need no route.")
    planning_price: dict[str, str] = Field(
        description="Category → USD; puts in order where no price is known, and is never a cost."
    )
    on_caller_left: str = Field(description="drain or cancel.")
    quirks: list[str]
    source: str = Field(description="file, api or builtin: who may change it.")
    has_key: bool = Field(
        description="Whether a key is known: stored or, if built in, in this node's environment."
    )
    keys: list[KeyState]
    withdrawn_at: str | None = Field(description="Since when its source no longer declares it.")
    breakers: dict[str, str] = Field(description="Worker → state of its breaker, if not closed.")
    breaker_states: list[BreakerState]
    recent_errors: list[RecentError] = Field(description="The latest first, a few.")


class EndpointOrder(BaseModel):
    """An endpoint to be made. What is left out is as for the known endpoint of that name."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    provider: Name | None = None
    dialect: Annotated[str, Field(max_length=DIALECT_LENGTH_MAX)] | None = None
    base_url: Annotated[str, Field(max_length=ADDRESS_LENGTH_MAX)] | None = None
    auth: Auth | None = None
    api_key: Secret | None = Field(
        None, description="The provider's key; kept encrypted, shown to nobody."
    )
    enabled: bool = True
    priority: Priority | None = None
    category_priority: dict[str, Priority] | None = None
    default_models: dict[str, ModelName] | None = None
    models: dict[str, Annotated[list[ModelName], Field(max_length=MODELS_MAX)]] | None = None
    planning_price: dict[str, str] | None = None
    on_caller_left: OnCallerLeft = OnCallerLeft.DRAIN
    quirks: list[str] | None = None


class EndpointChange(BaseModel):
    """What is changed of an endpoint; as a whole, or by category."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool | dict[str, bool] | None = Field(
        None, description="true or false, or category → true or false."
    )
    priority: Priority | dict[str, Priority] | None = Field(
        None, description="Lower is tried first; a number, or category → number."
    )


class KeyOrder(BaseModel):
    """A further key of an endpoint. All its keys take turns."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    api_key: Secret


def view_of(
    row: EndpointRow,
    workers: Sequence[WorkerFigures],
    here: Mapping[str, Sequence[str]],
    errors: Iterable[EndpointError],
) -> EndpointView:
    """Return an endpoint as it is shown; `here` are the key names of this node's environment."""
    endpoint = row.declared.endpoint
    name = endpoint.name
    environment = here.get(name, ()) if row.source == Source.BUILTIN else ()
    is_here = row.source == Source.BUILTIN and name in here
    reports = [
        (worker.worker, report)
        for worker in workers
        for report in worker.breaker_reports
        if report.endpoint == name
    ]
    return EndpointView(
        name=name,
        provider=endpoint.provider,
        dialect=endpoint.dialect,
        base_url=endpoint.base_url,
        auth=endpoint.auth,
        enabled=endpoint.enabled,
        disabled_categories=list(endpoint.disabled_categories),
        priority=endpoint.priority,
        category_priority=endpoint.category_priority,
        default_models=endpoint.default_models,
        models={category: list(models) for category, models in row.declared.models.items()},
        planning_price=endpoint.planning_price,
        on_caller_left=endpoint.on_caller_left.value,
        quirks=list(endpoint.quirks),
        source=row.source,
        has_key=row.has_key or is_here,
        keys=[
            *(_key(name, one, "environment", workers) for one in environment),
            *(_key(name, one, "stored", workers) for one in row.keys),
        ],
        withdrawn_at=instant_text(row.withdrawn_at_us),
        breakers={
            worker.worker: worker.breakers[name]
            for worker in workers
            if worker.breakers.get(name, "closed") != "closed"
        },
        breaker_states=[
            BreakerState(
                worker=worker,
                state=report.state.value,
                failures=report.failures,
                error_class=report.error_class,
                reopens_in_s=round(report.reopens_in_s, 3),
            )
            for worker, report in reports
        ],
        recent_errors=[_error(one) for one in errors],
    )


def declared_of_order(order: EndpointOrder, known: KnownEndpoint | None) -> DeclaredEndpoint:
    """Return the endpoint that is to be made. Raises InvalidRequestError, naming the field."""
    like = known or KnownEndpoint(
        name=order.name, display_name=order.name, priority=PRIORITY_DEFAULT
    )
    dialect = like.dialect if order.dialect is None else order.dialect
    if dialect not in BUILT_DIALECTS:
        raise _refused("dialect", f"{dialect!r} is not one of {', '.join(sorted(BUILT_DIALECTS))}")
    base_url = (order.base_url or like.base_url).rstrip("/")
    if (fault := fault_of_address(base_url)) is not None:
        raise _refused("base_url", f"base_url {fault}")
    if order.api_key is not None and (fault := fault_of_key(order.api_key)) is not None:
        raise _refused("api_key", f"api_key {fault}")
    keys = () if order.api_key is None else (ProviderKey(FIRST_KEY, order.api_key),)
    endpoint = Endpoint(
        name=order.name,
        provider=order.provider or like.provider or like.name,
        dialect=dialect,
        base_url=base_url,
        enabled=order.enabled,
        priority=_or(order.priority, like.priority),
        category_priority=_or(order.category_priority, like.category_priority),
        default_models=_or(order.default_models, like.default_models),
        on_caller_left=order.on_caller_left,
        quirks=like.quirks if order.quirks is None else tuple(order.quirks),
        auth=_or(order.auth, like.auth),
        planning_price=_or(order.planning_price, like.planning_price),
    )
    offered = order.models
    models = like.models
    if offered is not None:
        models = {category: tuple(names) for category, names in offered.items()}
    check_categories("category_priority", endpoint.category_priority)
    check_categories("default_models", endpoint.default_models, OPERATIONS)
    check_categories("models", models)
    _check_prices(endpoint.planning_price)
    return DeclaredEndpoint(with_keys(endpoint, keys), models)


def _or(given: T | None, known: T) -> T:
    return known if given is None else given


def check_categories(field: str, given: Iterable[str], more: frozenset[str] = frozenset()) -> None:
    """Raise InvalidRequestError for a name that is no category."""
    for name in given:
        if name not in CATEGORIES and name not in more:
            known = ", ".join(sorted(CATEGORIES | more))
            raise _refused(field, f"{field}: {name!r} is not one of {known}")


def _check_prices(prices: Mapping[str, str]) -> None:
    check_categories("planning_price", prices)
    for category, text in prices.items():
        try:
            price = parse_usd(text)
        except ValueError as error:
            raise _refused("planning_price", f"planning_price.{category}: {error}") from error
        if price < 0:
            raise _refused("planning_price", f"planning_price.{category} is below zero")


def _key(endpoint: str, name: str, source: str, workers: Sequence[WorkerFigures]) -> KeyState:
    resting = {
        worker.worker: f"{report.error_class.value}, {report.ready_in_s:.0f} s"
        for worker in workers
        for report in worker.key_reports
        if (report.endpoint, report.key) == (endpoint, name)
    }
    return KeyState(name=name, source=source, resting=resting)


def _error(error: EndpointError) -> RecentError:
    return RecentError(
        call_id=error.call_id,
        at=to_text(error.at_us),
        model=error.model,
        outcome=error.outcome,
        error_class=error.error_class,
        http_status=error.http_status,
        message=error.message,
    )


def _refused(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details={"param": field})
