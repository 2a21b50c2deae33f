"""Who may make what is asked for, and what can it cost at most?

All of it is known before anybody is paid: what nobody can make is refused here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from tollbridge.access.keys import KeyEntry
from tollbridge.conclude import Conclusions
from tollbridge.core.call import CATEGORY_OF, Category, Operation, bucket_of
from tollbridge.core.errors import InvalidRequestError, UnpricedModelError
from tollbridge.core.evidence import Opened
from tollbridge.core.limits import Limit, LimitKind
from tollbridge.core.plan import Candidate, Plan
from tollbridge.jobs.job import Shown
from tollbridge.providers.dialects.tasks.asked import Asked, asked, demand_of
from tollbridge.providers.request import Request
from tollbridge.providers.tasks import TaskFailedError, compose
from tollbridge.providers.wire import TaskWire
from tollbridge.rating.made_ceiling import Bounds, made_ceiling
from tollbridge.routing.health import Health
from tollbridge.routing.plan import RouteTable

PROMPT_SHOWN_MAX = 2000


class World(Protocol):
    """What an office knows of keys, routes, limits and prices, as they are now."""

    def routes(self) -> RouteTable:
        """Return the routes. Raises OverloadedError where they are not known yet."""
        ...

    def limits_of(self, key_id: str) -> tuple[Limit, ...]:
        """Return the limits that a key's calls must pass."""
        ...

    def conclusions(self) -> Conclusions:
        """Return prices and rules. Raises OverloadedError where they are not known yet."""
        ...


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for."""

    key: KeyEntry
    operation: Operation
    fields: dict[str, Any]
    """The request in the openai wire format, and the customary names beside it."""
    path: str
    received_at_us: int
    request_bytes: int
    customer: str | None = None
    tags: tuple[str, ...] = ()
    webhook_url: str | None = None


class Planned(msgspec.Struct, frozen=True):
    """What is asked for, understood, and who may make it."""

    request: Request
    wanted: Asked
    plan: Plan
    candidates: tuple[Candidate, ...]
    able: tuple[Candidate, ...]
    """Those of them that can make it; the others are in its attempts, with the reason."""


class Planner:
    """Understands orders, by what the office knows now."""

    def __init__(
        self,
        world: World,
        wires: Mapping[str, TaskWire],
        health: Health,
        draw: Callable[[], float],
    ) -> None:
        self._world = world
        self._wires = wires
        self._health = health
        self._draw = draw

    def plan(self, order: Order) -> Planned:
        """Return what is asked for and who may make it. Raises InvalidRequestError."""
        category = CATEGORY_OF[order.operation]
        fields = dict(order.fields)
        model = fields.get("model") or category.value
        if not isinstance(model, str):
            raise InvalidRequestError("model: it is text", details={"param": "model"})
        request = Request(order.operation, msgspec.json.encode(fields), model)
        wanted = asked(request)
        request = msgspec.structs.replace(request, demand=demand_of(wanted, order.operation))
        routes = self._world.routes()
        if category is Category.IMAGE and wanted.size is not None:
            routes.check_size(model, category, wanted.size)
        plan = routes.plan(model, category, self._health, self._draw)
        candidates, able = self._able(request, plan)
        return Planned(request, wanted, plan, candidates, able)

    def _able(
        self, request: Request, plan: Plan
    ) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
        """Return the candidates that speak of tasks, and those that can make this one."""
        candidates: list[Candidate] = []
        able: list[Candidate] = []
        reasons: list[str] = []
        for one in plan.candidates:
            wire = self._wires.get(one.endpoint.dialect)
            if wire is None or request.operation not in wire.operations():
                continue
            candidates.append(one)
            try:
                compose(wire, request, one)
                able.append(one)
            except TaskFailedError as failure:
                reasons.append(f"{one.endpoint.name}: {failure.message}")
        if not candidates:
            raise InvalidRequestError(
                f"nobody makes {CATEGORY_OF[request.operation].value} of {plan.label!r} as a job",
                details={"param": "model"},
            )
        if not able:
            raise InvalidRequestError("; ".join(reasons), details={"code": "unsupported_parameter"})
        return tuple(candidates), tuple(able)

    def amounts(self, order: Order, planned: Planned) -> list[tuple[Limit, int]]:
        """Return what is to be set aside of each limit that the key's calls must pass.

        Raises UnpricedModelError where a money limit applies to what nobody can price.
        """
        limits = self._world.limits_of(order.key.key_id)
        amount = 0
        if any(limit.kind is LimitKind.MONEY for limit in limits):
            request = planned.request
            pictures = 0 if planned.wanted.image is None else 1
            found = made_ceiling(
                planned.able,
                Bounds(request.operation, request.demand, len(planned.wanted.prompt), pictures),
                order.received_at_us,
                self._world.conclusions().book,
            )
            if found is None:
                raise UnpricedModelError(
                    f"nothing is known of the price of {planned.plan.label!r}, and a money limit "
                    "applies",
                    details={"param": "model"},
                )
            amount = found
        return [(one, amount if one.kind is LimitKind.MONEY else 1) for one in limits]


def opened_of(order: Order, planned: Planned, job_id: str, now_us: int) -> Opened:
    """Return what is journaled of a job at its beginning; what it holds is added later."""
    request, plan = planned.request, planned.plan
    return Opened(
        call_id=job_id,
        opened_at_us=now_us,
        received_at_us=order.received_at_us,
        caller=order.key.caller,
        method="POST",
        path=order.path,
        operation=order.operation,
        category=CATEGORY_OF[order.operation],
        bucket=bucket_of(order.operation, plan.vendor),
        label=plan.label,
        stream=False,
        request_bytes=order.request_bytes,
        expected_provider=planned.candidates[0].endpoint.provider,
        planned=tuple(one.described for one in planned.candidates),
        customer=order.customer,
        tags=order.tags,
        demand=request.demand,
    )


def shown_of(planned: Planned) -> Shown:
    """Return what is told of the request again."""
    wanted = planned.wanted
    seconds = None if wanted.duration_s is None else f"{wanted.duration_s:g}"
    return Shown(planned.plan.label, wanted.prompt[:PROMPT_SHOWN_MAX], seconds, wanted.size)
