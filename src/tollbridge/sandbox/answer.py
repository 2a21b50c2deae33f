"""What does the model say?

Every text, id and vector is derived from a hash of the request's model and input, so the same
request gets the same answer, streamed or not, in every process.
"""

import base64
import struct
import sys
from collections.abc import Sequence
from hashlib import blake2b, shake_256
from math import sqrt

import msgspec

from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.requests import Prompt
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.usage import Usage

ANSWER_BYTES_MAX = 64 << 20
WORDS_MIN = 5
WORDS_SPREAD = 36

_BEGINNINGS = ("ba", "ké", "di", "fo", "gu", "la", "me", "ni", "pö", "ru", "sa", "te", "vi", "東")
_ENDINGS = ("ra", "len", "mis", "to", "nuk", "san", "per", "dil", "gom", "fu", "✓", "rin")
VOCABULARY = tuple(f"{a}{b}" for a in _BEGINNINGS for b in _ENDINGS)
_FILLER = " tollbridge sandbox filler text"


class ToolCall(msgspec.Struct, frozen=True):
    """A function that the model calls, with its arguments as JSON."""

    id: str
    name: str
    arguments: str


class Choice(msgspec.Struct, frozen=True):
    """One choice: its text in pieces, one per chunk, each with its count of words.

    Before the text come the thoughts, a token each; instead of it there can be a call of a tool.
    """

    pieces: list[str]
    counts: list[int]
    finish_reason: str
    thoughts: list[str] = []
    tool_call: ToolCall | None = None
    tool_tokens: int = 0

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)

    @property
    def tokens(self) -> int:
        """The completion tokens of thoughts, text and tool call."""
        return sum(self.counts) + len(self.thoughts) + self.tool_tokens


class Answer(msgspec.Struct, frozen=True):
    """All that one answer says, before it takes the form of a body or of frames."""

    id: str
    created: int
    model: str
    fingerprint: str
    choices: list[Choice]
    prompt: Prompt
    seed: bytes = b""

    @property
    def tokens(self) -> int:
        """The completion tokens of all choices."""
        return sum(choice.tokens for choice in self.choices)

    def usage(self, completion_tokens: int) -> Usage:
        """Return the honest usage when that many completion tokens were sent, thoughts first."""
        thoughts = sum(len(choice.thoughts) for choice in self.choices)
        return Usage(
            prompt_tokens=self.prompt.tokens,
            completion_tokens=completion_tokens,
            prompt_audio_tokens=self.prompt.audio_tokens,
            reasoning_tokens=min(completion_tokens, thoughts),
            cached_tokens=self.prompt.cached_tokens,
            cache_write_tokens=self.prompt.cache_write_tokens,
            cache_write_1h_tokens=self.prompt.cache_write_1h_tokens,
            prompt_image_tokens=self.prompt.image_tokens,
        )


def digest(model: str, texts: Sequence[str]) -> bytes:
    """Return 32 bytes that depend on the model and the input alone."""
    hasher = blake2b(model.encode("utf-8", "surrogatepass"), digest_size=32)
    for text in texts:
        hasher.update(b"\0")
        hasher.update(text.encode("utf-8", "surrogatepass"))
    return hasher.digest()


def say(seed: bytes, index: int, script: Script, tokens_max: int | None) -> Choice:
    """Return the text of choice `index`, at most `tokens_max` words long."""
    wanted = WORDS_MIN + (seed[0] + index) % WORDS_SPREAD
    if script.chunks is not None:
        wanted = script.chunks
    size = len(VOCABULARY)
    length = wanted if tokens_max is None else min(wanted, tokens_max)
    pieces = [
        f" {VOCABULARY[(seed[at & 31] + index + (at >> 5)) % size]}" for at in range(1, length)
    ]
    if length:
        pieces.insert(0, VOCABULARY[(seed[0] + index) % size])
    if script.chunk_bytes is not None:
        return _padded(pieces, script.chunk_bytes, tokens_max, cut=length < wanted)
    reason = "length" if length < wanted else "stop"
    return Choice(pieces, [1] * length, reason)


def embed(text: str, model: str, dimensions: int) -> bytes:
    """Return a vector of unit length as little-endian float32."""
    noise = shake_256(f"{model}\0{text}".encode("utf-8", "surrogatepass")).digest(2 * dimensions)
    numbers = struct.unpack(f"<{dimensions}h", noise)
    norm = sqrt(sum(number * number for number in numbers)) or 1.0
    return struct.pack(f"<{dimensions}f", *(number / norm for number in numbers))


def embedding_value(vector: bytes, encoding_format: str | None) -> str | list[float]:
    """Return the vector as base64, or as the same single-precision numbers in a list."""
    if encoding_format == "base64":
        return base64.b64encode(vector).decode("ascii")
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))


def _padded(pieces: list[str], chunk_bytes: int, tokens_max: int | None, *, cut: bool) -> Choice:
    """Fill every piece up to `chunk_bytes` bytes of ASCII words."""
    if len(pieces) * chunk_bytes > ANSWER_BYTES_MAX:
        raise RefusedError("invalid_request", "sandbox: chunks x chunk_bytes is over 64 MiB")
    filler = _FILLER * (chunk_bytes // len(_FILLER) + 1)
    padded: list[str] = []
    counts: list[int] = []
    left = sys.maxsize if tokens_max is None else tokens_max
    for at in range(len(pieces)):
        piece = f" {at}{filler}"[:chunk_bytes] if at else filler[1 : chunk_bytes + 1]
        words = piece.split()
        if len(words) > left:
            words = words[:left]
            piece = (" " if at else "") + " ".join(words)
            cut = True
        if not words:
            break
        left -= len(words)
        padded.append(piece)
        counts.append(len(words))
    return Choice(padded, counts, "length" if cut else "stop")
