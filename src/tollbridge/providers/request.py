"""What of a caller's request must be understood to carry it?"""

from collections.abc import Mapping

import msgspec

from tollbridge.core.call import ErrorClass, Operation


class Request(msgspec.Struct, frozen=True):
    """A checked request: the body as it came, and the few fields that are acted on."""

    operation: Operation
    body: bytes
    model: str
    stream: bool = False
    asks_usage: bool = False
    """Whether the caller wants the stream's usage frame."""
    output_tokens_max: int | None = None
    choices: int = 1
    customer: str | None = None


class Refusal(msgspec.Struct, frozen=True):
    """A provider's error answer, understood."""

    error_class: ErrorClass
    message: str
    """The provider's words, cut at 500 characters."""
    retry_after_s: float | None = None
    code: str | None = None
    parameter: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What is taken from a whole answer: names and the raw usage object."""

    usage: Mapping[str, object] | None
    served_model: str | None
    response_id: str | None


class MalformedAnswerError(ValueError):
    """A 200 that is not what the dialect answers with."""
