"""Of what does the office's HTTP application consist?"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI

from tollbridge.access.tokens import Tokens
from tollbridge.api import aliases, provider_statistics, subscription, subscription_alerts
from tollbridge.api.control import (
    account,
    alert_webhooks,
    alerts,
    attribution,
    attribution_shares,
    audit,
    backfill,
    budgets,
    contents,
    credit_rates,
    endpoints,
    experiments,
    exports,
    forecast,
    gateway_usage,
    gemini_videos,
    generate,
    health,
    insight,
    insight_advice,
    insight_costs,
    insight_models,
    insight_providers,
    intake,
    intake_sources,
    keys,
    leases,
    models,
    oidc,
    plans,
    playground,
    price_faults,
    prices,
    reattribution,
    rerating,
    routes,
    sessions,
    subscriptions,
    usage,
    usage_logs,
    users,
    videos,
    wallet_moves,
    wallets,
)
from tollbridge.api.dashboard import Dashboard
from tollbridge.api.deps import Control, ControlServices, KeyRings
from tollbridge.api.errors import ErrorEnvelope, add_handlers
from tollbridge.api.identify import Identify
from tollbridge.api.sign_in import SignIn, SignInLimits
from tollbridge.attribution.store import RuleBook
from tollbridge.providers.names import load_names
from tollbridge.rating.model_costs import PriceBooks

DESCRIPTION = """
Who really served each call, what it cost, and whether the budget held.

Money is decimal text in US dollars, instants are ISO 8601 in UTC, what is not known is null.
Lists are paged by `cursor`: pass `next_cursor` on until it is null.
"""
ERRORS: Mapping[int | str, dict[str, Any]] = {
    "default": {"model": ErrorEnvelope, "description": "An error, in the one envelope for all."}
}


def create_application(services: ControlServices) -> FastAPI:
    """Return the control plane: `/api`, `/healthz`, `/readyz`, `/metrics`, and the dashboard."""
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
    names = load_names()
    application.state.control = Control(
        services=services,
        tokens=Tokens(services.token_secret, services.token_lifetime_s),
        key_rings=KeyRings(services.pepper),
        price_books=PriceBooks(),
        rule_book=RuleBook(names.resolve),
        provider_names=names,
        sign_in=SignIn(services.database, services.clock, SignInLimits()),
    )
    add_handlers(application, services.on_fault)
    application.add_middleware(
        Identify,
        clock=services.clock,
        body_bytes_max=services.body_bytes_max,
        larger=dict.fromkeys(
            ("/v1/videos", gemini_videos.METHOD, "/api/v1/generate"), services.request_bytes_max
        ),
    )
    _include_resources(application)
    application.router.default = Dashboard()
    return application


def _include_resources(application: FastAPI) -> None:
    resources = APIRouter(prefix="/api/v1")
    for resource in (
        sessions,
        account,
        oidc,
        users,
        audit,
        alerts,
        alert_webhooks,
        exports,  # before usage_logs, which takes any last part for a call's id
        usage_logs,
        contents,
        usage,
        keys,
        playground,
        endpoints,
        routes,
        models,
        prices,
        price_faults,
        rerating,
        budgets,
        leases,
        plans,
        subscriptions,
        wallets,
        wallet_moves,
        credit_rates,
        attribution,
        attribution_shares,
        reattribution,
        backfill,
        insight,
        insight_providers,
        insight_costs,
        insight_advice,
        insight_models,
        forecast,
        experiments,
    ):
        resources.include_router(resource.router)
    resources.include_router(generate.router)
    resources.include_router(intake.refusals)
    resources.include_router(intake_sources.router)
    resources.include_router(aliases.router)
    application.include_router(resources)
    application.include_router(aliases.subscription, prefix="/api")
    application.include_router(subscription.router, prefix="/api")
    application.include_router(subscription_alerts.router, prefix="/api")
    application.include_router(provider_statistics.router, prefix="/api")
    application.include_router(videos.router)
    application.include_router(gemini_videos.router)
    application.include_router(generate.hooks)
    application.include_router(intake.router)
    application.include_router(gateway_usage.router)
    application.include_router(health.router)
