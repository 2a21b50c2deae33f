"""What do calls for speech and for transcripts ask, and how is either given to the caller?

The caller's side is OpenAI's audio/speech (JSON) and audio/transcriptions (a form).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.demand import Demand
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.media.asked import Asked, read_asked, read_object, refused
from tollbridge.providers.dialects.media.durations import duration_ms
from tollbridge.providers.dialects.media.forms import Part, is_form
from tollbridge.providers.dialects.media.kinds import audio_kind
from tollbridge.providers.dialects.media.limits import UNBOUNDED, MediaLimits
from tollbridge.providers.request import Request, label_of
from tollbridge.providers.wire import Given

SPEECH_TYPES: Mapping[str, bytes] = MappingProxyType(
    {
        "mp3": b"audio/mpeg",
        "opus": b"audio/ogg",
        "aac": b"audio/aac",
        "flac": b"audio/flac",
        "wav": b"audio/wav",
        "pcm": b"audio/pcm",
    }
)
TRANSCRIPT_FORMATS = frozenset({"json", "text", "srt", "verbose_json", "vtt", "diarized_json"})
SPEECH_NAMES = ("model", "voice", "response_format", "stream_format", "speed", "user")
NAME_CHARACTERS_MAX = 200
PROMPT_CHARACTERS_MAX = 32_000
TEXT = b"text/plain; charset=utf-8"


class SpeechAsk(msgspec.Struct, frozen=True):
    """What a call for speech asks."""

    model: str
    text: str
    voice: str | None
    """None where the voice is named by an object of the caller's own account."""
    audio_format: str
    fields: dict[str, Any]


class TranscriptAsk(msgspec.Struct, frozen=True):
    """What a call for a transcript asks."""

    model: str
    audio: Part
    kind: str
    audio_format: str
    """What the transcript is to be: json, text, srt, vtt, verbose_json, diarized_json."""
    language: str | None
    fields: dict[str, Any]


class Segment(msgspec.Struct, frozen=True):
    """Some words of a transcript, and when they were said."""

    start_s: float
    end_s: float
    text: str


class Transcript(msgspec.Struct, frozen=True):
    """What was said."""

    text: str
    language: str | None = None
    words: tuple[Segment, ...] = ()


def parse_speech(body: bytes, limits: MediaLimits) -> Request:
    """Check a call for speech. Raises InvalidRequestError that names the field."""
    asked = Asked(read_object(body, "input", SPEECH_NAMES), (), is_form=False)
    ask = _speech(asked, limits.speech_characters_max)
    stream = asked.one_of("stream_format", ("audio", "sse")) == "sse"
    return Request(
        Operation.AUDIO_SPEECH,
        body,
        ask.model,
        stream,
        customer=label_of(asked.text("user", 1024)),
        demand=Demand({Unit.CHARACTER.value: len(ask.text)}),
    )


def read_speech(request: Request) -> SpeechAsk:
    """Return what a checked call for speech asks."""
    asked = Asked(read_object(request.body, "input", SPEECH_NAMES), (), is_form=False)
    return _speech(asked, UNBOUNDED.speech_characters_max)


def parse_transcription(body: bytes, content_type: bytes, limits: MediaLimits) -> Request:
    """Check a call for a transcript. Raises InvalidRequestError that names the field."""
    if not is_form(content_type):
        raise InvalidRequestError(
            "a transcription is asked for with a form (multipart/form-data) that has the file",
            details={"param": "content-type"},
        )
    asked = read_asked(body, content_type, limits.form_parts_max, "file", ())
    ask = _transcript(asked, limits.audio_bytes_max)
    length_ms = duration_ms(ask.audio.data)
    counts = {} if length_ms is None else {Unit.AUDIO_MS.value: length_ms}
    return Request(
        Operation.AUDIO_TRANSCRIPTION,
        body,
        ask.model,
        asked.truth("stream"),
        customer=label_of(asked.text("user", 1024)),
        content_type=content_type,
        demand=Demand(counts),
    )


def read_transcription(request: Request) -> TranscriptAsk:
    """Return what a checked call for a transcript asks."""
    parts_max = UNBOUNDED.form_parts_max
    asked = read_asked(request.body, request.content_type, parts_max, "file", ())
    return _transcript(asked, UNBOUNDED.audio_bytes_max)


def render_speech(request: Request, given: Given) -> tuple[bytes, bytes]:
    """Return the sound itself."""
    output = given.outputs[0]
    kind = output.content_type.encode() or SPEECH_TYPES[read_speech(request).audio_format]
    return output.data or b"", kind


