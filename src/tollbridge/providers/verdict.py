"""Every candidate failed: what does the caller hear, and does a retry help?"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tollbridge.core.call import ErrorClass, OnContentFiltered
from tollbridge.core.errors import InvalidRequestError, LimitError, TollbridgeError, UpstreamError
from tollbridge.core.evidence import AttemptEvidence

# The request itself is at fault: no other candidate would say otherwise.
FINAL = frozenset({ErrorClass.INVALID_REQUEST, ErrorClass.CONTENT_FILTERED})
FINAL_OF: Mapping[OnContentFiltered, frozenset[ErrorClass]] = {
    OnContentFiltered.FINAL: FINAL,
    OnContentFiltered.FALLBACK: FINAL - {ErrorClass.CONTENT_FILTERED},
}

# Refused without work done, and likely to pass: the same candidate may be asked again.
RETRYABLE = frozenset(
    {
        ErrorClass.RATE_LIMITED,
        ErrorClass.OVERLOADED,
        ErrorClass.UPSTREAM_ERROR,
        ErrorClass.CONNECT,
    }
)

# What all candidates said alike is said to the caller with that status and code.
_ALIKE: Mapping[ErrorClass, tuple[int, str]] = {
    ErrorClass.INVALID_REQUEST: (400, "invalid_request"),
    ErrorClass.CONTENT_FILTERED: (400, "content_filtered"),
    ErrorClass.CONTEXT_LENGTH: (400, "context_length_exceeded"),
    ErrorClass.UNSUPPORTED_PARAMETER: (400, "unsupported_parameter"),
    ErrorClass.NOT_FOUND: (404, "model_not_found"),
    ErrorClass.RATE_LIMITED: (429, "rate_limited"),
    ErrorClass.OVERLOADED: (503, "overloaded"),
    ErrorClass.TIMEOUT: (504, "timeout"),
}


def conclude(
    attempts: Sequence[AttemptEvidence], final_classes: Collection[ErrorClass] = FINAL
) -> TollbridgeError:
    """Return the one error that tells of all attempts.

    Refused alike: that status and class. All rate-limited: 429 with the least retry-after. Mixed,
    or a fault of ours such as a wrong provider key: 502 that lists the attempts.
    """
    final = next((attempt for attempt in attempts if attempt.error_class in final_classes), None)
    classes = {attempt.error_class for attempt in attempts}
    alike = final.error_class if final is not None else None
    if alike is None and len(classes) == 1:
        alike = next(iter(classes))
    waits = [attempt.retry_after_s for attempt in attempts if attempt.retry_after_s is not None]
    wait_s = min(waits, default=None)
    if alike is None or alike not in _ALIKE:
        return UpstreamError(_words(attempts), retry_after_s=wait_s, details=_listed(attempts))
    status, code = _ALIKE[alike]
    message = (final or attempts[-1]).message or _words(attempts)
    error = _error_of(status, message, wait_s, {**_listed(attempts), "code": code})
    error.status = status
    return error


def _error_of(
    status: int, message: str, wait_s: float | None, details: dict[str, Any]
) -> TollbridgeError:
    if status == 429:
        return LimitError(message, retry_after_s=1.0 if wait_s is None else wait_s, details=details)
    if status < 500:
        return InvalidRequestError(message, details=details)
    return UpstreamError(message, retry_after_s=wait_s, details=details)


def _words(attempts: Sequence[AttemptEvidence]) -> str:
    said = "; ".join(
        f"{attempt.endpoint}: {attempt.error_class or 'not finished'}"
        f"{f' ({attempt.http_status})' if attempt.http_status else ''}"
        for attempt in attempts
    )
    return f"no provider could serve the call: {said}"


def _listed(attempts: Sequence[AttemptEvidence]) -> dict[str, Any]:
    return {
        "attempts": [
            {
                "endpoint": attempt.endpoint,
                "provider": attempt.provider,
                "model": attempt.model,
                "error_class": attempt.error_class,
                "http_status": attempt.http_status,
            }
            for attempt in attempts
        ]
    }
