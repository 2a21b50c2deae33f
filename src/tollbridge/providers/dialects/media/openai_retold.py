"""How is a provider of OpenAI's format asked for pictures by a caller who spoke another one?

A caller's own bytes pass with whatever they say; a translation says only what that model is known
to understand. Source: OpenAI's reference for images, as of its SDK 3.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from tollbridge.core.call import Operation
from tollbridge.providers.dialects.media.forms import Part, form_of
from tollbridge.providers.dialects.media.images import ImageAsk, nothing_lost, read_image
from tollbridge.providers.request import Request
from tollbridge.providers.wire import JSON, UntranslatableError

DALLE = "dall-e-"
ONE_A_CALL = "dall-e-3"
GPT = ("gpt-image", "chatgpt-image")
PNG = "png"
_SQUARE: Mapping[str, str] = MappingProxyType({"1:1": "1024x1024"})
"""What any model makes; which other sizes one has, only its own provider says."""
_SIZES: tuple[tuple[str, Mapping[str, str]], ...] = (
    (ONE_A_CALL, {**_SQUARE, "16:9": "1792x1024", "9:16": "1024x1792"}),
    *[(family, {**_SQUARE, "3:2": "1536x1024", "2:3": "1024x1536"}) for family in GPT],
)


def retell_pictures(request: Request, provider: str, model: str) -> tuple[bytes, bytes]:
    """Return the body of a call for pictures, and its content type. Raises UntranslatableError."""
    ask = read_image(request)
    name = model.rpartition("/")[2]
    fields: dict[str, str | int] = {"model": model, "prompt": ask.prompt, "n": ask.n}
    taken = {"aspect_ratio"}
    if name.startswith(ONE_A_CALL) and ask.n > 1:
        raise UntranslatableError(f"{model} makes one picture per call, not {ask.n}")
    if name.startswith(GPT):
        taken.add("output_format")
        if ask.fields.get("output_format") is not None:
            fields["output_format"] = str(ask.fields["output_format"])
    elif name.startswith(DALLE):
        # It makes nothing else, and a link to it would have to be fetched.
        if ask.fields.get("output_format") == PNG:
            taken.add("output_format")
        fields["response_format"] = "b64_json"
    nothing_lost(ask, taken, provider)
    size = _size(ask, name)
    if size is not None:
        fields["size"] = size
    if request.operation is not Operation.IMAGE_EDIT:
        return msgspec.json.encode(fields), JSON
    files = [
        Part("image[]", one.data, f"image-{place}.{one.kind}", one.content_type)
        for place, one in enumerate(ask.pictures)
    ]
    return form_of({key: str(value) for key, value in fields.items()}, files)


def _size(ask: ImageAsk, name: str) -> str | None:
    """Return the size of a shape, None where none is asked for."""
    ratio = ask.fields.get("aspect_ratio")
    if ratio is None:
        return None
    sizes = next((sizes for family, sizes in _SIZES if name.startswith(family)), _SQUARE)
    size = sizes.get(str(ratio))
    if size is None:
        raise UntranslatableError(f"{name} makes no {str(ratio)[:20]!r}: {', '.join(sizes)}")
    return size
