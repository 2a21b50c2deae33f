"""How are pictures and speech asked of AIMLAPI? Its text is OpenAI's. Source: docs.aimlapi.com.

What it charged stands in `meta.usage`, in credits and in US dollars.
"""

from collections.abc import Mapping

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.media.answers import (
    NO_NAMES,
    names_of,
    object_in,
    object_of,
    unstreamed,
)
from tollbridge.providers.dialects.media.openai import IMAGES, read_pictures
from tollbridge.providers.dialects.media.sounds import SPEECH_TYPES, read_speech
from tollbridge.providers.dialects.openai import OpenAIWire
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.wire import (
    Given,
    Outgoing,
    Output,
    UntranslatableError,
)

WHO = "aimlapi"


class AimlapiWire(OpenAIWire):
    """AIMLAPI's wire format: OpenAI's, with speech of its own kind."""

    name = "aimlapi"

    def compose(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> Outgoing:
        """Return the request as it gets it. Raises UntranslatableError."""
        if request.operation is Operation.AUDIO_TRANSCRIPTION:
            raise UntranslatableError(f"{WHO} makes transcripts as tasks")
        if request.operation is Operation.IMAGE_EDIT:
            raise UntranslatableError(f"{WHO} changes no pictures here")
        if request.operation is not Operation.AUDIO_SPEECH:
            return super().compose(request, endpoint, model, output_tokens_cap)
        unstreamed(request, WHO)
        ask = read_speech(request)
        if ask.voice is None:
            raise UntranslatableError(f"{WHO} has no voice of another account")
        body = {"model": model, "text": ask.text, "voice": ask.voice}
        if ask.audio_format != "mp3":
            body["response_format"] = ask.audio_format
        return Outgoing("/tts", msgspec.json.encode(body))

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read a whole answer. Raises MalformedAnswerError."""
        if request.operation is Operation.AUDIO_SPEECH:
            return _sound(request, headers, body)
        if request.operation not in IMAGES:
            return super().read(request, headers, body)
        given = read_pictures(request, headers, body)
        fields = object_of(body)
        charged = object_in(object_in(fields, "meta"), "usage")
        usage = {**(given.answer.usage or {}), **charged}
        return msgspec.structs.replace(given, answer=names_of(fields, usage or None))


def _sound(request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
    """Read speech: the sound itself, or JSON that says where it lies."""
    counts = dict(request.demand.counts)
    kind = headers.get(b"content-type", b"").decode("latin-1")
    if not kind.startswith("application/json"):
        return Given(NO_NAMES, outputs=(Output(data=body, content_type=kind),), counts=counts)
    fields = object_of(body)
    url = object_in(fields, "audio").get("url")
    if not isinstance(url, str):
        raise MalformedAnswerError("the answer has no sound")
    charged = object_in(object_in(fields, "meta"), "usage")
    content_type = SPEECH_TYPES[read_speech(request).audio_format].decode()
    return Given(
        names_of(fields, charged or None),
        outputs=(Output(url=url, content_type=content_type),),
        counts=counts,
    )
