"""How are OpenAI's responses translated?"""

from typing import Any

from tollbridge.providers.dialects.chat import (
    responses_answer,
    responses_asking,
    responses_events,
    responses_request,
)
from tollbridge.providers.dialects.chat.codec import Rendering, Target
from tollbridge.providers.dialects.chat.neutral import Chat, ChatAnswer, Tokens
from tollbridge.providers.dialects.chat.openai_answer import read_tokens
from tollbridge.providers.request import Request


class ResponsesCodec:
    """OpenAI's responses, both ways."""

    name = "responses"

    def read_request(self, request: Request) -> Chat:
        """Read a caller's request."""
        return responses_request.read_request(request.body)

    def write_request(self, chat: Chat, target: Target) -> bytes:
        """Return the request for a provider."""
        return responses_asking.write_request(chat, target)

    def read_answer(self, body: bytes) -> ChatAnswer:
        """Read a provider's whole answer."""
        return responses_answer.read_answer(body)

    def write_answer(
        self, answer: ChatAnswer, tokens: Tokens | None, rendering: Rendering
    ) -> bytes:
        """Return the answer for a caller."""
        return responses_answer.write_answer(answer, tokens, rendering)

    def tokens(self, usage: dict[str, Any]) -> Tokens:
        """Return what a provider's usage object counts."""
        return read_tokens(usage)

    def decoder(self) -> responses_answer.ResponsesDecoder:
        """Return a reader of a provider's stream."""
        return responses_answer.ResponsesDecoder()

    def encoder(self, rendering: Rendering) -> responses_events.ResponsesEncoder:
        """Return a writer of a caller's stream."""
        return responses_events.ResponsesEncoder(rendering)
