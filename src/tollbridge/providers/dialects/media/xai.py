"""How are pictures asked of xAI? Its text is OpenAI's. Source: docs.x.ai, images.

Pictures have a ratio and a resolution instead of a size; an edit is JSON with one picture.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.media.answers import unstreamed
from tollbridge.providers.dialects.media.images import (
    QUALITY,
    RESOLUTION,
    aspect_ratio,
    nothing_lost,
    read_image,
)
from tollbridge.providers.dialects.openai import OpenAIWire
from tollbridge.providers.request import Request
from tollbridge.providers.wire import Outgoing, UntranslatableError

WHO = "xai"
RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "2:1", "1:2")
QUALITIES = frozenset({"low", "medium", "high"})
TARGETS: Mapping[Operation, str] = MappingProxyType(
    {
        Operation.IMAGE_GENERATION: "/images/generations",
        Operation.IMAGE_EDIT: "/images/edits",
    }
)


class XaiWire(OpenAIWire):
    """xAI's wire format: OpenAI's, with pictures of its own kind."""

    name = "xai"

    def compose(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> Outgoing:
        """Return the request as it gets it. Raises UntranslatableError."""
        target = TARGETS.get(request.operation)
        if target is None:
            return super().compose(request, endpoint, model, output_tokens_cap)
        unstreamed(request, WHO)
        ask = read_image(request)
        own = {"aspect_ratio", RESOLUTION}
        if ask.quality in QUALITIES:
            own.add(QUALITY)
        nothing_lost(ask, own, WHO)
        body: dict[str, Any] = {"model": model, "prompt": ask.prompt, "n": ask.n}
        if ask.response_format is not None:
            body["response_format"] = ask.response_format
        ratio = aspect_ratio(ask, RATIOS, WHO)
        if ratio is not None:
            body["aspect_ratio"] = ratio
        for name in own - {"aspect_ratio"}:
            if ask.fields.get(name) is not None:
                body[name] = ask.fields[name]
        if request.operation is Operation.IMAGE_EDIT:
            if len(ask.pictures) != 1 or ask.mask is not None:
                raise UntranslatableError(f"{WHO} changes one picture, without a mask")
            body["image"] = {"type": "image_url", "url": ask.pictures[0].data_url}
        return Outgoing(target, msgspec.json.encode(body))