def render_transcript(
    transcript: Transcript, audio_format: str, audio_ms: int | None
) -> tuple[bytes, bytes]:
    """Return a transcript in one of OpenAI's formats, and its content type."""
    text = transcript.text
    if audio_format == "text":
        return f"{text}\n".encode(), TEXT
    if audio_format in {"srt", "vtt"}:
        return _subtitles(transcript, audio_format).encode(), TEXT
    answer: dict[str, Any] = {"text": text}
    if audio_format == "verbose_json":
        ends_s = transcript.words[-1].end_s if transcript.words else 0.0
        answer |= {
            "task": "transcribe",
            "language": transcript.language or "",
            "duration": ends_s if audio_ms is None else audio_ms / 1000,
            "segments": [
                {"id": number, "start": one.start_s, "end": one.end_s, "text": one.text}
                for number, one in enumerate(_lines(transcript.words))
            ],
            "words": [
                {"word": one.text, "start": one.start_s, "end": one.end_s}
                for one in transcript.words
            ],
        }
    if audio_ms is not None:
        answer["usage"] = {"type": "duration", "seconds": -(-audio_ms // 1000)}
    return msgspec.json.encode(answer), b"application/json"


def _speech(asked: Asked, characters_max: int) -> SpeechAsk:
    voice = asked.fields.get("voice")
    if isinstance(voice, dict):
        if not isinstance(cast("dict[str, Any]", voice).get("id"), str):
            raise refused("voice", "must be a name, or an object with an id")
        voice = None
    else:
        voice = asked.text("voice", NAME_CHARACTERS_MAX, required=True)
    speed = asked.fields.get("speed")
    if speed is not None and (
        isinstance(speed, bool) or not isinstance(speed, int | float) or not 0.25 <= speed <= 4
    ):
        raise refused("speed", "must be a number from 0.25 to 4")
    return SpeechAsk(
        model=asked.model(),
        text=asked.text("input", characters_max, required=True) or "",
        voice=voice,
        audio_format=asked.one_of("response_format", SPEECH_TYPES) or "mp3",
        fields=dict(asked.fields),
    )


def _transcript(asked: Asked, audio_bytes_max: int) -> TranscriptAsk:
    files = [part for part in asked.files if part.name == "file"]
    if len(files) != 1:
        raise refused("file", "must be given once")
    audio = files[0]
    if len(audio.data) > audio_bytes_max:
        raise refused("file", f"has {len(audio.data)} bytes; at most {audio_bytes_max} are taken")
    kind = audio_kind(audio.data)
    if kind is None:
        raise refused(
            "file", "is not a sound: flac, mp3, mp4, m4a, ogg, wav, webm and aac are taken"
        )
    asked.text("prompt", PROMPT_CHARACTERS_MAX)
    return TranscriptAsk(
        model=asked.model(),
        audio=audio,
        kind=kind,
        audio_format=asked.one_of("response_format", TRANSCRIPT_FORMATS) or "json",
        language=asked.text("language", 32),
        fields=dict(asked.fields),
    )


WORDS_PER_LINE = 12


def _lines(words: tuple[Segment, ...]) -> list[Segment]:
    """Return the words in lines that end with a sentence, or after some words."""
    lines: list[Segment] = []
    line: list[Segment] = []
    for word in words:
        line.append(word)
        if len(line) == WORDS_PER_LINE or word.text.rstrip().endswith((".", "!", "?")):
            lines.append(_joined(line))
            line = []
    if line:
        lines.append(_joined(line))
    return lines


def _joined(line: list[Segment]) -> Segment:
    text = " ".join(word.text.strip() for word in line)
    return Segment(line[0].start_s, line[-1].end_s, text)


def _subtitles(transcript: Transcript, audio_format: str) -> str:
    point = "," if audio_format == "srt" else "."
    blocks = ["WEBVTT"] if audio_format == "vtt" else []
    for number, line in enumerate(_lines(transcript.words), 1):
        times = f"{_moment(line.start_s, point)} --> {_moment(line.end_s, point)}"
        head = f"{number}\n" if audio_format == "srt" else ""
        blocks.append(f"{head}{times}\n{line.text}")
    return "\n\n".join(blocks) + "\n"


def _moment(at_s: float, point: str) -> str:
    at_ms = round(at_s * 1000)
    minutes, rest_ms = divmod(at_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds, rest_ms = divmod(rest_ms, 1000)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest_ms:03}"
