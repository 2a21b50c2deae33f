"""What does one table of the file say, field by field, and is it said right?"""

import difflib
from collections.abc import Callable, Collection, Mapping
from typing import Any, Self, TypeVar, cast

from tollbridge.core.call import Category
from tollbridge.core.errors import ConfigurationError

T = TypeVar("T")
TEXT_LENGTH_MAX = 2048
LIST_LENGTH_MAX = 1000
NAME_SHOWN_MAX = 100

_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "text"),
    (int, "a whole number"),
    (float, "a number with a point"),
    (list, "a list"),
    (dict, "a table"),
)


def near(name: str, known: Collection[str]) -> str:
    """Return a hint that names what `name` may have been meant to be, or all there is."""
    close = difflib.get_close_matches(name, sorted(known), 3)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; there are {', '.join(sorted(known))}"


def type_name(value: object) -> str:
    """Return what a value of the file is, in the file's own words."""
    for kind, name in _TYPE_NAMES:
        if isinstance(value, kind):
            return name
    return "a date or time"


class TableReader:
    """One entry of one table; each method reads one field, or raises ConfigurationError."""

    def __init__(self, where: str, values: Mapping[str, object]) -> None:
        self.where = where
        self._values = values

    @classmethod
    def of(cls, file: str, table: str, number: int, values: Mapping[str, object]) -> Self:
        """Return the reader of a file's entry; it is named by its name or model, else counted."""
        name = values.get("name", values.get("model"))
        entry = f'"{name[:NAME_SHOWN_MAX]}"' if isinstance(name, str) and name else f"no. {number}"
        return cls(f"{file}: [[{table}]] {entry}", values)

    def error(self, message: str) -> ConfigurationError:
        """Return an error of this entry."""
        return ConfigurationError(f"{self.where}: {message}")

    def only(self, fields: Collection[str]) -> None:
        """Refuse fields that are not known."""
        for field in self._values:
            if field not in fields:
                raise self.error(f"unknown field {field}{near(field, fields)}")

    def has(self, field: str) -> bool:
        """Return whether the field is there."""
        return field in self._values

    def raw(self, field: str) -> object:
        """Return a field as it was read, None where it is absent."""
        return self._values.get(field)

    def required(self, field: str) -> None:
        """Refuse an entry without this field."""
        if field not in self._values:
            raise self.error(f"{field} is missing")

    def text(self, field: str, default: str | None = None, length_max: int = 128) -> str:
        """Return a text of 1 to `length_max` printable characters; required without a default."""
        if default is not None and field not in self._values:
            return default
        self.required(field)
        return self._text(field, self._values[field], length_max)

    def choice(self, field: str, choices: Collection[str], default: str | None = None) -> str:
        """Return a text that is one of `choices`."""
        value = self.text(field, default)
        return self.one_of(field, value, choices)

    def one_of(self, field: str, value: str, choices: Collection[str]) -> str:
        """Return `value` where it is one of `choices`."""
        if value not in choices:
            raise self.error(f"{field}: there is no {value!r}{near(value, choices)}")
        return value

    def whole(self, field: str, minimum: int, maximum: int) -> int | None:
        """Return a whole number from `minimum` to `maximum`, None where it is absent."""
        if field not in self._values:
            return None
        return self._whole(field, self._values[field], minimum, maximum)

    def wholes(self, field: str, minimum: int, maximum: int) -> tuple[int, ...]:
        """Return a list of whole numbers from `minimum` to `maximum`, empty where it is absent."""
        values = self._list(field, self._values.get(field, []))
        return tuple(self._whole(field, one, minimum, maximum) for one in values)

    def flag(self, field: str, *, default: bool) -> bool:
        """Return true or false."""
        return self._flag(field, self._values.get(field, default))

    def texts(self, field: str, length_max: int = 256) -> tuple[str, ...]:
        """Return a list of texts, empty where it is absent."""
        return self._texts(field, self._values.get(field, []), length_max)

    def tables(self, field: str) -> list[Mapping[str, object]]:
        """Return a list of tables, empty where it is absent."""
        values = self._list(field, self._values.get(field, []))
        for value in values:
            if not isinstance(value, dict):
                raise self._wrong(field, value, "a list of tables")
        return cast("list[Mapping[str, object]]", values)

    def flags_by_category(self, field: str) -> dict[str, bool]:
        """Return true or false per category."""
        return self._by_category(field, self._flag)

    def wholes_by_category(self, field: str, minimum: int, maximum: int) -> dict[str, int]:
        """Return a whole number per category."""

        def read(where: str, value: object) -> int:
            return self._whole(where, value, minimum, maximum)

        return self._by_category(field, read)

    def text_by_category(
        self, field: str, length_max: int = 256, more: Collection[str] = ()
    ) -> dict[str, str]:
        """Return a text per category; `more` are names that may stand beside the categories."""

        def read(where: str, value: object) -> str:
            return self._text(where, value, length_max)

        return self._by_category(field, read, more)

    def texts_by_category(self, field: str, length_max: int = 256) -> dict[str, tuple[str, ...]]:
        """Return a list of texts per category."""

        def read(where: str, value: object) -> tuple[str, ...]:
            return self._texts(where, value, length_max)

        return self._by_category(field, read)

    def _by_category(
        self, field: str, read: Callable[[str, object], T], more: Collection[str] = ()
    ) -> dict[str, T]:
        value = self._values.get(field, {})
        if not isinstance(value, dict):
            raise self._wrong(field, value, "a table of categories")
        categories = [*(category.value for category in Category), *more]
        found: dict[str, T] = {}
        for name, one in cast("dict[str, object]", value).items():
            self.one_of(field, name, categories)
            found[name] = read(f"{field}.{name}", one)
        return found

    def _text(self, where: str, value: object, length_max: int) -> str:
        if not isinstance(value, str):
            raise self._wrong(where, value, "text")
        if not value or len(value) > length_max or not value.isprintable():
            raise self.error(f"{where} has 1 to {length_max} printable characters")
        return value

    def _whole(self, where: str, value: object, minimum: int, maximum: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(where, value, "a whole number")
        if not minimum <= value <= maximum:
            raise self.error(f"{where} is from {minimum} to {maximum}, not {value}")
        return value

    def _flag(self, where: str, value: object) -> bool:
        if not isinstance(value, bool):
            raise self._wrong(where, value, "true or false")
        return value

    def _texts(self, where: str, value: object, length_max: int) -> tuple[str, ...]:
        return tuple(self._text(where, one, length_max) for one in self._list(where, value))

    def _list(self, where: str, value: object) -> list[Any]:
        if not isinstance(value, list):
            raise self._wrong(where, value, "a list")
        items = cast("list[Any]", value)
        if len(items) > LIST_LENGTH_MAX:
            raise self.error(f"{where} has at most {LIST_LENGTH_MAX} entries, not {len(items)}")
        return items

    def _wrong(self, where: str, value: object, expected: str) -> ConfigurationError:
        return self.error(f"{where} is {expected}, not {type_name(value)}")
