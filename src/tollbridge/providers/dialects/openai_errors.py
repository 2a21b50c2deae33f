"""How does OpenAI's SDK expect to be told of an error?"""

from typing import Any

from tollbridge.core.errors import TollbridgeError


def error_object(error: TollbridgeError) -> dict[str, Any]:
    """Return the fields of an error; `details` beside OpenAI's own four where there are more."""
    kinds = {
        401: "invalid_request_error",
        402: "insufficient_quota",
        403: "permission_error",
        404: "invalid_request_error",
        429: "rate_limit_error",
    }
    kind = kinds.get(error.status)
    if kind is None:
        kind = "invalid_request_error" if error.status < 500 else "server_error"
    details = dict(error.details)
    return {
        "message": error.message,
        "type": kind,
        "param": details.pop("param", None),
        "code": details.pop("code", None) or error.code,
        **({"details": details} if details else {}),
    }
