"""What is asked of the catalogue of prices and of how calls were priced? Frozen values, no SQL."""

from decimal import Decimal

import msgspec

from tollbridge.core.sight import Sight

PricePlace = tuple[str, str, str, int, str]
"""(provider, model, unit, recorded_at_us, price version id): where a version stands in a list."""
EventPlace = tuple[int, str]
"""(at_us, event id): where an event stands among the newest first."""
GapPlace = tuple[int, str, str, str]
"""(minus the count, provider, model, category): where a gap stands among the largest first."""


class PriceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which price versions; None is any."""

    provider: str | None = None
    model: str | None = None
    """The matcher, as it was stated."""
    unit: str | None = None
    source: str | None = None
    status: str | None = None
    at_us: int | None = None
    """Those that hold at this instant, each for its own source."""


class PriceVersion(msgspec.Struct, frozen=True):
    """One price version with where it comes from and what became of it."""

    price_version_id: str
    provider: str
    model: str
    unit: str
    conditions: str
    """Canonical JSON; "" is none."""
    rate_usd: str | None
    """For `per` units; None takes the price back."""
    per: int
    quantity_min: int | None
    quantity_step: int | None
    valid_from_us: int
    valid_to_us: int | None
    recorded_at_us: int
    source: str
    source_detail: str | None
    reference: str | None
    as_of: str | None
    recorded_by: str | None
    comment: str | None
    status: str

    @property
    def place(self) -> PricePlace:
        """Where it stands in a list."""
        return (self.provider, self.model, self.unit, self.recorded_at_us, self.price_version_id)


class PriceEvent(msgspec.Struct, frozen=True):
    """Something that became of a price version."""

    event_id: str
    at_us: int
    status: str
    actor: str
    reason: str | None
    price: PriceVersion

    @property
    def place(self) -> EventPlace:
        """Where it stands among the newest first."""
        return self.at_us, self.event_id


class Dispute(msgspec.Struct, frozen=True):
    """A price that is only proposed, and the prices that it contradicts."""

    proposed: PriceVersion
    against: tuple[PriceVersion, ...]
    """Of the same unit and conditions, for some of the same time: what holds by other sources, and
    what is proposed besides."""


class Whose(msgspec.Struct, frozen=True, kw_only=True):
    """Whose calls are meant; None is anybody's."""

    provider: str | None = None
    sight: Sight | None = None


class UnpricedGap(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of one provider's model that have no cost."""

    provider: str
    model: str
    category: str
    count: int
    reason: str | None
    """Of the newest of them; None where that is not among those looked at."""
    first_seen_us: int
    """To the quarter hour."""
    last_seen_us: int
    """To the quarter hour, or exactly where that call was found."""
    last_call_id: str | None

    @property
    def place(self) -> GapPlace:
        """Where it stands among the largest first."""
        return -self.count, self.provider, self.model, self.category


class Tolerance(msgspec.Struct, frozen=True):
    """By how much a provider's figure may differ from ours: both bounds must be passed."""

    share: Decimal = Decimal("0.01")
    amount_nanousd: int = 1000

    def passed_by(self, reported_nanousd: int, computed_nanousd: int) -> bool:
        """Return whether two figures are too far apart."""
        difference = abs(reported_nanousd - computed_nanousd)
        return difference > self.amount_nanousd and difference > self.share * reported_nanousd


class ChargeDifference(msgspec.Struct, frozen=True):
    """A call for which the provider says it charged something else than our prices give."""

    call_id: str
    accounted_at_us: int
    provider: str
    model: str | None
    reported_nanousd: int
    computed_nanousd: int

    @property
    def difference_nanousd(self) -> int:
        """What the provider charged more than our prices give."""
        return self.reported_nanousd - self.computed_nanousd


class DifferencePage(msgspec.Struct, frozen=True):
    """Some differences, and where to look further."""

    differences: tuple[ChargeDifference, ...]
    scanned: int
    """How many calls were looked at."""
    next_place: tuple[int, str] | None
    """(accounted_at_us, call id) of the last call looked at; None at the end."""
