"""Who may make what is asked for, and what can it cost at most?

All of it is known before anybody is paid: what nobody can make is refused here.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from tollbridge.access.keys import KeyEntry
from tollbridge.conclude import Conclusions
from tollbridge.core.call import CATEGORY_OF, Bucket, Category, Operation, bucket_of
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.evidence import Opened
from tollbridge.core.plan import Candidate, Plan
from tollbridge.jobs.at_once import OPERATIONS as AT_ONCE
from tollbridge.jobs.at_once import AtOnce
from tollbridge.jobs.holds import JobHold
from tollbridge.jobs.job import Shown
from tollbridge.ledger.applying import Applying, LimitTable
from tollbridge.providers.dialects.tasks.asked import Asked, asked, demand_of
from tollbridge.providers.request import Request
from tollbridge.providers.tasks import TaskFailedError, compose
from tollbridge.providers.wire import TaskWire, UntranslatableError
from tollbridge.rating.ceiling import ceiling
from tollbridge.rating.made_ceiling import Bounds, made_ceiling
from tollbridge.reserving import Needs, Reserves, Wanted, admit
from tollbridge.routing.ordering import HealthView
from tollbridge.routing.plan import RouteTable

PROMPT_SHOWN_MAX = 2000


class World(Protocol):
    """What an office knows of keys, routes, limits and prices, as they are now."""

    def routes(self) -> RouteTable:
        """Return the routes. Raises OverloadedError where they are not known yet."""
        ...

    def limits(self) -> LimitTable:
        """Return all limits."""
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
    prompt: str
    wanted: Asked | None
    """What is asked of media; None of text."""
    plan: Plan
    candidates: tuple[Candidate, ...]
    able: tuple[Candidate, ...]
    """Those of them that can make it; the others are in its attempts, with the reason."""
    bucket: Bucket
    applying: Applying
    """The limits that it must pass."""


class PlanLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What is set aside where a request does not say how much it may take."""

    attempt_timeout_s: float = 1800.0
    """Of one provider's work on a job: by compute time no more is billed."""
    reserve_output_tokens: int = 4096
    reserve_file_tokens: int = 1_050_000
    unpriced_allowed: bool = False


