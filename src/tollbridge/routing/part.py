"""What is declared of endpoints and routes, and what do workers get of it?"""

from enum import StrEnum

import msgspec

from tollbridge.core.call import Bucket, OnContentFiltered
from tollbridge.core.plan import Endpoint

# The wire formats that providers can be spoken to in; others may be named, and are skipped.
BUILT_DIALECTS = frozenset(
    {
        "aimlapi",
        "anthropic",
        "azure",
        "cohere",
        "elevenlabs",
        "gemini",
        "huggingface",
        "jina",
        "openai",
        "piapi",
        "replicate",
        "runware",
        "stability",
        "wavespeed",
        "xai",
    }
)


RouteName = tuple[str, str]
"""Model and category."""


class Source(StrEnum):
    """Who declared an endpoint or a route, and so who may change it."""

    FILE = "file"  # the configuration file alone
    API = "api"  # the API and the dashboard
    BUILTIN = "builtin"  # endpoints.toml, where the environment has the key


class Order(StrEnum):
    """How a route's candidates are put in order."""

    PRIORITY = "priority"  # by priority; equal ones by chance, in proportion to their weights
    WEIGHTED = "weighted"  # all by chance, in proportion to their weights
    CHEAPEST = "cheapest"  # by the catalogue's price of a nominal call, else the planning price
    FASTEST = "fastest"  # by the worker's own moving estimate of the time to the first byte


class CandidateEntry(msgspec.Struct, frozen=True):
    """One endpoint of a route, with that provider's own name of the model."""

    endpoint: str
    model: str
    priority: int
    """Lower is tried first."""
    weight: int = 1
    """Share among equals; 0 is tried only after all others of its priority."""


class RouteEntry(msgspec.Struct, frozen=True):
    """A name that applications ask for.

    Without candidates it stands for the category: its endpoints in order, each with its own
    default model.
    """

    model: str
    category: str
    order: str = Order.PRIORITY
    candidates: tuple[CandidateEntry, ...] = ()
    is_implicit: bool = False
    """Whether nobody wrote it: it follows from what endpoints offer."""
    keep_content: bool = False
    """Whether what its calls ask and are answered is kept."""
    hedge_after_ms: int | None = None
    """After so long without a first byte the second candidate is asked too; None never."""
    bucket: Bucket | None = None
    """What its calls count in; None: what their operation and the model's author say."""
    on_content_filtered: OnContentFiltered = OnContentFiltered.FINAL
    """Whether what one candidate's filter refuses is asked of the next."""


class ByHand(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody has switched or moved of an endpoint; what is None or absent was left alone."""

    enabled: bool | None = None
    categories: dict[str, bool] = {}
    """Category → whether it is enabled for it."""
    priority: int | None = None
    category_priority: dict[str, int] = {}


class DeclaredEndpoint(msgspec.Struct, frozen=True):
    """An endpoint, and per category the models that can be asked for without a route."""

    endpoint: Endpoint
    models: dict[str, tuple[str, ...]] = {}


class SubjectKind(StrEnum):
    """Who always gets the same arm."""

    USER = "user"
    KEY = "key"


class Arm(msgspec.Struct, frozen=True):
    """One candidate of the route, and its share of the subjects."""

    name: str
    endpoint: str
    model: str
    weight: int = 1


class Trial(msgspec.Struct, frozen=True):
    """An experiment that runs, as workers know it."""

    experiment_id: str
    name: str
    model: str
    category: str
    subject: str
    """One of SubjectKind."""
    arms: tuple[Arm, ...]
    """The first is what the others are compared with."""


class RoutingPart(msgspec.Struct, frozen=True):
    """All endpoints and routes: this package's part of a worker's snapshot."""

    endpoints: list[Endpoint]
    routes: list[RouteEntry]
    unreadable: tuple[str, ...] = ()
    """Endpoints left out because their key cannot be decrypted with this master key."""
    trials: tuple[Trial, ...] = ()
    """The experiments that run."""


class RoutingApplied(msgspec.Struct, frozen=True):
    """What applying a source's endpoints and routes did, by name."""

    changed: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()
    """Declared, but of that name there is one that this source does not own."""


class EndpointRow(msgspec.Struct, frozen=True):
    """An endpoint as the control plane shows it: all but its key."""

    declared: DeclaredEndpoint
    source: str
    keys: tuple[str, ...]
    """The names of its stored keys, in turn."""
    withdrawn_at_us: int | None

    @property
    def has_key(self) -> bool:
        """Return whether any key is stored."""
        return bool(self.keys)


class RouteRow(msgspec.Struct, frozen=True):
    """A route as the control plane shows it."""

    entry: RouteEntry
    enabled: bool
    source: str
    withdrawn_at_us: int | None


class Skipped(msgspec.Struct, frozen=True):
    """Something that was declared and is not used, and why."""

    name: str
    reason: str
    table: str = "endpoint"


class ModelListing(msgspec.Struct, frozen=True):
    """A name that applications can ask for now."""

    model: str
    category: str
    provider: str
    """The provider of its first candidate."""
