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

    def __repr__(self) -> str:
        """Show which endpoint it is; a key must not reach a log or an error by accident."""
        return (
            f"Endpoint(name={self.name!r}, provider={self.provider!r}, base_url={self.base_url!r})"
        )


class Candidate(msgspec.Struct, frozen=True):
    """One endpoint with that provider's model, and why it stands at its place in the plan."""

    endpoint: Endpoint
    model: str
    reason: str
    described: str = ""
    """All of it in one line, made once: it is journaled with every call."""

    def __post_init__(self) -> None:
        """Describe it."""
        described = f"{self.endpoint.name}/{self.model}: {self.reason}"
        msgspec.structs.force_setattr(self, "described", described)


class Plan(msgspec.Struct, frozen=True):
    """The candidates of one call, in order; never empty."""

    label: str
    candidates: tuple[Candidate, ...]
    vendor: str | None = None
    """The author of the labelled model, where known: decides the bucket."""
    keep_content: bool = False
    """Whether the route wants what is asked and answered to be kept."""
