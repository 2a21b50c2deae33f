import json
from typing import Any

import pytest

from tests.support.evidence import an_attempt
from tests.support.media import asked, asked_by_form, wav
from tollbridge.core.call import Operation
from tollbridge.metering.extract import merge_usage
from tollbridge.providers.dialects.media.forms import Part
from tollbridge.providers.dialects.media.openai import OpenAIMedia
from tollbridge.providers.request import Request

PICTURES = asked(
    Operation.IMAGE_GENERATION, prompt="p", stream=True, partial_images=1, quality="low"
)
SPEECH = asked(Operation.AUDIO_SPEECH, input="Hello", voice="alloy", stream_format="sse")
SOUND = Part("file", wav(500), "a.wav", "audio/wav")
TRANSCRIPT = asked_by_form(Operation.AUDIO_TRANSCRIPTION, {"stream": "true"}, [SOUND])
TOKENS = {"input_tokens": 5, "output_tokens": 272, "total_tokens": 277}


def events(*frames: dict[str, Any]) -> bytes:
    return b"".join(
        f"event: {frame['type']}\ndata: {json.dumps(frame)}\n\n".encode() for frame in frames
    )


CASES: list[tuple[Request, bytes, dict[str, int], dict[str, str]]] = [
    (
        PICTURES,
        events(
            {"type": "image_generation.partial_image", "b64_json": "aaaa"},
            {
                "type": "image_generation.completed",
                "b64_json": "bbbb",
                "size": "1024x1024",
                "quality": "low",
                "usage": TOKENS,
            },
        ),
        {"image": 1},
        {"size": "1024x1024", "quality": "low"},
    ),
    (
        SPEECH,
        events(
            {"type": "speech.audio.delta", "audio": "aaaa"},
            {"type": "speech.audio.done", "usage": TOKENS},
        ),
        {},
        {},
    ),
    (
        TRANSCRIPT,
        events(
            {"type": "transcript.text.delta", "delta": "Hi"},
            {"type": "transcript.text.done", "text": "Hi", "usage": TOKENS},
        ),
        {},
        {},
    ),
]


@pytest.mark.parametrize(("request_", "stream", "counts", "facts"), CASES)
@pytest.mark.parametrize("split", [False, True])
def test_a_stream_passes_and_what_it_says_at_its_end_is_noted(
    request_: Request, stream: bytes, counts: dict[str, int], facts: dict[str, str], *, split: bool
) -> None:
    attempt = an_attempt()
    reader = OpenAIMedia().stream(request_, attempt, merge_usage)
    first, _, rest = stream.partition(b"\n\n")
    pieces = [first + b"\n\n", rest] if split else [stream]
    passed = reader.first(pieces[0])
    for piece in pieces[1:]:
        passed += reader.pass_on(piece)
    passed += reader.last(b"")
    reader.raise_failure()
    assert passed == stream
    assert reader.finished
    assert (attempt.counts, attempt.usage) == (counts, TOKENS)
    assert {**attempt.facts, **facts} == attempt.facts


def test_sound_passes_in_any_cuts_and_its_characters_are_noted_with_the_first() -> None:
    request = asked(Operation.AUDIO_SPEECH, input="Hello", voice="alloy")
    attempt = an_attempt()
    reader = OpenAIMedia().stream(request, attempt, merge_usage)
    assert reader.first(b"") == b""
    assert attempt.counts == {}
    assert reader.first(b"I") + reader.pass_on(b"D3") + reader.last(b"\n") == b"ID3\n"
    assert attempt.counts == {"character": 5}
    assert reader.finished


def test_a_stream_without_its_end_is_not_finished() -> None:
    attempt = an_attempt()
    reader = OpenAIMedia().stream(PICTURES, attempt, merge_usage)
    reader.first(events({"type": "image_generation.partial_image", "b64_json": "aaaa"}))
    assert not reader.finished
    assert "image" not in attempt.counts
