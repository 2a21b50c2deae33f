"""What does a caller ask to be made, in no provider's words?

Read from a body in the openai wire format, with the customary names of what that format does not
have (resolution, aspect_ratio, negative_prompt, seed, generate_audio). Forms are turned into such
bodies before (`tollbridge.jobs`).
"""

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.demand import Demand
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.usage import Unit
from tollbridge.providers.request import Request
from tollbridge.providers.wire import UntranslatableError

SECONDS_MAX = 60
"""No provider makes a longer film of one prompt."""
SECONDS_ASSUMED_MAX = 10
"""What no length was asked of is held for so much: no provider's own default is longer."""
SIDE_PIXELS_MAX = 8192
COUNT_MAX = 10
PROMPT_CHARACTERS_MAX = 32_000
SIZE = "size"
RESOLUTION = "resolution"
DURATION_S = "duration_s"
AUDIO = "audio"
QUALITY = "quality"
OWN_WORDS = "gemini"
"""The field of what only one wire format, of that name, has words for: see `gemini_asked`."""

_SIZE = re.compile(r"(\d{2,4})[xX*](\d{2,4})")
_RESOLUTION = re.compile(r"(\d{3,4}[pP]|[248][kK])")
_RATIO = re.compile(r"\d{1,2}:\d{1,2}")
_SECONDS = re.compile(r"\d{1,3}(?:\.\d{1,3})?")
_RESOLUTION_OF: Mapping[int, str] = {
    480: "480p",
    540: "540p",
    720: "720p",
    768: "768p",
    1080: "1080p",
    2160: "4k",
}
_SHORT_SIDE_OF: Mapping[str, tuple[int, int]] = {
    "480p": (480, 832),
    "540p": (540, 960),
    "720p": (720, 1280),
    "1080p": (1080, 1920),
    "4k": (2160, 3840),
}
# Names of the request that are ours or the openai format's, and no input of any model.
_OURS = frozenset(
    {
        "aspect_ratio",
        "background",
        "duration",
        OWN_WORDS,
        "generate_audio",
        "image",
        "image_url",
        "input",
        "input_reference",
        "metadata",
        "model",
        "n",
        "negative_prompt",
        "prompt",
        "quality",
        "resolution",
        "response_format",
        "safety_identifier",
        "seconds",
        "seed",
        "size",
        "speed",
        "store",
        "stream",
        "user",
        "voice",
    }
)


