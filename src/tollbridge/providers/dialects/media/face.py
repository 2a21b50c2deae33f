"""How does a caller of OpenAI's format ask for media, and how is the caller answered?

The halves of the openai face for everything but text. Pure.
"""

from tollbridge.core.call import Operation
from tollbridge.core.errors import NotCarriedError
from tollbridge.providers.dialects.media.images import parse_image, render_images
from tollbridge.providers.dialects.media.limits import DEFAULT_LIMITS, MediaLimits
from tollbridge.providers.dialects.media.sounds import (
    Transcript,
    parse_speech,
    parse_transcription,
    read_transcription,
    render_speech,
    render_transcript,
)
from tollbridge.providers.dialects.media.texts import parse_rerank
from tollbridge.providers.request import Request
from tollbridge.providers.wire import Given

IMAGES = frozenset({Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT})
PARSED = IMAGES | {Operation.AUDIO_SPEECH, Operation.AUDIO_TRANSCRIPTION, Operation.RERANK}
"""What `parse_media` checks."""


def parse_media(
    operation: Operation,
    body: bytes,
    content_type: bytes,
    limits: MediaLimits = DEFAULT_LIMITS,
) -> Request:
    """Check a caller's call for media; one of `PARSED`.

    Raises InvalidRequestError that names the field: whatever can be known to be wrong is said
    before a provider is paid.
    """
    if operation in IMAGES:
        return parse_image(operation, body, content_type, limits)
    if operation is Operation.AUDIO_SPEECH:
        return parse_speech(body, limits)
    if operation is Operation.AUDIO_TRANSCRIPTION:
        return parse_transcription(body, content_type, limits)
    if operation is Operation.RERANK:
        return parse_rerank(body, limits)
    raise NotCarriedError(f"{operation.value} is not asked for here")


def render_media(request: Request, given: Given, created_s: int) -> tuple[bytes, bytes]:
    """Return body and content type of an answer whose outputs are to be rendered."""
    if request.operation in IMAGES:
        return render_images(request, given, created_s)
    if request.operation is Operation.AUDIO_SPEECH:
        return render_speech(request, given)
    text = "".join(output.text or "" for output in given.outputs)
    audio_format = read_transcription(request).audio_format
    return render_transcript(Transcript(text), audio_format, None)
