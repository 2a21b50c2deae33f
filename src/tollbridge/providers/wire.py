"""What must a wire format be able to do, for providers and for callers?

A `Face` is a wire format that callers speak; a `Wire` is one that providers speak. Some are both.
A `TaskWire` is a provider's format of work that is submitted first and fetched later.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.errors import TollbridgeError
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Endpoint
from tollbridge.providers.request import Answer, Refusal, Request

JSON = b"application/json"
UsageMerge = Callable[[dict[str, Any] | None, dict[str, Any]], dict[str, Any]]


class UntranslatableError(Exception):
    """A request cannot be put into a provider's wire format without losing something.

    The candidate is skipped, and the reason stands in its attempt; nothing was sent.
    """


class RefusedError(Exception):
    """An answer with a status below 300 that says no all the same: all was filtered, say."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Outgoing(msgspec.Struct, frozen=True):
    """A request as a provider gets it; address and credentials are the door's."""

    target: str
    """Path and query below the endpoint's base URL, percent-encoded, with its leading slash."""
    body: bytes = b""
    method: bytes = b"POST"
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Beside those that every request to the endpoint has; names in lowercase."""
    above: int = 0
    """How many segments of the base URL's path the target stands above; 1 leaves out its last."""
    task_id: str = ""
    """The task's id, where it is ours to choose: what became of it can then always be asked."""
    passes_bytes: bool = False
    """Whether the answer goes to the caller as it comes, whatever its bytes: sound, mostly.

    It is read by `Wire.stream`, whose reader then gets the bytes in any cuts; `Wire.read` is not
    asked. Where it is False, `Request.stream` decides between event frames and a whole answer.
    """


class Output(msgspec.Struct, frozen=True):
    """One thing that was made: where it lies, or the thing itself."""

    url: str | None = None
    data: bytes | None = None
    content_type: str = ""
    text: str | None = None
    """A transcript, or what the provider made of the prompt."""


class Given(msgspec.Struct, frozen=True):
    """A provider's whole answer, read."""

    answer: Answer
    """Names and the raw usage object."""
    body: bytes = b""
    """What the caller gets, in the caller's wire format; b"" where `outputs` are to be rendered."""
    content_type: bytes = JSON
    outputs: tuple[Output, ...] = ()
    counts: dict[str, int] = {}
    """Unit → what was counted in the answer itself: images, characters, milliseconds."""
    facts: dict[str, str] = {}
    """What a price may depend on, as the answer has it: size, quality, resolution …"""


class StreamReader(Protocol):
    """Reads one provider's stream, keeps what it says in the attempt, gives the caller's frames."""

    @property
    def failure(self) -> Exception | None:
        """How the stream went wrong, once it has."""
        ...

    @property
    def finished(self) -> bool:
        """Whether a frame said that the answer is whole."""
        ...

    def first(self, whole: bytes) -> bytes:
        """Read the first frames; return what the caller gets of them, b"" where nothing yet.

        Raises StreamFailedError where the stream begins with an error, ValueError where it is no
        stream of this wire format.
        """
        ...

    def pass_on(self, whole: bytes) -> bytes:
        """Read whole frames and return what the caller gets of them."""
        ...

    def last(self, frame: bytes) -> bytes:
        """Read what stood after the last frame's end, and return what ends the caller's stream."""
        ...

    def raise_failure(self) -> None:
        """Raise StreamFailedError or ValueError where the stream went wrong."""
        ...


class Wire(Protocol):
    """How one kind of provider is asked, and how its answers are read; pure, without I/O."""

    name: str

    def compose(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> Outgoing:
        """Return the request as this provider gets it, whatever format the caller spoke.

        Raises UntranslatableError where something would be lost, InvalidRequestError where the
        caller's request itself is at fault.
        """
        ...

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read a whole answer with a status below 300.

        Raises MalformedAnswerError, and RefusedError for what is a refusal in disguise.
        """
        ...

    def stream(
        self, request: Request, attempt: AttemptEvidence, merge_usage: UsageMerge
    ) -> StreamReader:
        """Return a reader of the stream that answers `request`."""
        ...


class TaskStatus(StrEnum):
    """Where a task stands; a word that is not known means running."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskState(msgspec.Struct, frozen=True):
    """What is known of one task at a provider."""

    task_id: str
    status: TaskStatus
    progress_percent: int | None = None
    given: Given | None = None
    """What was made, of one that succeeded."""
    refusal: Refusal | None = None
    """Why it failed."""
    usage: dict[str, Any] | None = None
    """What the provider bills for it, also where it failed or was cancelled."""
    counts: dict[str, int] = {}
    """Unit → what is billed of one that failed or was cancelled, where that can be counted."""
    facts: dict[str, str] = {}
    """What the price of those counts may depend on."""


class TaskWire(Protocol):
    """How work is submitted to one kind of provider, asked after, and cancelled; pure."""

    name: str

    def submit(self, request: Request, endpoint: Endpoint, model: str) -> Outgoing:
        """Return the request that begins the task. Raises UntranslatableError."""
        ...

    def read_submitted(
        self, request: Request, headers: Mapping[bytes, bytes], body: bytes
    ) -> TaskState:
        """Read the answer to it; the task may be over already. Raises MalformedAnswerError."""
        ...

    def poll(self, task_id: str) -> Outgoing:
        """Return the request that asks after the task."""
        ...

    def read_polled(
        self, request: Request, task_id: str, headers: Mapping[bytes, bytes], body: bytes
    ) -> TaskState:
        """Read the answer to it. Raises MalformedAnswerError."""
        ...

    def cancel(self, task_id: str) -> Outgoing | None:
        """Return the request that cancels the task, None where the provider cannot."""
        ...

    def operations(self) -> frozenset[Operation]:
        """Return what can be asked of it."""
        ...


class Face(Protocol):
    """A wire format that callers speak; pure, without I/O."""

    name: str

    def parse(self, operation: Operation, body: bytes, path: str, content_type: bytes) -> Request:
        """Check a caller's body as far as it must be understood. Raises InvalidRequestError."""
        ...

    def render_outputs(self, request: Request, given: Given, created_s: int) -> tuple[bytes, bytes]:
        """Return body and content type of an answer to a call for media."""
        ...

    def render_error(self, error: TollbridgeError) -> bytes:
        """Return an error as this format's SDK expects it."""
        ...

    def error_event(self, error: TollbridgeError) -> bytes:
        """Return the frame that ends a stream which broke."""
        ...
