"""Which providers may serve a call, in which order, and why?"""

import msgspec

from tollbridge.core.call import OnCallerLeft


class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """A door of a provider: address, credentials, wire format, and how it behaves."""

    name: str
    provider: str
    dialect: str
    base_url: str
    api_key: str = ""
    """The provider's key in clear; only ever in memory and on the local socket. "" sends none."""
    enabled: bool = True
    disabled_categories: tuple[str, ...] = ()
    priority: int = 100
    """Lower is tried first."""
    category_priority: dict[str, int] = {}
    default_models: dict[str, str] = {}
    """Category → this provider's own default model."""
    on_caller_left: OnCallerLeft = OnCallerLeft.DRAIN
    quirks: tuple[str, ...] = ()
    """Deviations from the dialect, each explained in endpoints.toml: no_stream_options …"""


class Candidate(msgspec.Struct, frozen=True):
    """One endpoint with that provider's model, and why it stands at its place in the plan."""

    endpoint: Endpoint
    model: str
    reason: str


class Plan(msgspec.Struct, frozen=True):
    """The candidates of one call, in order; never empty."""

    label: str
    candidates: tuple[Candidate, ...]
    vendor: str | None = None
    """The author of the labelled model, where known: decides the bucket."""
