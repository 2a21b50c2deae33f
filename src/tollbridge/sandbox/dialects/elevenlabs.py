"""What does ElevenLabs answer: a voice's bytes, what was heard, and what it cost in credits?"""

import base64
from typing import Any, Final

import msgspec

from tollbridge.sandbox import usage, voices
from tollbridge.sandbox.answer import digest, say
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.dialects.audio import heard_ms
from tollbridge.sandbox.frame import Headers, Trouble, Voice
from tollbridge.sandbox.media import CONTENT_TYPES, sound, speech_ms
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import NO_FAULTS, Script
from tollbridge.sandbox.usage import PLAIN
from tollbridge.sandbox.visit import Visit

NO_VOICE: Final = "unknown-voice"
SOUND_CREDITS_PER_S: Final = 40
_LIMITS: Final = (("eleven_v3", 3000), ("eleven_flash_v2_5", 40_000), ("eleven_flash", 30_000))


class SpeechRequest(msgspec.Struct, frozen=True):
    """The body of a text-to-speech."""

    text: str
    model_id: str = "eleven_multilingual_v2"


class SoundRequest(msgspec.Struct, frozen=True):
    """The body of a sound-generation."""

    text: str
    duration_seconds: float | None = None


_speech_decoder: Final = msgspec.json.Decoder(SpeechRequest)
_sound_decoder: Final = msgspec.json.Decoder(SoundRequest)


async def speech(visit: Visit) -> None:
    """Answer with bytes; the credits stand in a header."""
    await _speak(visit, with_timestamps=False)


async def speech_with_timestamps(visit: Visit) -> None:
    """Answer with JSON."""
    await _speak(visit, with_timestamps=True)


async def _speak(visit: Visit, *, with_timestamps: bool) -> None:
    request = visit.decoded(_speech_decoder)
    script = visit.choose(request.model_id, request.text)
    limit = next((n for name, n in _LIMITS if request.model_id.startswith(name)), 10_000)
    if len(request.text) > limit:
        message = f"A maximum of {limit} characters is allowed."
        raise RefusedError("context_length", message)
    if visit.params["voice"] == NO_VOICE:
        raise RefusedError("not_found", "A voice with that id was not found.")
    kind = visit.query.get("output_format", "mp3_44100_128").partition("_")[0]
    data = sound(kind, speech_ms(request.text))
    if not await visit.call.prepare(script):
        return
    cost = _credits(request)
    visit.call.charge(units={"character": len(request.text), "credit": cost})
    headers = _cost(script, cost)
    if with_timestamps:
        audio = base64.b64encode(data).decode()
        document = {"audio_base64": audio, "alignment": None, "normalized_alignment": None}
        await visit.call.send_document(document, headers=headers)
        return
    await visit.call.send_bytes(data, CONTENT_TYPES[kind], headers=headers, chunked=True)


async def sound_effect(visit: Visit) -> None:
    """Answer with a sound."""
    request = visit.decoded(_sound_decoder)
    script = visit.choose("sound-generation", request.text)
    seconds = 5.0 if request.duration_seconds is None else request.duration_seconds
    if not 0.5 <= seconds <= 30:
        raise RefusedError("invalid_request", "duration_seconds: between 0.5 and 30")
    if not await visit.call.prepare(script):
        return
    cost = round(SOUND_CREDITS_PER_S * seconds)
    visit.call.charge(units={"audio_ms": round(seconds * 1000), "credit": cost})
    headers = _cost(script, cost)
    data = sound("mp3", round(seconds * 1000))
    await visit.call.send_bytes(data, "audio/mpeg", headers=headers, chunked=True)


async def transcribe(visit: Visit) -> None:
    """Answer what was heard; nothing is metered."""
    form = visit.form()
    model = form.need("model_id")
    length_ms = heard_ms(form)
    script = visit.choose(model)
    if not await visit.call.prepare(script):
        return
    words = say(digest(model, [str(length_ms)]), 0, NO_FAULTS, None).text.split()
    share = length_ms / 1000 / max(1, len(words))
    listed = [
        {
            "text": word,
            "start": round(at * share, 3),
            "end": round((at + 1) * share, 3),
            "type": "word",
            "speaker_id": None,
            "logprob": 0.0,
        }
        for at, word in enumerate(words)
    ]
    visit.call.charge(units={"audio_ms": length_ms})
    document = {"language_code": "eng", "language_probability": 0.89, "text": " ".join(words)}
    name = visit.call.request_id.removeprefix("req_")
    await visit.call.send_document({**document, "words": listed, "transcription_id": name})


async def subscription(visit: Visit) -> None:
    """Tell what is left."""
    document = {"tier": "creator", "character_count": 0, "character_limit": 100_000}
    await visit.call.send_document(document)


def refuse(trouble: Trouble) -> Any:
    """Return an error as ElevenLabs words it: `detail` is an object, or a list for a field."""
    error = trouble.error
    if trouble.status == 422:
        location = ["body", str(error.error["param"] or "text")]
        field = {"loc": location, "msg": "field required", "type": "value_error.missing"}
        return {"detail": [field]}
    status = {
        "authentication": "invalid_api_key",
        "insufficient_quota": "quota_exceeded",
        "rate_limited": "too_many_concurrent_requests",
        "overloaded": "system_busy",
        "not_found": "voice_not_found",
        "context_length": "max_character_limit_exceeded",
        "permission": "only_for_creator+",
    }.get(error.kind, "invalid_request")
    return {"detail": {"status": status, "message": trouble.message}}


def _credits(request: SpeechRequest) -> int:
    cheap = "flash" in request.model_id or "turbo" in request.model_id
    return -(-len(request.text) // 2) if cheap else len(request.text)


def _cost(script: Script, cost: int) -> Headers:
    """Return the header, as far as the script lets it be told."""
    told = usage.reported({"character_cost": cost}, script.usage, PLAIN)
    if told is None:
        return []
    return [(b"character-cost", str(told["character_cost"]).encode())]


_SPEECH: Final = "/v1/text-to-speech/{voice}"

DIALECT: Final = Dialect(
    name="elevenlabs",
    base="/elevenlabs",
    root="",
    routes=(
        Route("POST", _SPEECH, "audio_speech", speech),
        Route("POST", f"{_SPEECH}/stream", "audio_speech", speech),
        Route("POST", f"{_SPEECH}/with-timestamps", "audio_speech", speech_with_timestamps),
        Route("POST", "/v1/sound-generation", "audio_speech", sound_effect),
        Route("POST", "/v1/speech-to-text", "audio_transcription", transcribe),
        Route("GET", "/v1/user/subscription", "lookup", subscription),
    ),
    voice=Voice(
        voices.elevenlabs,
        refuse,
        statuses={"insufficient_quota": 401, "overloaded": 429},
        retry_header=False,
    ),
    auth=("xi-api-key",),
)
