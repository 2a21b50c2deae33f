"""How does one try of one endpoint go?"""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from tollbridge.core.call import AttemptOutcome, Ending
from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.errors import InvalidRequestError, UpstreamError
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.providers.answers import answer_headers, kept_headers
from tollbridge.providers.delivery import Deliver
from tollbridge.providers.dialects.media.at_once import is_at_once
from tollbridge.providers.dialects.media.gemini_given import retold
from tollbridge.providers.dialects.responses import has_responses
from tollbridge.providers.doors import Doors, secret_of
from tollbridge.providers.failed import (
    AttemptFailedError,
    of_invalid,
    of_malformed,
    of_refusal,
    of_status,
    of_transport,
    of_untranslatable,
    of_unusable,
)
from tollbridge.providers.failures import TransportError
from tollbridge.providers.frames import FrameCutter, Uncut
from tollbridge.providers.origin import Origin
from tollbridge.providers.originals import answered_in, told_to
from tollbridge.providers.passage import Passage, Reply
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.response import Response
from tollbridge.providers.streaming import StreamBounds, StreamedAnswer
from tollbridge.providers.tasks import Tasks
from tollbridge.providers.transport import Transport
from tollbridge.providers.wire import (
    Face,
    Given,
    Outgoing,
    RefusedError,
    StreamReader,
    TaskWire,
    UntranslatableError,
    UsageMerge,
    Wire,
)

GOOD_STATUSES = frozenset({200, 201, 202})
"""Of whole answers; others below 300 have no body to speak of."""
_OWN_FRAMES = frozenset({"anthropic", "gemini"})
"""Wire formats whose error frames are not OpenAI's; all others borrow those."""


class AttemptLimits(msgspec.Struct, frozen=True):
    """Bounds of one attempt."""

    first_byte_timeout_s: float = 60.0
    frame_max_bytes: int = 1024 * 1024
    answer_bytes_max: int = 64 * 1024 * 1024


class MediaTools(msgspec.Struct, frozen=True):
    """What media need beside attempts: making things slowly, and bringing what was made."""

    tasks: Tasks | None = None
    task_wires: Mapping[str, TaskWire] = {}
    deliver: Deliver | None = None


NO_TOOLS = MediaTools()


