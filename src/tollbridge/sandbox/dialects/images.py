"""Which picture is generated or edited, as OpenAI tells it?"""

import base64
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec

from tollbridge.sandbox import usage
from tollbridge.sandbox.frame import CONTENT, EVENTS, FINISH, Frame, encode
from tollbridge.sandbox.media import png, size_of
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.usage import Usage, count, text_tokens
from tollbridge.sandbox.visit import Visit

IMAGES_MAX: Final = 10
IMAGE_PROMPT_TOKENS: Final = 194
FILE_BYTES_MAX: Final = 20 << 20

# Output tokens of a GPT image: square, then portrait or landscape.
TOKENS_OF_QUALITY: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {"low": (272, 408), "medium": (1056, 1584), "high": (4160, 6240)}
)
SIZES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "dall-e-2": ("256x256", "512x512", "1024x1024"),
        "dall-e-3": ("1024x1024", "1792x1024", "1024x1792"),
        "gpt-image": ("1024x1024", "1536x1024", "1024x1536", "auto"),
    }
)


class ImageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an image is asked for with; an edit's form is read into the same."""

    prompt: Annotated[str, msgspec.Meta(min_length=1, max_length=32_000)]
    model: str = "dall-e-2"
    n: Annotated[int, msgspec.Meta(ge=1, le=IMAGES_MAX)] | None = None
    size: str | None = None
    quality: str | None = None
    response_format: str | None = None
    output_format: str | None = None
    background: str | None = None
    stream: bool | None = None
    partial_images: Annotated[int, msgspec.Meta(ge=0, le=3)] | None = None
    inputs: int = 0
    """Images that were sent to be edited."""

    @property
    def metered(self) -> bool:
        """Whether it answers with tokens, as GPT image models do."""
        return self.model.startswith("gpt-image")


_decoder: Final = msgspec.json.Decoder(ImageRequest)


async def generations(visit: Visit) -> None:
    """Answer an image generation."""
    await _answer(visit, visit.decoded(_decoder), "image_generation")


async def edits(visit: Visit) -> None:
    """Answer an image edit: a form with one image or more."""
    form = visit.form()
    images = [upload for upload in form.files if upload.name == "image"]
    if not images:
        form.file("image")
    for upload in form.files:
        if len(upload.data) > FILE_BYTES_MAX:
            raise RefusedError("body_too_large")
        if not _is_picture(upload.data):
            message = "Invalid image file or mode, please upload a PNG, JPEG or WebP."
            raise RefusedError("invalid_request", message, param=upload.name)
    request = ImageRequest(
        prompt=form.need("prompt"),
        model=form.fields.get("model", "dall-e-2"),
        n=_checked_count(form.whole("n", 1)),
        size=form.fields.get("size"),
        quality=form.fields.get("quality"),
        response_format=form.fields.get("response_format"),
        output_format=form.fields.get("output_format"),
        stream=form.fields.get("stream") == "true",
        partial_images=form.whole("partial_images", 0),
        inputs=len(images),
    )
    await _answer(visit, request, "image_edit")


async def _answer(visit: Visit, request: ImageRequest, kind: str) -> None:
    model = visit.params.get("deployment", request.model)
    visit.call.entry.stream = request.stream is True and request.metered
    script = visit.choose(model, request.prompt)
    size, quality = _checked(request)
    if script.filtered:
        raise RefusedError("content_filter")
    used = _used(request, size, quality)
    if not await visit.call.prepare(script, used):
        return
    number = request.n or 1
    visit.call.charge(units={"image": number})
    body: dict[str, Any] = {"created": visit.created}
    if request.metered:
        told = usage.reported(image_object(used), script.usage, FORM)
        body |= {"background": request.background or "opaque", "output_format": "png"}
        body |= {"quality": quality, "size": size}
        if visit.call.entry.stream:
            frames = _frames(visit, request, body, told, kind)
            await visit.call.send_stream(frames, lambda _: used, EVENTS, form=FORM)
            return
        body["data"] = [
            {"b64_json": _picture(visit, request.prompt, size, at)} for at in range(number)
        ]
        if script.usage != "missing":
            body["usage"] = told
        await visit.call.send_document(body, used, told, form=FORM)
        return
    body["data"] = [_link(visit, request, size, at) for at in range(number)]
    await visit.call.send_document(body)


