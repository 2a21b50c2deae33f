"""Does a request say twice what we act on?

JSON does not say which of two equal keys counts: a provider may take another one than we did, and
so be asked for another model, or for more tokens, than was held for. The hot path decodes nothing
twice: what lies around the one long field (the messages, mostly) is short, and is searched.
"""

import json
from collections.abc import Sequence

import msgspec

from tollbridge.core.errors import InvalidRequestError

NESTED = "include_usage"
"""Acted on too, one level deeper; no other object of a request has a key of that name."""

# The long value is found by its last bytes. Nearer to its name than this it begins where it should;
# further away, the same bytes stand once more behind it, and the whole body is searched.
_GAP_BYTES_MAX = 16
_ENDING_BYTES = 24
_SHORT_BYTES = 512
"""Up to here looking at all names and values at once is faster than searching for each name."""


class Fields:
    """The fields of one kind of request that are acted on; `bulk` is the long one."""

    def __init__(self, bulk: str, names: Sequence[str]) -> None:
        self._names = frozenset((bulk, *names))
        self._bulk = f'"{bulk}"'.encode()
        self._needles = tuple(f'"{name}"'.encode() for name in (bulk, *names, NESTED))

    def refuse_twice(self, body: bytes, bulk: msgspec.Raw) -> None:
        """Raise InvalidRequestError, naming it, where one of the fields is there twice.

        `body` is known to be a JSON object, and `bulk` is the long field's value in it, empty
        where there is none.
        """
        around = self._around(body, bulk) if bulk else body
        if len(around) <= _SHORT_BYTES and b"\\" not in around:
            said = around.split(b'"')[1::2]
            if len(set(said)) == len(said):
                return
        for needle in self._needles:
            if around.count(needle) > 1:
                break
        else:
            # A key's letters may be written as escapes: \u006d is an m.
            if b"\\u00" not in around:
                return
        self._look_closely(body)

    def _around(self, body: bytes, bulk: msgspec.Raw) -> bytes:
        """Return the body without the long field's value; all of it where that is not certain."""
        size = len(bulk)
        name_at = body.find(self._bulk)
        ending = bytes(memoryview(bulk)[-_ENDING_BYTES:])
        end = body.rfind(ending) + len(ending)
        begin = end - size
        gap = begin - name_at - len(self._bulk)
        if name_at < 0 or not 0 < gap <= _GAP_BYTES_MAX:
            return body
        return body[:begin] + body[end:]

    def _look_closely(self, body: bytes) -> None:
        outermost: list[tuple[str, object]] = []

        def note(pairs: list[tuple[str, object]]) -> None:
            nonlocal outermost
            outermost = pairs  # an object is told after those inside it
            if len(pairs) > 1 and [name for name, _ in pairs].count(NESTED) > 1:
                raise _said_twice(NESTED)

        json.loads(
            body,
            object_pairs_hook=note,
            parse_int=_no_number,
            parse_float=_no_number,
        )
        seen: set[str] = set()
        for name, _ in outermost:
            if name in seen:
                raise _said_twice(name)
            if name in self._names:
                seen.add(name)


def _said_twice(name: str) -> InvalidRequestError:
    return InvalidRequestError(f"the field {name} is given twice", details={"param": name})


def _no_number(_digits: str) -> None:
    """Read no number: one of thousands of digits would be refused for another reason."""
