"""What is the answer on each surface: chat completions, completions, embeddings?"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from tollbridge.sandbox import requests, shapes, usage
from tollbridge.sandbox.answer import Answer, Choice, digest, embed, embedding_value, say
from tollbridge.sandbox.call import Call
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.requests import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    Prompt,
    StreamOptions,
)
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.shapes import Frames, Shape, StreamForm
from tollbridge.sandbox.usage import Usage

LEGACY_TOKENS_MAX: Final = 16

ChooseScript = Callable[[str, Prompt], Script]
_T = TypeVar("_T")

_chat_decoder: Final = msgspec.json.Decoder(ChatRequest)
_completion_decoder: Final = msgspec.json.Decoder(CompletionRequest)
_embedding_decoder: Final = msgspec.json.Decoder(EmbeddingRequest)


async def chat(call: Call, body: bytes, choose: ChooseScript, created: int) -> None:
    """Answer `POST /v1/chat/completions`."""
    request = decoded(_chat_decoder, body)
    prompt = requests.of_messages(request.messages, request.tools)
    call.entry.stream = request.stream is True
    script = choose(request.model, prompt)
    seed = digest(request.model, prompt.texts)
    tokens_max = request.max_completion_tokens or request.max_tokens
    choices = [say(seed, at, script, tokens_max) for at in range(request.n or 1)]
    answer = _answer(call, shapes.CHAT, request.model, prompt, seed, choices, created)
    await _deliver(call, answer, shapes.CHAT, script, request.stream_options)


async def completion(call: Call, body: bytes, choose: ChooseScript, created: int) -> None:
    """Answer `POST /v1/completions`: n choices for each prompt."""
    request = decoded(_completion_decoder, body)
    prompts = requests.of_text(request.prompt)
    prompt = requests.joined(prompts)
    call.entry.stream = request.stream is True
    script = choose(request.model, prompt)
    tokens_max = request.max_tokens or LEGACY_TOKENS_MAX
    choices = [
        say(digest(request.model, one.texts), at, script, tokens_max)
        for one in prompts
        for at in range(request.n or 1)
    ]
    seed = digest(request.model, prompt.texts)
    answer = _answer(call, shapes.TEXT, request.model, prompt, seed, choices, created)
    await _deliver(call, answer, shapes.TEXT, script, request.stream_options)


async def embeddings(call: Call, body: bytes, choose: ChooseScript, dimensions: int) -> None:
    """Answer `POST /v1/embeddings`: one vector for each input."""
    request = decoded(_embedding_decoder, body)
    inputs = requests.of_text(request.input)
    prompt = requests.joined(inputs)
    script = choose(request.model, prompt)
    bills = Usage(prompt_tokens=prompt.tokens)
    if not await call.prepare(script, bills):
        return
    size = request.dimensions or dimensions
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": embedding_value(
                embed("".join(one.texts), request.model, size), request.encoding_format
            ),
        }
        for index, one in enumerate(inputs)
    ]
    document: dict[str, Any] = {"object": "list", "model": request.model, "data": data}
    told = usage.reported(usage.embedding_object(bills), script.usage)
    if script.usage != "missing":
        document["usage"] = told
    await call.send_document(document, bills, told)


def decoded(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    """Decode a request body. Raises RefusedError (400) that names the field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at ")
        param = path.strip("`").removeprefix("$.") or None
        raise RefusedError("invalid_request", text, param=param) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = "We could not parse the JSON body of your request."
        raise RefusedError("invalid_request", message) from error


def _answer(
    call: Call,
    shape: Shape,
    model: str,
    prompt: Prompt,
    seed: bytes,
    choices: list[Choice],
    created: int,
) -> Answer:
    return Answer(
        id=f"{shape.id_prefix}{seed.hex()[:20]}{call.entry.sequence:09d}",
        created=created,
        model=model,
        fingerprint=f"fp_{seed.hex()[-10:]}",
        choices=choices,
        prompt=prompt,
    )


async def _deliver(
    call: Call, answer: Answer, shape: Shape, script: Script, options: StreamOptions | None
) -> None:
    if not await call.prepare(script, answer.usage(0)):
        return
    if call.entry.stream:
        form = StreamForm(
            include_usage=options is not None and options.include_usage is True,
            include_obfuscation=options is None or options.include_obfuscation is not False,
        )
        await call.send_stream(answer, Frames(answer, shape, script, form))
        return
    tokens = sum(choice.tokens for choice in answer.choices)
    document, told = shapes.body(answer, shape, script)
    await call.send_document(document, answer.usage(tokens), told)