class Asked(msgspec.Struct, frozen=True):
    """One request for a film, a picture or a sound."""

    prompt: str
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    resolution: str | None = None
    """ "720p", "1080p", "4k", as it was asked, or as it follows from the size."""
    aspect_ratio: str | None = None
    negative_prompt: str | None = None
    seed: int | None = None
    audio: bool | None = None
    """Whether a film has sound; None: as the provider likes."""
    image: str | None = None
    """The first frame, as an https address or a data: URL."""
    count: int = 1
    quality: str | None = None
    voice: str | None = None
    speed: float | None = None
    output_format: str | None = None
    own_words: dict[str, dict[str, Any]] = {}
    """What only Gemini's wire format has words for, in these."""
    more: dict[str, Any] = {}
    """Inputs of a model that are named by no format of ours; passed on as they are."""

    @property
    def size(self) -> str | None:
        """The size as WIDTHxHEIGHT, None where none was asked."""
        return None if self.width is None else f"{self.width}x{self.height}"

    @property
    def is_upright(self) -> bool:
        """Whether the picture is higher than wide."""
        if self.width is not None and self.height is not None:
            return self.height > self.width
        wide, _, high = (self.aspect_ratio or "16:9").partition(":")
        return int(high) > int(wide)

    def seconds(self, default: int, allowed: tuple[int, int] | frozenset[int]) -> int:
        """Return the whole seconds to ask for: a range from-to, or one of a set.

        Raises UntranslatableError where the provider does not make that length.
        """
        wanted = self.duration_s
        if wanted is None:
            return default
        if isinstance(allowed, frozenset):
            fits = wanted in allowed
            words = ", ".join(str(one) for one in sorted(allowed))
        else:
            fits = allowed[0] <= wanted <= allowed[1] and wanted == int(wanted)
            words = f"{allowed[0]} to {allowed[1]} whole"
        if not fits:
            raise UntranslatableError(f"it makes {words} seconds, not {wanted:g}")
        return int(wanted)

    def pixels(self, default: str) -> tuple[int, int]:
        """Return width and height: as asked, or as resolution and shape say.

        Raises UntranslatableError for a resolution or a shape that has no customary size.
        """
        if self.width is not None and self.height is not None:
            return self.width, self.height
        sides = _SHORT_SIDE_OF.get(self.resolution or default)
        if sides is None or self.aspect_ratio not in {None, "16:9", "9:16"}:
            raise UntranslatableError("it wants a size, which does not follow from what was asked")
        short, long = sides
        return (short, long) if self.is_upright else (long, short)

    def shape(self) -> str | None:
        """Return the aspect ratio: as asked, or as the size says; None where neither was."""
        if self.aspect_ratio is not None or self.width is None or self.height is None:
            return self.aspect_ratio
        for ratio in ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9"):
            wide, high = (int(part) for part in ratio.split(":"))
            # Sizes are rounded to what codecs like: 832x480 is a 16:9 too.
            if abs(self.width * high - self.height * wide) * 20 <= self.height * wide:
                return ratio
        return None


def asked(request: Request) -> Asked:
    """Read a request for media. Raises InvalidRequestError, which names the field."""
    try:
        found: Any = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError("the body is no JSON") from error
    if not isinstance(found, dict):
        raise InvalidRequestError("the body is no JSON object")
    body = cast("dict[str, Any]", found)
    is_speech = request.operation is Operation.AUDIO_SPEECH
    prompt = _text(body, "input" if is_speech else "prompt", PROMPT_CHARACTERS_MAX)
    if not prompt:
        raise _wrong("input" if is_speech else "prompt", "it is required, as text")
    width, height = _pixels(body)
    return Asked(
        prompt=prompt,
        duration_s=_seconds(body),
        width=width,
        height=height,
        resolution=_resolution(body, width, height),
        aspect_ratio=_matching(body, "aspect_ratio", _RATIO),
        negative_prompt=_text(body, "negative_prompt", PROMPT_CHARACTERS_MAX),
        seed=_whole(body, "seed", -(2**63), 2**63),
        audio=_flag(body, "generate_audio"),
        image=_image(body),
        count=_whole(body, "n", 1, COUNT_MAX) or 1,
        quality=_text(body, "quality", 64),
        voice=_text(body, "voice", 200),
        speed=_number(body, "speed"),
        output_format=_text(body, "output_format", 32) or _text(body, "response_format", 32),
        own_words=_own_words(body),
        more={name: value for name, value in body.items() if name not in _OURS},
    )


def own_names(wanted: Asked) -> list[str]:
    """Return the names of what only one wire format has words for."""
    return [name for holder in wanted.own_words.values() for name in holder]


def demand_of(wanted: Asked, operation: Operation) -> Demand:
    """Return what a request may bill at most, whoever serves it."""
    facts = facts_of(wanted)
    if operation is Operation.VIDEO_GENERATION:
        seconds = SECONDS_ASSUMED_MAX if wanted.duration_s is None else wanted.duration_s
        counts = {Unit.VIDEO.value: wanted.count, Unit.VIDEO_MS.value: round(seconds * 1000)}
        counts[Unit.VIDEO_MS.value] *= wanted.count
        return Demand(counts, facts)
    if operation is Operation.AUDIO_SPEECH:
        return Demand({Unit.CHARACTER.value: len(wanted.prompt)}, facts)
    counts = {Unit.IMAGE.value: wanted.count}
    if wanted.width is not None and wanted.height is not None:
        counts[Unit.PIXEL.value] = wanted.width * wanted.height * wanted.count
    return Demand(counts, facts)


