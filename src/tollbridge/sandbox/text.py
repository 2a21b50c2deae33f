"""What does a model say to a conversation: words, thoughts, calls of tools?

All dialects of text share this: they read their own request into an `Ask`, and tell the `Answer`
in their own words.
"""

from typing import Any, cast

import msgspec

from tollbridge.sandbox.answer import (
    VOCABULARY,
    Answer,
    Choice,
    ToolCall,
    digest,
    say,
)
from tollbridge.sandbox.frame import encode
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.requests import Prompt
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.usage import text_tokens
from tollbridge.sandbox.visit import Visit

DEPTH_MAX = 16
THOUGHTS = 12


class Tool(msgspec.Struct, frozen=True):
    """A function that the model may call."""

    name: str
    parameters: dict[str, Any] = {}


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request for text, whoever's words it came in."""

    model: str
    prompt: Prompt
    stream: bool = False
    choices: int = 1
    tokens_max: int | None = None
    tools: list[Tool] = []
    forced: str | None = None
    """A tool that must be called; "" for any."""
    answered: bool = False
    """The last message is a tool's result."""
    thinks: bool = False
    schema: dict[str, Any] | None = None
    """The answer is JSON of this schema."""


def converse(visit: Visit, ask: Ask, id_prefix: str = "") -> tuple[Answer, Script]:
    """Return the answer and the script. Raises RefusedError."""
    visit.call.entry.stream = ask.stream
    script = visit.choose(ask.model, ask.prompt.last_text)
    seed = digest(ask.model, ask.prompt.texts)
    choices = [_choice(ask, seed, at, script) for at in range(ask.choices)]
    answer = Answer(
        id=f"{id_prefix}{seed.hex()[:20]}{visit.sequence:09d}",
        created=visit.created,
        model=script.model_returned or ask.model,
        fingerprint=f"fp_{seed.hex()[-10:]}",
        choices=choices,
        prompt=ask.prompt,
        seed=seed,
    )
    return answer, script


def _choice(ask: Ask, seed: bytes, index: int, script: Script) -> Choice:
    thoughts = script.thoughts or (THOUGHTS if ask.thinks else 0)
    pieces = [f" {VOCABULARY[(seed[at & 31] + at) % len(VOCABULARY)]}" for at in range(thoughts)]
    called = _called(ask, script)
    if called is not None:
        arguments = encode(fill(called.parameters, seed)).decode()
        call = ToolCall(f"{seed.hex()[:20]}{index:04d}", called.name, arguments)
        tokens = text_tokens(arguments) + text_tokens(called.name)
        return Choice([], [], script.finish or "tool_calls", pieces, call, tokens)
    if ask.schema is not None:
        text = encode(fill(ask.schema, seed)).decode()
        parts = [text[at : at + 8] for at in range(0, len(text), 8)]
        return Choice(parts, [1] * len(parts), script.finish or "stop", pieces)
    said = say(seed, index, script, ask.tokens_max)
    if script.filtered:
        said = msgspec.structs.replace(said, finish_reason="content_filter")
    if script.finish is not None:
        said = msgspec.structs.replace(said, finish_reason=script.finish)
    return msgspec.structs.replace(said, thoughts=pieces) if pieces else said


def _called(ask: Ask, script: Script) -> Tool | None:
    """Return the tool that is called: because it must be, the script says so, or the user."""
    if not ask.tools:
        return None
    wanted = ask.forced
    if wanted is None and script.tool_calls:
        wanted = script.tool_calls if isinstance(script.tool_calls, str) else ""
    if wanted is not None:
        for tool in ask.tools:
            if wanted in {"", tool.name}:
                return tool
        raise RefusedError("invalid_request", f"no such tool: {wanted}", param="tool_choice")
    if ask.answered:
        return None
    return next((tool for tool in ask.tools if tool.name in ask.prompt.last_text), None)


def fill(schema: Any, seed: bytes, depth: int = 0) -> Any:
    """Return a value that a JSON schema allows, the same for the same seed."""
    if not isinstance(schema, dict) or depth > DEPTH_MAX:
        return None
    schema = cast("dict[str, Any]", schema)
    for name in ("enum", "anyOf", "oneOf", "allOf"):
        if schema.get(name):
            first = schema[name][0]
            return first if name == "enum" else fill(first, seed, depth + 1)
    kind: Any = schema.get("type", "object")
    if isinstance(kind, list):
        kind = cast("list[Any]", kind)[0]
    noise = seed[depth & 31]
    value: Any = schema.get("const")
    match str(kind).lower():
        case "object":
            named = cast("dict[str, Any]", schema.get("properties") or {})
            value = {name: fill(part, seed, depth + 1) for name, part in named.items()}
        case "array":
            value = [fill(schema.get("items"), seed, depth + 1)]
        case "integer" | "number":
            value = max(int(schema.get("minimum", 0)), noise % 100)
        case "boolean":
            value = bool(noise & 1)
        case "string":
            value = VOCABULARY[noise % len(VOCABULARY)]
        case _:
            pass
    return schema.get("const", value)
