"""How is OpenAI's chat completions translated?"""

from typing import Any

from tollbridge.providers.dialects.chat import openai_answer, openai_asking, openai_request
from tollbridge.providers.dialects.chat.codec import Rendering, Target
from tollbridge.providers.dialects.chat.neutral import Chat, ChatAnswer, Tokens
from tollbridge.providers.request import Request


class OpenAICodec:
    """Chat completions, both ways."""

    name = "openai"

    def read_request(self, request: Request) -> Chat:
        """Read a caller's request."""
        return openai_request.read_request(request.body)

    def write_request(self, chat: Chat, target: Target) -> bytes:
        """Return the request for a provider."""
        return openai_asking.write_request(chat, target)

    def read_answer(self, body: bytes) -> ChatAnswer:
        """Read a provider's whole answer."""
        return openai_answer.read_answer(body)

    def write_answer(
        self, answer: ChatAnswer, tokens: Tokens | None, rendering: Rendering
    ) -> bytes:
        """Return the answer for a caller."""
        return openai_answer.write_answer(answer, tokens, rendering)

    def tokens(self, usage: dict[str, Any]) -> Tokens:
        """Return what a provider's usage object counts."""
        return openai_answer.read_tokens(usage)

    def decoder(self) -> openai_answer.OpenAIDecoder:
        """Return a reader of a provider's stream."""
        return openai_answer.OpenAIDecoder()

    def encoder(self, rendering: Rendering) -> openai_answer.OpenAIEncoder:
        """Return a writer of a caller's stream."""
        return openai_answer.OpenAIEncoder(rendering)
