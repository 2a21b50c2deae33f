"""How are Anthropic's messages translated?"""

from typing import Any

from tollbridge.providers.dialects.chat import anthropic_answer, anthropic_asking, anthropic_request
from tollbridge.providers.dialects.chat.codec import Rendering, Target
from tollbridge.providers.dialects.chat.neutral import Chat, ChatAnswer, Tokens
from tollbridge.providers.request import Request


class AnthropicCodec:
    """Anthropic's messages, both ways."""

    name = "anthropic"

    def read_request(self, request: Request) -> Chat:
        """Read a caller's request."""
        return anthropic_request.read_request(request.body)

    def write_request(self, chat: Chat, target: Target) -> bytes:
        """Return the request for a provider."""
        return anthropic_asking.write_request(chat, target)

    def read_answer(self, body: bytes) -> ChatAnswer:
        """Read a provider's whole answer."""
        return anthropic_answer.read_answer(body)

    def write_answer(
        self, answer: ChatAnswer, tokens: Tokens | None, rendering: Rendering
    ) -> bytes:
        """Return the answer for a caller."""
        return anthropic_answer.write_answer(answer, tokens, rendering)

    def tokens(self, usage: dict[str, Any]) -> Tokens:
        """Return what a provider's usage object counts."""
        return anthropic_answer.read_tokens(usage)

    def decoder(self) -> anthropic_answer.AnthropicDecoder:
        """Return a reader of a provider's stream."""
        return anthropic_answer.AnthropicDecoder()

    def encoder(self, rendering: Rendering) -> anthropic_answer.AnthropicEncoder:
        """Return a writer of a caller's stream."""
        return anthropic_answer.AnthropicEncoder(rendering)
