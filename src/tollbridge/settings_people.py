"""What can be set of people: how they sign in, and when they are told that limits are used up?

A part of `settings.Settings`: the names of the environment variables are made as there.
"""

from pydantic import BaseModel, Field, SecretStr, field_validator

from tollbridge.core.proxies import TrustedProxies

TRUSTED_PROXIES = "TOLLBRIDGE_TRUSTED_PROXIES"


class PeopleSettings(BaseModel):
    """The settings of signing in and of alerts."""

    # Signing in
    sign_in_link_lifetime_s: float = Field(
        default=3600.0, gt=0, description="Time in which a sign-in link can be used, once."
    )
    session_idle_s: float = Field(
        default=12 * 3600.0,
        gt=0,
        description="Time after which a session of the dashboard ends that is not used.",
    )
    session_lifetime_s: float = Field(
        default=30 * 86_400.0,
        gt=0,
        description="Time after which it ends, however much it is used.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses and networks of reverse proxies, separated by blanks, that are "
        "believed when they say by X-Forwarded-For for whom they ask; empty: none is, and where "
        "somebody signs in from is whoever connects.",
    )
    oidc_issuer: str = Field(
        default="",
        description="Issuer of the OpenID Connect provider that people sign in with, as an https "
        "address; empty: there is none. Needs public_url, or a browser on this machine.",
    )
    oidc_client_id: str = Field(default="", description="By which the provider knows us.")
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""),
        description="What proves it; empty for a public client, by PKCE alone.",
    )
    oidc_name: str = Field(
        default="single sign-on", min_length=1, description="What the sign-in page calls it."
    )
    oidc_scopes: str = Field(
        default="openid profile email", description="What the provider is asked for."
    )
    oidc_user_claim: str = Field(
        default="preferred_username",
        min_length=1,
        description="Claim of the ID token that is the user's name here, when they first come.",
    )
    oidc_role_claim: str = Field(
        default="",
        description="Claim of the ID token, a text or a list of them, that says the role at each "
        "sign-in; empty: roles are given here.",
    )
    oidc_admin_values: str = Field(
        default="tollbridge-admin",
        description="Values of it, separated by blanks, that make an admin.",
    )
    oidc_manager_values: str = Field(
        default="tollbridge-manager",
        description="Values of it that make a manager; of which projects is said here.",
    )
    oidc_create_users: bool = Field(
        default=True, description="Whether whoever the provider knows becomes a user, a member."
    )

    # Keys of one's own
    members_may_mint_keys: bool = Field(
        default=False,
        description="Whether members make keys for themselves, which may do no more than those "
        "that they were given: call and read, in the same projects, ending no later, and none "
        "where a limit stands on a key of theirs alone. Their own they rotate and revoke always.",
    )
    member_keys_max: int = Field(
        default=10, ge=1, le=1000, description="How many keys in force such a member has at most."
    )

    # Alerts
    alert_thresholds: str = Field(
        default="50 80 90 100",
        description="Per cent of a limit at which somebody is told, separated by blanks, where a "
        "budget has none of its own.",
    )
    alert_interval_ms: int = Field(
        default=400, ge=10, description="Time between two looks at the limits that have moved."
    )
    alert_sweep_s: int = Field(
        default=60, ge=1, description="Time between two looks at all budgets and wallets."
    )
    alert_grant_expiry_days: int = Field(
        default=7, ge=0, description="So long before it expires is told of a wallet's grant."
    )
    alert_keep_days: float = Field(
        default=90.0,
        ge=0,
        description="Time that an alert is kept, with what was sent of it, once its period is over "
        "or a higher one has superseded it.",
    )
    alert_webhook_timeout_s: float = Field(
        default=15.0, gt=0, description="Time for a webhook's server to answer."
    )
    alert_webhook_tries_max: int = Field(
        default=8, ge=1, le=20, description="How often an alert is sent to a webhook at most."
    )
    alert_webhook_wait_s: float = Field(
        default=5.0,
        gt=0,
        description="Wait before the second try, four times as long before each further one.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        """Raise ConfigurationError where a word is neither an address nor a network."""
        TrustedProxies.parse(text, TRUSTED_PROXIES)
        return text
