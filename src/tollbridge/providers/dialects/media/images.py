"""What does a call for pictures ask, and how are pictures given to the caller?

The caller's side is OpenAI's: images/generations as JSON, images/edits as a form or as JSON whose
pictures are data URLs or addresses.
"""

import base64
import binascii
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.demand import Demand
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.media.asked import Asked, read_asked, refused
from tollbridge.providers.dialects.media.forms import Part
from tollbridge.providers.dialects.media.kinds import IMAGE_TYPES, image_kind
from tollbridge.providers.dialects.media.limits import UNBOUNDED, MediaLimits
from tollbridge.providers.request import Request, label_of
from tollbridge.providers.wire import Given, Output, UntranslatableError

SIZE = "size"
QUALITY = "quality"
RESOLUTION = "resolution"
AUTO = "auto"
URL_CHARACTERS_MAX = 8192
OPTION_CHARACTERS_MAX = 64
USER_CHARACTERS_MAX = 1024
PNG = "image/png"
RATIO_TOLERANCE = 50
"""A ratio is near where it differs by at most a fiftieth."""
# What is acted on; everything else passes where the wire formats are alike.
NAMES = (
    "model",
    "n",
    SIZE,
    QUALITY,
    RESOLUTION,
    "response_format",
    "stream",
    "image",
    "images",
    "mask",
    "user",
)
_SIZE = re.compile(r"(\d{2,5})x(\d{2,5})")
_OPTION = re.compile(r"[A-Za-z0-9_.-]+")


class Picture(msgspec.Struct, frozen=True):
    """A picture that the caller gave: itself, or where it lies."""

    data: bytes = b""
    kind: str = ""
    url: str | None = None

    @property
    def content_type(self) -> str:
        """Return what the bytes are."""
        return IMAGE_TYPES.get(self.kind, "application/octet-stream")

    @property
    def data_url(self) -> str:
        """Return its address, or the picture itself as one."""
        if self.url is not None:
            return self.url
        return f"data:{self.content_type};base64,{base64.b64encode(self.data).decode()}"


class ImageAsk(msgspec.Struct, frozen=True):
    """What a call for pictures asks."""

    model: str
    prompt: str
    n: int
    size: str | None
    """Width and height in pixels as 1024x768; None: as the model likes."""
    quality: str | None
    response_format: str | None
    pictures: tuple[Picture, ...]
    mask: Picture | None
    fields: dict[str, Any]
    """All that was said, by name, files aside."""

    def sides(self) -> tuple[int, int] | None:
        """Return width and height in pixels."""
        return None if self.size is None else sides_of(self.size)


def parse_image(
    operation: Operation, body: bytes, content_type: bytes, limits: MediaLimits
) -> Request:
    """Check a call for pictures. Raises InvalidRequestError that names the field."""
    asked = _asked(body, content_type, limits)
    ask = _ask(operation, asked, limits)
    stream = asked.truth("stream")
    partial = asked.whole("partial_images", 0, 3)
    if partial and not stream:
        raise refused("partial_images", "needs stream")
    given = [*ask.pictures, *([ask.mask] if ask.mask is not None else [])]
    facts = {
        name: value.lower()
        for name, value in ((SIZE, ask.size), (QUALITY, ask.quality))
        if value is not None and value != AUTO
    }
    resolution = asked.text(RESOLUTION, OPTION_CHARACTERS_MAX)
    if resolution is not None:
        facts[RESOLUTION] = resolution.upper() if resolution[-1:] in "kK" else resolution.lower()
    return Request(
        operation,
        body,
        ask.model,
        stream,
        choices=1,
        customer=label_of(asked.text("user", USER_CHARACTERS_MAX)),
        attachments=len(given),
        content_type=content_type,
        demand=Demand({Unit.IMAGE.value: ask.n}, facts),
        addresses=tuple(one.url for one in given if one.url is not None),
    )


