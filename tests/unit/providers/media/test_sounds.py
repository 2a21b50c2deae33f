from typing import Any

import msgspec
import pytest

from tests.support.media import JSON, asked, asked_by_form, endpoint, wav
from tollbridge.core.call import Operation
from tollbridge.core.demand import Demand
from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.media.aimlapi import AimlapiWire
from tollbridge.providers.dialects.media.elevenlabs import ElevenLabsWire
from tollbridge.providers.dialects.media.face import parse_media, render_media
from tollbridge.providers.dialects.media.forms import Part, fields_of, read_form, write_form
from tollbridge.providers.dialects.media.limits import MediaLimits
from tollbridge.providers.dialects.media.openai import OpenAIMedia
from tollbridge.providers.dialects.media.sounds import Segment, Transcript, render_transcript
from tollbridge.providers.request import Answer
from tollbridge.providers.wire import Given, Output, UntranslatableError

SPEECH = Operation.AUDIO_SPEECH
TRANSCRIPT = Operation.AUDIO_TRANSCRIPTION
SOUND = Part("file", wav(1500), "a.wav", "audio/wav")


def speech(**fields: Any) -> Any:
    return asked(SPEECH, **{"input": "Grüße", "voice": "alloy", **fields})


def test_speech_is_counted_in_characters_not_in_bytes() -> None:
    assert speech(model="tts-1").demand == Demand({"character": 5})


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"input": ""}, "input"),
        ({"input": None}, "input"),
        ({"input": "a" * 40_001}, "input"),
        ({"voice": None}, "voice"),
        ({"voice": 5}, "voice"),
        ({"voice": {"name": "x"}}, "voice"),
        ({"response_format": "midi"}, "response_format"),
        ({"speed": 9}, "speed"),
        ({"speed": "fast"}, "speed"),
        ({"stream_format": "ws"}, "stream_format"),
    ],
)
def test_what_is_wrong_with_a_call_for_speech_is_named(
    fields: dict[str, Any], parameter: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        speech(**fields)
    assert caught.value.details["param"] == parameter


def test_a_voice_that_a_provider_does_not_have_is_said_before_it_is_asked() -> None:
    with pytest.raises(UntranslatableError, match="openai has no voice 'gandalf'; it has alloy"):
        OpenAIMedia().compose(speech(voice="gandalf"), endpoint("openai"), "tts-1")
    own = OpenAIMedia().compose(speech(voice={"id": "voice_1"}), endpoint("openai"), "tts-1")
    elsewhere = OpenAIMedia().compose(speech(voice="gandalf"), endpoint("local"), "tts-1")
    assert own.passes_bytes
    assert elsewhere.passes_bytes


def test_elevenlabs_gets_speech_in_its_own_words() -> None:
    request = speech(voice="a/b", response_format="pcm", speed=1.1, seed=4)
    outgoing = ElevenLabsWire().compose(request, endpoint("elevenlabs"), "eleven_v3", None)
    assert outgoing.target == "/v1/text-to-speech/a%2Fb?output_format=pcm_24000"
    assert msgspec.json.decode(outgoing.body) == {
        "text": "Grüße",
        "model_id": "eleven_v3",
        "seed": 4,
        "voice_settings": {"speed": 1.1},
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": "aac"},
        {"speed": 3},
        {"instructions": "whisper"},
        {"voice": {"id": "v"}},
        {"stream_format": "sse"},
    ],
)
def test_elevenlabs_is_skipped_for_what_it_cannot_do(fields: dict[str, Any]) -> None:
    with pytest.raises(UntranslatableError):
        ElevenLabsWire().compose(speech(**fields), endpoint("elevenlabs"), "eleven_v3", None)


def test_aimlapi_says_where_the_sound_lies_and_what_it_charged() -> None:
    answer = b'{"audio":{"url":"https://h/a.mp3"},"meta":{"usage":{"usd_spent":0.001}}}'
    headers = {b"content-type": JSON}
    given = AimlapiWire().read(speech(), headers, answer)
    assert given.outputs == (Output(url="https://h/a.mp3", content_type="audio/mpeg"),)
    assert given.answer.usage == {"usd_spent": 0.001}
    assert given.counts == {"character": 5}


