"""How does a caller of OpenAI's responses hear an answer while it is made?

Source: OpenAI's API reference for the streaming events of responses.
"""

from typing import Any

import msgspec

from tollbridge.providers.dialects.chat.codec import Rendering
from tollbridge.providers.dialects.chat.neutral import (
    Argued,
    Began,
    Called,
    Event,
    Said,
    Stopped,
    StopReason,
    Tokens,
    ToolCall,
)
from tollbridge.providers.dialects.chat.reading import made_id
from tollbridge.providers.dialects.chat.responses_answer import (
    call_item,
    message_item,
    response_object,
)

_ENCODE = msgspec.json.Encoder().encode


class _Call:
    """A function call whose arguments still come."""

    def __init__(self, item: dict[str, Any], number: int) -> None:
        self.item = item
        self.number = number
        self.pieces: list[str] = []


class ResponsesEncoder:
    """Writes a caller's events: numbered items, each begun, filled and done."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._id = ""
        self._model = rendering.model
        self._sequence = 0
        self._items: list[dict[str, Any]] = []
        self._texts: list[str] | None = None  # of the message that is open
        self._calls: dict[int, _Call] = {}
        self._reason = StopReason.END

    def write(self, event: Event) -> bytes:
        """Return the events that tell the caller of it; thoughts are none of them."""
        if isinstance(event, Said):
            return self._say(event.text)
        if isinstance(event, Called):
            return self._call(event)
        if isinstance(event, Argued):
            call = self._calls[event.index]
            call.pieces.append(event.arguments)
            return self._event(
                "response.function_call_arguments.delta",
                item_id=call.item["id"],
                output_index=call.number,
                delta=event.arguments,
            )
        if isinstance(event, Began):
            made = made_id("resp_", self._rendering.model, self._rendering.created_s)
            self._id, self._model = event.id or made, event.model or self._model
            begun = self._response(None, None)
            created = self._event("response.created", response=begun)
            return created + self._event("response.in_progress", response=begun)
        if isinstance(event, Stopped):
            self._reason = event.reason
        return b""

    def end(self, tokens: Tokens | None) -> bytes:
        """Return the events that end the items and the response, with its usage."""
        done = self._end_text() + b"".join([self._end_call(call) for call in self._calls.values()])
        whole = self._response(self._reason, tokens)
        kind = "incomplete" if whole["status"] == "incomplete" else "completed"
        return done + self._event(f"response.{kind}", response=whole)

    def _say(self, text: str) -> bytes:
        begun = b""
        texts = self._texts
        if texts is None:
            texts = self._texts = []
            begun = self._begin_text()
        texts.append(text)
        return begun + self._event(
            "response.output_text.delta", **self._place(), delta=text, logprobs=[]
        )

    def _begin_text(self) -> bytes:
        item = {**message_item(self._id, len(self._items), ""), "status": "in_progress"}
        self._items.append(item)
        number = len(self._items) - 1
        added = self._event(
            "response.output_item.added", output_index=number, item={**item, "content": []}
        )
        part = item["content"][0]
        return added + self._event("response.content_part.added", **self._place(), part=part)

    def _end_text(self) -> bytes:
        if self._texts is None:
            return b""
        text = "".join(self._texts)
        number = len(self._items) - 1
        place = self._place()
        self._texts = None
        item = self._items[number] = message_item(self._id, number, text)
        return (
            self._event("response.output_text.done", **place, text=text, logprobs=[])
            + self._event("response.content_part.done", **place, part=item["content"][0])
            + self._event("response.output_item.done", output_index=number, item=item)
        )

    def _place(self) -> dict[str, Any]:
        number = len(self._items) - 1
        return {"item_id": self._items[number]["id"], "output_index": number, "content_index": 0}

    def _call(self, event: Called) -> bytes:
        before = self._end_text()
        number = len(self._items)
        item = call_item(self._id, number, ToolCall(event.id, event.name, ""))
        item = {**item, "status": "in_progress", "arguments": ""}
        self._items.append(item)
        self._calls[event.index] = _Call(item, number)
        return before + self._event("response.output_item.added", output_index=number, item=item)

    def _end_call(self, call: _Call) -> bytes:
        arguments = "".join(call.pieces) or "{}"
        item = {**call.item, "status": "completed", "arguments": arguments}
        self._items[call.number] = item
        done = self._event(
            "response.function_call_arguments.done",
            item_id=item["id"],
            output_index=call.number,
            name=item["name"],
            arguments=arguments,
        )
        return done + self._event("response.output_item.done", output_index=call.number, item=item)

    def _response(self, reason: StopReason | None, tokens: Tokens | None) -> dict[str, Any]:
        return response_object(
            self._id,
            self._model,
            self._rendering,
            items=list(self._items),
            reason=reason,
            tokens=tokens,
        )

    def _event(self, event: str, **fields: Any) -> bytes:
        body = _ENCODE({"type": event, "sequence_number": self._sequence, **fields})
        self._sequence += 1
        return b"event: %b\ndata: %b\n\n" % (event.encode(), body)