def read_image(request: Request) -> ImageAsk:
    """Return what a checked call asks."""
    asked = _asked(request.body, request.content_type, UNBOUNDED)
    return _ask(request.operation, asked, UNBOUNDED)


# What says nothing about the picture, or what every provider makes anyway.
_HARMLESS: Mapping[str, frozenset[object]] = MappingProxyType(
    {
        QUALITY: frozenset({AUTO, "standard"}),
        "background": frozenset({AUTO, "opaque"}),
        "moderation": frozenset({AUTO}),
        "style": frozenset({"vivid"}),
        "input_fidelity": frozenset({"low"}),
        "stream": frozenset({False, "false"}),
    }
)
_CARRIED = frozenset(
    {"model", "prompt", "n", SIZE, "response_format", "user", "image", "image[]", "images", "mask"}
)


def nothing_lost(ask: ImageAsk, taken: Collection[str], who: str) -> None:
    """Raise UntranslatableError where something is asked that this provider has no word for.

    `taken` are the names that it has words for, beside the prompt, the size and the pictures.
    """
    for name, value in ask.fields.items():
        if value is None or name in _CARRIED or name in taken:
            continue
        harmless = _HARMLESS.get(name)
        if harmless is None or (isinstance(value, str | bool) and value not in harmless):
            raise UntranslatableError(f"{who} has no {name}={str(value)[:50]!r} for pictures")


def sides_of(size: str) -> tuple[int, int]:
    """Return width and height of a size that is known to be one."""
    width, _, height = size.partition("x")
    return int(width), int(height)


def aspect_ratio(ask: ImageAsk, offered: Sequence[str], who: str) -> str | None:
    """Return which of the offered ratios ("16:9") is asked for, None where it is left open.

    For providers that make pictures by ratio: of a size only that can be kept, and 1792x1024 is
    taken for 16:9. Raises UntranslatableError where none of the ratios is near.
    """
    said = ask.fields.get("aspect_ratio")
    if said is not None:
        if said not in offered:
            raise UntranslatableError(f"{who} makes no {str(said)[:20]!r}: {', '.join(offered)}")
        return said
    if ask.size is None:
        return None
    width, height = sides_of(ask.size)
    for ratio in offered:
        across, _, up = ratio.partition(":")
        wanted, there = width * int(up), height * int(across)
        if abs(wanted - there) * RATIO_TOLERANCE <= there:
            return ratio
    raise UntranslatableError(f"{who} makes no {ask.size}: only {', '.join(offered)}")


def render_images(request: Request, given: Given, created_s: int) -> tuple[bytes, bytes]:
    """Return pictures in OpenAI's shape: links, or the pictures in base64.

    Where a link was asked for and the provider gave the picture itself, the link holds it.
    """
    wants_link = read_image(request).response_format == "url"
    answer: dict[str, Any] = {
        "created": created_s,
        "data": [_rendered(output, wants_link=wants_link) for output in given.outputs],
    }
    answer |= {name: given.facts[name] for name in (SIZE, QUALITY) if name in given.facts}
    read, made = given.counts.get(Unit.INPUT.value), given.counts.get(Unit.OUTPUT.value)
    if read is not None and made is not None:
        answer["usage"] = {
            "input_tokens": read,
            "output_tokens": made,
            "total_tokens": read + made,
        }
    return msgspec.json.encode(answer), b"application/json"


def wants_data(request: Request) -> bool:
    """Return whether the caller asked for the pictures themselves rather than for links."""
    return read_image(request).response_format == "b64_json"


def _rendered(output: Output, *, wants_link: bool) -> dict[str, Any]:
    one: dict[str, Any] = {}
    if output.data is None:
        one["url"] = output.url
    else:
        data = base64.b64encode(output.data).decode()
        if wants_link:
            one["url"] = f"data:{output.content_type or PNG};base64,{data}"
        else:
            one["b64_json"] = data
    if output.text:
        one["revised_prompt"] = output.text
    return one


def _asked(body: bytes, content_type: bytes, limits: MediaLimits) -> Asked:
    return read_asked(body, content_type, limits.form_parts_max, "prompt", NAMES)