def _checked(request: ImageRequest) -> tuple[str, str]:
    """Return size and quality as the answer has them. Raises RefusedError (400)."""
    family = "gpt-image" if request.metered else request.model
    size = request.size or ("auto" if request.metered else "1024x1024")
    allowed = SIZES.get(family)
    if allowed is not None and size not in allowed:
        message = f"Invalid value: '{size}'. Supported values are: {', '.join(allowed)}."
        raise RefusedError("invalid_request", message, param="size")
    if size != "auto":
        size_of(size)
    if request.metered and request.response_format is not None:
        message = "Unknown parameter: 'response_format'."
        raise RefusedError("invalid_request", message, param="response_format")
    if request.model == "dall-e-3" and (request.n or 1) > 1:
        raise RefusedError("invalid_request", "You must provide n=1 for this model.", param="n")
    quality = request.quality or "auto"
    if request.metered:
        quality = "medium" if quality == "auto" else quality
        if quality not in TOKENS_OF_QUALITY:
            message = f"Invalid value: '{quality}'."
            raise RefusedError("invalid_request", message, param="quality")
    return ("1024x1024" if size == "auto" else size), quality


def _used(request: ImageRequest, size: str, quality: str) -> Usage:
    """Return the tokens of a GPT image; other models have none."""
    if not request.metered:
        return Usage()
    square, oblong = TOKENS_OF_QUALITY[quality]
    width, _, height = size.partition("x")
    made = (request.n or 1) * (square if width == height else oblong)
    seen = request.inputs * IMAGE_PROMPT_TOKENS
    return Usage(
        prompt_tokens=text_tokens(request.prompt) + seen,
        prompt_image_tokens=seen,
        completion_tokens=made,
        completion_image_tokens=made,
    )


def image_object(used: Usage) -> dict[str, Any]:
    """Return the `usage` object of a GPT image."""
    return {
        "input_tokens": used.prompt_tokens,
        "output_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
        "input_tokens_details": {
            "text_tokens": used.prompt_tokens - used.prompt_image_tokens,
            "image_tokens": used.prompt_image_tokens,
        },
        "output_tokens_details": {
            "image_tokens": used.completion_image_tokens,
            "text_tokens": used.completion_tokens - used.completion_image_tokens,
        },
    }


def read_image(told: dict[str, Any]) -> Usage:
    """Read it back."""
    return Usage(
        prompt_tokens=count(told, "input_tokens"),
        prompt_image_tokens=count(told.get("input_tokens_details"), "image_tokens"),
        completion_tokens=count(told, "output_tokens"),
        completion_image_tokens=count(told.get("output_tokens_details"), "image_tokens"),
    )


def _total(told: dict[str, Any]) -> dict[str, Any]:
    return {"total_tokens": count(told, "input_tokens") + count(told, "output_tokens")}


FORM: Final = usage.Form(image_object, read_image, _total)


def _frames(
    visit: Visit,
    request: ImageRequest,
    body: dict[str, Any],
    told: dict[str, Any] | None,
    kind: str,
) -> Iterator[Frame]:
    """Yield partial pictures, then the whole one with its usage."""
    name = kind if kind == "image_edit" else "image_generation"
    base = {"created_at" if key == "created" else key: value for key, value in body.items()}
    picture = _picture(visit, request.prompt, body["size"], 0)
    for at in range(request.partial_images or 0):
        event = f"{name}.partial_image"
        part = {"type": event, "b64_json": picture, "partial_image_index": at, **base}
        yield Frame(CONTENT, encode(part), 0, None, event)
    event = f"{name}.completed"
    whole: dict[str, Any] = {"type": event, "b64_json": picture, **base}
    if told is not None:
        whole["usage"] = told
    yield Frame(FINISH, encode(whole), 0, told, event)


def _picture(visit: Visit, prompt: str, size: str, at: int) -> str:
    return base64.b64encode(png(size_of(size), visit.seed(prompt, str(at)))).decode()


def _link(visit: Visit, request: ImageRequest, size: str, at: int) -> dict[str, Any]:
    if request.response_format == "b64_json":
        link: dict[str, Any] = {"b64_json": _picture(visit, request.prompt, size, at)}
    else:
        link = {"url": visit.file(visit.seed(request.prompt, str(at)), f"{size}.png")}
    if request.model == "dall-e-3":
        link["revised_prompt"] = request.prompt
    return link


def _checked_count(number: int) -> int:
    if not 1 <= number <= IMAGES_MAX:
        raise RefusedError("invalid_request", f"Invalid 'n': {number}", param="n")
    return number


def _is_picture(data: bytes) -> bool:
    return data.startswith((b"\x89PNG", b"\xff\xd8\xff")) or data[8:12] == b"WEBP"
