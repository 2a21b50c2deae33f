"""What did one load on one gateway measure?"""

from dataclasses import dataclass, field
from statistics import median

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """One load on one gateway in one round; `errors` above 0 make it void."""

    lane: str
    round: int
    gateway: str
    values: dict[str, float]
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure that stands for itself, with its bound; `at_least` says on which side."""

    lane: str
    name: str
    value: float
    unit: str
    bound: float | None = None
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often to measure."""

    load_s: float = 8.0
    warm_up_s: float = 2.0
    rounds: int = ROUNDS
    connections: int = 64
    streams: int = 200
    strangers_share_max: float = 0.10
    quick: bool = False
    rows: int = 0
    """Calls that are in the books before the drain is measured once more; 0: it is not."""


@dataclass(slots=True)
class Results:
    """Everything one run of the benchmark measured."""

    samples: list[Sample] = field(default_factory=list[Sample])
    figures: list[Figure] = field(default_factory=list[Figure])
    notes: list[str] = field(default_factory=list[str])

    def of(self, lane: str, gateway: str) -> list[Sample]:
        """Return the samples of one lane and gateway, in the order of their rounds."""
        return [s for s in self.samples if s.lane == lane and s.gateway == gateway]

    def gateways(self, lane: str) -> list[str]:
        """Return the gateways measured in a lane, in their order of appearance."""
        return list(dict.fromkeys(s.gateway for s in self.samples if s.lane == lane))

    def values(self, lane: str, gateway: str, name: str) -> list[float]:
        """Return one figure of every round."""
        return [s.values[name] for s in self.of(lane, gateway) if name in s.values]

    def ratios(self, lane: str, gateway: str, peer: str, name: str) -> list[float]:
        """Return gateway ÷ peer for each round that measured both."""
        ours = {s.round: s.values[name] for s in self.of(lane, gateway)}
        theirs = {s.round: s.values[name] for s in self.of(lane, peer)}
        return [ours[at] / theirs[at] for at in sorted(ours.keys() & theirs.keys()) if theirs[at]]


def spread(values: list[float]) -> tuple[float, float, float]:
    """Return least, median and greatest of at least one value."""
    return min(values), median(values), max(values)
