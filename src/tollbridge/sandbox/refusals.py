"""How does the provider say no? Status, error object and headers of each kind of refusal."""

import math
from email.utils import formatdate
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from tollbridge.sandbox.script import Script


class Kind(NamedTuple):
    """One kind of refusal, as the provider words it."""

    status: int
    type: str
    code: str | None
    param: str | None
    message: str


_INVALID = "invalid_request_error"

KINDS: Final = MappingProxyType(
    {
        "invalid_request": Kind(400, _INVALID, "invalid_value", "messages", "Invalid value."),
        "unsupported_parameter": Kind(
            400,
            _INVALID,
            "unsupported_parameter",
            "temperature",
            "Unsupported parameter: 'temperature' is not supported with this model.",
        ),
        "context_length": Kind(
            400,
            _INVALID,
            "context_length_exceeded",
            "messages",
            "This model's maximum context length is 8192 tokens; your messages are longer.",
        ),
        "content_filter": Kind(
            400,
            _INVALID,
            "content_policy_violation",
            None,
            "Your request was rejected as a result of our safety system.",
        ),
        "authentication": Kind(
            401, _INVALID, "invalid_api_key", None, "Incorrect API key provided."
        ),
        "permission": Kind(
            403,
            _INVALID,
            "unsupported_country_region_territory",
            None,
            "Country, region, or territory not supported",
        ),
        "not_found": Kind(
            404,
            _INVALID,
            "model_not_found",
            None,
            "The model does not exist or you do not have access to it.",
        ),
        "timeout": Kind(408, "server_error", None, None, "Request timed out."),
        "body_too_large": Kind(413, _INVALID, None, None, "The request body is too large."),
        "rate_limited": Kind(
            429,
            "requests",
            "rate_limit_exceeded",
            None,
            "Rate limit reached for requests per min (RPM): Limit 500, Used 500, Requested 1.",
        ),
        "insufficient_quota": Kind(
            429,
            "insufficient_quota",
            "insufficient_quota",
            None,
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        "server_error": Kind(
            500, "server_error", None, None, "The server had an error processing your request."
        ),
        "overloaded": Kind(
            503, "server_error", None, None, "The engine is currently overloaded. Slow down."
        ),
    }
)

_BY_STATUS: Final = MappingProxyType(
    {
        400: "invalid_request",
        401: "authentication",
        403: "permission",
        404: "not_found",
        408: "timeout",
        413: "body_too_large",
        422: "invalid_request",
        402: "insufficient_quota",
        429: "rate_limited",
        529: "overloaded",
        503: "overloaded",
    }
)


class RefusedError(Exception):
    """The request is answered with an error object.

    `status` is the HTTP status, `error` the object below the key `error`.
    """

    def __init__(
        self,
        kind: str,
        message: str | None = None,
        *,
        status: int | None = None,
        param: str | None = None,
    ) -> None:
        row = KINDS[kind]
        self.kind = kind
        self.is_given = status is not None
        """Whether the status was asked for; otherwise a dialect may have one of its own."""
        self.status = status or row.status
        self.error: dict[str, Any] = {
            "message": message or row.message,
            "type": row.type,
            "param": param if message is not None else row.param,
            "code": row.code,
        }
        super().__init__(self.error["message"])


def scripted(script: Script) -> RefusedError | None:
    """Return the refusal that the script orders as the whole answer, or None.

    Raises RefusedError (400) for a kind that does not exist.
    """
    if script.error is not None and script.error not in KINDS:
        raise RefusedError("invalid_request", f"sandbox: no error kind {script.error!r}")
    in_stream = script.error_frame_first or script.error_frame_after_chunks is not None
    if in_stream or (script.status is None and script.error is None):
        return None
    return of_script(script)


def of_script(script: Script) -> RefusedError:
    """Return the refusal of the script's error kind and status, a server error without either."""
    kind = script.error or _BY_STATUS.get(script.status or 500, "server_error")
    return RefusedError(kind, status=script.status)


def retry_headers(
    retry_after_s: float | None, way: str = "both", now_us: int = 0
) -> list[tuple[bytes, bytes]]:
    """Return `retry-after` in whole seconds (or as a date) and the exact `retry-after-ms`."""
    if retry_after_s is None:
        return []
    whole = math.ceil(retry_after_s)
    at_s = now_us // 1_000_000 + whole
    shown = formatdate(at_s, usegmt=True).encode() if way == "date" else b"%d" % whole
    seconds = (b"retry-after", shown)
    milliseconds = (b"retry-after-ms", b"%d" % round(retry_after_s * 1000))
    if way == "both":
        return [seconds, milliseconds]
    return [milliseconds if way == "ms" else seconds]
