"""What does an address of the data plane ask for, and in which wire format?"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from tollbridge.core.call import Operation

OPENAI = "openai"
RESPONSES = "responses"
ANTHROPIC = "anthropic"
GEMINI = "gemini"


class Address(msgspec.Struct, frozen=True):
    """An operation, and the face of its callers."""

    operation: Operation
    face: str = OPENAI
    query: str = ""
    """What the face is told beside the path."""


ADDRESSES: Mapping[str, Address] = MappingProxyType(
    {
        "/v1/chat/completions": Address(Operation.CHAT_COMPLETION),
        "/v1/completions": Address(Operation.COMPLETION),
        "/v1/responses": Address(Operation.CHAT_COMPLETION, RESPONSES),
        "/v1/embeddings": Address(Operation.EMBEDDING),
        "/v1/rerank": Address(Operation.RERANK),
        "/v1/images/generations": Address(Operation.IMAGE_GENERATION),
        "/v1/images/edits": Address(Operation.IMAGE_EDIT),
        "/v1/audio/speech": Address(Operation.AUDIO_SPEECH),
        "/v1/audio/transcriptions": Address(Operation.AUDIO_TRANSCRIPTION),
        "/v1/messages": Address(Operation.CHAT_COMPLETION, ANTHROPIC),
    }
)
"""What is asked for by POST."""

MODELS = "/v1/models"
STORED_RESPONSES = "/v1/responses/"
COUNT_TOKENS = "/v1/messages/count_tokens"
VIDEOS = "/v1/videos"
GEMINI_PREFIX = "/v1beta/"
GEMINI_MODELS = "/v1beta/models"
GEMINI_MODELS_V1 = "/v1/models"
"""Where the google-genai SDK asks since its version 3."""
_GENERATE = ":generateContent"
STREAM_GENERATE = ":streamGenerateContent"
GEMINI_COUNT = ":countTokens"
OPERATIONS = "/operations/"
"""Below a model: work of Gemini's format that takes its time."""
GEMINI_FILM = ":predictLongRunning"
_GEMINI_WHOLE = Address(Operation.CHAT_COMPLETION, GEMINI)
_GEMINI_VECTORS = Address(Operation.EMBEDDING, GEMINI)
_GEMINI_PARENTS = (f"{GEMINI_MODELS}/", f"{GEMINI_MODELS_V1}/")
_GEMINI_FILES = (f"{GEMINI_PREFIX}files/", "/v1/files/")
_GEMINI_DOWNLOAD = ":download"
# Whoever did not ask for events gets an array made of them, whichever provider serves.
_GEMINI_STREAM = Address(Operation.CHAT_COMPLETION, GEMINI, "?alt=sse")
_GEMINI_CALLS: Mapping[str, Address] = MappingProxyType(
    {
        _GENERATE: _GEMINI_WHOLE,
        STREAM_GENERATE: _GEMINI_STREAM,
        ":embedContent": _GEMINI_VECTORS,
        ":batchEmbedContents": _GEMINI_VECTORS,
        ":predict": Address(Operation.IMAGE_GENERATION, GEMINI),
    }
)
_GEMINI_METHODS = (*_GEMINI_CALLS, GEMINI_COUNT, GEMINI_FILM)


def address_of(path: str) -> Address | None:
    """Return what is asked for by POST to a path, None for a path that is not one of these."""
    known = ADDRESSES.get(path)
    if known is not None:
        return known
    if path.startswith(_GEMINI_PARENTS):
        return _GEMINI_CALLS.get(path[path.rfind(":") :])
    return None


def is_film(path: str) -> bool:
    """Return whether a path is about films: these are jobs, and the office's."""
    if is_below(path, VIDEOS):
        return True
    if path.startswith(_GEMINI_FILES):
        return path.endswith(_GEMINI_DOWNLOAD)
    return path.startswith(_GEMINI_PARENTS) and (path.endswith(GEMINI_FILM) or OPERATIONS in path)


def face_of(path: str, *, spoken: str) -> str:
    """Return the wire format in which whoever asks at a path expects answers, errors too.

    `spoken` is the format whose own headers the caller sends: three list models at one address.
    """
    if path.startswith(GEMINI_PREFIX):
        return GEMINI
    if path.startswith("/v1/messages"):
        return ANTHROPIC
    if path.startswith(MODELS):
        return GEMINI if path.endswith(_GEMINI_METHODS) else spoken
    known = ADDRESSES.get(path)
    return OPENAI if known is None else known.face


def is_below(path: str, parent: str) -> bool:
    """Return whether a path is `parent` or something below it."""
    return path == parent or path.startswith(f"{parent}/")
