"""Why did an attempt fail, and may the provider have worked all the same?"""

from tollbridge.core.call import AttemptOutcome, ErrorClass
from tollbridge.providers.failures import (
    ConnectError,
    DeadlineExceededError,
    FirstByteTimeoutError,
    PoolTimeoutError,
    ProtocolError,
    ResponseTooLargeError,
    TransportError,
    WriteStallError,
)
from tollbridge.providers.redact import redact
from tollbridge.providers.refusals import is_error, retry_after_s, understand
from tollbridge.providers.request import MalformedAnswerError, Refusal
from tollbridge.providers.response import Response


class AttemptFailedError(Exception):
    """An attempt failed before the caller got a byte: another candidate may be tried."""

    def __init__(
        self, error_class: ErrorClass, outcome: AttemptOutcome, refusal: Refusal | str
    ) -> None:
        words = redact(refusal if isinstance(refusal, str) else refusal.message)
        super().__init__(words)
        self.error_class = error_class
        self.outcome = outcome
        self.message = words
        self.retry_after_s = None if isinstance(refusal, str) else refusal.retry_after_s


def of_transport(error: TransportError) -> AttemptFailedError:
    """Return the failure of an exchange that did not come to its end."""
    outcome = AttemptOutcome.UNKNOWN if error.written else AttemptOutcome.FAILED
    if isinstance(error, (ConnectError, PoolTimeoutError)):
        error_class = ErrorClass.CONNECT
    elif isinstance(error, (FirstByteTimeoutError, DeadlineExceededError, WriteStallError)):
        error_class = ErrorClass.TIMEOUT
    elif isinstance(error, (ProtocolError, ResponseTooLargeError)):
        error_class = ErrorClass.MALFORMED_ANSWER
    else:
        error_class = ErrorClass.BROKEN_CONNECTION
    return AttemptFailedError(error_class, outcome, error.message)


def of_refusal(refusal: Refusal) -> AttemptFailedError:
    """Return the failure that a provider's own words stand for."""
    return AttemptFailedError(refusal.error_class, AttemptOutcome.FAILED, refusal)


def of_status(
    response: Response, body: bytes, now_us: int, dialect: str = ""
) -> AttemptFailedError:
    """Return the failure that an answer with an error's status stands for."""
    wait_s = retry_after_s(response, now_us)
    return of_refusal(understand(body, status=response.status, wait_s=wait_s, dialect=dialect))


def of_malformed(error: MalformedAnswerError, body: bytes, dialect: str = "") -> AttemptFailedError:
    """Return the failure of a 200 that is no answer: an error in disguise, or garbage."""
    if is_error(body):
        return of_refusal(understand(body, dialect=dialect))
    return AttemptFailedError(ErrorClass.MALFORMED_ANSWER, AttemptOutcome.UNKNOWN, str(error))


def no_first_frame(timeout_s: float) -> AttemptFailedError:
    """Return the failure of a stream that did not begin in time."""
    return AttemptFailedError(
        ErrorClass.TIMEOUT, AttemptOutcome.UNKNOWN, f"no frame within {timeout_s} s"
    )


def of_unusable(error: ValueError) -> AttemptFailedError:
    """Return the failure of an endpoint whose address or key cannot be put on the wire."""
    return AttemptFailedError(
        ErrorClass.CONNECT, AttemptOutcome.FAILED, f"the endpoint is not usable: {error}"
    )


def of_untranslatable(error: Exception) -> AttemptFailedError:
    """Return the failure of a candidate that cannot serve the request without loss."""
    return AttemptFailedError(ErrorClass.UNSUPPORTED_PARAMETER, AttemptOutcome.FAILED, str(error))


def of_invalid(error: Exception) -> AttemptFailedError:
    """Return the failure of a request that is itself at fault, whoever is asked."""
    return AttemptFailedError(ErrorClass.INVALID_REQUEST, AttemptOutcome.FAILED, str(error))
