"""What is a response of OpenAI's Responses API, whole, streamed and looked up later?"""

from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec

from tollbridge.sandbox import requests, usage
from tollbridge.sandbox.answer import Answer, Choice
from tollbridge.sandbox.frame import CONTENT, EVENTS, FINISH, ROLE, Frame, encode
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.requests import Message, Part
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.text import Ask, Tool, converse
from tollbridge.sandbox.usage import Usage, count
from tollbridge.sandbox.visit import Visit

KEPT: Final = "openai.response"
Document = dict[str, Any]


class InputItem(msgspec.Struct, frozen=True):
    """One item of the input: a message, a tool's call, its output."""

    type: str = "message"
    role: str = "user"
    content: str | list[Document] | None = None
    arguments: str = ""
    output: Any = ""


class ResponseRequest(msgspec.Struct, frozen=True):
    """The body of `POST /v1/responses`."""

    model: str
    input: str | list[InputItem] = ""
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: requests.Tokens | None = None
    tools: list[dict[str, Any]] = []
    tool_choice: Any = None
    text: dict[str, Any] = {}
    reasoning: dict[str, Any] | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    background: bool | None = None
    service_tier: str | None = None
    metadata: dict[str, str] | None = None


_decoder: Final = msgspec.json.Decoder(ResponseRequest)


async def create(visit: Visit) -> None:
    """Answer a response."""
    request = visit.decoded(_decoder)
    previous = request.previous_response_id
    if previous is not None and visit.world.kept.get(KEPT, previous) is None:
        message = f"Previous response with id '{previous}' not found."
        raise RefusedError("invalid_request", message, param="previous_response_id")
    answer, script = converse(visit, _ask(request), "resp_")
    if not await visit.call.prepare(script, answer.usage(0)):
        return
    maker = _Maker(request, answer, script)
    document, told = maker.whole()
    if request.store is not False:
        visit.world.kept.put(KEPT, document["id"], document)
    if request.background:
        queued = maker.begun() | {"status": "queued"}
        visit.call.charge(used=usage.billed(answer.usage(answer.tokens), script.usage,
                                            whole=True, form=FORM))  # fmt: skip
        await visit.call.send_document(queued)
        return
    if visit.call.entry.stream:
        await visit.call.send_stream(maker.frames(), answer.usage, EVENTS, form=FORM)
        return
    used = answer.usage(answer.tokens)
    await visit.call.send_document(document, used, told, form=FORM)


async def retrieve(visit: Visit) -> None:
    """Show a response that was kept."""
    if not await visit.call.prepare(visit.look()):
        return
    document = visit.world.kept.get(KEPT, visit.params["id"])
    if document is None:
        message = f"Response with id '{visit.params['id']}' not found."
        raise RefusedError("invalid_request", message, status=404)
    await visit.call.send_document(document)


async def delete(visit: Visit) -> None:
    """Forget a response."""
    name = visit.params["id"]
    if not visit.world.kept.drop(KEPT, name):
        message = f"Response with id '{name}' not found."
        raise RefusedError("invalid_request", message, status=404)
    await visit.call.send_document({"id": name, "object": "response.deleted", "deleted": True})


async def count_tokens(visit: Visit) -> None:
    """Count without an answer."""
    request = visit.decoded(_decoder)
    tokens = _ask(request).prompt.tokens
    visit.call.entry.model = request.model
    await visit.call.send_document({"object": "response.input_tokens", "input_tokens": tokens})


