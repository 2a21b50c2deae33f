"""How does a job ask a provider that answers at once?

By the same attempts as calls do; what is made is kept with the job instead of being sent.
"""

from collections.abc import Callable, Mapping

import msgspec

from tollbridge.core.call import AttemptOutcome, ErrorClass, Operation
from tollbridge.core.clock import Clock
from tollbridge.core.errors import UpstreamError
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Candidate
from tollbridge.jobs.job import Job, MadeThing
from tollbridge.providers.attempt import Attempts
from tollbridge.providers.dialects.generated import VOICE, result_of
from tollbridge.providers.failed import AttemptFailedError
from tollbridge.providers.passage import HeaderLines, Passage
from tollbridge.providers.request import Request
from tollbridge.providers.wire import JSON, Face, Wire

OPERATIONS = frozenset(
    {Operation.CHAT_COMPLETION, Operation.IMAGE_GENERATION, Operation.AUDIO_SPEECH}
)
"""What providers make at once; a film never."""
_CONTENT_TYPE = b"content-type: "


class AtOnceLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one attempt."""

    timeout_s: float = 600.0
    result_bytes_max: int = 16 * 1024 * 1024
    """Of what is kept with the job."""
    reserve_output_tokens: int = 4096
    """Sent as the cap under a money limit, where the request names none."""


class AtOnce:
    """Asks providers that answer at once."""

    def __init__(
        self,
        attempts: Attempts,
        wires: Mapping[str, Wire],
        face: Face,
        clock: Clock,
        limits: AtOnceLimits,
    ) -> None:
        """`face` is OpenAI's: in its wire format jobs are asked for."""
        self._attempts = attempts
        self._wires = wires
        self._face = face
        self._clock = clock
        self._limits = limits

    def understand(self, operation: Operation, body: bytes, model: str) -> Request:
        """Return a job's request as its wires take it. Raises InvalidRequestError."""
        fields = msgspec.json.decode(body, type=dict[str, object])
        fields["model"] = model
        if operation is Operation.AUDIO_SPEECH:
            fields.setdefault("voice", VOICE)
        return self._face.parse(operation, msgspec.json.encode(fields), "", JSON)

    def speaks_to(self, candidate: Candidate) -> bool:
        """Return whether a candidate's provider answers at once."""
        return candidate.endpoint.dialect in self._wires

    def check(self, request: Request, candidate: Candidate) -> None:
        """Raise UntranslatableError, InvalidRequestError where a candidate cannot make it."""
        wire = self._wires[candidate.endpoint.dialect]
        wire.compose(request, candidate.endpoint, candidate.model, None)

    async def run(
        self, job: Job, attempt: AttemptEvidence, candidate: Candidate
    ) -> tuple[MadeThing, ...]:
        """Return what was made; the attempt is journaled already. Raises AttemptFailedError.

        Into the attempt goes what any attempt of a call has, its outcome too.
        """
        operation = Operation(job.opened.operation)
        request = self.understand(operation, job.body, job.shown.model)
        is_held = any(hold.lease_id for hold in job.opened.holds)
        passage = Passage(
            job.job_id,
            attempt,
            self._clock.monotonic_s() + self._limits.timeout_s,
            self._limits.reserve_output_tokens if is_held else None,
        )
        reply = Gathered(self._limits.result_bytes_max)
        await self._attempts.run(passage, attempt, candidate, request, reply)
        if attempt.outcome is not AttemptOutcome.SUCCEEDED:
            said = attempt.message or "the provider broke off"
            raise AttemptFailedError(ErrorClass.STREAM_ERROR, attempt.outcome, said)
        try:
            ((name, value),) = result_of(operation, reply.content_type, reply.body()).items()
        except UpstreamError as error:
            raise AttemptFailedError(
                ErrorClass.MALFORMED_ANSWER, AttemptOutcome.BROKE, error.message
            ) from error
        return (MadeThing(text=value) if name == "text" else MadeThing(url=value),)


class Gathered:
    """A reply that nobody waits for: what is sent is kept."""

    def __init__(self, bytes_max: int) -> None:
        self.call_id: str | None = None
        self.content_type = ""
        self._bytes_max = bytes_max
        self._parts: list[bytes] = []
        self._size = 0

    gone = False
    """Nobody can leave."""
    stalled = False
    cut_off = False
    is_full = False
    started = False

    def body(self) -> bytes:
        """Return the whole answer. Raises UpstreamError for one that is too large."""
        if self._size > self._bytes_max:
            raise UpstreamError("what was made is too large to be kept with a job")
        return b"".join(self._parts)

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        """Do nothing: nobody leaves."""

    def watch_room(self, on_room: Callable[[], None] | None) -> None:
        """Do nothing: there is room."""

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        """Keep a whole answer."""
        await self.start(status, headers)
        self.push(body)

    async def start(self, status: int, headers: HeaderLines) -> None:
        """Keep what kind of answer it is."""
        del status
        for line in headers.split(b"\r\n"):
            if line.startswith(_CONTENT_TYPE):
                self.content_type = line.removeprefix(_CONTENT_TYPE).decode("latin-1")

    async def send(self, data: bytes) -> None:
        """Keep a part."""
        self.push(data)

    def push(self, data: bytes) -> None:
        """Keep a part; what is too much is known at the end."""
        self._size += len(data)
        if self._size <= self._bytes_max:
            self._parts.append(data)

    async def drain(self) -> None:
        """Wait for nothing."""

    async def finish(self) -> None:
        """Do nothing: it is all here."""

    async def break_off(self, last: bytes) -> None:
        """Forget it: the attempt says how it ended."""
        del last
        self._parts.clear()
