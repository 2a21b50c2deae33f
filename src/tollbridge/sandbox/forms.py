"""What does a caller send as multipart/form-data?"""

import re
from typing import Final

import msgspec

from tollbridge.sandbox.refusals import RefusedError

PARTS_MAX: Final = 64

_BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})"?', re.IGNORECASE)
_PARAMETER = re.compile(r'(name|filename)="((?:[^"\\]|\\.)*)"')


class Upload(msgspec.Struct, frozen=True):
    """One file of a form."""

    name: str
    filename: str
    content_type: str
    data: bytes


class Form(msgspec.Struct, frozen=True):
    """A form: its fields (the last of each name) and its files in order."""

    fields: dict[str, str]
    files: list[Upload]

    def need(self, name: str) -> str:
        """Return a field. Raises RefusedError (400) where it is missing."""
        if not self.fields.get(name):
            message = f"Missing required parameter: '{name}'."
            raise RefusedError("invalid_request", message, param=name)
        return self.fields[name]

    def whole(self, name: str, otherwise: int) -> int:
        """Return a field as a whole number. Raises RefusedError (400)."""
        text = self.fields.get(name)
        if text is None:
            return otherwise
        if not text.isdecimal() or len(text) > 18:
            raise RefusedError("invalid_request", f"Invalid value: '{text}'.", param=name)
        return int(text)

    def file(self, name: str) -> Upload:
        """Return the first file of a name. Raises RefusedError (400) where it is missing."""
        for upload in self.files:
            if upload.name == name:
                return upload
        message = f"Missing required parameter: '{name}'."
        raise RefusedError("invalid_request", message, param=name)


def read_form(content_type: str, body: bytes) -> Form:
    """Read a form. Raises RefusedError (400) where the body is not one."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or found is None:
        raise RefusedError("invalid_request", "This endpoint takes multipart/form-data.")
    mark = b"--" + found[1].encode("latin-1")
    parts = (b"\r\n" + body).split(b"\r\n" + mark)
    if len(parts) < 2 or not parts[-1].startswith(b"--") or len(parts) > PARTS_MAX + 2:
        raise RefusedError("invalid_request", "Could not parse the form.")
    form = Form({}, [])
    for part in parts[1:-1]:
        _take(form, part)
    return form


def _take(form: Form, part: bytes) -> None:
    head, separator, data = part.partition(b"\r\n\r\n")
    if not separator:
        raise RefusedError("invalid_request", "Could not parse the form.")
    content_type = "application/octet-stream"
    named: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        key, _, value = line.partition(":")
        if key.lower() == "content-disposition":
            named = {found[1]: found[2] for found in _PARAMETER.finditer(value)}
        elif key.lower() == "content-type":
            content_type = value.strip()
    # An array is sent as name[], by some as name[0]: it is the same field.
    name = re.sub(r"\[\d*\]$", "", named.get("name", ""))
    if "filename" in named:
        form.files.append(Upload(name, named["filename"], content_type, data))
    else:
        form.fields[name] = data.decode("utf-8", "replace")
