"""How does the control plane say what went wrong?

One envelope for every error of every address under it, whoever raised it. The handlers here are
the only ones; an error of ours is told without its internals, which go to `on_fault`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.api.identify import REQUEST_ID_HEADER, request_id_of
from tollbridge.core.errors import (
    AuthenticationError,
    BugError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    TollbridgeError,
)
from tollbridge.storage.faults import is_database_fault

OnFault = Callable[[str, BaseException], None]
FIELDS_NAMED_MAX = 20


class NoSuchAddressError(NotFoundError):
    """Nothing is at this address."""

    code = "no_such_address"


class WrongCredentialsError(AuthenticationError):
    """The user name or the password is wrong."""

    code = "invalid_credentials"


class WrongPasswordError(PermissionDeniedError):
    """The password so far, which another one needs, is wrong."""

    code = "wrong_password"


class NameTakenError(AuthenticationError):
    """The sign-in provider's name for this person is somebody else's here."""

    code = "user_name_taken"


class SignedOutError(AuthenticationError):
    """This session has ended; sign in again."""

    code = "signed_out"


class CsrfError(PermissionDeniedError):
    """The header x-csrf-token does not belong to the session that was sent."""

    code = "csrf_token_wrong"


class ErrorContent(BaseModel):
    """What went wrong."""

    code: str = Field(description="Stable; docs/reference/errors.md lists them all.")
    message: str = Field(description="For a person.")
    request_id: str = Field(description="Also in the header x-request-id.")
    details: dict[str, Any] = Field(description="What the code has to say besides; may be empty.")


class ErrorEnvelope(BaseModel):
    """The body of every error."""

    error: ErrorContent


def add_handlers(application: FastAPI, on_fault: OnFault) -> None:
    """Let every error of `application` leave in the envelope; faults of ours go to `on_fault`."""

    async def ours(request: Request, error: Exception) -> Response:
        return render(
            request, error if isinstance(error, TollbridgeError) else BugError(str(error))
        )

    async def invalid(request: Request, error: Exception) -> Response:
        return render(request, _invalid(error))

    async def http(request: Request, error: Exception) -> Response:
        return render(request, _http(request, error))

    async def fault(request: Request, error: Exception) -> Response:
        if is_database_fault(error):
            away = OverloadedError("the database does not answer", retry_after_s=1)
            return render(request, away)
        on_fault("control", error)
        return render(request, BugError("an error of ours; it has been recorded"))

    application.add_exception_handler(TollbridgeError, ours)
    application.add_exception_handler(RequestValidationError, invalid)
    application.add_exception_handler(HTTPException, http)
    application.add_exception_handler(Exception, fault)


def render(request: Request, error: TollbridgeError) -> Response:
    """Return an error in the envelope, with the headers that its status asks for."""
    request_id = request_id_of(request.scope)
    headers = {REQUEST_ID_HEADER: request_id}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    allow = error.details.get("allow")
    if error.status == 405 and isinstance(allow, str):
        headers["allow"] = allow
    return Response(
        msgspec.json.encode(envelope(error, request_id)),
        error.status,
        headers,
        media_type="application/json",
    )


def envelope(error: TollbridgeError, request_id: str) -> Mapping[str, object]:
    """Return the envelope of an error as plain values."""
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "request_id": request_id,
            "details": dict(error.details),
        }
    }


def _invalid(error: Exception) -> InvalidRequestError:
    found = error.errors() if isinstance(error, RequestValidationError) else ()
    fields = [_field(one) for one in found[:FIELDS_NAMED_MAX]]
    said = "; ".join(f"{one['field']}: {one['message']}" for one in fields)
    return InvalidRequestError(said or "the request is not valid", details={"fields": fields})


def _field(found: Mapping[str, Any]) -> dict[str, str]:
    place = found.get("loc", ())
    if found.get("type") == "json_invalid":
        return {"in": "body", "field": "body", "message": "the body is no JSON"}
    where, *names = [str(part) for part in place] or ["body"]
    # Never the value itself: it may be a password.
    return {"in": where, "field": ".".join(names) or where, "message": str(found.get("msg", ""))}


def _http(request: Request, error: Exception) -> TollbridgeError:
    if not isinstance(error, HTTPException):
        return BugError("an error of ours; it has been recorded")
    status = error.status_code
    path = request.url.path
    if status == 404:
        return NoSuchAddressError(f"there is nothing at {path}")
    if status == 405:
        allow = dict(error.headers or {}).get("Allow", "")
        return MethodNotAllowedError(
            f"{request.method} is not a method of {path}", details={"allow": allow}
        )
    if isinstance(error.__cause__, TollbridgeError):
        return error.__cause__  # raised while the body was read
    if status == 400:
        return InvalidRequestError("the request cannot be read")
    return BugError("an error of ours; it has been recorded")
