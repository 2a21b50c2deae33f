"""How are bodies read that others wrote?

Requests strictly: a field that is not known may change the answer, and would be lost. Answers
leniently: what they hold beside what we know changes nothing that we do.
"""

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec

from tollbridge.providers.request import MalformedAnswerError
from tollbridge.providers.wire import UntranslatableError

Body = TypeVar("Body")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises; also late, for JSON that was only skipped at first."""
NULL = msgspec.Raw(b"null")
"""What a field that is kept as it came has where it is left out."""
DATA_SCHEME = "data:"
BASE64 = ";base64"


def request_as(decode: Callable[[bytes], Body], body: bytes) -> Body:
    """Read a request's body. Raises UntranslatableError naming what is not known of it."""
    try:
        return decode(body)
    except UNREADABLE as error:
        raise UntranslatableError(f"the request has what cannot be translated: {error}") from error


def answer_as(decode: Callable[[bytes], Body], body: bytes) -> Body:
    """Read an answer's body. Raises MalformedAnswerError."""
    try:
        return decode(body)
    except UNREADABLE as error:
        raise MalformedAnswerError(f"the answer is not the dialect's JSON: {error}") from error


def frame_as(decode: Callable[[bytes], Body], data: bytes) -> Body:
    """Read the data of a stream's frame. Raises ValueError."""
    try:
        return decode(data)
    except UNREADABLE as error:
        raise ValueError(f"a frame is not the dialect's JSON: {error}") from error


def split_data_url(url: str) -> tuple[str, str] | None:
    """Return (media type, base64 text) of a data address, None where it is another address.

    Raises UntranslatableError for data in another encoding.
    """
    if url[:5].lower() != DATA_SCHEME:
        return None
    head, comma, data = url[5:].partition(",")
    if not comma or not head.lower().endswith(BASE64):
        raise UntranslatableError("an image in a data address that is not base64")
    return head[: -len(BASE64)].partition(";")[0].strip().lower(), data


def object_text(arguments: str) -> msgspec.Raw:
    """Return arguments, the JSON text of an object, to be put into another body as they are.

    Raises UntranslatableError where they are none: models write broken ones, and say them again.
    """
    if not arguments.strip():
        return msgspec.Raw(b"{}")
    try:
        found: Any = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UntranslatableError(f"arguments of a tool call that are no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UntranslatableError("arguments of a tool call that are no object")
    return msgspec.Raw(arguments.encode())


def unless_null(raw: msgspec.Raw) -> msgspec.Raw | None:
    """Return JSON as it came, None for null."""
    return None if bytes(raw) == b"null" else raw


def text_of(raw: msgspec.Raw) -> str:
    """Return JSON as the text that it was written as."""
    return bytes(raw).decode()


def made_id(prefix: str, *parts: object) -> str:
    """Return an id for what the provider named by none: the same for the same parts."""
    said = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return f"{prefix}{hashlib.blake2s(said, digest_size=12).hexdigest()}"


def count_of(value: object) -> int:
    """Return a provider's count as one that can be told, 0 where it is none."""
    return value if type(value) is int and value > 0 else 0


def object_of(value: object) -> dict[str, Any]:
    """Return a JSON object as such, an empty one for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def answered_object(arguments: str) -> msgspec.Raw:
    """Return a tool call's arguments as `object_text` does.

    Raises MalformedAnswerError, for a model that made none.
    """
    try:
        return object_text(arguments)
    except UntranslatableError as error:
        raise MalformedAnswerError(str(error)) from error
