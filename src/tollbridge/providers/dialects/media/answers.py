"""What is common to reading a provider's answer that is no chat?"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from tollbridge.core.call import ErrorClass
from tollbridge.core.errors import BugError
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.media.kinds import IMAGE_TYPES, image_kind, image_size
from tollbridge.providers.request import Answer, MalformedAnswerError, Refusal, Request, label_of
from tollbridge.providers.wire import (
    Given,
    Output,
    RefusedError,
    StreamReader,
    UntranslatableError,
    UsageMerge,
)

USAGE_BYTES_MAX = 64 * 1024
NO_NAMES = Answer(usage=None, served_model=None, response_id=None)


def object_of(body: bytes) -> dict[str, Any]:
    """Return an answer's JSON object. Raises MalformedAnswerError, also for an error in a 200."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedAnswerError(f"the answer is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise MalformedAnswerError("the answer is no JSON object")
    fields = cast("dict[str, Any]", found)
    if fields.get("error") and not fields.get("data"):
        raise MalformedAnswerError("an error in a 200")
    return fields


def objects_in(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of a list; what is none of both is left out."""
    value = holder.get(name)
    if not isinstance(value, list):
        return []
    return [
        cast("dict[str, Any]", one) for one in cast("list[Any]", value) if isinstance(one, dict)
    ]


def object_in(holder: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object in an object, an empty one where there is none."""
    value = holder.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def names_of(fields: Mapping[str, Any], usage: dict[str, Any] | None) -> Answer:
    """Return the names that an answer gives of itself, with its usage object."""
    if usage is not None and len(msgspec.json.encode(usage)) > USAGE_BYTES_MAX:
        usage = None
    return Answer(
        usage,
        label_of(fields.get("model")),
        label_of(fields.get("id")),
        label_of(fields.get("provider")),
    )


def usage_in(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the usage object of an answer as OpenAI and its kin have it."""
    usage = fields.get("usage")
    return cast("dict[str, Any]", usage) if isinstance(usage, dict) else None


def decoded(text: object) -> bytes:
    """Return what base64 says. Raises MalformedAnswerError."""
    if not isinstance(text, str):
        raise MalformedAnswerError("what was made is no base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedAnswerError("what was made is no base64") from error


def picture_of(data: bytes, content_type: str = "", text: str | None = None) -> Output:
    """Return a picture that was made. Raises MalformedAnswerError where it is none."""
    kind = image_kind(data)
    if kind is None and not content_type.startswith("image/"):
        raise MalformedAnswerError("what was made is no picture")
    return Output(data=data, content_type=content_type or IMAGE_TYPES[kind or "png"], text=text)


def given_pictures(
    request: Request, outputs: list[Output], answer: Answer, facts: Mapping[str, str]
) -> Given:
    """Return pictures as what was given: their number is counted, their size measured.

    Raises MalformedAnswerError where there is none.
    """
    if not outputs:
        raise MalformedAnswerError("the answer has no picture")
    known = {**request.demand.facts, **facts}
    measured = image_size(outputs[0].data or b"")
    if measured is not None:
        known.setdefault("size", measured)
    return Given(
        answer,
        outputs=tuple(outputs),
        counts={Unit.IMAGE.value: len(outputs)},
        facts=known,
    )


def filtered(message: str) -> RefusedError:
    """Return the failure of an answer that a filter has taken away."""
    return RefusedError(Refusal(ErrorClass.CONTENT_FILTERED, message))


def only(ask_n: int, most: int, who: str) -> None:
    """Raise UntranslatableError where more is asked for than one call can make."""
    if ask_n > most:
        raise UntranslatableError(f"{who} makes at most {most} per call, not {ask_n}")


class Unstreamed:
    """Of a wire format that streams nothing: what is to be streamed, `compose` has refused."""

    def stream(
        self, request: Request, attempt: AttemptEvidence, merge_usage: UsageMerge
    ) -> StreamReader:
        """Raise BugError: no request comes so far."""
        del attempt, merge_usage
        raise BugError(f"a request for {request.operation.value} was let in to be streamed")


def unstreamed(request: Request, who: str) -> None:
    """Raise UntranslatableError for a request to be answered by a stream."""
    if request.stream:
        raise UntranslatableError(f"{who} does not stream {request.operation.value}")
