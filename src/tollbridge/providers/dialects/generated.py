"""How is anything asked for in one way, and what was made of it?

The brief's {text}, {imageUrl}, {videoUrl}, {audioUrl}, to and from OpenAI's wire format.
"""

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.errors import InvalidRequestError, UpstreamError
from tollbridge.providers.dialects.media.kinds import image_kind

VOICE = "alloy"
"""Of speech for which none is named: every provider at once has one by this name, or maps it."""
OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "TEXT": Operation.CHAT_COMPLETION,
        "IMAGE": Operation.IMAGE_GENERATION,
        "VIDEO": Operation.VIDEO_GENERATION,
        "AUDIO": Operation.AUDIO_SPEECH,
    }
)


def fields_of(
    operation: Operation, prompt: str, model: str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a request in OpenAI's wire format. Raises InvalidRequestError."""
    fields: dict[str, Any] = dict(options)
    if model is not None:
        fields["model"] = model
    for name in ("stream", "n"):
        if fields.get(name) not in {None, False, 1}:
            raise InvalidRequestError(
                f"options.{name}: one result is given, and all of it at once",
                details={"param": f"options.{name}"},
            )
    if operation is Operation.CHAT_COMPLETION:
        before = fields.get("messages", [])
        messages = cast("list[Any]", before) if isinstance(before, list) else []
        fields["messages"] = [*messages, {"role": "user", "content": prompt}]
    elif operation is Operation.AUDIO_SPEECH:
        fields["input"] = prompt
    else:
        fields["prompt"] = prompt
    return fields


def result_of(operation: Operation, content_type: str, body: bytes) -> dict[str, str]:
    """Return what an answer in OpenAI's wire format has made. Raises UpstreamError."""
    if operation is Operation.AUDIO_SPEECH and not content_type.startswith("application/json"):
        kind = content_type.partition(";")[0].strip() or "audio/mpeg"
        return {"audioUrl": _data_url(kind, body)}
    try:
        found: Any = msgspec.json.decode(body)
        if operation is Operation.CHAT_COMPLETION:
            text = found["choices"][0]["message"]["content"]
            if isinstance(text, str):
                return {"text": text}
        else:
            first = cast("dict[str, Any]", found["data"][0])
            address = first.get("url")
            if isinstance(address, str):
                return {"imageUrl": address}
            picture = base64.b64decode(first["b64_json"])
            return {"imageUrl": _data_url(f"image/{image_kind(picture) or 'png'}", picture)}
    except (msgspec.MsgspecError, KeyError, IndexError, TypeError, ValueError) as error:
        raise UpstreamError("the provider's answer holds no result") from error
    raise UpstreamError("the provider's answer holds no text")


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
