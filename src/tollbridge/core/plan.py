"""Which providers may serve a call, in which order, and why?"""

from enum import StrEnum

import msgspec

from tollbridge.core.call import Bucket, OnCallerLeft, OnContentFiltered


class Auth(StrEnum):
    """In which header a provider wants its key."""

    BEARER = "bearer"  # authorization: Bearer …
    KEY = "key"  # authorization: Key …
    X_API_KEY = "x-api-key"
    X_GOOG_API_KEY = "x-goog-api-key"
    API_KEY = "api-key"
    XI_API_KEY = "xi-api-key"
    NONE = "none"


class ProviderKey(msgspec.Struct, frozen=True):
    """One of an endpoint's keys, and the name that people know it by."""

    name: str
    secret: str

    def __repr__(self) -> str:
        """Show its name alone."""
        return f"ProviderKey(name={self.name!r})"


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
    auth: str = Auth.BEARER
    """One of `Auth`."""
    keys: tuple[ProviderKey, ...] = ()
    """All keys where they have names; the first is `api_key`. With two or more they take turns."""
    planning_price: dict[str, str] = {}
    """Category → about what it costs, in USD as decimal text: 1,000 tokens, an image, 5 s of video,
    1,000 characters. It decides an order where no price is known, and never a cost."""

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
    hedge_after_s: float | None = None
    """After so long without a first byte the second candidate is asked beside the first."""
    bucket: Bucket | None = None
    """What its calls count in; None: what their operation and the model's author say."""
    on_content_filtered: OnContentFiltered = OnContentFiltered.FINAL
    skipped: tuple[str, ...] = ()
    """Candidates that were left out, each in a line that says why."""
    tag: str = ""
    """A label that the call bears besides its own: the arm of an experiment."""
