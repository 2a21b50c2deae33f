"""How are speech and transcripts asked of ElevenLabs, and what do its answers say?

Source: elevenlabs.io/docs/api-reference. It bills credits: `character-cost` says how many, one for
a character on most models, one for two on the fast ones. Prices are per character all the same,
so a cost of half the characters is read as all of them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import quote

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Endpoint
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.media.answers import NO_NAMES, object_of, objects_in, unstreamed
from tollbridge.providers.dialects.media.forms import Part, form_of
from tollbridge.providers.dialects.media.kinds import AUDIO_TYPES
from tollbridge.providers.dialects.media.sounds import (
    SPEECH_TYPES,
    Segment,
    SpeechAsk,
    Transcript,
    read_speech,
    read_transcription,
    render_transcript,
)
from tollbridge.providers.dialects.media.streams import Bytes
from tollbridge.providers.dialects.media.voices import voice_at
from tollbridge.providers.request import MalformedAnswerError, Request, label_of
from tollbridge.providers.wire import (
    Given,
    Outgoing,
    Output,
    StreamReader,
    UntranslatableError,
    UsageMerge,
)

WHO = "elevenlabs"
CHARACTER_COST = "character-cost"
# OpenAI's formats of sound → its own; a wav file has a head that its pcm has not.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "mp3": "mp3_44100_128",
        "opus": "opus_48000_128",
        "pcm": "pcm_24000",
        "wav": "wav_44100",
    }
)
SPEED = (0.7, 1.2)
"""It speaks no slower and no faster."""
OWN = frozenset(
    {
        "apply_text_normalization",
        "language_code",
        "next_text",
        "previous_text",
        "seed",
        "voice_settings",
    }
)
SPOKEN = frozenset({"model", "input", "voice", "response_format", "speed", "user", "stream_format"})
TRANSCRIBED = frozenset({"model", "language", "response_format", "temperature", "user", "stream"})
GRANULARITIES = "timestamp_granularities[]"


class ElevenLabsWire:
    """ElevenLabs' wire format."""

    name = "elevenlabs"

    def compose(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> Outgoing:
        """Return the request as it gets it. Raises UntranslatableError."""
        del output_tokens_cap
        if request.operation is Operation.AUDIO_SPEECH:
            unstreamed(request, WHO)
            return _spoken(read_speech(request), endpoint, model)
        if request.operation is Operation.AUDIO_TRANSCRIPTION:
            unstreamed(request, WHO)
            return _transcribed(request, model)
        raise UntranslatableError(f"{WHO} does no {request.operation.value}")

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read a whole answer. Raises MalformedAnswerError."""
        if request.operation is Operation.AUDIO_SPEECH:
            kind = headers.get(b"content-type", b"").decode("latin-1")
            if kind.startswith("application/json"):
                raise MalformedAnswerError("the answer is no sound")
            cost = headers.get(CHARACTER_COST.encode(), b"").decode("latin-1")
            counts = characters(request, cost)
            return Given(NO_NAMES, outputs=(Output(data=body, content_type=kind),), counts=counts)
        fields = object_of(body)
        if not isinstance(fields.get("text"), str):
            raise MalformedAnswerError("the answer has no text")
        words = tuple(
            _word(one) for one in objects_in(fields, "words") if one.get("type") == "word"
        )
        ask = read_transcription(request)
        transcript = Transcript(fields["text"], label_of(fields.get("language_code")), words)
        length_ms = request.demand.counts.get(Unit.AUDIO_MS.value)
        rendered, kind = render_transcript(transcript, ask.audio_format, length_ms)
        return Given(NO_NAMES, rendered, kind)

    def stream(
        self, request: Request, attempt: AttemptEvidence, merge_usage: UsageMerge
    ) -> StreamReader:
        """Return a reader of the sound; what it costs stands in the head of the answer."""
        del merge_usage
        return Bytes(attempt, characters(request, attempt.headers.get(CHARACTER_COST, "")), {})


def characters(request: Request, cost: str) -> dict[str, int]:
    """Return how many characters were billed, by what the answer says they cost in credits."""
    sent = request.demand.counts.get(Unit.CHARACTER.value, 0)
    if not cost.isdecimal() or len(cost) > 12:
        return {Unit.CHARACTER.value: sent}
    billed = int(cost)
    is_half = billed > 0 and 2 * billed in {sent - 1, sent, sent + 1}
    return {Unit.CHARACTER.value: sent if is_half else billed}


def _spoken(ask: SpeechAsk, endpoint: Endpoint, model: str) -> Outgoing:
    output_format = FORMATS.get(ask.audio_format)
    if output_format is None:
        raise UntranslatableError(f"{WHO} makes no {ask.audio_format}")
    if ask.voice is None:
        raise UntranslatableError(f"{WHO} has no voice of another account")
    for name, value in ask.fields.items():
        if value is not None and name not in SPOKEN and name not in OWN:
            raise UntranslatableError(f"{WHO} has no {name} for speech")
    body: dict[str, Any] = {"text": ask.text, "model_id": model}
    body |= {name: ask.fields[name] for name in OWN if ask.fields.get(name) is not None}
    speed = ask.fields.get("speed")
    if speed is not None and speed != 1:
        if not SPEED[0] <= speed <= SPEED[1]:
            raise UntranslatableError(f"{WHO} speaks at {SPEED[0]} to {SPEED[1]} of the speed")
        settings = body.get("voice_settings")
        chosen = cast("dict[str, Any]", settings) if isinstance(settings, dict) else {}
        body["voice_settings"] = {"speed": speed, **chosen}
    voice = quote(voice_at(endpoint.provider, ask.voice), safe="")
    target = f"/v1/text-to-speech/{voice}?output_format={output_format}"
    kind = SPEECH_TYPES[ask.audio_format]
    return Outgoing(
        target, msgspec.json.encode(body), headers=((b"accept", kind),), passes_bytes=True
    )


def _transcribed(request: Request, model: str) -> Outgoing:
    ask = read_transcription(request)
    for name in ask.fields:
        if name not in TRANSCRIBED and name != GRANULARITIES:
            raise UntranslatableError(f"{WHO} has no {name} for transcripts")
    if ask.audio_format == "diarized_json":
        raise UntranslatableError(f"{WHO} names speakers in another way")
    fields = {"model_id": model, "timestamps_granularity": "word"}
    if ask.language is not None:
        fields["language_code"] = ask.language
    name = ask.audio.filename or f"sound.{ask.kind}"
    file = Part("file", ask.audio.data, name, AUDIO_TYPES[ask.kind])
    body, content_type = form_of(fields, [file])
    return Outgoing("/v1/speech-to-text", body, content_type=content_type)


def _word(one: Mapping[str, Any]) -> Segment:
    start, end, text = one.get("start"), one.get("end"), one.get("text")
    if not isinstance(start, int | float) or not isinstance(end, int | float):
        start = end = 0.0
    return Segment(float(start), float(end), text if isinstance(text, str) else "")