class Attempts:
    """Makes attempts over one transport."""

    def __init__(
        self,
        transport: Transport,
        wires: Mapping[str, Wire],
        faces: Mapping[str, Face],
        limits: AttemptLimits,
        clock: Clock,
        merge_usage: UsageMerge,
        tools: MediaTools = NO_TOOLS,
    ) -> None:
        self._transport = transport
        self._wires = wires
        self._faces = faces
        self._limits = limits
        self._clock = clock
        self._merge_usage = merge_usage
        self._doors = Doors()
        self._tasks = tools.tasks
        self._deliver = tools.deliver
        self._task_wires = {
            (name, operation): wire
            for name, wire in tools.task_wires.items()
            for operation in wire.operations()
        }

    async def run(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        candidate: Candidate,
        request: Request,
        reply: Reply,
    ) -> None:
        """Try one candidate; on return the caller has been answered, cleanly or not.

        Raises AttemptFailedError while nothing has been sent to the caller; where the candidate
        cannot serve the request without loss, nothing has been written to it either.
        """
        if request.original is not None:
            request = _told(request, candidate.endpoint)
        task_wire = self._task_wires.get((candidate.endpoint.dialect, request.operation))
        if task_wire is not None:
            await self._as_task(passage, attempt, candidate, request, reply, task_wire)
            return
        begin_by_s = self._clock.monotonic_s() + self._limits.first_byte_timeout_s
        wire, outgoing = self._compose(passage, candidate, request)
        origin, head = self._knock(passage, attempt, candidate.endpoint, request, outgoing)
        stream = request.stream or outgoing.passes_bytes
        attempt.written = True  # until the transport says otherwise: if we die now, it may be
        try:
            response = await self._transport.send(
                origin,
                head,
                outgoing.body,
                first_byte_timeout_s=self._limits.first_byte_timeout_s if request.stream else None,
                deadline_s=passage.deadline_s,
                whole_bytes_max=None if stream else self._limits.answer_bytes_max,
            )
        except TransportError as error:
            attempt.written = error.written
            raise of_transport(error) from error
        try:
            attempt.http_status = response.status
            attempt.headers = kept_headers(response)
            if stream and not is_at_once(
                request, response.status, response.header(b"content-type")
            ):
                reader = wire.stream(request, attempt, self._merge_usage)
                if outgoing.passes_bytes:
                    begin_by_s = passage.deadline_s
                bounds = self._bounds(candidate.endpoint, request, outgoing, begin_by_s)
                await self._streamed(passage, attempt, reply, response, reader, bounds).run()
            else:
                body = await self._all_of(response) if stream else response.body
                given = self._read(attempt, wire, request, response, body)
                await self._hand_over(passage, attempt, candidate.endpoint, request, given, reply)
        except AttemptFailedError as failure:
            api_key = secret_of(candidate.endpoint, attempt.key)
            if api_key and api_key in failure.message:  # some providers repeat the key they refuse
                failure.message = failure.message.replace(api_key, "[key]")
            raise
        finally:
            response.close()

    def last_words(self, face: str) -> bytes:
        """Return the frame that ends a caller's stream which was broken off."""
        told = UpstreamError("the provider broke off the stream", details={"code": "broken"})
        return self._faces[face].error_event(told)

    def _compose(
        self, passage: Passage, candidate: Candidate, request: Request
    ) -> tuple[Wire, Outgoing]:
        """Return the request as the candidate gets it."""
        endpoint = candidate.endpoint
        wire = self._wires.get(endpoint.dialect)
        if wire is None:
            said = f"the wire format {endpoint.dialect} does not do {request.operation.value}"
            raise of_untranslatable(UntranslatableError(said))
        try:
            cap = passage.output_tokens_cap
            return wire, wire.compose(request, endpoint, candidate.model, cap)
        except UntranslatableError as error:
            raise of_untranslatable(error) from error
        except InvalidRequestError as error:
            raise of_invalid(error) from error

    def _knock(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        endpoint: Endpoint,
        request: Request,
        outgoing: Outgoing,
    ) -> tuple[Origin, bytes]:
        """Return where the request goes, and its head."""
        passed = request.headers
        if passed and not _is_alike(request, endpoint):
            passed = ()
        try:
            door = self._doors.door(endpoint, attempt.key)
            return door.origin, door.head(outgoing, passage.call_id, passed)
        except ValueError as error:
            # Its address or key cannot be put on the wire: the others may serve all the same.
            raise of_unusable(error) from error

    async def _all_of(self, response: Response) -> bytes:
        """Return the body of an answer that was to be a stream and came at once."""
        try:
            return await response.read_all(self._limits.answer_bytes_max)
        except TransportError as error:
            raise of_transport(error) from error

    def _read(
        self,
        attempt: AttemptEvidence,
        wire: Wire,
        request: Request,
        response: Response,
        body: bytes,
    ) -> Given:
        """Read a whole answer."""
        attempt.first_byte_at_us = self._clock.now_us()
        if response.status not in GOOD_STATUSES:
            raise of_status(response, body, attempt.first_byte_at_us, attempt.dialect)
        try:
            given = wire.read(request, _first_of_each(response), body)
            own = request.original
            if own is not None and own.face != attempt.dialect and given.body:
                given = retold(request, given)
        except RefusedError as error:
            raise of_refusal(error.refusal) from error
        except MalformedAnswerError as error:
            raise of_malformed(error, body, attempt.dialect) from error
        answer = given.answer
        attempt.usage = answer.usage
        attempt.served_model = answer.served_model
        attempt.response_id = answer.response_id
        attempt.aggregator_provider = answer.aggregator_provider
        attempt.output_bytes = len(body)
        return given

    async def _as_task(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        candidate: Candidate,
        request: Request,
        reply: Reply,
        wire: TaskWire,
    ) -> None:
        """Let the provider make something slowly, and wait for it."""
        if self._tasks is None:
            raise of_untranslatable(UntranslatableError("tasks are not done here"))
        given = await self._tasks.run(wire, passage, attempt, candidate, request)
        await self._hand_over(passage, attempt, candidate.endpoint, request, given, reply)

    async def _hand_over(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        endpoint: Endpoint,
        request: Request,
        given: Given,
        reply: Reply,
    ) -> None:
        """Give the caller a whole answer."""
        _count(attempt, request, given)
        if given.outputs and self._deliver is not None and not reply.gone:
            given = await self._deliver(passage, endpoint, request, given)
        attempt.outcome = AttemptOutcome.SUCCEEDED
        if reply.gone:
            passage.drained = True
            passage.note_caller_left(reply)
            return
        body, content_type = given.body, given.content_type
        if given.outputs and not body:
            created_s = self._clock.now_us() // SECOND_US
            face = self._faces[answered_in(request)]
            body, content_type = face.render_outputs(request, given, created_s)
        passage.http_status = 200
        passage.response_bytes = len(body)
        await reply.whole(200, answer_headers(passage, attempt, content_type), body)
        if reply.cut_off:
            passage.note_caller_left(reply)
        else:
            passage.ending = Ending.COMPLETE

    def _bounds(
        self, endpoint: Endpoint, request: Request, outgoing: Outgoing, begin_by_s: float
    ) -> StreamBounds:
        last_words: Callable[[], bytes] = partial(self.last_words, request.dialect)
        return StreamBounds(
            begin_by_s,
            self._limits.first_byte_timeout_s,
            self._limits.answer_bytes_max,
            outgoing.passes_bytes,
            _is_alike(request, endpoint),
            last_words,
        )

    def _streamed(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        reply: Reply,
        response: Response,
        reader: StreamReader,
        bounds: StreamBounds,
    ) -> StreamedAnswer:
        cutter = Uncut() if bounds.is_bytes else FrameCutter(self._limits.frame_max_bytes)
        return StreamedAnswer(
            passage, attempt, reply, response, reader, cutter, bounds, self._clock
        )


def _told(request: Request, endpoint: Endpoint) -> Request:
    """Return a translated request as this endpoint is told it."""
    try:
        return told_to(request, endpoint.dialect)
    except UntranslatableError as error:
        raise of_untranslatable(error) from error


def _is_alike(request: Request, endpoint: Endpoint) -> bool:
    """Return whether caller and provider speak the same wire format."""
    if request.dialect == "openai":
        return endpoint.dialect not in _OWN_FRAMES
    if request.dialect == "responses":
        return has_responses(endpoint)
    return request.dialect == endpoint.dialect


def _first_of_each(response: Response) -> dict[bytes, bytes]:
    """Return an answer's headers; of a repeated one the first."""
    return dict(reversed(response.headers))


def _count(attempt: AttemptEvidence, request: Request, given: Given) -> None:
    """Note what was made. What was only asked for is journaled with the call: an estimate."""
    demand = request.demand
    if given.counts:
        attempt.counts = dict(given.counts)
    if given.facts or demand.facts:
        attempt.facts = {**demand.facts, **given.facts}
