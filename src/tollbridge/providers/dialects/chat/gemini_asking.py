"""How is a chat asked for in Gemini's generateContent?

Source: Google's API reference for generateContent, and the parameters of the google-genai SDK.
"""

from typing import Any

import msgspec

from tollbridge.core.errors import BugError
from tollbridge.providers.dialects.chat.codec import refuse
from tollbridge.providers.dialects.chat.neutral import (
    AnswerFormat,
    Chat,
    Image,
    Message,
    Part,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tollbridge.providers.dialects.chat.reading import object_text
from tollbridge.providers.dialects.chat.writing import (
    ends_with_answer,
    set_fields,
    split_system,
    thinking_budget,
)

STOP_SEQUENCES_MAX = 5


def write_request(chat: Chat) -> bytes:
    """Return the request for a provider; model and streaming stand in the address.

    Raises UntranslatableError.
    """
    refuse("one tool call at a time", chat.parallel_tool_calls is False and chat.tools)
    refuse("more than five stop sequences", len(chat.stop) > STOP_SEQUENCES_MAX)
    refuse("an answer that goes on from its beginning", ends_with_answer(chat))
    prompts, turns = split_system(chat)
    names: dict[str, str] = {}
    body: dict[str, Any] = {"contents": [_write_turn(turn, names) for turn in turns]}
    if prompts:
        body["systemInstruction"] = {"parts": [{"text": prompt.text} for prompt in prompts]}
    if chat.tools:
        body["tools"] = [{"functionDeclarations": [_write_tool(tool) for tool in chat.tools]}]
    if chat.tool_choice is not None and chat.tools:
        body["toolConfig"] = {"functionCallingConfig": _write_choice(chat.tool_choice)}
    budget = thinking_budget(chat)
    config: dict[str, Any] = {}
    set_fields(
        config,
        {
            "temperature": chat.temperature,
            "topP": chat.top_p,
            "topK": chat.top_k,
            "candidateCount": chat.choices if chat.choices > 1 else None,
            "maxOutputTokens": chat.output_tokens_max,
            "stopSequences": list(chat.stop) or None,
            "presencePenalty": chat.presence_penalty,
            "frequencyPenalty": chat.frequency_penalty,
            "seed": chat.seed,
            "thinkingConfig": None if budget is None else {"thinkingBudget": budget},
        },
    )
    _write_format(config, chat.answer_format)
    if config:
        body["generationConfig"] = config
    return msgspec.json.encode(body)


def _write_turn(turn: Message, names: dict[str, str]) -> dict[str, Any]:
    """Write a turn; `names` keeps which function a call's id was for, as its answer must say."""
    parts: list[dict[str, Any]] = []
    for part in turn.parts:
        if isinstance(part, ToolCall):
            names[part.id] = part.name
        if not isinstance(part, Thinking):
            parts.append(_write_part(part, names))
    refuse("a message that says nothing", not parts)
    return {"role": "model" if turn.role is Role.ASSISTANT else "user", "parts": parts}


def _write_part(part: Part, names: dict[str, str]) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Image):
        refuse("an image by its address", part.data is None)
        return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
    if isinstance(part, ToolCall):
        call = {"name": part.name, "args": object_text(part.arguments)}
        if part.signature is None:
            return {"functionCall": call}
        return {"functionCall": call, "thoughtSignature": part.signature}
    if isinstance(part, ToolResult):
        name = names.get(part.call_id)
        refuse("the answer of a tool that was not called", name is None)
        return {"functionResponse": {"name": name, "response": _write_response(part)}}
    raise BugError("thoughts of earlier turns are not written")


def _write_response(result: ToolResult) -> Any:
    """Return what a tool gave as an object: as it is, where it is one."""
    texts = [part.text for part in result.content if isinstance(part, Text)]
    refuse("an image that a tool gave", len(texts) < len(result.content))
    said = "".join(texts)
    if result.is_error:
        return {"error": said}
    try:
        found: Any = msgspec.json.decode(said) if said.startswith("{") else None
    except (msgspec.DecodeError, RecursionError):
        found = None
    return {"output": said} if found is None else found


def _write_tool(tool: Tool) -> dict[str, Any]:
    written: dict[str, Any] = {"name": tool.name}
    set_fields(written, {"description": tool.description, "parametersJsonSchema": tool.parameters})
    return written


def _write_choice(choice: ToolChoice) -> dict[str, Any]:
    if choice.mode == "tool":
        return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    return {"mode": choice.mode.upper()}


def _write_format(config: dict[str, Any], wanted: AnswerFormat | None) -> None:
    if wanted is None:
        return
    config["responseMimeType"] = "application/json"
    if wanted.schema is not None:
        config["responseJsonSchema"] = wanted.schema
