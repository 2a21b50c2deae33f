"""Why did a provider refuse, and may another try? By the body before the status.

A 429 is not proof of a rate limit: an empty account answers so too. What the words mean is data
(`refusal_rules`); here it is read out of whatever shape an error has.
"""

import re
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, cast

import msgspec

from tollbridge.core.call import ErrorClass
from tollbridge.core.clock import SECOND_US, to_us
from tollbridge.providers.redact import redact
from tollbridge.providers.refusal_rules import class_of
from tollbridge.providers.request import Refusal
from tollbridge.providers.response import Response

UNREADABLE_BYTES_MAX = 8 * 1024
"""What is looked at of an error that is no JSON."""
DEPTH_MAX = 6
LISTED_MAX = 5
"""Items of a list that are looked at: several complaints of one body."""
BROKEN_INSIDE = 502
"""The status that an error inside a 200 stands for, where it does not say."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS_OF: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_ASKED_IN_WORDS = re.compile(
    r"(?:try again in|retry after|retry in|resets in) ~?"
    r"(?:((?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+)(?![a-z])|(\d+(?:\.\d+)?) seconds?)",
    re.IGNORECASE,
)
# Under these names errors say what they are, in a word or as a status.
_WORDS = (
    "code",
    "type",
    "status",
    "name",
    "title",
    "reason",
    "error_type",
    "error_code",
    "statusCode",
    "status_code",
    "quotaId",
)
# And under these what is wrong: text, or more of the error.
_INSIDE = (
    "error",
    "errors",
    "detail",
    "details",
    "innererror",
    "metadata",
    "violations",
    "message",
    "msg",
)


class _Said:
    """What was found of an error."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.messages: list[str] = []
        self.status: int | None = None
        self.code: str | None = None
        self.parameter: str | None = None
        self.delay: str | None = None

    def look(self, value: object, depth: int = 0) -> None:
        """Take what a value says; what is deeper is said more exactly, and goes first."""
        if isinstance(value, str):
            self.messages.append(value)
        elif isinstance(value, list) and depth < DEPTH_MAX:
            for one in cast("list[object]", value)[:LISTED_MAX]:
                self.look(one, depth + 1)
        elif isinstance(value, dict) and depth < DEPTH_MAX:
            self._look_into(cast("dict[str, object]", value), depth)

    def _look_into(self, fields: Mapping[str, object], depth: int) -> None:
        for name in _INSIDE:
            self.look(fields.get(name), depth + 1)
        self._take_words(fields.get(name) for name in _WORDS)
        parameter = fields.get("param") or fields.get("parameter")
        if self.parameter is None and isinstance(parameter, str):
            self.parameter = parameter
        delay = fields.get("retryDelay")
        if isinstance(delay, str):
            self.delay = delay

    def _take_words(self, values: Iterable[object]) -> None:
        for value in values:
            if isinstance(value, bool) or not isinstance(value, str | int) or not value:
                continue
            text = str(value)
            self.words.append(text.lower())
            if self.code is None:
                self.code = text
            if self.status is None and text.isdigit() and 400 <= int(text) <= 599:
                self.status = int(text)


def understand(
    body: bytes, *, status: int | None = None, wait_s: float | None = None, dialect: str = ""
) -> Refusal:
    """Return what an error answer says, whatever its shape; `wait_s` is what its headers ask.

    `status` is None for an error inside a 200: its code may then be the status it stands for
    (OpenRouter writes errors so). `dialect` is the endpoint's wire format: a few words mean
    something of their own in one.
    """
    said = _said(body)
    if status is None:
        status = said.status or BROKEN_INSIDE
    message = redact("; ".join(dict.fromkeys(one for one in said.messages if one)))
    error_class = class_of(dialect, status, " ".join(said.words), message.lower())
    if wait_s is None:
        wait_s = _wait_in_body(said, message)
    if error_class is ErrorClass.INSUFFICIENT_FUNDS:
        wait_s = None  # no money comes by waiting
    return Refusal(
        error_class=error_class,
        message=message or f"HTTP {status}",
        retry_after_s=wait_s,
        code=said.code,
        parameter=said.parameter,
    )


def is_error(body: bytes) -> bool:
    """Return whether a body that came with a 200 is an error object all the same."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    if not isinstance(found, dict):
        return False
    fields = cast("dict[str, Any]", found)
    return bool(fields.get("error")) and not fields.get("choices")


def retry_after_s(response: Response, now_us: int) -> float | None:
    """Return how long the provider asks to wait, in seconds, None where it says nothing."""
    milliseconds = response.header(b"retry-after-ms")
    if milliseconds is not None and milliseconds.isdigit():
        return int(milliseconds) / 1000
    header = response.header(b"retry-after")
    return None if header is None else parse_wait_s(header.decode("latin-1"), now_us)


def parse_wait_s(text: str, now_us: int) -> float | None:
    """Read a wait: seconds ("8", "1.5"), durations ("6m0s", "120ms") or an HTTP date."""
    text = text.strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return float(text)
    if (duration_s := _seconds(text)) is not None:
        return duration_s
    try:
        moment = parsedate_to_datetime(text)
        return max(0.0, (to_us(moment) - now_us) / SECOND_US)
    except ValueError:
        return None


def _said(body: bytes) -> _Said:
    said = _Said()
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said.look(body[:UNREADABLE_BYTES_MAX].decode("utf-8", "replace"))
        return said
    said.look(found)
    return said


def _wait_in_body(said: _Said, message: str) -> float | None:
    """Return the wait that an error asks for in its own words."""
    if said.delay is not None:
        return _seconds(said.delay)
    asked = _ASKED_IN_WORDS.search(message)
    if asked is None:
        return None
    return _seconds(asked[1]) if asked[1] else float(asked[2])


def _seconds(text: str) -> float | None:
    """Return the seconds of a duration such as 34.4s or 6m0s, None where it is none."""
    found = _DURATION.findall(text)
    if not found or "".join(count + unit for count, unit in found) != text:
        return None
    return sum(float(count) * _SECONDS_OF[unit] for count, unit in found)