def facts_of(wanted: Asked) -> dict[str, str]:
    """Return what a price may depend on, as far as it was asked for."""
    facts: dict[str, str] = {}
    if wanted.size is not None:
        facts[SIZE] = wanted.size
    if wanted.resolution is not None:
        facts[RESOLUTION] = wanted.resolution
    if wanted.duration_s is not None:
        facts[DURATION_S] = f"{wanted.duration_s:g}"
    if wanted.audio is not None:
        facts[AUDIO] = "true" if wanted.audio else "false"
    if wanted.quality is not None:
        facts[QUALITY] = wanted.quality.lower()
    return facts


def resolution_of(width: int, height: int) -> str | None:
    """Return by which name a size goes, None where it has none."""
    return _RESOLUTION_OF.get(min(width, height))


def _wrong(field: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(f"{field}: {why}", details={"param": field})


def _text(body: dict[str, Any], field: str, characters_max: int) -> str | None:
    value = body.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _wrong(field, "it is text")
    if len(value) > characters_max:
        raise _wrong(field, f"at most {characters_max} characters")
    return value


def _matching(body: dict[str, Any], field: str, form: re.Pattern[str]) -> str | None:
    value = _text(body, field, 32)
    if value is None or value == "auto":
        return None
    if form.fullmatch(value) is None or "0:" in value or value.endswith(":0"):
        raise _wrong(field, f"{value!r} is none")
    return value


def _seconds(body: dict[str, Any]) -> float | None:
    field = "seconds" if body.get("seconds") is not None else "duration"
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(field, "it is a number of seconds")
    if not 0 < value <= SECONDS_MAX:
        raise _wrong(field, f"more than 0 and at most {SECONDS_MAX} seconds")
    return float(value)


def _pixels(body: dict[str, Any]) -> tuple[int | None, int | None]:
    value = _text(body, "size", 32)
    if value is None or value == "auto":
        return None, None
    found = _SIZE.fullmatch(value)
    if found is None:
        raise _wrong("size", f"{value!r} is no WIDTHxHEIGHT")
    width, height = int(found[1]), int(found[2])
    if max(width, height) > SIDE_PIXELS_MAX:
        raise _wrong("size", f"at most {SIDE_PIXELS_MAX} pixels a side")
    return width, height


def _resolution(body: dict[str, Any], width: int | None, height: int | None) -> str | None:
    value = _matching(body, "resolution", _RESOLUTION)
    if value is not None:
        return value.lower()
    return None if width is None or height is None else resolution_of(width, height)


def _whole(body: dict[str, Any], field: str, least: int, most: int) -> int | None:
    value = body.get(field)
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _wrong(field, f"it is a whole number from {least} to {most}")
    return value


def _number(body: dict[str, Any], field: str) -> float | None:
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(field, "it is a number")
    return float(value)


def _flag(body: dict[str, Any], field: str) -> bool | None:
    value = body.get(field)
    if value is None or isinstance(value, bool):
        return value
    raise _wrong(field, "it is true or false")


def _image(body: dict[str, Any]) -> str | None:
    for field in ("input_reference", "image_url", "image"):
        value = body.get(field)
        if isinstance(value, dict):
            value = cast("dict[str, Any]", value).get("image_url")
        if value is None:
            continue
        if not isinstance(value, str) or not value.startswith(("https://", "http://", "data:")):
            raise _wrong(field, "it is an address or a data: URL")
        return value
    return None


def _own_words(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    try:
        return msgspec.convert(body.get(OWN_WORDS) or {}, dict[str, dict[str, Any]])
    except msgspec.ValidationError as error:
        raise _wrong(OWN_WORDS, "it is an object of objects") from error
