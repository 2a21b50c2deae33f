"""Of what does the office's HTTP application consist?"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI

from tollbridge.access.tokens import Tokens
from tollbridge.api.control import (
    budgets,
    endpoints,
    health,
    keys,
    prices,
    routes,
    sessions,
    usage,
    usage_logs,
)
from tollbridge.api.deps import Control, ControlServices, KeyRings
from tollbridge.api.errors import ErrorEnvelope, add_handlers
from tollbridge.api.identify import Identify
from tollbridge.api.sign_in import SignIn, SignInLimits

DESCRIPTION = """
Who really served each call, what it cost, and whether the budget held.

Money is decimal text in US dollars, instants are ISO 8601 in UTC, what is not known is null.
Lists are paged by `cursor`: pass `next_cursor` on until it is null.
"""
ERRORS: Mapping[int | str, dict[str, Any]] = {
    "default": {"model": ErrorEnvelope, "description": "An error, in the one envelope for all."}
}


def create_application(services: ControlServices) -> FastAPI:
    """Return the control plane: `/api`, `/healthz`, `/readyz` and `/metrics`."""
    application = FastAPI(
        title="Tollbridge",
        version=version("tollbridge"),
        description=DESCRIPTION.strip(),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=dict(ERRORS),
    )
    application.state.control = Control(
        services=services,
        tokens=Tokens(services.token_secret, services.token_lifetime_s),
        key_rings=KeyRings(services.pepper),
        sign_in=SignIn(services.database, services.clock, SignInLimits()),
    )
    add_handlers(application, services.on_fault)
    application.add_middleware(
        Identify, clock=services.clock, body_bytes_max=services.body_bytes_max
    )
    resources = APIRouter(prefix="/api/v1")
    for resource in (sessions, usage_logs, usage, keys, endpoints, routes, prices, budgets):
        resources.include_router(resource.router)
    application.include_router(resources)
    application.include_router(health.router)
    return application