def response_object(used: Usage) -> Document:
    """Return the `usage` object of a response."""
    return {
        "input_tokens": used.prompt_tokens,
        "input_tokens_details": {"cached_tokens": used.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": used.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
        "total_tokens": used.prompt_tokens + used.completion_tokens,
    }


def _read(told: Document) -> Usage:
    return Usage(
        prompt_tokens=count(told, "input_tokens"),
        cached_tokens=count(told.get("input_tokens_details"), "cached_tokens"),
        cache_write_tokens=count(told.get("input_tokens_details"), "cache_write_tokens"),
        completion_tokens=count(told, "output_tokens"),
        reasoning_tokens=count(told.get("output_tokens_details"), "reasoning_tokens"),
    )


def _total(told: Document) -> Document:
    return {"total_tokens": count(told, "input_tokens") + count(told, "output_tokens")}


FORM: Final = usage.Form(response_object, _read, _total)


class _Maker:
    """Makes one response: its document and its events."""

    def __init__(self, request: ResponseRequest, answer: Answer, script: Script) -> None:
        self._request = request
        self._answer = answer
        self._script = script
        self._number = 0
        self._base = answer.id.removeprefix("resp_")

    def begun(self) -> Document:
        """Return the response before it has said anything."""
        request = self._request
        return {
            "id": self._answer.id,
            "object": "response",
            "created_at": self._answer.created,
            "completed_at": None,
            "status": "in_progress",
            "background": request.background is True,
            "error": None,
            "incomplete_details": None,
            "instructions": request.instructions,
            "max_output_tokens": request.max_output_tokens,
            "model": self._answer.model,
            "output": [],
            "parallel_tool_calls": True,
            "previous_response_id": request.previous_response_id,
            "reasoning": request.reasoning or {"effort": None, "summary": None},
            "service_tier": request.service_tier or "auto",
            "store": request.store is not False,
            "temperature": 1.0,
            "text": request.text or {"format": {"type": "text"}},
            "tool_choice": request.tool_choice or "auto",
            "tools": request.tools,
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": None,
            "user": None,
            "metadata": request.metadata or {},
        }

    def whole(self) -> tuple[Document, Document | None]:
        """Return the response and the usage in it."""
        answer = self._answer
        choice = answer.choices[0]
        document = self.begun()
        told = usage.reported(response_object(answer.usage(answer.tokens)),
                              self._script.usage, FORM)  # fmt: skip
        document |= {
            "status": "completed",
            "completed_at": answer.created,
            "service_tier": self._script.service_tier or "default",
            "output": [*self._thoughts(choice), self._item(choice)],
            "usage": told,
        }
        if choice.finish_reason in {"length", "content_filter"}:
            reason = "max_output_tokens" if choice.finish_reason == "length" else "content_filter"
            document |= {"status": "incomplete", "incomplete_details": {"reason": reason}}
        if self._script.usage == "missing":
            del document["usage"]
        return document, told

    def frames(self) -> Iterator[Frame]:
        """Yield the events; there is no end mark."""
        begun = self.begun()
        yield self._frame(ROLE, "response.created", {"response": begun})
        yield self._frame(ROLE, "response.in_progress", {"response": begun})
        choice = self._answer.choices[0]
        at = 0
        for item in self._thoughts(choice):
            place = {"output_index": at}
            yield self._frame(ROLE, "response.output_item.added", {**place, "item": item})
            tokens = len(choice.thoughts)
            done = {**place, "item": item}
            yield self._frame(FINISH, "response.output_item.done", done, tokens)
            at += 1
        if choice.tool_call is None:
            yield from self._said(choice, at)
        else:
            yield from self._called(choice, at)
        document, told = self.whole()
        kind = f"response.{document['status']}"
        yield self._frame(FINISH, kind, {"response": document}, 0, told)

    def _said(self, choice: Choice, at: int) -> Iterator[Frame]:
        item = self._item(choice)
        place = {"item_id": item["id"], "output_index": at, "content_index": 0}
        opened: Document = item | {"status": "in_progress", "content": []}
        added = {"output_index": at, "item": opened}
        yield self._frame(ROLE, "response.output_item.added", added)
        part = _output_text("")
        yield self._frame(ROLE, "response.content_part.added", {**place, "part": part})
        for piece, tokens in zip(choice.pieces, choice.counts, strict=True):
            said: Document = {**place, "delta": piece, "logprobs": []}
            yield self._frame(CONTENT, "response.output_text.delta", said, tokens)
        done: Document = {**place, "text": choice.text, "logprobs": []}
        yield self._frame(FINISH, "response.output_text.done", done)
        part = _output_text(choice.text)
        yield self._frame(FINISH, "response.content_part.done", {**place, "part": part})
        ended = {"output_index": at, "item": item}
        yield self._frame(FINISH, "response.output_item.done", ended)

    def _called(self, choice: Choice, at: int) -> Iterator[Frame]:
        item = self._item(choice)
        place = {"item_id": item["id"], "output_index": at}
        opened = item | {"status": "in_progress", "arguments": ""}
        added = {"output_index": at, "item": opened}
        yield self._frame(ROLE, "response.output_item.added", added)
        delta = {**place, "delta": item["arguments"]}
        event = "response.function_call_arguments.delta"
        yield self._frame(CONTENT, event, delta, choice.tool_tokens)
        done = {**place, "arguments": item["arguments"], "name": item["name"]}
        yield self._frame(FINISH, "response.function_call_arguments.done", done)
        ended = {"output_index": at, "item": item}
        yield self._frame(FINISH, "response.output_item.done", ended)

    def _thoughts(self, choice: Choice) -> list[Document]:
        if not choice.thoughts:
            return []
        return [{"id": f"rs_{self._base}", "type": "reasoning", "summary": []}]

    def _item(self, choice: Choice) -> Document:
        call = choice.tool_call
        if call is not None:
            return {
                "id": f"fc_{self._base}",
                "type": "function_call",
                "status": "completed",
                "arguments": call.arguments,
                "call_id": f"call_{call.id}",
                "name": call.name,
            }
        return {
            "id": f"msg_{self._base}",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [_output_text(choice.text)],
        }

    def _frame(
        self,
        kind: int,
        event: str,
        body: Document,
        tokens: int = 0,
        told: Document | None = None,
    ) -> Frame:
        payload = encode({"type": event, "sequence_number": self._number, **body})
        self._number += 1
        return Frame(kind, payload, tokens, told, event)


def _output_text(text: str) -> Document:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _ask(request: ResponseRequest) -> Ask:
    messages = _messages(request)
    tools = [
        Tool(tool["name"], tool.get("parameters") or {})
        for tool in request.tools
        if tool.get("type") == "function" and isinstance(tool.get("name"), str)
    ]
    choice = request.tool_choice
    forced: str | None = "" if choice == "required" else None
    if isinstance(choice, dict):
        name: Any = cast("Document", choice).get("name")
        forced = name if isinstance(name, str) else None
    given: Any = request.text.get("format")
    form: Document = cast("Document", given) if isinstance(given, dict) else {}
    raw = msgspec.Raw(encode(request.tools) if request.tools else b"")
    items = request.input if isinstance(request.input, list) else []
    return Ask(
        model=request.model,
        prompt=requests.of_messages(messages, raw),
        stream=request.stream is True and request.background is not True,
        tokens_max=request.max_output_tokens,
        tools=tools,
        forced=forced,
        answered=bool(items) and items[-1].type == "function_call_output",
        thinks=(request.reasoning or {}).get("effort") not in {None, "none", "minimal"},
        schema=form.get("schema") if form.get("type") == "json_schema" else None,
    )


def _messages(request: ResponseRequest) -> list[Message]:
    messages: list[Message] = []
    if request.instructions is not None:
        messages.append(Message("system", request.instructions))
    if isinstance(request.input, str):
        messages.append(Message("user", request.input))
        return messages
    for item in request.input:
        match item.type:
            case "message":
                messages.append(Message(item.role, _content(item)))
            case "function_call":
                messages.append(Message("assistant", item.arguments))
            case "function_call_output":
                messages.append(Message("tool", str(item.output)))
            case _:
                pass
    return messages


def _content(item: InputItem) -> str | list[Part]:
    if item.content is None or isinstance(item.content, str):
        return item.content or ""
    kinds = {"input_image": "image_url", "input_audio": "input_audio", "input_file": "file"}
    parts: list[Part] = []
    for part in item.content:
        text: Any = part.get("text")
        kind = kinds.get(str(part.get("type")), "text")
        parts.append(Part(kind, text if isinstance(text, str) else None))
    return parts