def test_speech_is_given_as_its_bytes() -> None:
    answer = Answer(usage=None, served_model=None, response_id=None)
    given = Given(answer, outputs=(Output(data=b"RIFF", content_type="audio/wav"),))
    assert render_media(speech(), given, 1) == (b"RIFF", b"audio/wav")


def transcript(**fields: str) -> Any:
    return asked_by_form(TRANSCRIPT, fields, [SOUND])


def test_a_sound_is_as_long_as_its_headers_say() -> None:
    request = transcript(model="whisper-1", stream="true")
    assert request.demand == Demand({"audio_ms": 1500})
    assert request.stream


@pytest.mark.parametrize(
    ("fields", "files", "parameter"),
    [
        ({}, [], "file"),
        ({}, [SOUND, SOUND], "file"),
        ({}, [Part("file", b"<html>", "a.mp3", "audio/mpeg")], "file"),
        ({}, [Part("file", b"", "a.mp3", "audio/mpeg")], "file"),
        ({}, [Part("file", wav(1600), "a.wav")], "file"),
        ({"response_format": "docx"}, [SOUND], "response_format"),
        ({"language": "e" * 33}, [SOUND], "language"),
        ({"stream": "perhaps"}, [SOUND], "stream"),
    ],
)
def test_what_is_wrong_with_a_sound_is_named(
    fields: dict[str, str], files: list[Part], parameter: str
) -> None:
    parts = [Part(name, value.encode()) for name, value in fields.items()]
    body, content_type = write_form([*parts, *files])
    limits = MediaLimits(audio_bytes_max=len(SOUND.data))
    with pytest.raises(InvalidRequestError) as caught:
        parse_media(TRANSCRIPT, body, content_type, limits)
    assert caught.value.details["param"] == parameter


def test_a_transcript_is_asked_for_with_a_form() -> None:
    with pytest.raises(InvalidRequestError):
        parse_media(TRANSCRIPT, b"{}", JSON)


def test_elevenlabs_gets_the_sound_itself() -> None:
    request = transcript(language="de", response_format="vtt")
    outgoing = ElevenLabsWire().compose(request, endpoint("elevenlabs"), "scribe_v1", None)
    parts = read_form(outgoing.body, outgoing.content_type, 8)
    assert fields_of(parts) == {
        "model_id": "scribe_v1",
        "timestamps_granularity": "word",
        "language_code": "de",
    }
    assert parts[-1].data == wav(1500)


WORDS = (
    Segment(0.0, 0.5, "Ahoy,"),
    Segment(0.5, 1.0, "boat."),
    Segment(3599.9, 3600.25, "Gone"),
)


def test_a_transcript_is_given_in_every_format() -> None:
    said = Transcript("Ahoy, boat. Gone", "en", WORDS)

    def given(audio_format: str) -> str:
        return render_transcript(said, audio_format, 3_600_250)[0].decode()

    assert given("text") == "Ahoy, boat. Gone\n"
    assert given("vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nAhoy, boat.\n\n"
        "00:59:59.900 --> 01:00:00.250\nGone\n"
    )
    assert given("srt").startswith("1\n00:00:00,000 --> 00:00:01,000\nAhoy, boat.\n\n2\n")
    assert msgspec.json.decode(given("json")) == {
        "text": "Ahoy, boat. Gone",
        "usage": {"type": "duration", "seconds": 3601},
    }
    verbose = msgspec.json.decode(given("verbose_json"))
    assert (verbose["language"], verbose["duration"]) == ("en", 3600.25)
    assert [one["text"] for one in verbose["segments"]] == ["Ahoy, boat.", "Gone"]
    assert verbose["words"][0] == {"word": "Ahoy,", "start": 0.0, "end": 0.5}
