"""What does the caller ask for?

Only the fields that change the answer are declared; all others are tolerated.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from tollbridge.sandbox import usage
from tollbridge.sandbox.refusals import RefusedError

CHOICES_MAX = 128
INPUTS_MAX = 2048
DIMENSIONS_MAX = 4096

Choices = Annotated[int, msgspec.Meta(ge=1, le=CHOICES_MAX)]
Tokens = Annotated[int, msgspec.Meta(ge=1)]
Text = str | list[str | int | list[int]]


class StreamOptions(msgspec.Struct, frozen=True):
    """`stream_options` of a streamed request."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None
    continuous_usage_stats: bool | None = None


class Part(msgspec.Struct, frozen=True):
    """One part of a message's content."""

    type: str
    text: str | None = None


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation."""

    role: str
    content: str | list[Part] | None = None


class SchemaFormat(msgspec.Struct, frozen=True):
    """The schema of an answer that is JSON."""

    schema: dict[str, Any] = {}


class ResponseFormat(msgspec.Struct, frozen=True):
    """Of which form the answer shall be."""

    type: str
    json_schema: SchemaFormat | None = None

    @property
    def schema(self) -> dict[str, Any] | None:
        """The schema of the answer, an object's for any JSON, None for free text."""
        if self.type == "text":
            return None
        return {} if self.json_schema is None else self.json_schema.schema


class ChatRequest(msgspec.Struct, frozen=True):
    """The body of `POST /v1/chat/completions`; where the address names it, without a model."""

    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    model: str = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Choices | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    tools: msgspec.Raw = msgspec.Raw()
    tool_choice: Any = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None


class CompletionRequest(msgspec.Struct, frozen=True):
    """The body of `POST /v1/completions`."""

    model: str
    prompt: Text
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Choices | None = None
    max_tokens: Tokens | None = None


class EmbeddingRequest(msgspec.Struct, frozen=True):
    """The body of `POST /v1/embeddings`."""

    input: Text
    model: str = ""
    encoding_format: str | None = None
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=DIMENSIONS_MAX)] | None = None


class Prompt(msgspec.Struct, frozen=True):
    """A request's input, read once: its texts in order, its tokens, and its last user text."""

    texts: list[str]
    tokens: int
    audio_tokens: int = 0
    last_text: str = ""
    image_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0


def of_messages(messages: Sequence[Message], tools: msgspec.Raw) -> Prompt:
    """Count a conversation: 3 + 4 a message + its texts, images, sounds, files and tools."""
    texts: list[str] = []
    audio_tokens = 0
    last_text = ""
    tokens = usage.REQUEST_TOKENS + usage.MESSAGE_TOKENS * len(messages)
    tokens += -(-len(bytes(tools)) // usage.PROMPT_BYTES_PER_TOKEN)
    for message in messages:
        content = message.content
        if isinstance(content, str):
            texts.append(content)
            tokens += usage.text_tokens(content)
            if message.role == "user":
                last_text = content
        elif content is not None:
            for part in content:
                if part.type == "input_audio":
                    audio_tokens += usage.AUDIO_TOKENS
                tokens += _part_tokens(part)
                if part.text is not None:
                    texts.append(part.text)
                    if message.role == "user":
                        last_text = part.text
    return Prompt(texts, tokens, audio_tokens, last_text)


def of_text(text: Text) -> list[Prompt]:
    """Return one prompt per input: a string, a list of strings, or lists of token numbers."""
    if isinstance(text, str):
        return [Prompt([text], usage.text_tokens(text), 0, text)]
    numbers = [part for part in text if isinstance(part, int)]
    if numbers:
        return [Prompt([str(numbers)], len(numbers))]
    prompts: list[Prompt] = []
    for part in text:
        if isinstance(part, str):
            prompts.append(Prompt([part], usage.text_tokens(part), 0, part))
        elif isinstance(part, list):
            prompts.append(Prompt([str(part)], len(part)))
    return prompts


def _part_tokens(part: Part) -> int:
    match part.type:
        case "image_url":
            return usage.IMAGE_TOKENS
        case "input_audio":
            return usage.AUDIO_TOKENS
        case "file":
            return usage.FILE_TOKENS
        case _:
            return usage.text_tokens(part.text or "")


def joined(prompts: Sequence[Prompt]) -> Prompt:
    """Return all inputs of a request as one prompt. Raises RefusedError (400) for none or many."""
    if not 1 <= len(prompts) <= INPUTS_MAX:
        raise RefusedError("invalid_request", f"between 1 and {INPUTS_MAX} inputs, please")
    return Prompt(
        [text for prompt in prompts for text in prompt.texts],
        sum(prompt.tokens for prompt in prompts),
        0,
        prompts[-1].last_text,
    )