def _ask(operation: Operation, asked: Asked, limits: MediaLimits) -> ImageAsk:
    pictures, mask = _pictures(asked, limits)
    if operation is Operation.IMAGE_EDIT and not pictures:
        raise refused("image", "is missing: an edit needs at least one")
    prompt = asked.text("prompt", limits.prompt_characters_max, required=True)
    quality = asked.text(QUALITY, OPTION_CHARACTERS_MAX)
    if quality is not None and not _OPTION.fullmatch(quality):
        raise refused(QUALITY, f"is no such word: {quality!r}")
    return ImageAsk(
        model=asked.model(),
        prompt=prompt or "",
        n=asked.whole("n", 1, limits.images_max) or 1,
        size=_size(asked, limits),
        quality=quality,
        response_format=asked.one_of("response_format", ("url", "b64_json")),
        pictures=pictures,
        mask=mask,
        fields=dict(asked.fields),
    )


def _size(asked: Asked, limits: MediaLimits) -> str | None:
    size = asked.text(SIZE, OPTION_CHARACTERS_MAX)
    if size is None or size == AUTO:
        return None
    found = _SIZE.fullmatch(size)
    if found is None or not all(
        16 <= int(side) <= limits.image_side_px_max for side in found.groups()
    ):
        most = limits.image_side_px_max
        raise refused(
            SIZE, f"must be auto or WIDTHxHEIGHT in pixels, each up to {most}, not {size!r}"
        )
    return size


def _pictures(asked: Asked, limits: MediaLimits) -> tuple[tuple[Picture, ...], Picture | None]:
    found: list[Picture] = []
    mask: Picture | None = None
    for part in asked.files:
        name = part.name.removesuffix("[]").partition("[")[0]
        if name == "image":
            found.append(_picture(part, name, limits))
        elif name == "mask":
            mask = _picture(part, name, limits)
    for name in ("image", "images"):
        value = asked.fields.get(name)
        several = cast("list[Any]", value) if isinstance(value, list) else [value]
        found += [_said(one, name, limits) for one in several if one is not None]
    if mask is None and asked.fields.get("mask") is not None:
        mask = _said(asked.fields["mask"], "mask", limits)
    if len(found) > limits.images_given_max:
        raise refused("image", f"is given {len(found)} times; at most {limits.images_given_max}")
    return tuple(found), mask


def _picture(part: Part, name: str, limits: MediaLimits) -> Picture:
    if len(part.data) > limits.image_bytes_max:
        raise refused(
            name, f"has {len(part.data)} bytes; at most {limits.image_bytes_max} are taken"
        )
    kind = image_kind(part.data)
    if kind is None:
        raise refused(name, "is not a picture: png, jpeg, webp and gif are taken")
    return Picture(part.data, kind)


def _said(value: object, name: str, limits: MediaLimits) -> Picture:
    """Return a picture of a JSON body: an address, a data URL, or an object that has one."""
    if isinstance(value, dict):
        holder = cast("dict[str, Any]", value)
        value = holder.get("image_url") or holder.get("url")
        if isinstance(value, dict):
            value = cast("dict[str, Any]", value).get("url")
    if not isinstance(value, str):
        raise refused(name, "must be an address or a data URL")
    if value[:5].lower() != "data:":
        if len(value) > URL_CHARACTERS_MAX or value[:8].lower().partition("://")[0] not in {
            "http",
            "https",
        }:
            raise refused(name, "must be an http or https address, or a data URL")
        return Picture(url=value)
    head, _, data = value.partition(",")
    if not head.lower().endswith(";base64"):
        raise refused(name, "must be a data URL in base64")
    if len(data) * 3 // 4 > limits.image_bytes_max + 2:
        raise refused(name, f"is over {limits.image_bytes_max} bytes")
    try:
        decoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refused(name, "is not valid base64") from error
    return _picture(Part(name, decoded), name, limits)
