"""What does a body in Gemini's format say, apart from chats?

Its JSON is protobuf's: a name may be written with underscores too, and Google's own SDK mixes
both. Source: ai.google.dev, and what the google-genai SDK sends.
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.chat.gemini_request import in_camel_case

WORD_CHARACTERS_MAX = 64
"""Of what a caller said, shown in an error or a reason."""
_PERSONS = frozenset({"allow_all", "allow_adult"})


def object_said(body: bytes) -> dict[str, Any]:
    """Return what a body says, each name once and in camelCase. Raises InvalidRequestError."""
    try:
        found: Any = in_camel_case(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"the body is not valid JSON: {error}") from error
    except RecursionError as error:
        raise InvalidRequestError("the body is nested too deeply") from error
    if not isinstance(found, dict):
        raise InvalidRequestError("the body is not a JSON object")
    return cast("dict[str, Any]", found)


def object_at(holder: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object of an object, an empty one of none. Raises InvalidRequestError."""
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(name, "it is an object")
    return cast("dict[str, Any]", value)


def objects_at(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of a list. Raises InvalidRequestError for a list of anything else."""
    value = holder.get(name)
    several = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not all(isinstance(one, dict) for one in several):
        raise wrong(name, "it is a list of objects")
    return cast("list[dict[str, Any]]", several)


def limits_persons(value: object) -> bool:
    """Return whether `personGeneration` forbids what everybody else allows."""
    return str(value).lower() not in _PERSONS


def data_url(data: str, kind: str) -> str:
    """Return a picture as a data: URL; Google's SDK writes base64 in the letters of addresses."""
    return f"data:{kind};base64,{data.replace('-', '+').replace('_', '/')}"


def wrong(name: str, why: str) -> InvalidRequestError:
    """Return the error that a field is wrong: "NAME: why"."""
    return InvalidRequestError(f"{name}: {why}", details={"param": name})
