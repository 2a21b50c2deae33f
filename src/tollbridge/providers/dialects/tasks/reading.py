"""How is an answer about a task read, whoever sent it?"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.tasks.asked import (
    DURATION_S,
    RESOLUTION,
    SIZE,
    Asked,
    facts_of,
    resolution_of,
)
from tollbridge.providers.refusals import understand
from tollbridge.providers.request import Answer, MalformedAnswerError, Refusal, label_of
from tollbridge.providers.wire import Given, Output, TaskState, TaskStatus

TASK_ID_CHARACTERS_MAX = 500
OUTPUTS_MAX = 64
JsonObject = dict[str, Any]


def decoded(body: bytes) -> JsonObject:
    """Return a body as an object. Raises MalformedAnswerError."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedAnswerError("the answer is no JSON") from error
    if not isinstance(found, dict):
        raise MalformedAnswerError("the answer is no JSON object")
    return cast("JsonObject", found)


def inner(holder: JsonObject, *path: str) -> JsonObject:
    """Return the object at a path of fields, an empty one where there is none."""
    found: Any = holder
    for field in path:
        found = cast("JsonObject", found).get(field) if isinstance(found, dict) else None
    return cast("JsonObject", found) if isinstance(found, dict) else {}


def items(holder: JsonObject, field: str) -> list[Any]:
    """Return the list that a field holds, an empty one where it holds none."""
    found = holder.get(field)
    return cast("list[Any]", found)[:OUTPUTS_MAX] if isinstance(found, list) else []


def text(holder: JsonObject, *fields: str) -> str | None:
    """Return the first of some fields that holds text."""
    for field in fields:
        value = holder.get(field)
        if isinstance(value, str) and value:
            return value
    return None


def task_id(holder: JsonObject, *fields: str) -> str:
    """Return the id of a task. Raises MalformedAnswerError where there is none that can be kept."""
    found = text(holder, *fields)
    if found is None or len(found) > TASK_ID_CHARACTERS_MAX or not found.isprintable():
        raise MalformedAnswerError("the answer names no task")
    return found


def status_of(word: object, words: Mapping[str, TaskStatus]) -> TaskStatus:
    """Return what a provider's word means, in whatever case; an unknown one means running."""
    return (
        words.get(word.lower(), TaskStatus.RUNNING)
        if isinstance(word, str)
        else (TaskStatus.RUNNING)
    )


def percent(value: object) -> int | None:
    """Return a progress as whole percent, None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return max(0, min(100, int(value)))


def links(values: list[Any]) -> tuple[Output, ...]:
    """Return the outputs that a list of addresses names: plain, or as objects with one."""
    found: list[Output] = []
    for value in values[:OUTPUTS_MAX]:
        address = value
        if isinstance(value, dict):
            address = text(cast("JsonObject", value), "url", "uri", "video", "image", "audio")
        if isinstance(address, str) and address:
            found.append(Output(url=address))
    return tuple(found)


def refused(message: str | None, code: str | None = None) -> Refusal:
    """Return why a task failed, classed by its words as any error is."""
    told = {"error": {"code": code or "", "message": message or "the task failed"}}
    return understand(msgspec.json.encode(told), status=502)


def failed(identity: str, message: str | None, code: str | None = None) -> TaskState:
    """Return the state of a task that failed and is not billed."""
    return TaskState(identity, TaskStatus.FAILED, refusal=refused(message, code))


def succeeded(
    identity: str,
    outputs: tuple[Output, ...],
    *,
    counts: dict[str, int],
    facts: dict[str, str],
    usage: JsonObject | None = None,
    served_model: object = None,
) -> TaskState:
    """Return the state of a task that is done; one without outputs failed, whatever it says."""
    if not outputs:
        return failed(identity, "the task is done and has made nothing")
    answer = Answer(usage, label_of(served_model), identity)
    given = Given(answer, outputs=outputs, counts=counts, facts=facts)
    return TaskState(identity, TaskStatus.SUCCEEDED, progress_percent=100, given=given, usage=usage)


def made(wanted: Asked, operation: Operation, made_count: int) -> dict[str, int]:
    """Return the counts of what was made, as it was asked for, where no answer says them."""
    if operation is Operation.VIDEO_GENERATION:
        return {Unit.VIDEO.value: made_count}
    if operation is Operation.AUDIO_SPEECH:
        return {Unit.CHARACTER.value: len(wanted.prompt)}
    counts = {Unit.IMAGE.value: made_count}
    if wanted.width is not None and wanted.height is not None:
        counts[Unit.PIXEL.value] = wanted.width * wanted.height * made_count
    return counts


def film(
    wanted: Asked,
    seconds: float,
    *,
    clips: int = 1,
    size: tuple[int, int] | None = None,
    resolution: str | None = None,
) -> tuple[dict[str, int], dict[str, str]]:
    """Return counts and facts of films of one length."""
    counts = {Unit.VIDEO.value: clips, Unit.VIDEO_MS.value: round(seconds * 1000) * clips}
    facts = facts_of(wanted)
    facts[DURATION_S] = f"{seconds:g}"
    if size is not None:
        facts[SIZE] = f"{size[0]}x{size[1]}"
        resolution = resolution or resolution_of(*size)
    if resolution is not None:
        facts[RESOLUTION] = resolution
    return counts, facts


def seconds_of(value: object) -> float | None:
    """Return a length in seconds, given as number or text, None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        length = float(value)
    except ValueError:
        return None
    return length if 0 < length < 10**6 else None


def milliseconds(value: object) -> int | None:
    """Return seconds as whole milliseconds, None for what is no length."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**6:
        return None
    return round(value * 1000)


def whole(value: object) -> int | None:
    """Return a count, None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**12:
        return None
    return value
