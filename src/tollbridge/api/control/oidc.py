"""How does somebody sign in with the company's own provider?

These addresses are opened by a browser: what goes wrong leads back to the sign-in page, which is
told the error's code and message.
"""

from typing import Annotated
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from tollbridge.access.oidc import STATE_LIFETIME_S
from tollbridge.access.sessions import Way
from tollbridge.api.control.sessions import is_https, open_for, set_cookie
from tollbridge.api.deps import Control, ControlOf
from tollbridge.api.errors import NoSuchAddressError
from tollbridge.api.oidc import Oidc, user_of
from tollbridge.core.errors import AuthenticationError, TollbridgeError

# Not in the OpenAPI document: nobody calls them but a browser that is sent there.
router = APIRouter(prefix="/auth/oidc", tags=["sign-in"], include_in_schema=False)
COOKIE = "tollbridge_oidc"
PATH = "/api/v1/auth/oidc"
CALLBACK = f"{PATH}/callback"
SIGN_IN_PAGE = "/sign-in"
CODE_LENGTH_MAX = 4096

log = structlog.get_logger()

Code = Annotated[str, Query(max_length=CODE_LENGTH_MAX)]


@router.get("/start")
async def start(
    request: Request,
    control: ControlOf,
    next_path: Annotated[str, Query(alias="next", max_length=1000)] = "/",
) -> Response:
    """Send the browser to the provider; it comes back to /api/v1/auth/oidc/callback."""
    oidc = _oidc(control)
    try:
        url, carried = await oidc.start(_redirect_uri(request, control), next_path)
    except TollbridgeError as error:
        return _back(error)
    answer = RedirectResponse(url, 303)
    answer.set_cookie(
        COOKIE,
        carried,
        max_age=STATE_LIFETIME_S,
        path=PATH,
        secure=is_https(request, control),
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get("/callback")
async def callback(
    request: Request, control: ControlOf, code: Code = "", state: Code = "", error: Code = ""
) -> Response:
    """Take what the provider says, and open a session."""
    oidc = _oidc(control)
    carried = request.cookies.get(COOKIE, "")
    try:
        begun = oidc.begun(carried, state)
        if error or not code:
            raise AuthenticationError("the sign-in provider did not let you in")
        identity = await oidc.finish(begun, code, _redirect_uri(request, control))
        async with control.services.database.write() as unit:
            user = await user_of(unit, identity, oidc.terms)
            opened = await open_for(control, unit, user, Way.OIDC, request)
    except TollbridgeError as fault:
        return _back(fault)
    answer = RedirectResponse(begun.next, 303)
    answer.delete_cookie(COOKIE, path=PATH)
    set_cookie(request, answer, control, opened)
    return answer


def _oidc(control: Control) -> Oidc:
    oidc = control.services.oidc
    if oidc is None:
        raise NoSuchAddressError("nobody signs in here with a provider")
    return oidc


def _redirect_uri(request: Request, control: Control) -> str:
    base = control.services.public_url.rstrip("/")
    if not base:
        scheme = "https" if is_https(request, control) else "http"
        base = f"{scheme}://{request.headers.get('host', 'localhost')}"
    return base + CALLBACK


def _back(error: TollbridgeError) -> Response:
    log.info("sign_in_failed", action="oidc", code=error.code)
    told = urlencode({"error": error.code, "message": error.message})
    answer = RedirectResponse(f"{SIGN_IN_PAGE}?{told}", 303)
    answer.delete_cookie(COOKIE, path=PATH)
    return answer
