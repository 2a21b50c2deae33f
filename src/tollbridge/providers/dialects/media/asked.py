"""What does a caller's body say, field by field, whether it is JSON or a form?"""

import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import msgspec

from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.duplicates import Fields
from tollbridge.providers.dialects.media.forms import Part, fields_of, is_form, read_form

MODEL_CHARACTERS_MAX = 512
_WHOLE = re.compile(r"-?\d{1,9}")
_TRUTH: Mapping[str, bool] = MappingProxyType({"true": True, "false": False, "1": True, "0": False})


def refused(name: str, why: str) -> InvalidRequestError:
    """Return the error that a field is wrong: "NAME why"."""
    return InvalidRequestError(f"{name} {why}", details={"param": name})


class Asked:
    """The fields of a request; each is checked when it is asked for."""

    def __init__(self, fields: Mapping[str, Any], files: Sequence[Part], *, is_form: bool) -> None:
        self.fields = fields
        self.files = files
        self._is_form = is_form

    def text(self, name: str, characters_max: int, *, required: bool = False) -> str | None:
        """Return a text, None where there is none. Raises InvalidRequestError."""
        value = self.fields.get(name)
        if value is None or (value == "" and not required):
            if required:
                raise refused(name, "is missing")
            return None
        if not isinstance(value, str):
            raise refused(name, f"must be text, not {type(value).__name__}")
        if required and not value.strip():
            raise refused(name, "is empty")
        if len(value) > characters_max:
            raise refused(name, f"has {len(value)} characters; at most {characters_max} are taken")
        return value

    def one_of(self, name: str, allowed: Collection[str]) -> str | None:
        """Return a text that is one of few, None where there is none."""
        value = self.text(name, 64)
        if value is not None and value not in allowed:
            raise refused(name, f"must be one of {', '.join(sorted(allowed))}, not {value!r}")
        return value

    def whole(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number, None where there is none."""
        value = self.fields.get(name)
        if self._is_form and isinstance(value, str):
            if not value:
                return None
            value = int(value) if _WHOLE.fullmatch(value) else value
        if value is None:
            return None
        if type(value) is not int or not least <= value <= most:
            raise refused(name, f"must be a whole number from {least} to {most}")
        return value

    def truth(self, name: str) -> bool:
        """Return whether something is wanted; it is not where nothing is said."""
        value = self.fields.get(name)
        if self._is_form and isinstance(value, str):
            value = _TRUTH.get(value.lower(), value)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise refused(name, "must be true or false")
        return value

    def model(self) -> str:
        """Return the model that is asked for, "" where none is named."""
        return self.text("model", MODEL_CHARACTERS_MAX) or ""


def read_asked(
    body: bytes, content_type: bytes, parts_max: int, bulk: str, names: Sequence[str]
) -> Asked:
    """Return what a body asks for. `names` are the fields that are acted on, `bulk` the long one.

    Raises InvalidRequestError for what is neither JSON nor a form, and for a field given twice.
    """
    if is_form(content_type):
        parts = read_form(body, content_type, parts_max)
        files = [part for part in parts if part.filename is not None]
        return Asked(fields_of(parts), files, is_form=True)
    return Asked(read_object(body, bulk, names), (), is_form=False)


def read_object(body: bytes, bulk: str, names: Sequence[str]) -> dict[str, Any]:
    """Return a JSON object, none of the named fields of which is given twice."""
    try:
        raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        Fields(bulk, names).refuse_twice(body, raw.get(bulk, msgspec.Raw()))
        return cast("dict[str, Any]", msgspec.json.decode(body))
    except msgspec.ValidationError as error:
        raise InvalidRequestError(f"the body is not a JSON object: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"the body is not valid JSON: {error}") from error
    except RecursionError as error:
        raise InvalidRequestError("the body is nested too deeply") from error
