"""What can go wrong, with which status and which stable code?

    TollbridgeError
    ├── InvalidRequestError        400  invalid_request       the caller's body or address is wrong
    │   ├── BodyTooLargeError      413  body_too_large
    │   ├── ModelNotFoundError     404  model_not_found       names near ones
    │   │   └── ModelInactiveError 404  model_inactive        lists the active ones
    │   ├── NotCarriedError        404  not_carried           an address that is not carried
    │   └── MethodNotAllowedError  405  method_not_allowed    the address takes other methods
    ├── AuthenticationError        401  invalid_api_key       missing, wrong, expired or revoked
    ├── PermissionDeniedError      403  permission_denied     the key's scopes do not allow it
    ├── LimitError
    │   ├── RateLimitedError       429  rate_limited          requests per minute; retry-after
    │   ├── TooManyCallsError      429  concurrency_limited   concurrent calls; retry-after
    │   ├── QuotaExceededError     429  quota_exceeded        calls, tokens, images …; retry-after
    │   ├── BudgetExceededError    402  budget_exceeded       a hard money limit
    │   │   └── InsufficientCreditsError 402 insufficient_credits  a hard limit of credits
    │   └── UnpricedModelError     402  unpriced_model        no price, under a hard money limit
    ├── OverloadedError            503  overloaded            no room now; retry-after
    ├── UpstreamError              502  upstream_failed       every candidate failed, or one broke
    ├── ConflictError              409  conflict              a stale edit, a name already taken
    ├── NotFoundError              404  not_found             no such row
    ├── ConfigurationError         500  configuration         a setting or file that does not fit
    └── BugError                   500  internal_error        ours; the details are in the log

Each carries what the caller may know. One handler renders them in the caller's dialect.
"""

from collections.abc import Mapping


class TollbridgeError(Exception):
    """The root: an HTTP status, a stable code, a message for the caller."""

    status = 500
    code = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        self.details: Mapping[str, object] = details or {}


class InvalidRequestError(TollbridgeError):
    """The caller's request is malformed; `details["param"]` names the field where known."""

    status = 400
    code = "invalid_request"


class BodyTooLargeError(InvalidRequestError):
    """The body is over `body_bytes_max`."""

    status = 413
    code = "body_too_large"


class ModelNotFoundError(InvalidRequestError):
    """No route and no catalogue model has that name."""

    status = 404
    code = "model_not_found"


class ModelInactiveError(ModelNotFoundError):
    """The catalogue has the model, and it is switched off; `details["active"]` lists the others."""

    code = "model_inactive"


class NotCarriedError(InvalidRequestError):
    """An address of the provider's API that this gateway does not carry."""

    status = 404
    code = "not_carried"


class MethodNotAllowedError(InvalidRequestError):
    """The address exists, but not for this method."""

    status = 405
    code = "method_not_allowed"


class AuthenticationError(TollbridgeError):
    """The key or token is missing, wrong, expired or revoked."""

    status = 401
    code = "invalid_api_key"


class PermissionDeniedError(TollbridgeError):
    """The key or user is known, but may not do this."""

    status = 403
    code = "permission_denied"


class LimitError(TollbridgeError):
    """A limit refuses the call; the details say which, used, limit and when it resets."""

    status = 429
    code = "limited"


class RateLimitedError(LimitError):
    """Requests per minute are used up."""

    code = "rate_limited"


class TooManyCallsError(LimitError):
    """As many calls as allowed are under way."""

    code = "concurrency_limited"


class BudgetExceededError(LimitError):
    """A hard money limit has no room for this call's ceiling."""

    status = 402
    code = "budget_exceeded"


class InsufficientCreditsError(BudgetExceededError):
    """A hard limit of credits has no room for what this call takes at most."""

    code = "insufficient_credits"


class QuotaExceededError(LimitError):
    """Calls, tokens, images … of a period are used up; retry when it resets."""

    code = "quota_exceeded"


class UnpricedModelError(LimitError):
    """Nothing is known of the price, and a hard money limit applies."""

    status = 402
    code = "unpriced_model"


class OverloadedError(TollbridgeError):
    """No room for this call now."""

    status = 503
    code = "overloaded"


class UpstreamError(TollbridgeError):
    """Every candidate failed; the details list the attempts."""

    status = 502
    code = "upstream_failed"


class ConflictError(TollbridgeError):
    """The row changed meanwhile, or the name is taken."""

    status = 409
    code = "conflict"


class NotFoundError(TollbridgeError):
    """No such row."""

    status = 404
    code = "not_found"


class ConfigurationError(TollbridgeError):
    """A setting or a file cannot be applied."""

    code = "configuration"


class BugError(TollbridgeError):
    """Our own fault."""
