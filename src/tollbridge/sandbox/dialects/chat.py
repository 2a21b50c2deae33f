"""What is the answer on each surface of text: chat completions, completions, embeddings?"""

from typing import Any, Final, cast

import msgspec

from tollbridge.sandbox import requests, usage
from tollbridge.sandbox.answer import Answer, Choice, digest, embed, embedding_value, say
from tollbridge.sandbox.dialects.chunks import Frames, StreamForm, body
from tollbridge.sandbox.dialects.manner import CHAT, TEXT, Manner, Shape
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.requests import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    StreamOptions,
)
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.text import Ask, Tool, converse
from tollbridge.sandbox.usage import Usage
from tollbridge.sandbox.visit import MODELS, Visit

LEGACY_TOKENS_MAX: Final = 16
ANY_TOOL: Final = ""

_chat_decoder: Final = msgspec.json.Decoder(ChatRequest)
_completion_decoder: Final = msgspec.json.Decoder(CompletionRequest)
_embedding_decoder: Final = msgspec.json.Decoder(EmbeddingRequest)
_any_decoder: Final = msgspec.json.Decoder()


class Surface:
    """The text surfaces of one provider."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner

    async def chat(self, visit: Visit) -> None:
        """Answer a chat completion."""
        self._manner.check(visit)
        request = visit.decoded(_chat_decoder)
        model = visit.params.get("deployment", request.model)
        if not model:
            raise RefusedError("invalid_request", "you must provide a model", param="model")
        response_format = request.response_format
        ask = Ask(
            model=model,
            prompt=requests.of_messages(request.messages, request.tools),
            stream=request.stream is True,
            choices=request.n or 1,
            tokens_max=request.max_completion_tokens or request.max_tokens,
            tools=_tools(request.tools),
            forced=_forced(request.tool_choice),
            answered=request.messages[-1].role == "tool",
            thinks=request.reasoning_effort not in {None, "none", "minimal"},
            schema=None if response_format is None else response_format.schema,
        )
        answer, script = converse(visit, ask, CHAT.id_prefix)
        await self._deliver(visit, answer, CHAT, script, request.stream_options)

    async def completion(self, visit: Visit) -> None:
        """Answer a legacy completion: n choices for each prompt."""
        self._manner.check(visit)
        request = visit.decoded(_completion_decoder)
        prompts = requests.of_text(request.prompt)
        prompt = requests.joined(prompts)
        visit.call.entry.stream = request.stream is True
        script = visit.choose(request.model, prompt.last_text)
        tokens_max = request.max_tokens or LEGACY_TOKENS_MAX
        choices: list[Choice] = [
            say(digest(request.model, one.texts), at, script, tokens_max)
            for one in prompts
            for at in range(request.n or 1)
        ]
        seed = digest(request.model, prompt.texts)
        answer = Answer(
            id=f"{TEXT.id_prefix}{seed.hex()[:20]}{visit.sequence:09d}",
            created=visit.created,
            model=script.model_returned or request.model,
            fingerprint=f"fp_{seed.hex()[-10:]}",
            choices=choices,
            prompt=prompt,
            seed=seed,
        )
        await self._deliver(visit, answer, TEXT, script, request.stream_options)

    async def embeddings(self, visit: Visit) -> None:
        """Answer with one vector for each input."""
        self._manner.check(visit)
        request = visit.decoded(_embedding_decoder)
        model = visit.params.get("deployment", request.model)
        inputs = requests.of_text(request.input)
        prompt = requests.joined(inputs)
        script = visit.choose(model, prompt.last_text)
        bills = Usage(prompt_tokens=prompt.tokens)
        if not await visit.call.prepare(script, bills):
            return
        size = request.dimensions or visit.world.embedding_dimensions
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": embedding_value(
                    embed("".join(one.texts), model, size), request.encoding_format
                ),
            }
            for index, one in enumerate(inputs)
        ]
        document: dict[str, Any] = {"object": "list", "model": model, "data": data}
        told = usage.reported(usage.embedding_object(bills), script.usage, usage.EMBEDDING)
        if told is not None:
            self._manner.dress_usage(told, script)
        if script.usage != "missing":
            document["usage"] = told
        headers = self._manner.headers(visit, script, bills)
        visit.call.charge(usd=self._manner.cost_usd(bills, script))
        await visit.call.send_document(document, bills, told, headers=headers)

    async def _deliver(
        self,
        visit: Visit,
        answer: Answer,
        shape: Shape,
        script: Script,
        options: StreamOptions | None,
    ) -> None:
        call = visit.call
        if not await call.prepare(script, answer.usage(0)):
            return
        manner = self._manner
        form = manner.form(shape)
        try:
            if call.entry.stream:
                frames = Frames(answer, shape, script, _stream_form(options), manner)
                headers = manner.headers(visit, script, None)
                await call.send_stream(frames, answer.usage, headers=headers, form=form)
                return
            document, told = body(answer, shape, script, manner)
            used = answer.usage(answer.tokens)
            headers = manner.headers(visit, script, used)
            if script.cache_hit:
                used = Usage()
            await call.send_document(document, used, told, headers=headers, form=form)
        finally:
            if call.entry.usage is not None:
                call.charge(usd=manner.cost_usd(call.entry.usage, script))


async def models(visit: Visit) -> None:
    """List the models."""
    listed = [model_object(name) for name in MODELS]
    await visit.call.send_document({"object": "list", "data": listed})


async def model(visit: Visit) -> None:
    """Show one model."""
    name = visit.params["model"]
    if name not in MODELS:
        raise RefusedError("not_found", f"The model '{name}' does not exist")
    await visit.call.send_document(model_object(name))


def model_object(name: str) -> dict[str, object]:
    """Return a model as the list has it."""
    return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "sandbox"}


def _stream_form(options: StreamOptions | None) -> StreamForm:
    return StreamForm(
        include_usage=options is not None and options.include_usage is True,
        include_obfuscation=options is None or options.include_obfuscation is not False,
        continuous_usage=options is not None and options.continuous_usage_stats is True,
    )


def _tools(raw: msgspec.Raw) -> list[Tool]:
    """Read the functions among the tools; a tool without a name cannot be called."""
    if not bytes(raw):
        return []
    given: Any = _any_decoder.decode(raw)
    tools: list[Tool] = []
    for tool in cast("list[Any]", given) if isinstance(given, list) else []:
        function = _part(tool, "function")
        if isinstance(function.get("name"), str):
            tools.append(Tool(function["name"], _part(function, "parameters")))
    return tools


def _forced(choice: Any) -> str | None:
    """Return the tool that must be called, "" for any, None if none must."""
    if choice in {"required", "any"} if isinstance(choice, str) else False:
        return ANY_TOOL
    name: Any = _part(choice, "function").get("name")
    return name if isinstance(name, str) else None


def _part(document: Any, name: str) -> dict[str, Any]:
    """Return an object inside of another, an empty one where there is none."""
    inner: Any = cast("dict[str, Any]", document).get(name) if isinstance(document, dict) else None
    return cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