class Planner:
    """Understands orders, by what the office knows now."""

    def __init__(
        self,
        world: World,
        wires: Mapping[str, TaskWire],
        at_once: AtOnce,
        health: HealthView,
        draw: Callable[[], float],
        limits: PlanLimits,
    ) -> None:
        self._world = world
        self._wires = wires
        self._at_once = at_once
        self._health = health
        self._draw = draw
        self._limits = limits

    def plan(self, order: Order) -> Planned:
        """Return what is asked for and who may make it. Raises InvalidRequestError."""
        category = CATEGORY_OF[order.operation]
        fields = dict(order.fields)
        model = fields.get("model") or category.value
        if not isinstance(model, str):
            raise InvalidRequestError("model: it is text", details={"param": "model"})
        body = msgspec.json.encode(fields)
        request = Request(order.operation, body, model)
        routes = self._world.routes()
        wanted: Asked | None = None
        at_once: Request | None = None
        if order.operation in AT_ONCE:
            at_once = self._at_once.understand(order.operation, body, model)
        if category is Category.TEXT and at_once is not None:
            request = msgspec.structs.replace(at_once, body=body)
        else:
            wanted = asked(request)
            request = msgspec.structs.replace(
                request,
                demand=demand_of(wanted, order.operation),
                addresses=addresses_of(wanted, at_once),
            )
            if category is Category.IMAGE and wanted.size is not None:
                routes.check_size(model, category, wanted.size)
        caller = order.key.caller
        plan = routes.plan(model, category, self._health, self._draw, order.operation, caller)
        candidates, able = self._able(request, at_once, plan)
        prompt = _prompt_of(fields) if wanted is None else wanted.prompt
        bucket = plan.bucket or bucket_of(order.operation, plan.vendor)
        applying = self._world.limits().applying(
            caller, order.operation, bucket, plan.label, order.customer
        )
        return Planned(request, prompt, wanted, plan, candidates, able, bucket, applying)

    def _able(
        self, request: Request, at_once: Request | None, plan: Plan
    ) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
        """Return the candidates that make such things, and those that can make this one."""
        candidates: list[Candidate] = []
        able: list[Candidate] = []
        reasons: list[str] = []
        for one in plan.candidates:
            wire = self._wires.get(one.endpoint.dialect)
            try:
                if wire is not None and request.operation in wire.operations():
                    candidates.append(one)
                    compose(wire, request, one)
                elif at_once is not None and self._at_once.speaks_to(one):
                    candidates.append(one)
                    self._at_once.check(at_once, one)
                else:
                    continue
                able.append(one)
            except (TaskFailedError, UntranslatableError, InvalidRequestError) as failure:
                reasons.append(f"{one.endpoint.name}: {failure}")
        if not candidates:
            raise InvalidRequestError(
                f"nobody makes {CATEGORY_OF[request.operation].value} of {plan.label!r} as a job",
                details={"param": "model"},
            )
        if not able:
            raise InvalidRequestError("; ".join(reasons), details={"code": "unsupported_parameter"})
        return tuple(candidates), tuple(able)

    async def admit(
        self, order: Order, planned: Planned, take: Callable[[Needs], Awaitable[JobHold]]
    ) -> tuple[Planned, JobHold]:
        """Set aside what a job may take; return it with those candidates that it may ask.

        Raises LimitError where a limit has no room, and UnpricedModelError where one on money or
        credits applies to what nobody can price.
        """
        limits = self._limits
        wanted = Wanted(
            planned.request,
            planned.plan.label,
            planned.applying,
            lambda candidates: self._ceiling(order, planned, candidates),
            Reserves(
                limits.reserve_output_tokens, limits.reserve_file_tokens, limits.unpriced_allowed
            ),
        )
        able, skipped, hold = await admit(wanted, planned.able, take)
        if skipped:
            gone = {one.endpoint.provider for one in planned.able} - {
                one.endpoint.provider for one in able
            }
            planned = msgspec.structs.replace(
                planned,
                plan=msgspec.structs.replace(planned.plan, skipped=skipped),
                candidates=tuple(o for o in planned.candidates if o.endpoint.provider not in gone),
                able=able,
            )
        return planned, hold or JobHold()

    def _ceiling(self, order: Order, planned: Planned, able: tuple[Candidate, ...]) -> int | None:
        """Return the most that a job can cost, in nano-USD; None where nobody can price it."""
        request, wanted, limits = planned.request, planned.wanted, self._limits
        book, at_us = self._world.conclusions().book, order.received_at_us
        if wanted is not None:
            bounds = Bounds(
                request.operation,
                request.demand,
                len(planned.prompt.encode()),
                0 if wanted.image is None else 1,
                compute_ms_max=round(limits.attempt_timeout_s * 1000),
            )
            return made_ceiling(able, bounds, at_us, book)
        return ceiling(
            able,
            len(request.body),
            request.output_tokens_max or limits.reserve_output_tokens,
            request.choices,
            at_us,
            book,
            attachments=request.attachments,
            file_tokens=limits.reserve_file_tokens if request.has_files else 0,
        )


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
        bucket=planned.bucket,
        label=plan.label,
        stream=False,
        request_bytes=order.request_bytes,
        expected_provider=planned.candidates[0].endpoint.provider,
        planned=(*(one.described for one in planned.candidates), *plan.skipped),
        customer=order.customer,
        tags=(*order.tags, plan.tag) if plan.tag else order.tags,
        demand=request.demand,
    )


def shown_of(planned: Planned) -> Shown:
    """Return what is told of the request again."""
    wanted, label = planned.wanted, planned.plan.label
    prompt = planned.prompt[:PROMPT_SHOWN_MAX]
    if wanted is None:
        return Shown(label, prompt)
    seconds = None if wanted.duration_s is None else f"{wanted.duration_s:g}"
    return Shown(label, prompt, seconds, wanted.size)


def addresses_of(wanted: Asked, at_once: Request | None) -> tuple[str, ...]:
    """Return the addresses that a request names: what must not be fetched is refused."""
    named = () if at_once is None else at_once.addresses
    image = wanted.image
    return named if image is None or image.startswith("data:") else (*named, image)


def _prompt_of(fields: Mapping[str, Any]) -> str:
    """Return what was said last."""
    content: Any = fields["messages"][-1].get("content")  # ours: `generated.fields_of`
    return content if isinstance(content, str) else ""
