"""What does a worker need to serve calls, and how do the first five stages use it?"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import msgspec

from tollbridge.access.authenticate import require
from tollbridge.access.keys import KeyEntry, Scope
from tollbridge.conclude import taken_of
from tollbridge.core.call import (
    CATEGORY_OF,
    Bucket,
    Caller,
    Category,
    Ending,
    Hold,
    Operation,
    bucket_of,
    new_id,
)
from tollbridge.core.clock import Clock
from tollbridge.core.errors import OverloadedError, TollbridgeError
from tollbridge.core.evidence import (
    AttemptEvidence,
    AttemptStarted,
    CallEvidence,
    Closed,
    Opened,
    Progress,
)
from tollbridge.core.plan import Endpoint, Plan
from tollbridge.journey import Call, GatewayLimits, Inbound, Journey, Known
from tollbridge.ledger.reserve import Holds, Purses
from tollbridge.providers.dialects.gemini import PICTURES, SPEECH, GeminiFace
from tollbridge.providers.dialects.responses import ResponsesFace
from tollbridge.providers.keeping import KeptContent
from tollbridge.providers.passage import Passage, Reply
from tollbridge.providers.pins import Sign, narrowed, pinning, unpinned
from tollbridge.providers.relay import Relay, new_attempt
from tollbridge.providers.request import Request
from tollbridge.providers.tasks import Ask
from tollbridge.providers.wire import Face
from tollbridge.recording.spool import Segment, Spool
from tollbridge.reserving import Reserver
from tollbridge.routing.health import Health
from tollbridge.routing.part import ModelListing

_WANTED: Mapping[str, Category] = MappingProxyType(
    {PICTURES: Category.IMAGE, SPEECH: Category.AUDIO}
)


class Outside(msgspec.Struct, frozen=True):
    """How a worker reaches providers, and how it is spoken to."""

    relay: Relay
    faces: Mapping[str, Face]
    ask: Ask
    check_urls: Callable[[Iterable[str], str], Awaitable[None]]
    """Raises InvalidRequestError for an address that is not public."""


class _Stream(msgspec.Struct):
    """An open stream, and what was last journaled of it."""

    journey: Journey
    attempt: int = 1
    """The number of the attempt that it was journaled of."""
    chunks: int = 0
    output_bytes: int = 0
    read_at_s: float = 0.0
    """The second in which the provider last gave something, on the monotonic clock."""


class Gateway:
    """The worker's tools for the stages 1 to 5; one per worker."""

    def __init__(
        self,
        *,
        clock: Clock,
        spool: Spool,
        purses: Purses,
        outside: Outside,
        health: Health,
        draw: Callable[[], float],
        limits: GatewayLimits,
    ) -> None:
        self.known: Known | None = None
        self._clock = clock
        self._spool = spool
        self._purses = purses
        self._outside = outside
        self._relay = outside.relay
        self._health = health
        self._draw = draw
        self._limits = limits
        self._reserver = Reserver(purses, limits)
        self._faces = outside.faces
        self._streams: dict[str, _Stream] = {}
        # As many as there are operations and vendors of labels.
        self._buckets: dict[tuple[Operation, str | None], Bucket] = {}
        self._waits_for_disk = spool.syncs_always

    def authenticate(self, inbound: Inbound) -> KeyEntry:
        """Stage 1: who asks, and may they?"""
        key = self._now_known().keys.authenticate(inbound.credential, inbound.received_at_us)
        require(key, Scope.CALL)
        return key

    def models(self) -> list[ModelListing]:
        """Return the names that can be asked for."""
        return self._now_known().routes.models()

    def sign_for(self, key: KeyEntry) -> Sign:
        """Return what signs ids for a caller's project."""
        return Sign(key.caller.project, self._now_known().keys.sign)

    def endpoint(self, name: str) -> Endpoint | None:
        """Return an endpoint that may be asked, None where there is none of that name."""
        return self._now_known().routes.endpoint(name)

    @property
    def ask(self) -> Ask:
        """Carries a request that costs nothing and is no call."""
        return self._outside.ask

    def check(self, inbound: Inbound, key: KeyEntry, body: bytes) -> Request:
        """Understand the body as far as it must be."""
        face = self._faces[inbound.face]
        request = face.parse(inbound.operation, body, inbound.address, inbound.content_type)
        if inbound.operation is Operation.CHAT_COMPLETION and isinstance(face, GeminiFace):
            request = self._as_served(face, request)
        # Its own from here on; a copy would cost every call more than this.
        msgspec.structs.force_setattr(request, "received_at_us", inbound.received_at_us)
        if inbound.passed:
            request = msgspec.structs.replace(request, headers=inbound.passed)
        return request if request.state_id is None else unpinned(request, self.sign_for(key))

    def _as_served(self, face: GeminiFace, request: Request) -> Request:
        """Return a call of generateContent as what it is: a chat, or a call for pictures or speech.

        The address is the same for all. A model is asked for what it does; one that does several,
        for what the settings say.
        """
        serves, model = self._now_known().routes.serves, request.model
        wanted = _WANTED.get(request.variant, Category.TEXT)
        if wanted is Category.TEXT or not serves(model, wanted):
            if serves(model, Category.TEXT):
                return request
            wanted = next((one for one in _WANTED.values() if serves(model, one)), wanted)
        if wanted is Category.IMAGE and serves(model, wanted):
            return face.as_pictures(request)
        if wanted is Category.AUDIO and serves(model, wanted):
            return face.as_speech(request)
        return request

    def check_addresses(self, request: Request) -> Awaitable[None]:
        """Raise InvalidRequestError where a request names what may not be fetched, for anybody."""
        return self._outside.check_urls(request.addresses, "image")

    def plan(self, request: Request, caller: Caller | None = None) -> Plan:
        """Stage 2: which providers, in which order, and why?"""
        category = CATEGORY_OF[request.operation]
        routes = self._now_known().routes
        size = request.demand.facts.get("size") if category is Category.IMAGE else None
        if size is not None:
            routes.check_size(request.model, category, size)
        operation = request.operation
        plan = routes.plan(request.model, category, self._health, self._draw, operation, caller)
        return plan if request.endpoint is None else narrowed(plan, request.endpoint)

    def begin(self, inbound: Inbound, key: KeyEntry, request: Request, plan: Plan) -> Call:
        """Give the call its id, for ever, and find the limits that it must pass."""
        known = self._now_known()
        operation = request.operation
        bucket = plan.bucket or self._bucket(operation, plan.vendor)
        customer = inbound.customer or request.customer
        return Call(
            call_id=new_id(inbound.received_at_us),
            inbound=inbound,
            key=key,
            request=request,
            plan=plan,
            bucket=bucket,
            applying=known.limits.applying(key.caller, operation, bucket, plan.label, customer),
            conclusions=known.conclusions,
        )

    def reserve(self, call: Call) -> Awaitable[tuple[Call, Holds | None]]:
        """Stage 3: what can it take at most, and is that free?

        Returns the call with the candidates that it may ask. Raises LimitError.
        """
        return self._reserver.reserve(call)

    def refuse(self, call: Call, error: TollbridgeError) -> None:
        """Record a call that a limit refused; it had no attempt."""
        now_us = self._clock.now_us()
        self._spool.refused(
            Closed(
                call_id=call.call_id,
                closed_at_us=now_us,
                ending=Ending.OVER_BUDGET,
                http_status=error.status,
                error=error.message,
                opened=self._opened(call, now_us, (), None),
            )
        )

    def open(self, call: Call, held: Holds | None) -> Journey:
        """Stage 5, its first half: journal the call before anything of it leaves."""
        now_us = self._clock.now_us()
        attempt = new_attempt(1, call.plan.candidates[0], now_us)
        holds = call.applying.soft_holds(now_us)
        opened = self._opened(
            call, now_us, holds if held is None else held.durable + holds, attempt
        )
        try:
            segment = self._spool.opened(opened)
        except Exception:
            if held is not None:
                self._purses.cancel(held)
            raise
        stream = call.request.stream
        timeout_s = self._limits.stream_timeout_s if stream else self._limits.total_timeout_s
        passage = Passage(
            call.call_id,
            attempt,
            self._clock.monotonic_s() + timeout_s,
            self._limits.reserve_output_tokens if call.applying.caps_output else None,
        )
        keeps = call.key.keep_content or call.plan.keep_content
        kept = KeptContent(_said(call.request), self._limits.content_bytes_max) if keeps else None
        return Journey(opened, segment, passage, held, kept)

    def dispatch(self, call: Call, journey: Journey, reply: Reply) -> Awaitable[None]:
        """Stage 4: what did which provider answer?"""
        if call.request.stream:
            self._streams[call.call_id] = _Stream(journey)
        if journey.kept is not None:
            reply = journey.kept.watching(reply)
        if call.request.dialect == ResponsesFace.name:
            reply = pinning(
                reply, journey.passage, call.plan, call.request, self.sign_for(call.key)
            )
        journal = partial(self._journal, journey.segment, call.call_id)
        relayed = self._relay.run(journey.passage, call.request, call.plan, reply, journal)
        return self._when_durable(relayed) if self._waits_for_disk else relayed

    def close(self, call: Call, journey: Journey) -> None:
        """Stage 5, its second half: journal the end, and settle what was held. Never waits."""
        passage = journey.passage
        if call.request.stream:
            self._streams.pop(call.call_id, None)
        closed = Closed(
            call_id=call.call_id,
            closed_at_us=self._clock.now_us(),
            ending=passage.ending,
            http_status=passage.http_status,
            attempts=tuple(passage.attempts),
            on_caller_left=passage.caller_left_policy,
            drained=passage.drained,
            error=passage.error,
            response_bytes=passage.response_bytes,
        )
        try:
            if journey.held is not None:
                self._settle(call, journey, journey.held, closed)
        finally:
            self._spool.closed(journey.segment, closed)
            if journey.kept is not None:
                self._spool.content(journey.kept.record(call.call_id, closed.closed_at_us))

    def tick(self) -> None:
        """Journal how open streams stand, and stop those that give nothing; once a second."""
        now_us, now_s = self._clock.now_us(), self._clock.monotonic_s()
        for call_id, stream in list(self._streams.items()):
            passage = stream.journey.passage
            attempt = passage.attempts[-1]  # of a hedge, that of whoever answered first
            if attempt.number != stream.attempt:
                stream.attempt, stream.chunks, stream.output_bytes = attempt.number, 0, 0
            if attempt.output_bytes != stream.output_bytes:
                stream.output_bytes = attempt.output_bytes
                stream.read_at_s = now_s
            if attempt.chunks != stream.chunks:
                stream.chunks = attempt.chunks
                try:
                    self._spool.append(stream.journey.segment, Progress(call_id, now_us, attempt))
                except OverloadedError:
                    continue  # progress is a help, not a promise; the stream goes on
            elif (
                passage.stop is not None
                and attempt.first_byte_at_us is not None
                and now_s - stream.read_at_s > self._limits.stream_idle_timeout_s
            ):
                passage.stop("the provider gave nothing for too long")

    async def _when_durable(self, relayed: Coroutine[Any, Any, None]) -> None:
        try:
            await self._spool.durable()
        except BaseException:
            relayed.close()
            raise
        await relayed

    def _settle(self, call: Call, journey: Journey, held: Holds, closed: Closed) -> None:
        """Replace what was held by what the call took; by all of it where that cannot be said."""
        # Journaled whatever happens: what was charged too much is found by it, and corrected.
        taken = closed.taken = tuple([hold.amount for hold in held.durable])
        try:
            if taken:
                evidence = CallEvidence(journey.opened, closed)
                found = taken_of(evidence, held.durable, call.conclusions)
                taken = found.amounts
                if found.is_all_money:
                    closed.taken, closed.charge_nanousd = (), found.charge_nanousd
                else:
                    closed.taken = taken
        finally:
            self._purses.settle(held, taken)

    def _journal(
        self, segment: Segment, call_id: str, attempts: tuple[AttemptEvidence, ...]
    ) -> None:
        self._spool.append(segment, AttemptStarted(call_id, attempts))

    def _opened(
        self, call: Call, now_us: int, holds: tuple[Hold, ...], attempt: AttemptEvidence | None
    ) -> Opened:
        inbound, request, plan = call.inbound, call.request, call.plan
        operation = request.operation
        return Opened(
            call_id=call.call_id,
            opened_at_us=now_us,
            received_at_us=inbound.received_at_us,
            caller=call.key.caller,
            method=inbound.method,
            path=inbound.path,
            operation=operation,
            category=CATEGORY_OF[operation],
            bucket=call.bucket,
            label=plan.label,
            stream=request.stream,
            request_bytes=len(request.body),
            expected_provider=plan.candidates[0].endpoint.provider,
            planned=(*[one.described for one in plan.candidates], *plan.skipped),
            customer=inbound.customer or request.customer,
            tags=(*inbound.tags, plan.tag) if plan.tag else inbound.tags,
            holds=holds,
            attempt=attempt,
            demand=request.demand,
            trace=inbound.trace,
        )

    def _bucket(self, operation: Operation, vendor: str | None) -> Bucket:
        known = self._buckets.get((operation, vendor))
        if known is None:
            known = self._buckets[operation, vendor] = bucket_of(operation, vendor)
        return known

    def _now_known(self) -> Known:
        if self.known is None:
            raise OverloadedError("the gateway is starting", retry_after_s=1)
        return self.known


def _said(request: Request) -> bytes:
    """Return a request's body as the caller wrote it."""
    return request.body if request.original is None else request.original.body
