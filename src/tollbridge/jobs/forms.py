"""What does a caller's request for a film say, be it JSON or a form?"""

import base64
from typing import Any, cast

import msgspec

from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.media.forms import fields_of, is_form, read_form

PARTS_MAX = 64
IMAGE_KINDS = ("image/png", "image/jpeg", "image/webp")
FIRST_FRAME = "input_reference"


def fields_asked(body: bytes, content_type: bytes) -> dict[str, Any]:
    """Return the fields of a request; a form's image is in them as a data: URL.

    Raises InvalidRequestError.
    """
    if is_form(content_type):
        return _of_form(body, content_type)
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequestError("the body is neither JSON nor a form") from error
    if not isinstance(found, dict):
        raise InvalidRequestError("the body is no JSON object")
    return cast("dict[str, Any]", found)


def _of_form(body: bytes, content_type: bytes) -> dict[str, Any]:
    parts = read_form(body, content_type, PARTS_MAX)
    fields: dict[str, Any] = dict(fields_of(parts))
    for part in parts:
        if part.filename is None:
            continue
        if part.name != FIRST_FRAME:
            raise InvalidRequestError(
                f"the form has a file that is not known: {part.name[:100]}",
                details={"param": part.name[:100]},
            )
        kind = part.content_type.partition(";")[0].strip().lower()
        if kind not in IMAGE_KINDS:
            raise InvalidRequestError(
                f"{FIRST_FRAME}: it is one of {', '.join(IMAGE_KINDS)}",
                details={"param": FIRST_FRAME},
            )
        fields[FIRST_FRAME] = f"data:{kind};base64,{base64.b64encode(part.data).decode()}"
    return fields
