"""How is Gemini's generateContent translated?"""

from typing import Any

import msgspec

from tollbridge.providers.dialects.chat import gemini_answer, gemini_asking, gemini_request
from tollbridge.providers.dialects.chat.codec import Rendering, Target
from tollbridge.providers.dialects.chat.neutral import Chat, ChatAnswer, Tokens
from tollbridge.providers.request import Request


class GeminiCodec:
    """Gemini's generateContent, both ways."""

    name = "gemini"

    def read_request(self, request: Request) -> Chat:
        """Read a caller's request; whether it streams stands in its address."""
        chat = gemini_request.read_request(request.body)
        return msgspec.structs.replace(chat, stream=True) if request.stream else chat

    def write_request(self, chat: Chat, target: Target) -> bytes:
        """Return the request for a provider; the target's model stands in the address."""
        del target
        return gemini_asking.write_request(chat)

    def read_answer(self, body: bytes) -> ChatAnswer:
        """Read a provider's whole answer."""
        return gemini_answer.read_answer(body)

    def write_answer(
        self, answer: ChatAnswer, tokens: Tokens | None, rendering: Rendering
    ) -> bytes:
        """Return the answer for a caller."""
        return gemini_answer.write_answer(answer, tokens, rendering)

    def tokens(self, usage: dict[str, Any]) -> Tokens:
        """Return what a provider's usage object counts."""
        return gemini_answer.read_tokens(usage)

    def decoder(self) -> gemini_answer.GeminiDecoder:
        """Return a reader of a provider's stream."""
        return gemini_answer.GeminiDecoder()

    def encoder(self, rendering: Rendering) -> gemini_answer.GeminiEncoder:
        """Return a writer of a caller's stream."""
        return gemini_answer.GeminiEncoder(rendering)
