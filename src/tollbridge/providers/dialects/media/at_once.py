"""What does a caller get who asked for a stream, of a provider that answers at once?

Some take `stream` and do not heed it: whisper-1 says so in its reference. The caller then gets the
events that a stream would have ended with, all of them together. Source: OpenAI's streaming events
reference.
"""

import base64
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from tollbridge.core.call import Operation
from tollbridge.providers.dialects.media.answers import objects_in
from tollbridge.providers.request import Request
from tollbridge.providers.wire import JSON, Given

EVENT_STREAM = b"text/event-stream; charset=utf-8"
OPERATIONS = frozenset(
    {
        Operation.IMAGE_GENERATION,
        Operation.IMAGE_EDIT,
        Operation.AUDIO_SPEECH,
        Operation.AUDIO_TRANSCRIPTION,
    }
)
_COMPLETED: Mapping[Operation, str] = MappingProxyType(
    {
        Operation.IMAGE_GENERATION: "image_generation.completed",
        Operation.IMAGE_EDIT: "image_edit.completed",
    }
)


def is_at_once(request: Request, status: int, content_type: bytes | None) -> bool:
    """Return whether an answer is whole though the request asked for a stream."""
    return (
        request.stream
        and request.operation in OPERATIONS
        and status == 200
        and content_type is not None
        and not content_type.lower().startswith(b"text/event-stream")
    )


def as_events(request: Request, given: Given) -> Given:
    """Return a whole answer as the events of a stream; what has no events stays as it came."""
    is_json = given.content_type.startswith(JSON)
    if request.operation is Operation.AUDIO_SPEECH:
        events = [] if is_json else _speech(given.body)
    elif not is_json:
        events = []
    elif request.operation is Operation.AUDIO_TRANSCRIPTION:
        events = _transcript(msgspec.json.decode(given.body))
    else:
        events = _pictures(msgspec.json.decode(given.body), _COMPLETED[request.operation])
    if not events:
        return given
    return msgspec.structs.replace(given, body=_frames(events), content_type=EVENT_STREAM)


def _speech(sound: bytes) -> list[dict[str, Any]]:
    audio = base64.b64encode(sound).decode()
    return [{"type": "speech.audio.delta", "audio": audio}, {"type": "speech.audio.done"}]


def _transcript(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    text = fields.get("text")
    if not isinstance(text, str) or "segments" in fields:
        return []  # the events have no place for more than the text
    said = {name: fields[name] for name in ("usage", "logprobs") if fields.get(name) is not None}
    return [
        {"type": "transcript.text.delta", "delta": text},
        {"type": "transcript.text.done", "text": text, **said},
    ]


def _pictures(fields: Mapping[str, Any], completed: str) -> list[dict[str, Any]]:
    made = objects_in(fields, "data")
    if not all(isinstance(one.get("b64_json"), str) for one in made):
        return []  # nor for a picture that is named by its address
    around = {name: value for name, value in fields.items() if name not in {"data", "created"}}
    return [
        {
            "type": completed,
            "b64_json": one["b64_json"],
            "created_at": fields.get("created"),
            **(around if place == len(made) else {}),
        }
        for place, one in enumerate(made, 1)
    ]


def _frames(events: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), msgspec.json.encode(event))
        for event in events
    )
