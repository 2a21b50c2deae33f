"""What is said, and what was heard, as OpenAI tells it?"""

import base64
from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec

from tollbridge.sandbox import usage
from tollbridge.sandbox.answer import digest, say
from tollbridge.sandbox.forms import Form
from tollbridge.sandbox.frame import CONTENT, EVENTS, FINISH, Frame, encode
from tollbridge.sandbox.media import CONTENT_TYPES, sound, sound_ms, speech_ms
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import NO_FAULTS
from tollbridge.sandbox.usage import Usage, count, text_tokens
from tollbridge.sandbox.visit import Visit

CHARACTERS_MAX: Final = 4096
FILE_BYTES_MAX: Final = 25 << 20
AUDIO_TOKENS_PER_S: Final = 10
SPEECH_TOKENS_PER_S: Final = 20
VOICES: Final = frozenset(
    {
        "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx",
        "sage", "shimmer", "verse",
    }
)  # fmt: skip
DELTAS: Final = 4


class SpeechRequest(msgspec.Struct, frozen=True):
    """The body of a speech."""

    model: str
    input: Annotated[str, msgspec.Meta(min_length=1, max_length=CHARACTERS_MAX)]
    voice: str | dict[str, Any]
    response_format: str = "mp3"
    stream_format: str = "audio"


_decoder: Final = msgspec.json.Decoder(SpeechRequest)


async def speech(visit: Visit) -> None:
    """Answer a speech: bytes, or events where `stream_format` asks for them."""
    request = visit.decoded(_decoder)
    by_event = request.stream_format == "sse" and not request.model.startswith("tts-1")
    visit.call.entry.stream = by_event
    script = visit.choose(visit.params.get("deployment", request.model), request.input)
    if isinstance(request.voice, str) and request.voice not in VOICES:
        message = f"Input should be one of {', '.join(sorted(VOICES))}: '{request.voice}'"
        raise RefusedError("invalid_request", message, param="voice")
    length_ms = speech_ms(request.input)
    data = sound(request.response_format, length_ms)
    used = _spoken(request.input, length_ms) if _by_token(request.model) else Usage()
    if not await visit.call.prepare(script):
        return
    visit.call.charge(used=used, units={"character": len(request.input)})
    if by_event:
        told = usage.reported(token_object(used), script.usage, FORM)
        frames = _speech_frames(data, told)
        await visit.call.send_stream(frames, lambda _: used, EVENTS, form=FORM)
        return
    content_type = CONTENT_TYPES[request.response_format]
    await visit.call.send_bytes(data, content_type, chunked=True)


