"""How does a caller of one wire format talk to a provider of another?

The caller's format is `request.dialect`, the provider's `wire_dialect`; each is one of FORMATS:
openai (chat completions), responses, anthropic (messages), gemini (generateContent). Pure: bytes
in, bytes out. A wire passes a request of its own format through instead.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.clock import SECOND_US
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.chat.anthropic import AnthropicCodec
from tollbridge.providers.dialects.chat.codec import COUNT_TOKENS, Codec, Rendering, Target
from tollbridge.providers.dialects.chat.gemini import GeminiCodec
from tollbridge.providers.dialects.chat.neutral import ChatAnswer, Choice, StopReason, ToolCall
from tollbridge.providers.dialects.chat.openai import OpenAICodec
from tollbridge.providers.dialects.chat.reading import UNREADABLE
from tollbridge.providers.dialects.chat.responses import ResponsesCodec
from tollbridge.providers.dialects.chat.streaming import TranslatedStream
from tollbridge.providers.dialects.openai_stream import USAGE_BYTES_MAX
from tollbridge.providers.request import Answer, MalformedAnswerError, Request
from tollbridge.providers.wire import Given, StreamReader, UntranslatableError, UsageMerge

FORMATS: Mapping[str, Codec] = MappingProxyType(
    {
        codec.name: codec
        for codec in (OpenAICodec(), ResponsesCodec(), AnthropicCodec(), GeminiCodec())
    }
)


def compose(
    request: Request, wire_dialect: str, endpoint: Endpoint, model: str, cap: int | None
) -> bytes:
    """Return the chat that a caller asked for as a body of the provider's format.

    `cap` is the output limit in tokens that is sent where the caller gave none. The model stands
    in the body where the format has it there; Gemini's is in the address, which is the wire's.
    Raises UntranslatableError where something would be lost.
    """
    if request.operation is not Operation.CHAT_COMPLETION or request.variant == COUNT_TOKENS:
        raise UntranslatableError("only chats are translated")
    face, wire = _format(request.dialect), _format(wire_dialect)
    try:
        chat = face.read_request(request)
        if chat.output_tokens_max is None and cap is not None:
            chat = msgspec.structs.replace(chat, output_tokens_max=cap)
        return wire.write_request(chat, Target(model, endpoint.quirks))
    except UNREADABLE as error:
        raise UntranslatableError(f"the request has what cannot be translated: {error}") from error


def read(request: Request, wire_dialect: str, body: bytes) -> Given:
    """Return a provider's whole answer as the caller's format has it, with the raw usage object.

    Raises MalformedAnswerError where it is none of the provider's format.
    """
    face, wire = _format(request.dialect), _format(wire_dialect)
    rendering = _rendering(request, request.received_at_us)
    try:
        answer = _settled(wire.read_answer(body))
        tokens = None if answer.usage is None else wire.tokens(answer.usage)
        written = face.write_answer(answer, tokens, rendering)
    except UNREADABLE as error:
        raise MalformedAnswerError(f"the answer is not the dialect's JSON: {error}") from error
    usage = answer.usage
    if len(body) > USAGE_BYTES_MAX and len(msgspec.json.encode(usage)) > USAGE_BYTES_MAX:
        usage = None
    return Given(Answer(usage, answer.model, answer.id, answer.aggregator_provider), written)


def stream(
    request: Request, wire_dialect: str, attempt: AttemptEvidence, merge_usage: UsageMerge
) -> StreamReader:
    """Return a reader of the provider's stream that gives the caller frames of its own format."""
    wire = _format(wire_dialect)
    rendering = _rendering(request, attempt.started_at_us)
    encoder = _format(request.dialect).encoder(rendering)
    return TranslatedStream(wire.decoder(), encoder, wire.tokens, attempt, merge_usage)


def _format(name: str) -> Codec:
    codec = FORMATS.get(name)
    if codec is None:
        raise UntranslatableError(f"chats are not translated to or from {name}")
    return codec


def _rendering(request: Request, at_us: int) -> Rendering:
    return Rendering(
        model=request.model,
        created_s=at_us // SECOND_US,
        shows_usage=request.asks_usage,
    )


def _settled(answer: ChatAnswer) -> ChatAnswer:
    """Return an answer that ends with tool calls where it has any, whatever the provider said."""
    if not any(_calls(choice) for choice in answer.choices):
        return answer
    choices = [
        msgspec.structs.replace(choice, reason=StopReason.TOOL_CALLS)
        if choice.reason is StopReason.END and _calls(choice)
        else choice
        for choice in answer.choices
    ]
    return msgspec.structs.replace(answer, choices=choices)


def _calls(choice: Choice) -> bool:
    return any(type(part) is ToolCall for part in choice.parts)
