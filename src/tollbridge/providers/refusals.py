"""Why did a provider refuse, and may another try? By the body before the status.

A 429 is not proof of a rate limit: an empty account answers so too. Source: the error tables of
OpenAI, xAI, ElevenLabs, AIMLAPI and DeepSeek.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, cast

import msgspec

from tollbridge.core.call import ErrorClass
from tollbridge.core.clock import SECOND_US, to_us
from tollbridge.providers.redact import redact
from tollbridge.providers.request import Refusal
from tollbridge.providers.response import Response

UNREADABLE_BYTES_MAX = 8 * 1024
"""What is looked at of an error that is no JSON."""

# Tried in order; the first whose words stand in the error's code, type or message decides.
_BY_CODE: tuple[tuple[ErrorClass, tuple[str, ...]], ...] = (
    (ErrorClass.CONTEXT_LENGTH, ("context_length_exceeded", "string_above_max_length")),
    (
        ErrorClass.INSUFFICIENT_FUNDS,
        ("insufficient_quota", "quota_exceeded", "insufficient_funds", "billing_hard_limit"),
    ),
    (
        ErrorClass.CONTENT_FILTERED,
        ("content_policy_violation", "content_filter", "content_moderation"),
    ),
    (
        ErrorClass.UNSUPPORTED_PARAMETER,
        ("unsupported_parameter", "unsupported_value", "unknown_parameter"),
    ),
    (ErrorClass.NOT_FOUND, ("model_not_found",)),
    (ErrorClass.RATE_LIMITED, ("rate_limit_exceeded", "rate_limited")),
    (ErrorClass.AUTHENTICATION, ("invalid_api_key", "authentication_error")),
    (ErrorClass.OVERLOADED, ("overloaded",)),
)
_BY_WORDS: tuple[tuple[ErrorClass, tuple[str, ...]], ...] = (
    (
        ErrorClass.INSUFFICIENT_FUNDS,
        ("exceeded your current quota", "out of credits", "used all available credits"),
    ),
    (ErrorClass.CONTEXT_LENGTH, ("maximum context length",)),
)
_BY_STATUS: Mapping[int, ErrorClass] = {
    400: ErrorClass.INVALID_REQUEST,
    401: ErrorClass.AUTHENTICATION,
    402: ErrorClass.INSUFFICIENT_FUNDS,
    403: ErrorClass.PERMISSION,
    404: ErrorClass.NOT_FOUND,
    408: ErrorClass.TIMEOUT,
    413: ErrorClass.INVALID_REQUEST,
    422: ErrorClass.INVALID_REQUEST,
    429: ErrorClass.RATE_LIMITED,
    498: ErrorClass.OVERLOADED,
    503: ErrorClass.OVERLOADED,
    504: ErrorClass.TIMEOUT,
    524: ErrorClass.TIMEOUT,
    529: ErrorClass.OVERLOADED,
}
_STATUS_CODE = re.compile(r"[45]\d\d")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS_OF: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def understand(body: bytes, *, status: int | None = None, wait_s: float | None = None) -> Refusal:
    """Return what an error answer says, whatever its shape; `wait_s` is what its headers ask.

    `status` is None for an error inside a 200: its code may then be the status it stands for
    (OpenRouter writes errors so).
    """
    error = _error_of(body)
    code = str(error.get("code") or "")
    if status is None:
        status = int(code) if _STATUS_CODE.fullmatch(code) else 502
    words = f"{code} {error.get('type') or ''}".lower()
    message = redact(str(error.get("message") or ""))
    parameter = error.get("param")
    return Refusal(
        error_class=_classify(status, words, message.lower()),
        message=message or f"HTTP {status}",
        retry_after_s=wait_s,
        code=code or None,
        parameter=parameter if isinstance(parameter, str) else None,
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
    if re.fullmatch(f"(?:{_DURATION.pattern})+", text):
        return sum(float(count) * _SECONDS_OF[unit] for count, unit in _DURATION.findall(text))
    try:
        moment = parsedate_to_datetime(text)
        return max(0.0, (to_us(moment) - now_us) / SECOND_US)
    except ValueError:
        return None


def _classify(status: int, words: str, message: str) -> ErrorClass:
    for error_class, codes in _BY_CODE:
        if any(code in words for code in codes):
            return error_class
    for error_class, phrases in _BY_WORDS:
        if any(phrase in message for phrase in phrases):
            return error_class
    return _BY_STATUS.get(
        status, ErrorClass.INVALID_REQUEST if 400 <= status < 500 else ErrorClass.UPSTREAM_ERROR
    )


def _error_of(body: bytes) -> dict[str, Any]:
    """Return the error object of a body: nested, listed, a plain string, or a `detail`."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"message": body[:UNREADABLE_BYTES_MAX].decode("utf-8", "replace")}
    for _ in range(3):
        if isinstance(found, list):
            listed = cast("list[Any]", found)
            found = listed[0] if listed else {}
        if not isinstance(found, dict):
            break
        fields = cast("dict[str, Any]", found)
        found = fields.get("error") or fields.get("detail")
        if found is None:
            return fields
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {"message": str(found)}