async def transcriptions(visit: Visit) -> None:
    """Answer a transcription in the form that is asked for."""
    form = visit.form()
    model = visit.params.get("deployment") or form.need("model")
    length_ms = heard_ms(form)
    streams = form.fields.get("stream") == "true" and model != "whisper-1"
    visit.call.entry.stream = streams
    script = visit.choose(model, form.fields.get("prompt", ""))
    choice = say(digest(model, [str(length_ms)]), 0, NO_FAULTS, None)
    text = " ".join(choice.text.split())
    by_token = model.startswith("gpt-")
    audio_tokens = -(-length_ms * AUDIO_TOKENS_PER_S // 1000)
    used = Usage()
    if by_token:
        prompt = text_tokens(form.fields.get("prompt", "")) + audio_tokens
        used = Usage(
            prompt_tokens=prompt,
            prompt_audio_tokens=audio_tokens,
            completion_tokens=choice.tokens,
        )
    if not await visit.call.prepare(script):
        return
    visit.call.charge(used=used, units={"audio_ms": length_ms})
    honest: dict[str, Any] = {"type": "duration", "seconds": -(-length_ms // 1000)}
    if by_token:
        honest = {"type": "tokens", **_heard_object(used)}
    told = usage.reported(honest, script.usage, FORM)
    if script.usage == "missing":
        told = None
    if streams:
        frames = _heard_frames(text, told)
        await visit.call.send_stream(frames, lambda _: used, EVENTS, form=FORM)
        return
    await _send_heard(visit, form.fields.get("response_format", "json"), text, length_ms, told)


async def translations(visit: Visit) -> None:
    """Answer a translation: no usage at all."""
    form = visit.form()
    length_ms = heard_ms(form)
    script = visit.choose(form.need("model"))
    if not await visit.call.prepare(script):
        return
    visit.call.charge(units={"audio_ms": length_ms})
    await visit.call.send_document({"text": "ba ra"})


async def _send_heard(
    visit: Visit, kind: str, text: str, length_ms: int, told: dict[str, Any] | None
) -> None:
    seconds = length_ms / 1000
    match kind:
        case "text":
            await visit.call.send_bytes(f"{text}\n".encode(), "text/plain; charset=utf-8")
        case "srt":
            lines = f"1\n00:00:00,000 --> {_stamp(length_ms, ',')}\n{text}\n\n"
            await visit.call.send_bytes(lines.encode(), "text/plain; charset=utf-8")
        case "vtt":
            lines = f"WEBVTT\n\n00:00:00.000 --> {_stamp(length_ms, '.')}\n{text}\n\n"
            await visit.call.send_bytes(lines.encode(), "text/plain; charset=utf-8")
        case "verbose_json" | "json":
            body: dict[str, Any] = {"text": text}
            if kind == "verbose_json":
                body |= {"task": "transcribe", "language": "english", "duration": seconds}
                body["segments"] = [_segment(text, seconds)]
            if told is not None:
                body["usage"] = told
            await visit.call.send_document(body, None, told)
        case _:
            message = f"Invalid value: '{kind}'."
            raise RefusedError("invalid_request", message, param="response_format")


def heard_ms(form: Form, name: str = "file") -> int:
    """Return the length of an uploaded sound. Raises RefusedError (400) for what is none."""
    upload = form.file(name)
    if len(upload.data) > FILE_BYTES_MAX:
        raise RefusedError("body_too_large")
    length_ms = sound_ms(upload.data)
    if length_ms is None:
        message = "Audio file might be corrupted or unsupported"
        raise RefusedError("invalid_request", message, param=name)
    return length_ms


def token_object(used: Usage) -> dict[str, Any]:
    """Return tokens as images and sounds tell them."""
    return {
        "input_tokens": used.prompt_tokens,
        "output_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
    }


def _heard_object(used: Usage) -> dict[str, Any]:
    return {
        **token_object(used),
        "input_token_details": {
            "text_tokens": used.prompt_tokens - used.prompt_audio_tokens,
            "audio_tokens": used.prompt_audio_tokens,
        },
    }


def _read(told: dict[str, Any]) -> Usage:
    return Usage(
        prompt_tokens=count(told, "input_tokens"),
        prompt_audio_tokens=count(told.get("input_token_details"), "audio_tokens"),
        completion_tokens=count(told, "output_tokens"),
    )


def _total(told: dict[str, Any]) -> dict[str, Any]:
    if told.get("type") == "duration":
        return {}
    return {"total_tokens": count(told, "input_tokens") + count(told, "output_tokens")}


FORM: Final = usage.Form(_heard_object, _read, _total)


def _by_token(model: str) -> bool:
    return model.startswith("gpt-")


def _spoken(text: str, length_ms: int) -> Usage:
    made = -(-length_ms * SPEECH_TOKENS_PER_S // 1000)
    return Usage(
        prompt_tokens=text_tokens(text), completion_tokens=made, completion_audio_tokens=made
    )


def _speech_frames(data: bytes, told: dict[str, Any] | None) -> Iterator[Frame]:
    size = max(1, -(-len(data) // DELTAS))
    for at in range(0, len(data), size):
        audio = base64.b64encode(data[at : at + size]).decode()
        event = "speech.audio.delta"
        yield Frame(CONTENT, encode({"type": event, "audio": audio}), 0, None, event)
    event = "speech.audio.done"
    body: dict[str, Any] = {"type": event}
    if told is not None:
        body["usage"] = told
    yield Frame(FINISH, encode(body), 0, told, event)


def _heard_frames(text: str, told: dict[str, Any] | None) -> Iterator[Frame]:
    event = "transcript.text.delta"
    for at, word in enumerate(text.split()):
        piece = f" {word}" if at else word
        yield Frame(CONTENT, encode({"type": event, "delta": piece}), 0, None, event)
    event = "transcript.text.done"
    body: dict[str, Any] = {"type": event, "text": text}
    if told is not None:
        body["usage"] = told
    yield Frame(FINISH, encode(body), 0, told, event)


def _segment(text: str, seconds: float) -> dict[str, Any]:
    return {
        "id": 0, "seek": 0, "start": 0.0, "end": seconds, "text": text, "tokens": [],
        "temperature": 0.0, "avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.0,
    }  # fmt: skip


def _stamp(length_ms: int, point: str) -> str:
    seconds, ms = divmod(length_ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{ms:03}"
