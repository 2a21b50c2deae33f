"""What must a format of chats be able to do to be translated?"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from tollbridge.providers.dialects.chat.neutral import Chat, ChatAnswer, Event, Tokens
from tollbridge.providers.request import Request
from tollbridge.providers.wire import UntranslatableError

# Under these quirks an endpoint deviates from OpenAI's format; endpoints.toml says which has which.
NO_STREAM_OPTIONS = "no_stream_options"
MAX_COMPLETION_TOKENS = "max_completion_tokens"

COUNT_TOKENS = "count_tokens"
"""The variant of a request that only asks how many tokens it has."""
OUTPUT_TOKENS_MAX_DEFAULT = 4096
"""Where a provider wants a limit and the caller gave none; every model takes it."""
THINKING_TOKENS_OF: Mapping[str, int] = MappingProxyType(
    {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 32_768}
)
"""Efforts as budgets, as Google's own OpenAI surface has them."""


class Target(msgspec.Struct, frozen=True):
    """For whom a request is written."""

    model: str
    quirks: tuple[str, ...] = ()


class Rendering(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer is written for its caller."""

    model: str
    """What the caller asked for, told where the provider names no model."""
    created_s: int
    shows_usage: bool = False


class Decoder(Protocol):
    """Reads the frames of one stream."""

    def read(self, frame: bytes, data: bytes) -> list[Event]:
        """Return what one frame says. Raises StreamFailedError, ValueError for what is no frame."""
        ...


class Encoder(Protocol):
    """Writes the frames of one stream."""

    def write(self, event: Event) -> bytes:
        """Return the frames that tell the caller of it; b"" where it gets none yet."""
        ...

    def end(self, tokens: Tokens | None) -> bytes:
        """Return the frames that end the stream."""
        ...


class Codec(Protocol):
    """One format, both ways."""

    name: str

    def read_request(self, request: Request) -> Chat:
        """Read a caller's request. Raises UntranslatableError for what no other format has."""
        ...

    def write_request(self, chat: Chat, target: Target) -> bytes:
        """Return the request for a provider. Raises UntranslatableError."""
        ...

    def read_answer(self, body: bytes) -> ChatAnswer:
        """Read a provider's whole answer. Raises MalformedAnswerError."""
        ...

    def write_answer(
        self, answer: ChatAnswer, tokens: Tokens | None, rendering: Rendering
    ) -> bytes:
        """Return the answer for a caller."""
        ...

    def tokens(self, usage: dict[str, Any]) -> Tokens:
        """Return what a provider's usage object counts."""
        ...

    def decoder(self) -> Decoder:
        """Return a reader of a provider's stream."""
        ...

    def encoder(self, rendering: Rendering) -> Encoder:
        """Return a writer of a caller's stream."""
        ...


def refuse(what: str, asked: object) -> None:
    """Raise UntranslatableError where something is asked for that the other format cannot say."""
    if asked:
        raise UntranslatableError(f"{what} cannot be said in the other wire format")
