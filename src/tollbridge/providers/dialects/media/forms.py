"""What stands in a form with files, and how is one written?

multipart/form-data (RFC 7578), whole and in memory: the size of a body is bounded before it gets
here. Where only a field's value must change the caller's own bytes are kept around it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tollbridge.core.errors import InvalidRequestError

FORM = b"multipart/form-data"
HEADER_BYTES_MAX = 8 * 1024
BOUNDARY_BYTES_MAX = 70
NAME_CHARACTERS_MAX = 200

_BOUNDARY = re.compile(rb';\s*boundary=(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)
_PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')
_PLAIN_ENCODINGS = frozenset({"", "binary", "8bit", "7bit"})


class Part(msgspec.Struct, frozen=True):
    """One field of a form, or one of its files."""

    name: str
    data: bytes
    filename: str | None = None
    """None: a field, not a file."""
    content_type: str = ""
    start: int = 0
    """Where `data` stands in the form."""


def is_form(content_type: bytes) -> bool:
    """Return whether a content type says that the body is a form with parts."""
    return content_type[: len(FORM)].lower() == FORM


def read_form(body: bytes, content_type: bytes, parts_max: int) -> tuple[Part, ...]:
    """Return the parts of a form in their order.

    Raises InvalidRequestError for a form that is not whole, has too many parts, or has one that
    is not named.
    """
    delimiter = b"\r\n--" + _boundary(content_type)
    opening = delimiter[2:]
    if body.startswith(opening):
        at = len(opening)
    else:
        at = body.find(delimiter) + len(delimiter)
        if at < len(delimiter):
            raise InvalidRequestError("the form does not begin with its boundary")
    parts: list[Part] = []
    while body[at : at + 2] != b"--":
        if len(parts) == parts_max:
            raise InvalidRequestError(f"a form has at most {parts_max} parts here")
        part, end = _part(body, at, delimiter)
        parts.append(part)
        at = end + len(delimiter)
    return tuple(parts)


def fields_of(parts: Iterable[Part]) -> dict[str, str]:
    """Return the fields that are no files, by name. A name that ends in [] is a list: the last.

    Raises InvalidRequestError for a field that is given twice, or is no UTF-8.
    """
    found: dict[str, str] = {}
    for part in parts:
        if part.filename is not None:
            continue
        if part.name in found and not part.name.endswith("[]"):
            raise InvalidRequestError(
                f"the field {part.name} is given twice", details={"param": part.name}
            )
        try:
            found[part.name] = part.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidRequestError(
                f"the field {part.name} is not valid UTF-8", details={"param": part.name}
            ) from error
    return found


def with_field(body: bytes, content_type: bytes, parts: Sequence[Part], value: Part) -> bytes:
    """Return the form with one field's value replaced, or with the field put before all others."""
    for part in parts:
        if part.name == value.name and part.filename is None:
            return b"%b%b%b" % (
                body[: part.start],
                value.data,
                body[part.start + len(part.data) :],
            )
    opening = b"--" + _boundary(content_type)
    at = body.find(opening)
    added = b"%b\r\n%b%b\r\n" % (opening, _headers(value), value.data)
    return body[:at] + added + body[at:]


def write_form(parts: Sequence[Part]) -> tuple[bytes, bytes]:
    """Return a form of these parts, and its content type with the boundary."""
    number = 0
    while True:
        boundary = b"tollbridge-form-%d" % number
        if not any(boundary in part.data for part in parts):
            break
        number += 1
    pieces: list[bytes] = []
    for part in parts:
        pieces += (b"--", boundary, b"\r\n", _headers(part), part.data, b"\r\n")
    pieces += (b"--", boundary, b"--\r\n")
    return b"".join(pieces), b"multipart/form-data; boundary=" + boundary


def form_of(fields: Mapping[str, str], files: Iterable[Part] = ()) -> tuple[bytes, bytes]:
    """Return a form of fields and files, and its content type."""
    written = [Part(name, value.encode("utf-8")) for name, value in fields.items()]
    return write_form([*written, *files])


def _boundary(content_type: bytes) -> bytes:
    found = _BOUNDARY.search(content_type)
    boundary = (found[1] or found[2]) if found is not None else b""
    if not 0 < len(boundary) <= BOUNDARY_BYTES_MAX:
        raise InvalidRequestError(
            "the content type of a form names its boundary", details={"param": "content-type"}
        )
    return boundary


def _part(body: bytes, at: int, delimiter: bytes) -> tuple[Part, int]:
    """Return the part whose delimiter ends at `at`, and where it ends itself."""
    line_end = body.find(b"\r\n", at)
    if line_end < 0 or body[at:line_end].strip(b" \t"):
        raise InvalidRequestError("a boundary of the form is not followed by a line's end")
    head_end = body.find(b"\r\n\r\n", line_end)
    if head_end < 0 or head_end - line_end > HEADER_BYTES_MAX:
        raise InvalidRequestError("a part of the form has no headers, or too many")
    start = head_end + 4
    end = body.find(delimiter, start)
    if end < 0:
        raise InvalidRequestError("the form ends before its last boundary")
    headers = _header_lines(body[line_end + 2 : head_end])
    if headers.get("content-transfer-encoding", "").lower() not in _PLAIN_ENCODINGS:
        raise InvalidRequestError("parts of a form are sent as they are, not encoded")
    name, filename = _names(headers.get("content-disposition", ""))
    return Part(name, body[start:end], filename, headers.get("content-type", ""), start), end


def _header_lines(block: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in block.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        found.setdefault(name.strip().lower(), value.strip())
    return found


def _names(disposition: str) -> tuple[str, str | None]:
    found: dict[str, str] = {}
    if disposition[:9].lower() == "form-data":
        for name, quoted, bare in _PARAMETER.findall(disposition):
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted else bare
            found.setdefault(name.lower(), value[:NAME_CHARACTERS_MAX])
    if not found.get("name"):
        raise InvalidRequestError("a part of the form has no name")
    filename = found.get("filename")
    return found["name"], "file" if filename is None and "filename*" in found else filename


def _headers(part: Part) -> bytes:
    disposition = f'content-disposition: form-data; name="{_quoted(part.name)}"'
    if part.filename is not None:
        disposition += f'; filename="{_quoted(part.filename)}"'
        kind = part.content_type
        safe = kind if kind.isascii() and kind.isprintable() and kind else ""
        disposition += f"\r\ncontent-type: {safe or 'application/octet-stream'}"
    return disposition.encode("utf-8") + b"\r\n\r\n"


def _quoted(text: str) -> str:
    safe = text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    return safe.replace("\\", "%5C")  # some read it as the escape of what follows
