"""What do the wire formats of tasks have in common?

An answer in JSON names a task and says how it stands, to the submit as to every look. What differs
is what is sent, and how an answer is read.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from tollbridge.core.call import Operation
from tollbridge.providers.dialects.tasks.reading import JsonObject, decoded, inner, task_id, text
from tollbridge.providers.refusals import understand
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.wire import Outgoing, TaskState, TaskStatus

FILMS = frozenset({Operation.VIDEO_GENERATION})
MEDIA = frozenset({Operation.VIDEO_GENERATION, Operation.IMAGE_GENERATION, Operation.AUDIO_SPEECH})


class JsonTasks(ABC):
    """A wire format of tasks whose answers are JSON."""

    makes: ClassVar[frozenset[Operation]] = FILMS
    id_fields: ClassVar[tuple[str, ...]] = ("id",)
    """Where an answer names its task; the first that does counts."""

    @abstractmethod
    def state(self, request: Request, identity: str, answer: JsonObject) -> TaskState:
        """Return how a task stands by an answer about it. Raises MalformedAnswerError."""

    def read_submitted(
        self, request: Request, headers: Mapping[bytes, bytes], body: bytes
    ) -> TaskState:
        """Read the answer to a submit. Raises MalformedAnswerError."""
        del headers
        answer = decoded(body)
        return self.state(request, task_id(answer, *self.id_fields), answer)

    def read_polled(
        self, request: Request, task_id: str, headers: Mapping[bytes, bytes], body: bytes
    ) -> TaskState:
        """Read the answer to a look. Raises MalformedAnswerError."""
        del headers
        return self.state(request, task_id, decoded(body))

    def cancel(self, task_id: str) -> Outgoing | None:
        """Return None: few providers cancel a task."""
        del task_id
        return None

    def operations(self) -> frozenset[Operation]:
        """Return what can be asked of it."""
        return self.makes


class EnvelopedTasks(JsonTasks):
    """One whose answers stand in an envelope: {"code", "data"}; the code is a status."""

    name: str
    codes: ClassVar[frozenset[int | None]] = frozenset({None, 200})
    """The codes of answers about a task, whatever else they say."""

    def read_submitted(
        self, request: Request, headers: Mapping[bytes, bytes], body: bytes
    ) -> TaskState:
        """Read the answer to a submit. Raises MalformedAnswerError."""
        del headers
        answer = decoded(body)
        data = inner(answer, "data")
        if answer.get("code") not in self.codes and not text(data, *self.id_fields):
            said = understand(body, dialect=self.name)
            return TaskState("", TaskStatus.FAILED, refusal=said)
        return self.state(request, task_id(data, *self.id_fields), data)

    def read_polled(
        self, request: Request, task_id: str, headers: Mapping[bytes, bytes], body: bytes
    ) -> TaskState:
        """Read the answer to a look. Raises MalformedAnswerError."""
        del headers
        data = inner(decoded(body), "data")
        if not data:
            raise MalformedAnswerError("the answer has no data")
        return self.state(request, task_id, data)
