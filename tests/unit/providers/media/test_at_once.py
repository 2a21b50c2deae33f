import base64
import json
from typing import Any

import pytest

from tests.support.media import asked, asked_by_form, wav
from tollbridge.core.call import Operation
from tollbridge.providers.dialects.media.at_once import EVENT_STREAM, is_at_once
from tollbridge.providers.dialects.media.forms import Part
from tollbridge.providers.dialects.media.openai import OpenAIMedia
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.wire import Given

JSON = {b"content-type": b"application/json"}
SOUND = Part("file", wav(500), "a.wav", "audio/wav")
TRANSCRIPT = asked_by_form(Operation.AUDIO_TRANSCRIPTION, {"stream": "true"}, [SOUND])
SPEECH = asked(Operation.AUDIO_SPEECH, input="Hello", voice="alloy", stream_format="sse")
PICTURES = asked(Operation.IMAGE_GENERATION, prompt="p", stream=True)
USAGE = {"type": "duration", "seconds": 1}


def read(request: Request, body: Any, headers: dict[bytes, bytes] = JSON) -> Given:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return OpenAIMedia().read(request, headers, data)


def events(given: Given) -> list[dict[str, Any]]:
    assert given.content_type == EVENT_STREAM
    frames = [frame.split(b"\ndata: ") for frame in given.body.split(b"\n\n")[:-1]]
    found = [json.loads(data) for _, data in frames]
    assert [name for name, _ in frames] == [f"event: {one['type']}".encode() for one in found]
    return found


def test_a_whole_transcript_becomes_the_events_of_a_stream() -> None:
    given = read(TRANSCRIPT, {"text": "hello there", "usage": USAGE})
    assert events(given) == [
        {"type": "transcript.text.delta", "delta": "hello there"},
        {"type": "transcript.text.done", "text": "hello there", "usage": USAGE},
    ]
    assert given.counts == {"audio_ms": 1000}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"text": "hello", "segments": [{"id": 0}], "duration": 0.5}, b"application/json"),
        (b"1\n00:00:00,000 --> 00:00:01,000\nhello\n", b"text/plain; charset=utf-8"),
    ],
)
def test_a_transcript_that_events_have_no_place_for_stays_as_it_came(
    body: Any, kind: bytes
) -> None:
    given = read(TRANSCRIPT, body, {b"content-type": kind})
    assert given.content_type == kind
    assert given.body == (body if isinstance(body, bytes) else json.dumps(body).encode())


def test_a_whole_sound_becomes_the_events_of_a_stream_and_is_counted() -> None:
    given = read(SPEECH, b"ID3 sound", {b"content-type": b"audio/mpeg"})
    delta, done = events(given)
    assert base64.b64decode(delta["audio"]) == b"ID3 sound"
    assert done == {"type": "speech.audio.done"}
    assert given.counts == {"character": 5}


def test_whole_pictures_become_events_and_a_link_stays_as_it_came() -> None:
    body = {"created": 7, "size": "1024x1024", "data": [{"b64_json": "aaaa"}], "usage": {"x": 1}}
    (made,) = events(read(PICTURES, body))
    assert made == {
        "type": "image_generation.completed",
        "b64_json": "aaaa",
        "created_at": 7,
        "size": "1024x1024",
        "usage": {"x": 1},
    }
    linked = read(PICTURES, {"data": [{"url": "https://host/a.png"}]})
    assert linked.content_type == b"application/json"


def test_a_page_and_an_error_are_no_answer_to_a_stream_either() -> None:
    for body, kind in ((b"<html>", b"text/html"), (b'{"error":{}}', b"application/json")):
        with pytest.raises(MalformedAnswerError):
            read(PICTURES, body, {b"content-type": kind})
    with pytest.raises(MalformedAnswerError, match="a page"):
        read(TRANSCRIPT, b"<html>", {b"content-type": b"text/html"})


@pytest.mark.parametrize(
    ("request_", "status", "kind", "expected"),
    [
        (TRANSCRIPT, 200, b"application/json", True),
        (TRANSCRIPT, 200, b"text/event-stream; charset=utf-8", False),
        (TRANSCRIPT, 200, None, False),
        (TRANSCRIPT, 429, b"application/json", False),
        (asked(Operation.AUDIO_SPEECH, input="Hello", voice="alloy"), 200, b"audio/mpeg", False),
    ],
)
def test_only_a_whole_answer_to_who_asked_for_a_stream_is_one(
    request_: Request, status: int, kind: bytes | None, *, expected: bool
) -> None:
    assert is_at_once(request_, status, kind) is expected
